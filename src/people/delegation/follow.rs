//! What is delegated comes and goes with the ownership of each record.

use crate::errors::failure;
use crate::ffi::scan;
use crate::ffi::session::{self, as_extension, own_relation};
use crate::ffi::snapshot;
use crate::ffi::sql::{self, Param, Sees};
use crate::model::level::Level;
use crate::model::path::Path;
use crate::model::rights::Rights;
use crate::model::value::{Kind, Value};
use crate::questions::record::organization;
use crate::visibility::{Mapped, Part, Table, subject};
use pgrx::pg_sys::{self, Oid};
use std::cell::Cell;

/// Whether the owner of a record could share it at the level, as the rules of its table are.
pub(super) fn owner_may_share(owner: i64, table: &Table, status: Option<&str>, level: Level) -> bool {
    let access = subject::newest(owner).access(table);
    access.on(Path::Own).rights(status).has(Rights::SHARE | Rights::of(level))
}

pub(super) fn give(delegation: i64, target: Oid, records: &[String]) -> u64 {
    if records.is_empty() {
        return 0;
    }
    let params = [Param::Int(Some(delegation)), Param::Oid(target), Param::Texts(records)];
    as_extension(|| sql::query(include_str!("../../../sql/query/delegate.sql"), &params, Sees::Now, &mut |_| {}))
}

thread_local! {
    /// Whether anything is delegated, as one command has found it.
    static ANY: Cell<Option<(i64, u32, bool)>> = const { Cell::new(None) };
}

/// Whether anything is delegated at all: asked once for each command that writes, which in most databases ends here.
pub(crate) fn is_any() -> bool {
    let (at, command) = (session::statement_time(), snapshot::command());
    if let Some((held_at, held_command, any)) = ANY.get()
        && (held_at, held_command) == (at, command)
    {
        return any;
    }
    let any = own_relation(c"delegation") != pg_sys::InvalidOid && snapshot::with_latest(|| lasts_any(at));
    ANY.set(Some((at, command, any)));
    any
}

/// Without an executor: this is asked for every INSERT.
fn lasts_any(now: i64) -> bool {
    let table = scan::Table::open(c"delegation");
    let (ended, until) = (table.column(c"ended_at"), table.column(c"until"));
    let index = (!table.is_tiny()).then_some(c"delegation_member_idx");
    let mut any = false;
    table.scan(index, &[], |row| {
        any = row.int(ended).is_none() && row.int(until).is_some_and(|until| until > now);
        !any
    });
    any
}

/// Records that have other owners now, at the end of the statement, when the rows of the members concerned are locked: what
/// somebody else's transaction has begun or ended meanwhile counts (delegate and undelegate wait for the same rows).
pub(crate) fn settle(target: Oid, records: &[String], owners: &[String], keys: bool) {
    let mut any = false;
    snapshot::with_latest(|| {
        scan::Table::open(c"delegation").scan(None, &[], |_| {
            any = true;
            false
        })
    });
    if any {
        let params = [Param::Oid(target), Param::Texts(records), Param::Texts(owners), Param::Bool(keys)];
        as_extension(|| {
            sql::query(include_str!("../../../sql/query/delegations_settle.sql"), &params, Sees::Now, &mut |_| {})
        });
    }
}

/// A record has got its owner, or another one: what the old owner delegated ends for it, what the new one did begins.
pub(crate) fn owned_anew(table: &Table, row: &Mapped, is_new: bool) {
    if !is_any() {
        return;
    }
    let Some(record) = row.value(Part::Id).to_text() else { return };
    if !is_new {
        as_extension(|| {
            sql::query(
                "DELETE FROM leadguard.record_grant WHERE target = $1 AND record = $2 AND delegation_id IS NOT NULL",
                &[Param::Oid(table.target), Param::Text(Some(&record))],
                Sees::Now,
                &mut |_| {},
            )
        });
    }
    let Some((owner, kind)) = row.held(Part::Owner) else { return };
    let organization = match (&table.organization_column, row.held(Part::Organization)) {
        (None, _) => Some(table.org_id),
        (Some(_), held) => held.and_then(|(value, kind)| organization(value.to_text().as_deref(), kind)),
    };
    let (id, key) = match owner {
        Value::Int(id) => (Some(id), None),
        other => (None, other.to_text()),
    };
    let params = [
        Param::Int(id),
        Param::Text(key.as_deref()),
        Param::Oid(table.target),
        Param::Int(organization),
        Param::Bool(kind == Kind::Uuid),
    ];
    let mut delegations = Vec::new();
    as_extension(|| {
        sql::query(include_str!("../../../sql/query/delegations_of.sql"), &params, Sees::Now, &mut |row| {
            if let (Some(id), Some(owner), Some(level)) = (row.int(0), row.int(1), row.text(2)) {
                delegations.extend(Level::parse(&level).map(|level| (id, owner, level)));
            }
        })
    });
    for (delegation, owner, level) in delegations {
        if owner_may_share(owner, table, row.text(Part::Status).as_deref(), level) {
            demand_known(delegation);
            give(delegation, table.target, std::slice::from_ref(&record));
        }
    }
}

/// 40001 for a delegation that is newer than the state from which the transaction reads: a foreign key would not find it.
fn demand_known(delegation: i64) {
    let text = "SELECT id FROM leadguard.delegation WHERE id = $1";
    let find = || as_extension(|| sql::first_int(text, &[Param::Int(Some(delegation))], Sees::Statement));
    if !snapshot::knows(find) {
        failure("40001", format!("delegation {delegation} began while this transaction ran"))
            .hint("Run the transaction again.")
            .raise();
    }
}
