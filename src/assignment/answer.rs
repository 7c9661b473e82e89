//! Answers to offered records: the receiver takes one over or refuses it; who offered it withdraws it.

use super::handoff::{WRONG_STATE, carry_out, demand_stage, done, key_of, organization, receiver};
use super::step::Step;
use crate::arguments::required;
use crate::assignment::tell;
use crate::audit::{self, Event};
use crate::errors::{failure, refused};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::grants::{Right, writes};
use crate::guard::{self, Purpose, Sanction};
use crate::model::rights::Rights;
use crate::questions::paths::{self, Whose};
use crate::questions::record::{Record, Target};
use crate::visibility::{self, subject};
use pgrx::pg_extern;
use pgrx::pg_sys::Oid;

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
    /// Whether the record was marked as sensitive when it was offered.
    sensitive: bool,
}

impl Open {
    /// One answer for one that is not there and one that does not concern the caller.
    fn find(operation: &str, id: Option<i64>) -> (Open, i64) {
        let id = required(id, "the handoff");
        writes(operation, &|| format!("handoff {id}"));
        let subject = visibility::now();
        let absent = || -> ! { refused(format!("handoff {id} does not exist or is not visible")).raise() };
        let Some(member) = &subject.member else { absent() };
        let params = [Param::Int(Some(id)), Param::Int(Some(member.org_id))];
        let mut found = None;
        as_extension(|| {
            sql::query(
                "SELECT target::oid, record, step, from_member, to_member, started_by, reason, state, grant_id, sensitive \
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
                            sensitive: row.bool(9),
                        });
                    }
                },
            )
        });
        let Some(open) = found else { absent() };
        let concerned = [Some(open.to), open.from, open.starter].contains(&Some(member.id));
        if !concerned && !subject.is_data_owner() {
            absent();
        }
        if open.state != "open" {
            failure(WRONG_STATE, format!("handoff {id} is {} already", open.state))
                .hint("leadguard.handoff offers the record anew.")
                .raise();
        }
        (open, member.id)
    }

    fn end(&self, state: &'static str, answer: Option<&str>) {
        let params = [Param::Int(Some(self.id)), Param::Text(Some(state)), Param::Text(answer)];
        as_extension(|| {
            sql::query(
                "UPDATE leadguard.handoff SET state = $2, answer = $3, ended_at = clock_timestamp(), grant_id = NULL WHERE id = $1",
                &params,
                Sees::Now,
                &mut |_| {},
            );
            // What was shared since by somebody is no part of the offer.
            let text = "DELETE FROM leadguard.record_grant g USING leadguard.handoff h \
                        WHERE g.id = $2 AND h.id = $1 AND g.kind = 'share' AND NOT g.retained \
                        AND g.level = 'read' AND g.reason = 'offered by a handoff' AND g.granted_at <= h.at";
            sql::query(text, &[Param::Int(Some(self.id)), Param::Int(self.grant)], Sees::Now, &mut |_| {});
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
    // Marked as sensitive since, it is hidden from him, and not what was offered.
    let is_offered = |record: &Record| record.owner == open.from && (open.sensitive || !record.sensitive);
    let Some(record) = read.filter(is_offered) else { changed() };
    demand_starter(&open, &target, &record, &step);
    let right = Right { target, record, member: Some(member), guest: false, administers: false };
    if organization(&right) != open.organization {
        changed();
    }
    demand_stage(&right, &step);
    let receiver = receiver(&right, &step, &key_of(Some(member)).unwrap_or_default());
    // Before the record is another owner's, which would withdraw the offer.
    open.end("done", None);
    if !carry_out(&right, &step, &receiver, open.reason.as_deref()) {
        changed();
    }
    done(&right, &step, &receiver, open.id, open.reason.as_deref());
    if let Some(starter) = open.starter.filter(|starter| Some(*starter) != right.record.owner) {
        answered(&open, starter, "accepted");
    }
}

/// 55000 unless who made the offer could make it now: an offer gives no more than its giver has. A superuser's holds.
fn demand_starter(open: &Open, target: &Target, record: &Record, step: &Step) {
    let Some(starter) = open.starter else { return };
    let rights = paths::rights_of(target, record, Whose::Member(starter), Sees::Now);
    let now = subject::newest(starter);
    let assigns = now.has_capability("assign");
    let owns = record.owner == Some(starter) && rights.has(Rights::UPDATE);
    let takes_the_step = |role: &String| now.member.as_ref().is_some_and(|member| member.roles.contains(role));
    let may = assigns
        || (step.from_role.as_ref().is_none_or(takes_the_step)
            && guard::rules::owner_change(&now, &target.table, true).is_ok()
            && (owns || rights.has(Rights::REASSIGN)));
    if !may {
        failure(WRONG_STATE, format!("who offered handoff {} may not hand the record over any more", open.id))
            .hint("leadguard.refuse_handoff ends it; somebody who may reassign the record offers it anew.")
            .raise();
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
