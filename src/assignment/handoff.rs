//! Handing a record over by a defined step, and answering.
//!
//! The record keeps its key and its history: it is one UPDATE by the caller, as in grants::reassign. Field rules and
//! transitions hold for whoever carries it out: the giver, or the receiver who accepts. A dry run does all of it and takes
//! it back.

use super::pool;
use super::step::{self, Step};
use crate::assignment::tell;
use crate::audit::{self, Event};
use crate::errors::{self, bad_argument, failure, refused};
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::grants::reassign::{self, ATTEMPTS, Change, Move};
use crate::grants::{Right, writes};
use crate::guard::{self, Purpose, Sanction};
use crate::model::level::Level;
use crate::model::rights::Rights;
use crate::names;
use crate::questions::record::{Target, as_caller};
use crate::questions::required;
use crate::visibility;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::Oid;
use pgrx::{name, pg_extern};

const WRONG_STATE: &str = "55000";

type Row = (String, String, Option<String>, Option<String>);

type Rows = TableIterator<
    'static,
    (name!(what, String), name!(name, String), name!(before, Option<String>), name!(after, Option<String>)),
>;

/// Hands a record over, offers it, or tells what would happen. Errors: 42501, 22023, 55000.
#[pg_extern(sql = false)]
fn handoff(
    target: Option<Oid>,
    record: Option<&str>,
    step: Option<&str>,
    to_member: Option<&str>,
    reason: Option<&str>,
    dry_run: Option<bool>,
) -> Rows {
    let (step, to) = (required(step, "the step"), required(to_member, "the receiver"));
    let give = || give(target, record, step, to, reason);
    let rows = if dry_run.unwrap_or(false) { session::rolled_back(give) } else { give() };
    TableIterator::new(rows)
}

/// Somebody who receives.
struct Receiver {
    id: i64,
    key: String,
}

fn give(target: Option<Oid>, record: Option<&str>, step: &str, to: &str, reason: Option<&str>) -> Vec<Row> {
    for _ in 0..ATTEMPTS {
        let right = Right::find("handoff", target, record, Rights::READ);
        let organization = organization(&right);
        let Some(step) = Step::find(&right.target.table, organization, step) else {
            bad_argument(format!("there is no step \"{}\" for {}", short(step), right.target.table.shown()))
                .hint("leadguard.handoff_step lists them; leadguard.set_handoff_step defines one.")
                .raise()
        };
        demand(&right, &step);
        demand_stage(&right, &step);
        let receiver = receiver(&right, &step, to);
        let rows = rows(&right, &step, &receiver);
        if step.needs_acceptance {
            offer(&right, &step, &receiver, organization, reason);
            return rows;
        }
        refuse_open(&right);
        if carry_out(&right, &step, &receiver, reason) {
            demand(&right, &step);
            let id = store(&right, &step, &receiver, organization, reason, "done");
            done(&right, &step, &receiver, id, reason);
            return rows;
        }
    }
    let right = Right::find("handoff", target, record, Rights::READ);
    errors::no_such_record(&names::shown(right.target.table.target), &right.record.id)
}

fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

fn organization(right: &Right) -> i64 {
    right.record.organization.unwrap_or_else(|| {
        failure(WRONG_STATE, format!("record {} belongs to no organization", right.record.id)).raise()
    })
}

/// Whether the caller may take this step.
fn demand(right: &Right, step: &Step) {
    if right.guest {
        refused("handoff refused: guests hand nothing over").raise();
    }
    reassign::demand_owner_change(right, true);
    let subject = visibility::now();
    let Some(member) = &subject.member else { return };
    let assigns = subject.has_capability("assign");
    match &step.from_role {
        _ if assigns => {}
        Some(role) if !member.roles.contains(role) => {
            refused(format!("the step \"{}\" is not for \"{}\"", step.name, member.key))
                .detail(format!("It is for members with the role \"{role}\"."))
                .hint("Such a member, or one with the capability assign, takes it.")
                .raise();
        }
        Some(_) if right.rights().has(Rights::UPDATE) => {}
        _ => right.demand("handoff", Rights::REASSIGN),
    }
}

/// 55000 where a step would be skipped.
fn demand_stage(right: &Right, step: &Step) {
    let record = &right.record;
    if record.archived {
        failure(WRONG_STATE, format!("record {} is archived", record.id)).raise();
    }
    let stage = if record.has_stage { &record.stage } else { &record.status };
    if step.from_stage.is_some() && step.from_stage != *stage {
        failure(WRONG_STATE, format!("record {} is not where the step \"{}\" begins", record.id, step.name))
            .detail(format!("The step begins in stage \"{}\".", step.from_stage.as_deref().unwrap_or_default()))
            .hint("Take the steps in their order; leadguard.handoff_step lists them.")
            .raise();
    }
}

fn receiver(right: &Right, step: &Step, key: &str) -> Receiver {
    let id = right.active_member(key);
    let table = &right.target.table;
    if let Some(role) = &step.to_role
        && !has_role(id, role)
    {
        failure(WRONG_STATE, format!("the step \"{}\" gives to a member with the role \"{role}\"", step.name))
            .detail("The receiver has another role.")
            .raise();
    }
    if !pool::may_own(id, table) {
        failure(WRONG_STATE, format!("the receiver would not reach records of {} by owning them", table.shown()))
            .raise();
    }
    if right.record.owner == Some(id) {
        bad_argument("the receiver owns the record already").raise();
    }
    Receiver { id, key: key.to_owned() }
}

fn has_role(member: i64, role: &str) -> bool {
    let text = "SELECT member_id FROM leadguard.member_role WHERE member_id = $1 AND role = $2";
    as_extension(|| sql::first_int(text, &[Param::Int(Some(member)), Param::Text(Some(role))], Sees::Now)).is_some()
}

fn refuse_open(right: &Right) {
    let text = "SELECT id FROM leadguard.handoff WHERE target = $1 AND record = $2 AND state = 'open'";
    let params = [Param::Oid(right.target.table.target), Param::Text(Some(&right.record.id))];
    if let Some(open) = as_extension(|| sql::first_int(text, &params, Sees::Now)) {
        failure(WRONG_STATE, format!("handoff {open} of record {} is not answered yet", right.record.id))
            .hint("The receiver accepts or refuses it; leadguard.refuse_handoff by the giver withdraws it.")
            .raise();
    }
}

/// False where the record changed meanwhile.
fn carry_out(right: &Right, step: &Step, receiver: &Receiver, reason: Option<&str>) -> bool {
    let owner = Move::checked(right.target.owner.as_ref(), "owner", receiver.id, &receiver.key);
    let sets = step::sets(&step.changes(&right.target.table));
    let change = Change { owner: Some(&owner), territory: None, more: &sets, reason };
    let moved = reassign::update(right, &change);
    super::finish();
    moved
}

/// What the step changes and who is told, as the caller may read it.
fn rows(right: &Right, step: &Step, receiver: &Receiver) -> Vec<Row> {
    let target = &right.target;
    let changes = step.changes(&target.table);
    let mut found: Vec<Row> = Vec::new();
    let owner = target.table.owner_column.clone().unwrap_or_default();
    found.push(("field".to_owned(), owner, key_of(right.record.owner), Some(receiver.key.clone())));
    let columns: Vec<String> = changes.iter().map(|(name, _)| names::quote(name)).collect();
    if !columns.is_empty() {
        let (condition, id) = target.is_record(1, &right.record.id);
        let text = format!("SELECT {} FROM {} WHERE {condition}", columns.join(", "), target.relation);
        as_caller(|| {
            sql::query_once(&text, &[id], Sees::Now, &mut |row| {
                found.extend(
                    (0..)
                        .zip(&changes)
                        .map(|(at, (name, value))| ("field".to_owned(), name.clone(), row.text(at), value.clone())),
                );
            })
        });
    }
    let told = [right.record.owner, Some(receiver.id)].into_iter().flatten();
    for member in told.filter(|member| Some(*member) != right.member) {
        found.push((
            "notify".to_owned(),
            key_of(Some(member)).unwrap_or_default(),
            None,
            Some("owner_changed".to_owned()),
        ));
    }
    for member in concerned(right, step, receiver) {
        found.push(("notify".to_owned(), key_of(Some(member)).unwrap_or_default(), None, Some("handoff".to_owned())));
    }
    found
}

fn key_of(member: Option<i64>) -> Option<String> {
    let text = "SELECT key FROM leadguard.member WHERE id = $1";
    as_extension(|| sql::first_text(text, &[Param::Int(Some(member?))], Sees::Now))
}

/// Whom the step tells beside the owners.
fn concerned(right: &Right, step: &Step, receiver: &Receiver) -> Vec<i64> {
    let mut found = Vec::new();
    let params = [
        Param::Oid(right.target.table.target),
        Param::Text(Some(&right.record.id)),
        Param::Int(right.record.organization),
        Param::Texts(&step.notify),
        Param::Int(right.record.owner),
        Param::Int(Some(receiver.id)),
        Param::Int(right.member),
    ];
    as_extension(|| {
        sql::query(include_str!("../../sql/query/handoff_concerned.sql"), &params, Sees::Now, &mut |row| {
            found.extend(row.int(0));
        })
    });
    found
}

fn store(
    right: &Right,
    step: &Step,
    receiver: &Receiver,
    organization: i64,
    reason: Option<&str>,
    state: &'static str,
) -> i64 {
    let params = [
        Param::Int(Some(organization)),
        Param::Oid(right.target.table.target),
        Param::Text(Some(&right.record.id)),
        Param::Text(Some(&step.name)),
        Param::Int(right.record.owner),
        Param::Int(Some(receiver.id)),
        Param::Int(right.member),
        Param::Text(Some(state)),
        Param::Text(reason),
    ];
    let made = as_extension(|| {
        sql::first_int(
            "INSERT INTO leadguard.handoff (org_id, target, record, step, from_member, to_member, started_by, state, reason, ended_at) \
             VALUES ($1, $2, $3, $4, (SELECT id FROM leadguard.member WHERE id = $5), $6, $7, $8, $9, \
                     CASE WHEN $8 <> 'open' THEN clock_timestamp() END) \
             ON CONFLICT (target, record) WHERE state = 'open' DO NOTHING RETURNING id",
            &params,
            Sees::Now,
        )
    });
    made.unwrap_or_else(|| {
        refuse_open(right);
        failure(WRONG_STATE, format!("record {} is being handed over by somebody else", right.record.id)).raise()
    })
}

/// The receiver must answer first; until then he reads the record.
fn offer(right: &Right, step: &Step, receiver: &Receiver, organization: i64, reason: Option<&str>) {
    let id = store(right, step, receiver, organization, reason, "open");
    let given = share(right, receiver.id, Level::Read, "offered by a handoff");
    let params = [Param::Int(Some(id)), Param::Int(given)];
    let text = "UPDATE leadguard.handoff SET grant_id = $2 WHERE id = $1";
    as_extension(|| sql::query(text, &params, Sees::Now, &mut |_| {}));
    let detail = serde_json::json!({ "handoff": id, "step": step.name, "answer": "expected" }).to_string();
    tell(receiver.id, "handoff", Some(right.target.table.target), Some(&right.record.id), Some(&detail));
    note(right, "handoff_offer", id, step, reason);
}

/// A share for somebody who has none; its number.
fn share(right: &Right, member: i64, level: Level, why: &str) -> Option<i64> {
    let params = [
        Param::Oid(right.target.table.target),
        Param::Text(Some(&right.record.id)),
        Param::Int(Some(member)),
        Param::Text(Some(level.name())),
        Param::Text(Some(why)),
        Param::Int(right.member),
    ];
    as_extension(|| {
        sql::first_int(
            "INSERT INTO leadguard.record_grant (target, record, kind, member_id, level, reason, granted_by) \
             SELECT $1, $2, 'share', m.id, $4, $5, $6 FROM leadguard.member m WHERE m.id = $3 AND m.active \
             ON CONFLICT (target, record, kind, member_id, retained) WHERE member_id IS NOT NULL DO NOTHING RETURNING id",
            &params,
            Sees::Now,
        )
    })
}

/// What follows from a handoff that happened.
fn done(right: &Right, step: &Step, receiver: &Receiver, id: i64, reason: Option<&str>) {
    if let Some(level) = right.target.table.rules.switches.previous_owner
        && let Some(previous) = right.record.owner
    {
        share(right, previous, level, "owned it before a handoff");
    }
    let detail = serde_json::json!({ "handoff": id, "step": step.name }).to_string();
    for member in concerned(right, step, receiver) {
        tell(member, "handoff", Some(right.target.table.target), Some(&right.record.id), Some(&detail));
    }
    note(right, "handoff", id, step, reason);
}

fn note(right: &Right, action: &'static str, id: i64, step: &Step, reason: Option<&str>) {
    let event = Event {
        target: Some(right.target.table.target),
        record: Some(&right.record.id),
        action,
        reason,
        approval: None,
        detail: Some(format!("handoff {id}, step {}", step.name)),
    };
    audit::event_of(&event, right.record.organization);
}

/// A handoff that waits, locked.
struct Open {
    id: i64,
    target: Oid,
    record: String,
    step: String,
    organization: i64,
    from: Option<i64>,
    to: i64,
    starter: Option<i64>,
    reason: Option<String>,
    state: String,
    grant: Option<i64>,
}

impl Open {
    /// One answer for one that is not there and one that does not concern the caller.
    fn find(operation: &str, id: Option<i64>) -> (Open, i64) {
        let id = id.unwrap_or_else(|| bad_argument("the handoff is missing").raise());
        writes(operation, &|| format!("handoff {id}"));
        let subject = visibility::now();
        let absent = || -> ! { refused(format!("handoff {id} does not exist or is not visible")).raise() };
        let Some(member) = &subject.member else { absent() };
        let params = [Param::Int(Some(id)), Param::Int(Some(member.org_id))];
        let mut found = None;
        as_extension(|| {
            sql::query(
                "SELECT target::oid, record, step, from_member, to_member, started_by, reason, state, grant_id \
                 FROM leadguard.handoff WHERE id = $1 AND org_id = $2 FOR UPDATE",
                &params,
                Sees::Now,
                &mut |row| {
                    if let (Some(target), Some(record), Some(to)) = (row.oid(0), row.text(1), row.int(4)) {
                        found = Some(Open {
                            id,
                            target,
                            record,
                            step: row.text(2).unwrap_or_default(),
                            organization: member.org_id,
                            from: row.int(3),
                            to,
                            starter: row.int(5),
                            reason: row.text(6),
                            state: row.text(7).unwrap_or_default(),
                            grant: row.int(8),
                        });
                    }
                },
            )
        });
        let Some(open) = found else { absent() };
        let data_owner = subject.has_capability("approve") && !member.system && !member.guest;
        let concerned = [Some(open.to), open.from, open.starter].contains(&Some(member.id));
        if !concerned && !data_owner {
            absent();
        }
        if open.state != "open" {
            failure(WRONG_STATE, format!("handoff {id} is {} already", open.state)).raise();
        }
        (open, member.id)
    }

    fn end(&self, state: &'static str, answer: Option<&str>) {
        let params = [Param::Int(Some(self.id)), Param::Text(Some(state)), Param::Text(answer), Param::Int(self.grant)];
        as_extension(|| {
            sql::query(
                "UPDATE leadguard.handoff SET state = $2, answer = $3, ended_at = clock_timestamp(), grant_id = NULL WHERE id = $1",
                &params[..3],
                Sees::Now,
                &mut |_| {},
            );
            let text = "DELETE FROM leadguard.record_grant WHERE id = $1 AND kind = 'share' AND NOT retained";
            sql::query(text, &params[3..], Sees::Now, &mut |_| {});
        });
    }
}

/// Takes an offered record over. For the receiver. Errors: 42501, 55000.
#[pg_extern(sql = false)]
fn accept_handoff(id: Option<i64>) {
    let (open, member) = Open::find("accept_handoff", id);
    if open.to != member {
        refused(format!("handoff {} is not offered to you", open.id)).hint("The receiver accepts it.").raise();
    }
    let target = Target::find(Some(open.target), Sees::Now);
    let Some(step) = Step::find(&target.table, open.organization, &open.step) else {
        failure(WRONG_STATE, format!("the step of handoff {} is gone", open.id))
            .hint("leadguard.refuse_handoff ends it.")
            .raise()
    };
    // He may not see the record: that it was offered is his right.
    let sanction = Sanction::of(target.table.target, &open.record, Purpose::Reassign, open.reason.as_deref());
    let read = guard::sanction(sanction, || target.read(&open.record, Sees::Now));
    let changed = || -> ! {
        failure(WRONG_STATE, format!("the record of handoff {} changed since it was offered", open.id))
            .hint("leadguard.refuse_handoff ends it; the giver offers it anew.")
            .raise()
    };
    let Some(record) = read.filter(|record| record.owner == open.from) else { changed() };
    let right = Right { target, record, member: Some(member), guest: false, administers: false };
    if organization(&right) != open.organization {
        changed();
    }
    demand_stage(&right, &step);
    let receiver = receiver(&right, &step, &key_of(Some(member)).unwrap_or_default());
    if !carry_out(&right, &step, &receiver, open.reason.as_deref()) {
        changed();
    }
    open.end("done", None);
    done(&right, &step, &receiver, open.id, open.reason.as_deref());
    if let Some(starter) = open.starter.filter(|starter| Some(*starter) != right.record.owner) {
        answered(&open, starter, "accepted");
    }
}

fn answered(open: &Open, member: i64, answer: &str) {
    let detail = serde_json::json!({ "handoff": open.id, "step": open.step, "answer": answer }).to_string();
    tell(member, "handoff", Some(open.target), Some(&open.record), Some(&detail));
}

/// Refuses an offered record (the receiver), or withdraws the offer (who made it, the owner, a data owner). Errors:
/// 42501, 22023, 55000.
#[pg_extern(sql = false)]
fn refuse_handoff(id: Option<i64>, reason: Option<&str>) {
    let (open, member) = Open::find("refuse_handoff", id);
    let reason = required(reason.filter(|reason| !reason.trim().is_empty()), "the reason");
    let state = if open.to == member { "refused" } else { "withdrawn" };
    open.end(state, Some(reason));
    let mut told: Vec<i64> = [Some(open.to), open.from, open.starter].into_iter().flatten().collect();
    told.sort_unstable();
    told.dedup();
    told.iter().for_each(|one| answered(&open, *one, state));
    let event = Event {
        target: Some(open.target),
        record: Some(&open.record),
        action: if state == "refused" { "handoff_refuse" } else { "handoff_withdraw" },
        reason: Some(reason),
        approval: None,
        detail: Some(format!("handoff {}, step {}", open.id, open.step)),
    };
    audit::event_of(&event, Some(open.organization));
}
