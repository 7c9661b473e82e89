//! Leaving in three phases. A plan changes nothing but says what there is; on the last day everything that the member
//! owns is handed over, and a transition role is left; the end takes the membership, once nothing is left behind.

use super::delegation::end_of_member;
use super::handover::{self, Holding};
use super::member::{self, Managed, managed};
use super::suggestion::Suggestions;
use super::unfinished;
use crate::arguments::{required, said};
use crate::assignment::tell;
use crate::audit::{self, Event};
use crate::directory;
use crate::errors::{bad_argument, failure, refused};
use crate::ffi::attempt::attempt;
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::names;
use crate::questions::reach;
use crate::questions::record::Target;
use pgrx::datum::Date;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::Oid;
use pgrx::{name, pg_extern};
use serde_json::json;

type Planned = TableIterator<
    'static,
    (
        name!(kind, String),
        name!(target, Option<Oid>),
        name!(record, Option<String>),
        name!(suggested_owner, Option<String>),
        name!(why, Option<String>),
    ),
>;
type Step = (String, Option<Oid>, Option<String>, i64);
type Steps = TableIterator<
    'static,
    (name!(step, String), name!(target, Option<Oid>), name!(detail, Option<String>), name!(count, i64)),
>;

/// Notes that a member leaves, and says what he owns. Errors: 42501, 22023, 55000.
#[pg_extern(sql = false)]
fn offboard_plan(
    member: Option<&str>,
    last_day: Option<Date>,
    note: Option<&str>,
    transition_role: Option<&str>,
) -> Planned {
    let leaver = managed("offboard_plan", member);
    let last_day = required(last_day, "the last day");
    plan(&leaver, Some(&last_day.to_string()), note, transition_role);
    let mut suggestions = Suggestions::new(&leaver);
    let mut rows = Vec::new();
    for holding in handover::holdings(leaver.id, &leaver.key, leaver.org_id) {
        // A table that somebody broke does not keep anybody from planning.
        let read = || reach::owned_by(&Target::find(Some(holding.target), Sees::Now), leaver.id, &leaver.key);
        let owned = attempt(read).unwrap_or_default();
        let unread = holding.count - owned.len() as i64;
        for record in owned {
            let (who, why) = suggestions.find(record.territory.as_deref());
            rows.push(("record".to_owned(), Some(holding.shown), Some(record.record), who, why));
        }
        if unread > 0 {
            rows.push(("unreadable".to_owned(), Some(holding.shown), Some(unread.to_string()), None, None));
        }
    }
    let (who, why) = suggestions.find(None);
    as_extension(|| {
        let of = [Param::Int(Some(leaver.id))];
        sql::query(include_str!("../../sql/query/leaver_owns.sql"), &of, Sees::Now, &mut |row| {
            rows.push((row.text(0).unwrap_or_default(), None, row.text(1), who.clone(), why.clone()));
        })
    });
    TableIterator::new(rows)
}

/// A plan, new or changed; the day as text, None for today.
fn plan(leaver: &Managed, last_day: Option<&str>, note: Option<&str>, role: Option<&str>) {
    leaver.demand_active();
    let role = transition_role(leaver, role);
    let params = [
        Param::Int(Some(leaver.org_id)),
        Param::Int(Some(leaver.id)),
        Param::Int(leaver.by),
        Param::Text(last_day),
        Param::Text(Some(&role)),
        Param::Text(Some(note.unwrap_or_default())),
    ];
    let made =
        as_extension(|| sql::query(include_str!("../../sql/query/offboard_plan.sql"), &params, Sees::Now, &mut |_| {}));
    if made == 0 {
        failure("55000", format!("the last day of \"{}\" is over", leaver.key))
            .hint("leadguard.offboard_end or offboard_cancel comes next.")
            .raise();
    }
    let day = last_day.unwrap_or("today");
    event(leaver, "offboard_plan", note, format!("member {}, last day {day}, then {role}", leaver.key));
    let manager = as_extension(|| {
        sql::first_int(
            "SELECT manager_id FROM leadguard.member WHERE id = $1",
            &[Param::Int(Some(leaver.id))],
            Sees::Now,
        )
    });
    if let Some(manager) = manager {
        let detail = json!({ "phase": "planned", "member": leaver.key }).to_string();
        tell(manager, "offboarding", None, None, Some(&detail));
    }
}

/// The role that is left during the transition, which gives no capability.
fn transition_role(leaver: &Managed, role: Option<&str>) -> String {
    let params = [
        Param::Int(Some(leaver.org_id)),
        Param::Text(role),
        Param::Int(Some(leaver.id)),
        Param::Bool(leaver.administers),
    ];
    let found =
        as_extension(|| sql::first_text(include_str!("../../sql/query/transition_role.sql"), &params, Sees::Now));
    found.unwrap_or_else(|| {
        bad_argument(format!("there is no role \"{}\" for a transition", role.unwrap_or_default()))
            .hint(
                "A role without capabilities that you could give: view_only, COLLABORATOR, or one of the organization.",
            )
            .raise()
    })
}

/// The last day. Errors: 42501, 22023, 55000.
#[pg_extern(sql = false)]
fn offboard_last_day(member: Option<&str>, new_owner: Option<&str>, reason: Option<&str>) -> Steps {
    let leaver = managed("offboard_last_day", member);
    let reason = said(reason, "the reason");
    TableIterator::new(last_day(&leaver, new_owner, reason))
}

fn last_day(leaver: &Managed, new_owner: Option<&str>, reason: &str) -> Vec<Step> {
    let params = [Param::Int(Some(leaver.id))];
    let planned = as_extension(|| {
        sql::first_text(
            "SELECT transition_role FROM leadguard.offboarding WHERE member_id = $1 AND state = 'planned' FOR UPDATE",
            &params,
            Sees::Now,
        )
    });
    let Some(role) = planned else {
        failure("55000", format!("no last day of \"{}\" is planned", leaver.key))
            .hint("leadguard.offboard_plan comes first; leadguard.offboard_now does all at once.")
            .raise()
    };
    let (heir, heir_key) = member::successor(leaver, new_owner);
    refuse_favours(leaver, heir);
    let moved = handover::records(leaver, (heir, &heir_key), reason);
    let mut steps: Vec<Step> =
        moved.iter().map(|h| ("reassigned".into(), Some(h.shown), Some(format!("to {heir_key}")), h.count)).collect();
    let params = [
        Param::Int(Some(leaver.id)),
        Param::Int(Some(heir)),
        Param::Bool(leaver.administers),
        Param::Text(Some(&role)),
    ];
    as_extension(|| {
        sql::query(include_str!("../../sql/query/offboard_directory.sql"), &params, Sees::Now, &mut |row| {
            push(&mut steps, row.text(0), row.text(1), row.int(2));
        });
        push(&mut steps, Some("delegations ended".into()), None, Some(end_of_member(leaver.id)));
        for (step, count) in unfinished::end(leaver.id) {
            push(&mut steps, Some(step.to_owned()), None, i64::try_from(count).ok());
        }
        sql::query(include_str!("../../sql/query/offboard_roles.sql"), &params, Sees::Now, &mut |row| {
            push(&mut steps, row.text(0), row.text(1), row.int(2));
        });
        sql::query(
            "INSERT INTO leadguard.member_role (member_id, role) SELECT $1, $2 \
             WHERE NOT EXISTS (SELECT FROM leadguard.member_role WHERE member_id = $1 AND role = $2)",
            &[Param::Int(Some(leaver.id)), Param::Text(Some(&role))],
            Sees::Now,
            &mut |_| {},
        );
    });
    steps.push(("role left".into(), None, Some(role), 1));
    event(
        leaver,
        "offboard_last_day",
        Some(reason),
        format!("member {}, to {heir_key}: {}", leaver.key, words(&moved)),
    );
    tell(leaver.id, "offboarding", None, None, Some(r#"{"phase": "last day"}"#));
    for holding in &moved {
        let detail = json!({ "phase": "last day", "member": leaver.key, "records": holding.count }).to_string();
        tell(heir, "offboarding", Some(holding.target), None, Some(&detail));
    }
    steps
}

/// Territories and teams give access too. Who does not administer the directory passes them on to the manager only.
fn refuse_favours(leaver: &Managed, heir: i64) {
    if leaver.administers {
        return;
    }
    let params = [Param::Int(Some(leaver.id)), Param::Int(Some(heir))];
    let mut owned = Vec::new();
    let above = as_extension(|| {
        sql::query(include_str!("../../sql/query/leaver_owns.sql"), &params[..1], Sees::Now, &mut |row| {
            owned.extend(row.text(0).zip(row.text(1)).map(|(kind, which)| format!("{kind} {which}")));
        });
        sql::first_int(
            "SELECT ancestor_id FROM leadguard.member_closure WHERE ancestor_id = $2 AND descendant_id = $1",
            &params,
            Sees::Now,
        )
    });
    if !owned.is_empty() && above.is_none() {
        refused("territories and teams pass on to a manager of the member")
            .detail(format!("There are {}.", owned.join(", ")))
            .hint("A member with the capability administer can name somebody else.")
            .raise();
    }
}

/// The end of the membership. Errors: 42501, 22023, 55000, 23503.
#[pg_extern(sql = false)]
fn offboard_end(member: Option<&str>, reason: Option<&str>) -> Steps {
    let leaver = managed("offboard_end", member);
    let reason = said(reason, "the reason");
    TableIterator::new(end(&leaver, reason))
}

fn end(leaver: &Managed, reason: &str) -> Vec<Step> {
    let params = [Param::Int(Some(leaver.id))];
    let leaving = as_extension(|| {
        sql::first_int(
            "SELECT id FROM leadguard.offboarding WHERE member_id = $1 AND state = 'leaving' FOR UPDATE",
            &params,
            Sees::Now,
        )
    });
    if leaving.is_none() {
        failure("55000", format!("the last day of \"{}\" is not over", leaver.key))
            .hint("leadguard.offboard_last_day comes first; leadguard.offboard_now does all at once.")
            .raise();
    }
    as_extension(|| directory::wait_for_givers(&[leaver.id]));
    let left = left_behind(leaver);
    if !left.is_empty() {
        failure("23503", format!("member \"{}\" cannot be removed: something would be without an owner", leaver.key))
            .detail(format!("There are still {}.", left.join(", ")))
            .hint("leadguard.reassign and the like hand over what came after the last day; then end it again.")
            .raise();
    }
    let mut steps = Vec::new();
    as_extension(|| {
        sql::query(include_str!("../../sql/query/offboard_end.sql"), &params, Sees::Now, &mut |row| {
            push(&mut steps, row.text(0), row.text(1), row.int(2));
        });
        push(&mut steps, Some("delegations ended".into()), None, Some(end_of_member(leaver.id)));
        sql::query(
            "UPDATE leadguard.member SET active = false, db_role = NULL WHERE id = $1",
            &params,
            Sees::Now,
            &mut |_| {},
        );
        sql::query(
            "UPDATE leadguard.offboarding SET state = 'ended', ended_at = clock_timestamp() \
             WHERE member_id = $1 AND state = 'leaving'",
            &params,
            Sees::Now,
            &mut |_| {},
        );
    });
    steps.push(("membership ended".into(), None, None, 1));
    event(leaver, "offboard_end", Some(reason), format!("member {}", leaver.key));
    steps
}

/// What would be without an owner, or without anybody to answer for it.
fn left_behind(leaver: &Managed) -> Vec<String> {
    let mut left: Vec<String> = handover::holdings(leaver.id, &leaver.key, leaver.org_id)
        .iter()
        .map(|held| directory::in_words(held.count, &format!("record of {}", names::shown(held.shown))))
        .collect();
    let params = [Param::Int(Some(leaver.id))];
    as_extension(|| {
        sql::query(include_str!("../../sql/query/leaver_owns.sql"), &params, Sees::Now, &mut |row| {
            left.extend(row.text(0).zip(row.text(1)).map(|(kind, which)| format!("{kind} {which}")));
        });
        left.extend(unfinished::count(leaver.id));
    });
    left
}

/// All phases at once. Errors: as the phases.
#[pg_extern(sql = false)]
fn offboard_now(member: Option<&str>, new_owner: Option<&str>, reason: Option<&str>) -> Steps {
    let leaver = managed("offboard_now", member);
    let reason = said(reason, "the reason");
    let state = as_extension(|| {
        sql::first_text(
            "SELECT state FROM leadguard.offboarding WHERE member_id = $1 AND state IN ('planned', 'leaving') FOR UPDATE",
            &[Param::Int(Some(leaver.id))],
            Sees::Now,
        )
    });
    if state.is_none() {
        plan(&leaver, None, Some(reason), None);
    }
    let mut steps = if state.as_deref() == Some("leaving") { Vec::new() } else { last_day(&leaver, new_owner, reason) };
    steps.extend(end(&leaver, reason));
    TableIterator::new(steps)
}

fn push(steps: &mut Vec<Step>, step: Option<String>, detail: Option<String>, count: Option<i64>) {
    if let (Some(step), Some(count)) = (step, count.filter(|count| *count > 0)) {
        steps.push((step, None, detail, count));
    }
}

fn words(moved: &[Holding]) -> String {
    let each: Vec<String> = moved.iter().map(|h| format!("{} of {}", h.count, names::shown(h.shown))).collect();
    if each.is_empty() { "no records".to_owned() } else { each.join(", ") }
}

fn event(leaver: &Managed, action: &str, reason: Option<&str>, detail: String) {
    let event = Event { target: None, record: None, action, reason, approval: None, detail: Some(detail) };
    audit::event_of(&event, Some(leaver.org_id));
}
