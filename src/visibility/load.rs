//! The queries that fill a subject. All run as the extension's owner, read-only, in the active snapshot.

use super::subject::{Member, Table};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::identity::Mode;
use crate::model::level::Level;
use crate::model::value::{Kind, ValueMap, ValueSet};
use pgrx::pg_sys::Oid;

/// Capabilities that only read: all that an analyst login may use.
const READING: [&str; 5] = ["all_records", "export", "see_sensitive", "see_archived", "explain"];

/// An active member with his capabilities; None for anybody else.
pub(super) fn member(id: i64, mode: Mode) -> Option<Member> {
    let mut member = None;
    let mut capabilities: Vec<String> = Vec::new();
    let mut level_cap: Option<Level> = None;
    as_extension(|| {
        sql::query(include_str!("../../sql/query/member.sql"), &[Param::Int(Some(id))], Sees::Statement, &mut |row| {
            member = row.int(0).map(|org_id| Member {
                id,
                key: row.text(1).unwrap_or_default(),
                org_id,
                org_key: row.text(2).unwrap_or_default(),
                name: row.text(4).unwrap_or_default(),
                guest: row.text(3).as_deref() == Some("guest"),
                level_cap: None,
                capabilities: Vec::new(),
            });
        });
        sql::query(
            include_str!("../../sql/query/member_roles.sql"),
            &[Param::Int(Some(id))],
            Sees::Statement,
            &mut |row| {
                if let Some(capability) = row.text(0) {
                    capabilities.push(capability);
                }
                if let Some(cap) = row.text(1).as_deref().and_then(Level::parse) {
                    level_cap = Some(level_cap.map_or(cap, |held| held.min(cap)));
                }
            },
        )
    });
    let mut member = member?;
    if mode == Mode::Analyst {
        capabilities.retain(|c| READING.contains(&c.as_str()));
        level_cap = Some(Level::Read);
    }
    member.capabilities = capabilities;
    member.level_cap = level_cap;
    Some(member)
}

/// Grows with every change of who stands where or has which role.
pub(super) fn revision() -> i64 {
    as_extension(|| {
        sql::first_int("SELECT sum(revision)::bigint FROM leadguard.hierarchy_revision", &[], Sees::Statement)
    })
    .unwrap_or(0)
}

pub(super) fn table(relation: Oid) -> Option<Table> {
    let mut table = None;
    as_extension(|| {
        sql::query(
            include_str!("../../sql/query/protected_table.sql"),
            &[Param::Oid(relation)],
            Sees::Statement,
            &mut |row| {
                if let (Some(org_id), Some(id_column), Some(target)) = (row.int(0), row.text(1), row.oid(8)) {
                    table = Some(Table {
                        target,
                        org_id,
                        id_column,
                        owner_column: row.text(2),
                        creator_column: row.text(3),
                        territory_column: row.text(4),
                        organization_column: row.text(5),
                        skip_denied: row.text(6).as_deref() == Some("skip"),
                        force: row.bool(7),
                    });
                }
            },
        )
    });
    table
}

pub(super) fn owners(member: i64, kind: Kind) -> ValueSet {
    fill(kind, member, include_str!("../../sql/query/owner_ids.sql"), include_str!("../../sql/query/owner_keys.sql"))
}

pub(super) fn territories(member: i64, kind: Kind) -> ValueSet {
    fill(
        kind,
        member,
        include_str!("../../sql/query/territory_ids.sql"),
        include_str!("../../sql/query/territory_keys.sql"),
    )
}

fn fill(kind: Kind, member: i64, ids: &'static str, keys: &'static str) -> ValueSet {
    let mut set = ValueSet::default();
    let text = if kind.is_int() { ids } else { keys };
    as_extension(|| {
        sql::query(text, &[Param::Int(Some(member))], Sees::Statement, &mut |row| {
            if kind.is_int() {
                if let Some(id) = row.int(0) {
                    set.insert_int(id, ());
                }
            } else if let Some(key) = row.text(0) {
                set.insert_key(&key, kind, ());
            }
        })
    });
    set
}

/// The records that the member reaches by record team or share, his own or of someone below.
pub(super) fn grants(member: i64, target: Oid, kind: Kind) -> ValueMap<Level> {
    let mut map = ValueMap::default();
    as_extension(|| {
        sql::query(
            include_str!("../../sql/query/granted_records.sql"),
            &[Param::Int(Some(member)), Param::Oid(target)],
            Sees::Statement,
            &mut |row| {
                if let (Some(record), Some(level)) = (row.text(0), row.text(1).as_deref().and_then(Level::parse)) {
                    map.keep_highest(&record, kind, level);
                }
            },
        )
    });
    map
}
