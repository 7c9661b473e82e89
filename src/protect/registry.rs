//! What leadguard.protected_table holds about a table.

use super::check::{Archive, Mapping};
use super::undo::Undo;
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::rules;
use pgrx::pg_sys::Oid;

/// The registration of a table.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub mapping: Mapping,
    pub force: bool,
    pub undo: Undo,
    /// The view that took the name of the table.
    pub concealed_by: Option<Oid>,
    /// What no field rule lists is closed to all members.
    pub closed_by_default: bool,
}

const PRESENT: &str = "SELECT id_column, owner_column, creator_column, territory_column, organization_column, force, undo, \
    concealed_by::oid, archived_at_column, archived_by_column, field_default = 'no access', segment_column, team_column, \
    parent_column, stage_column, status_column, sensitive_column FROM leadguard.protected_table WHERE target = $1";

/// In a database that is not updated to 0.4.0 yet.
const WITHOUT_RULES: &str = "SELECT id_column, owner_column, creator_column, territory_column, organization_column, force, undo, \
    concealed_by::oid, archived_at_column, archived_by_column, field_default = 'no access', NULL, NULL, NULL, NULL, NULL, NULL \
    FROM leadguard.protected_table WHERE target = $1";

/// In a database that is not updated to 0.3.0 yet.
const OLD: &str = "SELECT id_column, owner_column, creator_column, territory_column, organization_column, force, undo, \
    NULL::oid, NULL, NULL, false, NULL, NULL, NULL, NULL, NULL, NULL FROM leadguard.protected_table WHERE target = $1";

pub(super) fn find(target: Oid) -> Option<Entry> {
    let mut found = None;
    as_extension(|| {
        let text = match (rules::load::are_there(), session::is_updated()) {
            (true, _) => PRESENT,
            (_, true) => WITHOUT_RULES,
            _ => OLD,
        };
        sql::query(text, &[Param::Oid(target)], Sees::Now, &mut |row| {
            found = Some(Entry {
                mapping: Mapping {
                    id: row.text(0).unwrap_or_default(),
                    owner: row.text(1),
                    creator: row.text(2),
                    territory: row.text(3),
                    organization: row.text(4),
                    segment: row.text(11),
                    team: row.text(12),
                    parent: row.text(13),
                    stage: row.text(14),
                    status: row.text(15),
                    sensitive: row.text(16),
                    archive: row.text(8).map(|at| Archive { at, by: row.text(9) }),
                },
                force: row.bool(5),
                undo: Undo::from_json(&row.text(6).unwrap_or_default()),
                concealed_by: row.oid(7),
                closed_by_default: row.bool(10),
            });
        })
    });
    found
}

/// Writes the state before down anew.
pub(super) fn keep(target: Oid, undo: &Undo) {
    let text = undo.to_json();
    as_extension(|| {
        sql::query(
            "UPDATE leadguard.protected_table SET undo = $2::jsonb WHERE target = $1",
            &[Param::Oid(target), Param::Text(Some(&text))],
            Sees::Now,
            &mut |_| {},
        )
    });
}
