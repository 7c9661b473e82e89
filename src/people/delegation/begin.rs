//! A delegation begins: everything that the member owns at this moment.

use super::super::member::said;
use super::follow::{give, owner_may_share};
use crate::assignment::tell;
use crate::audit::{self, Event};
use crate::directory;
use crate::errors::{self, bad_argument, failure, refused};
use crate::ffi::attempt::attempt;
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::grants::{self, writes};
use crate::identity;
use crate::model::level::Level;
use crate::questions::reach;
use crate::questions::record::Target;
use crate::questions::required;
use crate::visibility;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_extern;
use pgrx::pg_sys::{self, Oid};

/// An absence ends: 366 days, in microseconds.
const LONGEST: i64 = 366 * 24 * 60 * 60 * 1_000_000;

struct Person {
    id: i64,
    key: String,
    org_id: i64,
}

/// Delegates what a member owns. Errors: 42501, 22023, 55000.
#[pg_extern(sql = false)]
fn delegate(
    to_member: Option<&str>,
    until: Option<TimestampWithTimeZone>,
    level: Option<&str>,
    reason: Option<&str>,
    target: Option<Oid>,
    member: Option<&str>,
) -> i64 {
    writes("delegate", &|| "leadguard".to_owned());
    let absent = delegating(member);
    let level = grants::parse_level(level);
    let reason = said(reason, "the reason");
    let until = until.map(pg_sys::TimestampTz::from).filter(|until| *until > session::statement_time());
    let until = until
        .unwrap_or_else(|| bad_argument("the delegation needs an end").hint("until must be in the future.").raise());
    if until - session::statement_time() > LONGEST {
        bad_argument("the delegation would last too long").hint("until is 366 days away at most.").raise();
    }
    let delegate = person(required(to_member, "the delegate"), Some(absent.org_id))
        .filter(|delegate| delegate.id != absent.id && !leaves(delegate.id));
    let Some(delegate) = delegate else {
        bad_argument(format!(
            "\"{}\" is no other active person of the organization who stays",
            to_member.unwrap_or_default()
        ))
        .hint("Members are named by their keys, leadguard.member lists them; who has had his last day is no delegate.")
        .raise()
    };
    let target = target.map(|target| Target::find(Some(target), Sees::Now).table.target);
    // Whoever takes or gives records of his at this moment is waited for, and sees the delegation afterwards.
    as_extension(|| directory::wait_for_givers(&[absent.id]));
    refuse_second(&absent, &delegate, target);
    let params = [
        Param::Int(Some(absent.org_id)),
        Param::Int(Some(absent.id)),
        Param::Int(Some(delegate.id)),
        Param::Oid(target.unwrap_or(pg_sys::InvalidOid)),
        Param::Text(Some(level.name())),
        Param::Timestamp(Some(until)),
        Param::Text(Some(reason)),
        Param::Int(visibility::now().member.as_ref().map(|m| m.id)),
    ];
    let made = as_extension(|| {
        sql::first_int(
            "INSERT INTO leadguard.delegation (org_id, member_id, delegate_id, target, level, until, reason, created_by) \
             VALUES ($1, $2, $3, nullif($4, 0::oid)::regclass, $5, $6, $7, $8) RETURNING id",
            &params,
            Sees::Now,
        )
    });
    let made = made.unwrap_or_else(|| errors::bug("a delegation that was not made"));
    let given = give_all(made, &absent, level, target);
    audit::event_of(
        &Event {
            target,
            record: None,
            action: "delegate",
            reason: Some(reason),
            approval: None,
            detail: Some(format!("{} to {}, level {}: {given} records", absent.key, delegate.key, level.name())),
        },
        Some(absent.org_id),
    );
    let detail = format!(r#"{{"delegation": {made}, "records": {given}}}"#);
    tell(delegate.id, "access_granted", target, None, Some(&detail));
    made
}

/// Whose records they are: the caller's, or those of whom an administrator names.
fn delegating(member: Option<&str>) -> Person {
    let subject = visibility::now();
    let own = subject.member.as_ref();
    if own.is_some_and(|own| own.guest) {
        refused("delegate refused: guests delegate nothing").hint("A member of the organization does.").raise();
    }
    let superuser = own.is_none() && identity::is_superuser();
    match (member, own) {
        (None, Some(own)) => Person { id: own.id, key: own.key.clone(), org_id: own.org_id },
        (None, None) => bad_argument("the member is missing")
            .hint("A superuser who is no member names whose records are delegated.")
            .raise(),
        (Some(key), Some(own)) if own.key == key => delegating(None),
        (Some(key), own) => {
            if !superuser && !subject.has_capability("administer") {
                refused("delegate for another member refused")
                    .hint("A member with the capability administer can.")
                    .raise();
            }
            person(key, own.map(|own| own.org_id)).unwrap_or_else(|| {
                bad_argument(format!("there is no active person \"{key}\""))
                    .hint("Members are named by their keys; leadguard.member lists them.")
                    .raise()
            })
        }
    }
}

fn person(key: &str, org_id: Option<i64>) -> Option<Person> {
    let mut found = None;
    as_extension(|| {
        sql::query(
            "SELECT id, key, org_id FROM leadguard.member \
             WHERE key = $1 AND ($2::bigint IS NULL OR org_id = $2) AND active AND kind = 'person' FOR SHARE",
            &[Param::Text(Some(key)), Param::Int(org_id)],
            Sees::Now,
            &mut |row| {
                if let (Some(id), Some(key), Some(org_id)) = (row.int(0), row.text(1), row.int(2)) {
                    found = Some(Person { id, key, org_id });
                }
            },
        )
    });
    found
}

/// One grant for a record and a delegate: a second delegation of the same records would take the first one along when it
/// ends.
fn refuse_second(absent: &Person, delegate: &Person, target: Option<Oid>) {
    let text = "SELECT id FROM leadguard.delegation WHERE member_id = $1 AND delegate_id = $2 AND ended_at IS NULL \
                AND until > statement_timestamp() AND (target IS NULL OR nullif($3, 0::oid) IS NULL OR target = $3) LIMIT 1";
    let params =
        [Param::Int(Some(absent.id)), Param::Int(Some(delegate.id)), Param::Oid(target.unwrap_or(pg_sys::InvalidOid))];
    if let Some(held) = as_extension(|| sql::first_int(text, &params, Sees::Now)) {
        failure("55000", format!("delegation {held} of \"{}\" to \"{}\" lasts already", absent.key, delegate.key))
            .hint(format!("leadguard.undelegate({held}) ends it; then delegate anew, in one transaction."))
            .raise();
    }
}

/// Whether the member has had his last day.
fn leaves(member: i64) -> bool {
    let text = "SELECT id FROM leadguard.offboarding WHERE member_id = $1 AND state = 'leaving'";
    as_extension(|| sql::first_int(text, &[Param::Int(Some(member))], Sees::Now)).is_some()
}

fn give_all(delegation: i64, absent: &Person, level: Level, only: Option<Oid>) -> u64 {
    let mut given = 0;
    for (table, _) in as_extension(|| directory::owned_tables(true, Some(absent.org_id))) {
        if only.is_some_and(|only| only != table.target) {
            continue;
        }
        // One that somebody broke gives nothing, and keeps nothing of the others back.
        let read = || {
            let target = Target::find(Some(table.target), Sees::Now);
            let owned = reach::owned_by(&target, absent.id, &absent.key);
            (target, owned)
        };
        let found = if only.is_some() { Some(read()) } else { attempt(read) };
        let Some((target, owned)) = found else { continue };
        let mut records = Vec::new();
        let mut judged: Vec<(Option<String>, bool)> = Vec::new();
        for record in owned {
            let known = judged.iter().find(|(status, _)| *status == record.status).map(|(_, may)| *may);
            let may = known.unwrap_or_else(|| {
                let may = owner_may_share(absent.id, &target.table, record.status.as_deref(), level);
                judged.push((record.status.clone(), may));
                may
            });
            if may {
                records.push(record.record);
            }
        }
        given += give(delegation, table.target, &records);
    }
    given
}
