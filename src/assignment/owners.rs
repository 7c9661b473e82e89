//! Who is given a record is there when the statement ends, and until the transaction does: a member does not go while
//! somebody gives him something.
//!
//! Whoever goes locks his row (directory::keep, people::leaving) and then counts what he owns; whoever gives him something
//! locks it too, as a foreign key would, and then looks whether he is still there. One of them waits for the other.

use super::outbox::Noted;
use crate::errors::failure;
use crate::ffi::session::as_extension;
use crate::ffi::snapshot;
use crate::ffi::sql::{self, Param, Sees};
use crate::model::value::parse_int;
use crate::names;
use std::collections::BTreeSet;

/// The length of a key that a column of type uuid can hold.
const UUID: usize = 36;

/// 55000 where a member has given a record to somebody who is not active any more. All of one table and organization.
pub(super) fn demand(noted: &[Noted]) {
    let Some(first) = noted.first() else { return };
    let named =
        |side: fn(&Noted) -> &Option<String>| noted.iter().filter(|n| n.bound).filter_map(move |n| side(n).clone());
    let wanted: BTreeSet<String> = named(|n| &n.after).collect();
    // Old owners, too: what they delegate at this moment concerns the record, or does not.
    let concerned: Vec<String> =
        named(|n| &n.before).chain(wanted.iter().cloned()).collect::<BTreeSet<_>>().into_iter().collect();
    if concerned.is_empty() {
        return;
    }
    let held = if first.keys { lock_keys(&concerned) } else { lock_ids(&concerned) };
    let ids: Vec<i64> = held.iter().map(|(_, id)| *id).collect();
    let params = [Param::Ints(&ids), Param::Int(first.organization)];
    let text = "SELECT id FROM leadguard.member WHERE id = ANY ($1) AND active AND org_id = coalesce($2, org_id)";
    let mut there = Vec::new();
    // Not as the transaction saw it when it began: what was committed while the lock was waited for counts.
    snapshot::with_latest(|| {
        as_extension(|| sql::query(text, &params, Sees::Statement, &mut |row| there.extend(row.int(0))))
    });
    if wanted.iter().any(|who| !held.iter().any(|(of, id)| of == who && there.contains(id))) {
        failure("55000", format!("the new owner of a record of {} is no active member", names::shown(first.target)))
            .detail("The membership ended while the record was given.")
            .hint("Name somebody else.")
            .raise();
    }
}

fn lock_ids(wanted: &[String]) -> Vec<(String, i64)> {
    let ids: Vec<i64> = wanted.iter().filter_map(|who| parse_int(who)).collect();
    let text = "SELECT m.id::text, m.id FROM leadguard.member m WHERE m.id = ANY ($1) ORDER BY m.id FOR KEY SHARE";
    locked(text, &[Param::Ints(&ids)])
}

/// Only a column of type uuid shows a key in lower case, which takes reading all members.
fn lock_keys(wanted: &[String]) -> Vec<(String, i64)> {
    let text = "SELECT key, id FROM leadguard.member WHERE key = ANY ($1) ORDER BY id FOR KEY SHARE";
    let mut found = locked(text, &[Param::Texts(wanted)]);
    let missing = |who: &&String| who.len() == UUID && !found.iter().any(|(of, _)| of == *who);
    let missing: Vec<String> = wanted.iter().filter(missing).cloned().collect();
    if !missing.is_empty() {
        let text = "SELECT lower(key), id FROM leadguard.member WHERE lower(key) = ANY ($1) ORDER BY id FOR KEY SHARE";
        found.extend(locked(text, &[Param::Texts(&missing)]));
    }
    found
}

fn locked(text: &'static str, params: &[Param]) -> Vec<(String, i64)> {
    let mut found = Vec::new();
    as_extension(|| sql::query(text, params, Sees::Now, &mut |row| found.extend(row.text(0).zip(row.int(1)))));
    found
}
