//! How much members read: counters in shared memory, where the server has preloaded the library. They decide nothing.

use crate::audit;
use crate::errors::refused;
use crate::ffi::policies;
use crate::ffi::session::{self, as_extension};
use crate::ffi::shared::{self, Slot};
use crate::ffi::sql::{self, Param, Sees};
use crate::ffi::versions;
use crate::identity;
use crate::visibility::{self, subject};
use pgrx::datum::TimestampWithTimeZone;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::Oid;
use std::collections::HashMap;
use std::sync::atomic::Ordering;

/// What one run of a query gave to its client.
pub(crate) struct Ran {
    pub rows: u64,
    /// The first run of its execution: a cursor has many.
    pub is_first: bool,
    /// Into a COPY.
    pub is_export: bool,
}

/// Counts a run of a query that reads these relations, if one of them is protected and the session works for a member.
/// Called at the end of each run where there is shared memory.
pub(crate) fn ran(mut relations: impl Iterator<Item = Oid>, ran: &Ran) {
    // Whom row security does not bind has no member to be counted for, and need not have an identity.
    if session::bypasses_row_security(session::current_role()) {
        return;
    }
    let is_protected = relations.any(|relation| {
        policies::is_row_secured(relation)
            && versions::has_extension()
            && Option::as_ref(&visibility::statement().table(relation)).is_some()
    });
    if !is_protected {
        return;
    }
    let Some(member) = visibility::statement().member.as_ref().map(|member| member.id) else { return };
    if let Some(slot) = shared::slot(member, session::statement_time()) {
        slot.rows.fetch_add(ran.rows, Ordering::Relaxed);
        if ran.is_first {
            slot.statements.fetch_add(1, Ordering::Relaxed);
        }
        if ran.is_export && ran.is_first {
            slot.exports.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A refusal is about to be raised.
pub(crate) fn was_refused() {
    if !shared::is_there() {
        return;
    }
    if let Some(slot) = subject::known_id().and_then(|member| shared::slot(member, session::statement_time())) {
        slot.refusals.fetch_add(1, Ordering::Relaxed);
    }
}

/// Adds rows that a member writes to the window of a table and an operation, across transactions, and answers how many
/// there were within so many seconds, these included. What is rolled back stays counted. None where the library is not
/// preloaded.
pub(crate) fn window_add(member: i64, target: Oid, operation: &str, rows: i64, seconds: i64) -> Option<i64> {
    let operation = operation.bytes().fold(0_u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let key = [member.cast_unsigned(), (operation << 32) | u64::from(target.to_u32())];
    shared::window_add(key, rows, seconds, session::now())
}

type Activity = TableIterator<
    'static,
    (
        pgrx::name!(member, String),
        pgrx::name!(statements, i64),
        pgrx::name!(rows_returned, i64),
        pgrx::name!(exports, i64),
        pgrx::name!(refusals, i64),
        pgrx::name!(since, Option<TimestampWithTimeZone>),
    ),
>;

/// The counters. Members with the capability audit (their organization) and superusers, else 42501.
#[pgrx::pg_extern(sql = false)]
fn member_activity() -> Activity {
    let organization = audit::auditor("member_activity");
    let slots: HashMap<i64, &Slot> = shared::own_slots().into_iter().map(|slot| (slot.member(), slot)).collect();
    let members: Vec<i64> = slots.keys().copied().collect();
    let mut found = Vec::new();
    as_extension(|| {
        let text =
            "SELECT id, key FROM leadguard.member WHERE id = ANY ($1) AND ($2 IS NULL OR org_id = $2) ORDER BY key";
        let params = [Param::Ints(&members), Param::Int(organization)];
        sql::query(text, &params, Sees::Statement, &mut |row| {
            let Some(slot) = row.int(0).and_then(|id| slots.get(&id)) else { return };
            let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed).cast_signed();
            found.push((
                row.text(1).unwrap_or_default(),
                count(&slot.statements),
                count(&slot.rows),
                count(&slot.exports),
                count(&slot.refusals),
                TimestampWithTimeZone::try_from(slot.since.load(Ordering::Relaxed)).ok(),
            ));
        });
    });
    TableIterator::new(found)
}

/// Sets the counters of this database to nothing. Superusers, else 42501.
#[pgrx::pg_extern(sql = false)]
fn activity_reset() {
    if !identity::is_superuser() {
        refused("activity_reset refused")
            .hint("A superuser or the owner of the extension resets the counters.")
            .raise();
    }
    for slot in shared::own_slots() {
        for counter in [&slot.statements, &slot.rows, &slot.exports, &slot.refusals] {
            counter.store(0, Ordering::Relaxed);
        }
        slot.since.store(session::statement_time(), Ordering::Relaxed);
    }
}

/// Whether the server has preloaded the library, so that there are counters.
#[pgrx::pg_extern(sql = false)]
pub(crate) fn is_preloaded() -> bool {
    shared::is_there()
}
