//! Which rows of a parent table a member reads: for the path parent.
//!
//! The parent's own policy is asked, once for each state, as the owner of the parent: its planner runs the owner's code,
//! and the asking member may have no privilege on the table. The policy stands in the query too, since it may not bind
//! the owner.

use crate::ffi::owner::as_owner_of;
use crate::ffi::sql::{self, Param, Sees};
use crate::model::value::{Kind, ValueSet};
use crate::names;
use pgrx::pg_sys::Oid;

const POLICY: &str = "SELECT pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polrelid = $1 AND polname = 'leadguard_select'";

/// The ids of the readable rows as a column of `kind` holds them; nothing for a table without the policy.
pub(super) fn readable(parent: Oid, id_column: &str, kind: Kind) -> ValueSet {
    let (mut ids, mut texts) = (Vec::new(), Vec::new());
    as_owner_of(parent, || {
        let Some(policy) = sql::first_text(POLICY, &[Param::Oid(parent)], Sees::Statement) else { return };
        let cast = if kind.is_int() { "" } else { "::pg_catalog.text" };
        let text =
            format!("SELECT {}{cast} FROM {} WHERE {policy}", names::quote(id_column), names::shown(parent));
        sql::query_once(&text, &[], Sees::Statement, &mut |row| {
            if kind.is_int() { ids.extend(row.int(0)) } else { texts.extend(row.text(0)) }
        });
    });
    if kind.is_int() { ValueSet::of_ids(ids) } else { ValueSet::of_records(texts.iter().map(String::as_str), kind) }
}
