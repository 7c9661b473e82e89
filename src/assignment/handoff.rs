//! Handing a record over by a defined step.
//!
//! The record keeps its key and its history: it is one UPDATE by the caller, as in grants::reassign. Field rules and
//! transitions hold for whoever carries it out: the giver, or the receiver who accepts (answer). A dry run does all of it
//! and takes it back.

use super::step::{self, Step};
use super::{outbox, pool};
use crate::arguments::{given, required};
use crate::assignment::tell;
use crate::errors::{self, bad_argument, failure, refused};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::ffi::undone;
use crate::grants::reassign::{self, ATTEMPTS, Change, Move};
use crate::grants::{self, Right, lasting};
use crate::model::level::Level;
use crate::model::rights::Rights;
use crate::names;
use crate::questions::record::as_caller;
use crate::visibility;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::Oid;
use pgrx::{name, pg_extern};

pub(super) const WRONG_STATE: &str = "55000";

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
    let rows = if given(dry_run, "dry_run") { undone::rolled_back(give) } else { give() };
    TableIterator::new(rows)
}

/// Somebody who receives.
pub(super) struct Receiver {
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
        refuse_oneself(&right, &receiver);
        let rows = rows(&right, &step, &receiver);
        withdraw_stale(&right);
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

pub(super) fn organization(right: &Right) -> i64 {
    right.record.organization.unwrap_or_else(|| {
        failure(WRONG_STATE, format!("record {} belongs to no organization", right.record.id))
            .hint("Fill its organization column first.")
            .raise()
    })
}

/// Whether the caller may take this step.
fn demand(right: &Right, step: &Step) {
    if right.guest {
        refused("handoff refused: guests hand nothing over").hint("A member of the organization does.").raise();
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
        // Who works by the step gives away what is his own; the records of others only who may reassign them.
        Some(_) if right.record.owner == right.member && right.rights().has(Rights::UPDATE) => {}
        _ => {
            right.demand("handoff", Rights::REASSIGN);
            lasting::demand("handoff", right, Rights::REASSIGN);
        }
    }
}

/// 55000 where a step would be skipped.
pub(super) fn demand_stage(right: &Right, step: &Step) {
    let record = &right.record;
    if record.archived {
        let (table, literal) = (names::literal(&right.target.table.shown()), names::literal(&record.id));
        failure(WRONG_STATE, format!("record {} is archived", record.id))
            .hint(format!("leadguard.restore({table}, {literal}) takes it back."))
            .raise();
    }
    let stage = if record.has_stage { &record.stage } else { &record.status };
    if step.from_stage.is_some() && step.from_stage != *stage {
        failure(WRONG_STATE, format!("record {} is not where the step \"{}\" begins", record.id, step.name))
            .detail(format!("The step begins in stage \"{}\".", step.from_stage.as_deref().unwrap_or_default()))
            .hint("Take the steps in their order; leadguard.handoff_step lists them.")
            .raise();
    }
}

pub(super) fn receiver(right: &Right, step: &Step, key: &str) -> Receiver {
    let id = right.active_member(key);
    let table = &right.target.table;
    if let Some(role) = &step.to_role
        && !has_role(id, role)
    {
        failure(WRONG_STATE, format!("the step \"{}\" gives to a member with the role \"{role}\"", step.name))
            .detail("The receiver has another role.")
            .hint("Name a member who has it, or take the step for his role; leadguard.handoff_step lists them.")
            .raise();
    }
    if !pool::may_own(id, table) {
        failure(WRONG_STATE, format!("the receiver would not reach records of {} by owning them", table.shown()))
            .hint("Name a member whose roles give him what he owns there; leadguard.member_rights lists it.")
            .raise();
    }
    if right.record.owner == Some(id) {
        bad_argument("the receiver owns the record already").hint("Name another member.").raise();
    }
    Receiver { id, key: key.to_owned() }
}

/// Nobody takes what is another one's by handing it to himself.
fn refuse_oneself(right: &Right, receiver: &Receiver) {
    if right.member == Some(receiver.id) && !visibility::now().has_capability("assign") {
        refused("handoff refused: nobody hands a record to himself")
            .hint("The owner, or a member with the capability assign, gives it; leadguard.claim asks for it.")
            .raise();
    }
}

fn has_role(member: i64, role: &str) -> bool {
    let text = "SELECT member_id FROM leadguard.member_role WHERE member_id = $1 AND role = $2";
    as_extension(|| sql::first_int(text, &[Param::Int(Some(member)), Param::Text(Some(role))], Sees::Now)).is_some()
}

/// What somebody else offered, and kept locked while the owner changed, is no offer of this one.
fn withdraw_stale(right: &Right) {
    if let Some(owner) = right.record.owner {
        let (record, owner) = (right.record.id.clone(), owner.to_string());
        outbox::withdraw_offers(right.target.table.target, &[record], &[owner], false);
    }
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
pub(super) fn carry_out(right: &Right, step: &Step, receiver: &Receiver, reason: Option<&str>) -> bool {
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

pub(super) fn key_of(member: Option<i64>) -> Option<String> {
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
        Param::Bool(right.record.sensitive),
    ];
    let made = as_extension(|| {
        sql::first_int(
            "INSERT INTO leadguard.handoff (org_id, target, record, step, from_member, to_member, started_by, state, reason, ended_at, sensitive) \
             VALUES ($1, $2, $3, $4, (SELECT id FROM leadguard.member WHERE id = $5), $6, $7, $8, $9, \
                     CASE WHEN $8 <> 'open' THEN clock_timestamp() END, $10) \
             ON CONFLICT (target, record) WHERE state = 'open' DO NOTHING RETURNING id",
            &params,
            Sees::Now,
        )
    });
    made.unwrap_or_else(|| {
        refuse_open(right);
        failure(WRONG_STATE, format!("record {} is being handed over by somebody else", right.record.id))
            .hint("Try again: that handoff is decided then, or has to be answered first.")
            .raise()
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

/// A share for somebody who has none, or one that has ended and is still written down; its number.
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
            "INSERT INTO leadguard.record_grant AS held (target, record, kind, member_id, level, reason, granted_by) \
             SELECT $1, $2, 'share', m.id, $4, $5, $6 FROM leadguard.member m WHERE m.id = $3 AND m.active \
             ON CONFLICT (target, record, kind, member_id, retained) WHERE member_id IS NOT NULL \
             DO UPDATE SET level = excluded.level, reason = excluded.reason, granted_by = excluded.granted_by, \
                 granted_at = now(), until = NULL, approval_id = NULL, delegation_id = NULL \
             WHERE held.until <= statement_timestamp() RETURNING id",
            &params,
            Sees::Now,
        )
    })
}

/// What follows from a handoff that happened.
pub(super) fn done(right: &Right, step: &Step, receiver: &Receiver, id: i64, reason: Option<&str>) {
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
    grants::note(right, action, reason, format!("handoff {id}, step {}", step.name));
}
