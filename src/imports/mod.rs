//! Import sessions: rows are loaded, checked, approved, and inserted in one transaction.
//!
//! target    what a table says about imports: columns, match keys
//! prepare   prepare_imports, which makes the staging view
//! sessions  one import, and who may do what with it
//! loading   the triggers of the staging view
//! check     what is wrong with loaded rows
//! values    whether texts are values of a column
//! existing  which of them are there already
//! secret    what guessing must not find out
//! problems  what was found, written down
//! submit    whether an import needs an approval, and asking for it
//! commit    inserting the good rows
//!
//! What was loaded lies in leadguard.import_row as texts. The target is written as the caller, through its policies
//! and triggers; whether a row exists already is found by reading the target without a query (ffi::whole), because the
//! answer must not depend on what the caller sees, and no code of the table's owner runs in another's name.
//! Tests: tests/imports.

mod check;
mod commit;
mod existing;
mod loading;
mod prepare;
mod problems;
mod secret;
mod sessions;
mod submit;
mod target;
mod values;

pub(crate) use loading::{on_transaction, stage, staged};

use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use pgrx::pg_sys::Oid;

/// Whether rows are imported into the table: what many insert into it then is checked and compared with what is there.
pub(crate) fn is_prepared(target: Oid) -> bool {
    let text = "SELECT 1::bigint FROM leadguard.import_target WHERE target = $1";
    as_extension(|| sql::first_int(text, &[Param::Oid(target)], Sees::Now)).is_some()
}

/// A request for an import was decided, in the transaction of whoever decided.
pub(crate) fn decided(approval: i64, granted: bool) {
    as_extension(|| {
        sql::query(
            "UPDATE leadguard.import_session \
             SET state = CASE WHEN $2 THEN 'approved' ELSE 'refused' END, ended_at = CASE WHEN $2 THEN NULL ELSE now() END \
             WHERE approval = $1 AND state = 'submitted'",
            &[Param::Int(Some(approval)), Param::Bool(granted)],
            Sees::Now,
            &mut |_| {},
        );
        // Nobody needs what was refused any more.
        sql::query(
            "DELETE FROM leadguard.import_row r USING leadguard.import_session s \
             WHERE s.approval = $1 AND s.state = 'refused' AND r.import_id = s.id",
            &[Param::Int(Some(approval))],
            Sees::Now,
            &mut |_| {},
        );
    });
}

/// The imports of an organization that becomes part of another one; as the extension's owner.
pub(crate) fn merge(source: i64, into: i64) {
    // A database that is not updated has none.
    if session::is_governed() {
        sql::query(
            "UPDATE leadguard.import_session SET org_id = $2 WHERE org_id = $1",
            &[Param::Int(Some(source)), Param::Int(Some(into))],
            Sees::Now,
            &mut |_| {},
        );
    }
}
