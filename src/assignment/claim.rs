//! Claims, and disputes about them: the second claim opens one, and only a data owner closes it.

use crate::arguments::{given, required, said};
use crate::assignment::tell;
use crate::audit::{self, Event};
use crate::errors::{bad_argument, failure, refused};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::grants::reassign::{self, ATTEMPTS, Change, Move};
use crate::grants::{Right, lasting, writes};
use crate::model::rights::Rights;
use crate::names;
use crate::questions::record::Target;
use crate::visibility::{self, Member, Subject};
use pgrx::pg_extern;
use pgrx::pg_sys::Oid;

const WRONG_STATE: &str = "55000";

/// Claims a record; the number of the claim. Errors: 42501, 22023, 23505.
#[pg_extern(sql = false)]
fn claim(target: Option<Oid>, record: Option<&str>, why: Option<&str>) -> i64 {
    let right = Right::find("claim", target, record, Rights::READ);
    let Some(member) = right.member else {
        refused("claim refused: this session is no member").hint("A member claims for himself.").raise()
    };
    if right.guest {
        refused("claim refused: guests claim nothing").hint("A member of the organization claims.").raise();
    }
    if !right.target.table.rules.switches.readers_claim {
        right.demand("claim", Rights::UPDATE);
    }
    if right.record.archived {
        let (table, literal) = (names::literal(&right.target.table.shown()), names::literal(&right.record.id));
        failure(WRONG_STATE, format!("record {} is archived", right.record.id))
            .hint(format!("leadguard.restore({table}, {literal}) takes it back."))
            .raise();
    }
    if right.record.organization.is_none() {
        failure(WRONG_STATE, format!("record {} belongs to no organization", right.record.id))
            .hint("Fill its organization column first.")
            .raise();
    }
    let why = said(why, "the reason");
    let table = right.target.table.target;
    let params = [
        Param::Oid(table),
        Param::Text(Some(&right.record.id)),
        Param::Int(right.record.organization),
        Param::Int(Some(member)),
        Param::Text(Some(why)),
    ];
    let mut made: Option<(i64, Option<i64>, bool)> = None;
    as_extension(|| {
        sql::query(
            "SELECT p.claim, p.dispute, p.opened FROM leadguard.put_claim($1::oid::regclass, $2, $3, $4, $5) p",
            &params,
            Sees::Now,
            &mut |row| made = row.int(0).map(|claim| (claim, row.int(1), row.bool(2))),
        )
    });
    let Some((claim, dispute, opened)) = made else {
        failure("23505", format!("record {} is claimed by you already", right.record.id))
            .hint("leadguard.release ends a claim.")
            .raise()
    };
    let detail =
        dispute.map_or_else(|| format!("claim {claim}"), |dispute| format!("claim {claim}, dispute {dispute}"));
    let about = About { target: table, record: &right.record.id, organization: right.record.organization };
    about.note("claim", Some(why), detail);
    if let Some(owner) = right.record.owner {
        tell(owner, "claim", Some(table), Some(&right.record.id), None);
    }
    if let Some(dispute) = dispute {
        if opened {
            about.note("dispute", None, format!("dispute {dispute}"));
            about.tell_deciders(dispute, member);
        }
        about.tell_all(dispute, "dispute", None);
    }
    claim
}

/// What a claim or dispute is about.
struct About<'a> {
    target: Oid,
    record: &'a str,
    organization: Option<i64>,
}

impl About<'_> {
    fn note(&self, action: &'static str, reason: Option<&str>, detail: String) {
        let event = Event {
            target: Some(self.target),
            record: Some(self.record),
            action,
            reason,
            approval: None,
            detail: Some(detail),
        };
        audit::event_of(&event, self.organization);
    }

    /// Tells those who can decide a new dispute that there is one; claimants are told anyway.
    fn tell_deciders(&self, dispute: i64, claimant: i64) {
        let mut deciders = Vec::new();
        let params = [Param::Int(self.organization), Param::Int(Some(dispute)), Param::Int(Some(claimant))];
        as_extension(|| {
            sql::query(include_str!("../../sql/query/dispute_deciders.sql"), &params, Sees::Now, &mut |row| {
                deciders.extend(row.int(0));
            })
        });
        let detail = serde_json::json!({ "dispute": dispute, "decide": true }).to_string();
        for member in deciders {
            tell(member, "dispute", Some(self.target), Some(self.record), Some(&detail));
        }
    }

    /// Tells all who claim, or claimed, in a dispute.
    fn tell_all(&self, dispute: i64, kind: &str, winner: Option<i64>) {
        let mut claimants = Vec::new();
        let text = "SELECT DISTINCT member_id FROM leadguard.claim WHERE dispute_id = $1";
        as_extension(|| {
            sql::query(text, &[Param::Int(Some(dispute))], Sees::Now, &mut |row| claimants.extend(row.int(0)));
        });
        for member in claimants {
            let mut detail = serde_json::json!({ "dispute": dispute });
            if kind == "dispute_closed" {
                detail["won"] = (Some(member) == winner).into();
            }
            tell(member, kind, Some(self.target), Some(self.record), Some(&detail.to_string()));
        }
    }
}

fn caller<'a>(subject: &'a Subject, operation: &str, on: &str) -> &'a Member {
    writes(operation, &|| on.to_owned());
    match &subject.member {
        Some(member) => member,
        None => refused(format!("{operation} on {on} refused: this session is no member"))
            .hint("Who claimed, or a person with the capability approve, does it as himself.")
            .raise(),
    }
}

/// Ends one's own claim; data owners end any of their organization that is in no dispute. Errors: 42501, 22023, 55000.
#[pg_extern(sql = false)]
fn release(claim: Option<i64>) {
    let claim = required(claim, "the claim");
    let subject = visibility::now();
    let member = caller(&subject, "release", &format!("claim {claim}"));
    let mut found: Option<(Oid, String, i64, String)> = None;
    as_extension(|| {
        sql::query(
            "SELECT target::oid, record, member_id, state FROM leadguard.claim WHERE id = $1 AND org_id = $2 FOR UPDATE",
            &[Param::Int(Some(claim)), Param::Int(Some(member.org_id))],
            Sees::Now,
            &mut |row| {
                if let (Some(target), Some(record), Some(holder)) = (row.oid(0), row.text(1), row.int(2)) {
                    found = Some((target, record, holder, row.text(3).unwrap_or_default()));
                }
            },
        )
    });
    let found = found.filter(|(_, _, holder, _)| *holder == member.id || subject.is_data_owner());
    let Some((target, record, holder, state)) = found else {
        refused(format!("claim {claim} does not exist or is not yours"))
            .hint("leadguard.claim lists those that concern you; a person with the capability approve ends any that is in no dispute.")
            .raise()
    };
    let is_own = holder == member.id;
    match state.as_str() {
        "closed" => failure(WRONG_STATE, format!("claim {claim} is closed already"))
            .hint("There is nothing left to release; leadguard.claim(...) claims anew.")
            .raise(),
        // Who decides does so with a reason, for all claimants at once, and claims nothing himself.
        "disputed" if !is_own => failure(WRONG_STATE, format!("claim {claim} is in a dispute"))
            .hint("leadguard.close_dispute decides it; who claims the record leaves that to somebody else.")
            .raise(),
        _ => {}
    }
    let text = "UPDATE leadguard.claim SET state = 'closed', closed_at = clock_timestamp() WHERE id = $1";
    as_extension(|| sql::query(text, &[Param::Int(Some(claim))], Sees::Now, &mut |_| {}));
    let about = About { target, record: &record, organization: Some(member.org_id) };
    about.note("release", None, format!("claim {claim}"));
    if !is_own {
        let detail = serde_json::json!({ "claim": claim }).to_string();
        tell(holder, "claim_released", Some(target), Some(&record), Some(&detail));
    }
}

/// Decides a dispute, once. A person with the capability approve, of the same organization, who claims nothing in it.
/// Errors: 42501, 22023, 55000.
#[pg_extern(sql = false)]
fn close_dispute(id: Option<i64>, winner: Option<&str>, why: Option<&str>, reassign: Option<bool>) {
    let id = required(id, "the dispute");
    let reassign = given(reassign, "reassign");
    let subject = visibility::now();
    let member = caller(&subject, "close_dispute", &format!("dispute {id}"));
    if !subject.is_data_owner() {
        refused(format!("close_dispute on dispute {id} refused for \"{}\"", member.key))
            .hint("A person with the capability approve (a data owner) decides.")
            .raise();
    }
    let why = said(why, "the reason");
    let mut found: Option<(Oid, String, bool)> = None;
    as_extension(|| {
        sql::query(
            "SELECT target::oid, record, closed_at IS NOT NULL FROM leadguard.dispute WHERE id = $1 AND org_id = $2 FOR UPDATE",
            &[Param::Int(Some(id)), Param::Int(Some(member.org_id))],
            Sees::Now,
            &mut |row| found = row.oid(0).zip(row.text(1)).map(|(target, record)| (target, record, row.bool(2))),
        )
    });
    let Some((target, record, closed)) = found else {
        refused(format!("dispute {id} does not exist or is not visible"))
            .hint("leadguard.dispute lists those of your organization.")
            .raise()
    };
    if closed {
        failure(WRONG_STATE, format!("dispute {id} is closed already"))
            .hint("leadguard.reassign changes the owner; a new claim opens a new dispute.")
            .raise();
    }
    let claims = |member: i64| {
        let text =
            "SELECT id FROM leadguard.claim WHERE dispute_id = $1 AND member_id = $2 AND state = 'disputed' FOR UPDATE";
        as_extension(|| sql::first_int(text, &[Param::Int(Some(id)), Param::Int(Some(member))], Sees::Now))
    };
    // Whoever has had a claim in it, released or not, does not decide.
    let own = "SELECT id FROM leadguard.claim WHERE dispute_id = $1 AND member_id = $2";
    let params = [Param::Int(Some(id)), Param::Int(Some(member.id))];
    if as_extension(|| sql::first_int(own, &params, Sees::Now)).is_some() {
        refused(format!("dispute {id} is your own")).hint("Somebody else with the capability approve decides.").raise();
    }
    let winner_id = winner.map(|key| {
        let text = "SELECT id FROM leadguard.member WHERE key = $1 AND org_id = $2";
        let params = [Param::Text(Some(key)), Param::Int(Some(member.org_id))];
        as_extension(|| sql::first_int(text, &params, Sees::Now)).filter(|id| claims(*id).is_some()).unwrap_or_else(
            || bad_argument("the winner is none of those who claim the record").hint("NULL: nobody of them.").raise(),
        )
    });
    let params = [Param::Int(Some(id)), Param::Int(Some(member.id)), Param::Int(winner_id), Param::Text(Some(why))];
    as_extension(|| {
        sql::query("SELECT leadguard.end_dispute($1, $2, $3, $4)", &params, Sees::Now, &mut |_| {});
    });
    if let Some((winner_id, key)) = winner_id.zip(winner).filter(|_| reassign) {
        give(target, &record, winner_id, key, why);
    }
    let about = About { target, record: &record, organization: Some(member.org_id) };
    about.note("close_dispute", Some(why), format!("dispute {id}"));
    about.tell_all(id, "dispute_closed", winner_id);
}

/// The winner owns the record.
fn give(target: Oid, record: &str, winner: i64, key: &str, why: &str) {
    if Target::find(Some(target), Sees::Now).owner.is_none() {
        return;
    }
    for _ in 0..ATTEMPTS {
        let right = Right::find("close_dispute", Some(target), Some(record), Rights::REASSIGN);
        if right.record.owner == Some(winner) {
            return;
        }
        lasting::demand("close_dispute", &right, Rights::REASSIGN);
        right.active_member(key);
        let owner = Move::checked(right.target.owner.as_ref(), "owner", winner, key);
        let change = Change { owner: Some(&owner), territory: None, more: &[], reason: Some(why) };
        if reassign::update(&right, &change) {
            right.demand("close_dispute", Rights::REASSIGN);
            return;
        }
    }
    failure("40001", format!("record {record} keeps changing")).hint("Run the transaction again.").raise()
}

/// A record is gone for good: nothing that was claimed or offered concerns another one that gets its id.
pub(crate) fn forget(target: Oid, record: &str) {
    if !crate::ffi::session::is_governed() {
        return;
    }
    let params = [Param::Oid(target), Param::Text(Some(record))];
    as_extension(|| {
        for text in [
            "DELETE FROM leadguard.claim WHERE target = $1 AND record = $2",
            "DELETE FROM leadguard.dispute WHERE target = $1 AND record = $2",
            "DELETE FROM leadguard.handoff WHERE target = $1 AND record = $2",
        ] {
            sql::query(text, &params, Sees::Now, &mut |_| {});
        }
    });
}

/// What belongs to organization $1 becomes $2's; a rule or step whose name is taken there gets its number added.
pub(crate) fn merge(params: &[Param]) {
    for text in [
        "UPDATE leadguard.assignment_rule r SET org_id = $2, name = CASE WHEN EXISTS ( \
         SELECT FROM leadguard.assignment_rule o WHERE o.org_id = $2 AND o.target = r.target AND o.name = r.name) \
         THEN r.name || ' ' || r.id ELSE r.name END WHERE r.org_id = $1",
        "UPDATE leadguard.handoff_step s SET org_id = $2, name = CASE WHEN EXISTS ( \
         SELECT FROM leadguard.handoff_step o WHERE o.org_id = $2 AND o.target = s.target AND o.name = s.name) \
         THEN s.name || ' ' || s.id ELSE s.name END WHERE s.org_id = $1",
        "UPDATE leadguard.handoff SET org_id = $2 WHERE org_id = $1",
        "UPDATE leadguard.dispute SET org_id = $2 WHERE org_id = $1",
        "UPDATE leadguard.claim SET org_id = $2 WHERE org_id = $1",
        "UPDATE leadguard.notification SET org_id = $2 WHERE org_id = $1",
    ] {
        sql::query(text, params, Sees::Now, &mut |_| {});
    }
}
