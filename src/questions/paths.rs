//! The paths of sales_hierarchy (contract, section 4) by which members reach one record.

use super::record::{Record, Target};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::model::level::Level;
use std::cmp::Reverse;

/// In the order in which one is named when several give the same level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Path {
    Own,
    Manager,
    RecordTeam,
    RecordTeamManager,
    Territory,
    TerritoryAncestor,
    TerritoryManager,
    Share,
    Admin,
}

impl Path {
    pub(crate) const ALL: [Path; 9] = [
        Path::Own,
        Path::Manager,
        Path::RecordTeam,
        Path::RecordTeamManager,
        Path::Territory,
        Path::TerritoryAncestor,
        Path::TerritoryManager,
        Path::Share,
        Path::Admin,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Path::Own => "own",
            Path::Manager => "manager",
            Path::RecordTeam => "record_team",
            Path::RecordTeamManager => "record_team_manager",
            Path::Territory => "territory",
            Path::TerritoryAncestor => "territory_ancestor",
            Path::TerritoryManager => "territory_manager",
            Path::Share => "share",
            Path::Admin => "admin",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Path> {
        Path::ALL.into_iter().find(|path| path.name() == text)
    }

    /// Whether a record of the table can be reached this way at all.
    pub(crate) fn exists_in(self, target: &Target) -> bool {
        match self {
            Path::Own | Path::Manager => target.owner.is_some(),
            Path::Territory | Path::TerritoryAncestor | Path::TerritoryManager => target.territory.is_some(),
            _ => true,
        }
    }
}

/// One way in which one member reaches a record.
#[derive(Debug, Clone)]
pub(crate) struct Reached {
    pub member: i64,
    pub key: String,
    pub path: Path,
    /// What counts: the level given, after the cap of the member's roles.
    pub level: Level,
    pub given: Level,
    pub exports: bool,
    pub sees_archived: bool,
    pub hard_deletes: bool,
    /// The owner, holder or territory person from whom the path comes.
    pub through: i64,
    pub territory: Option<i64>,
    pub team: Option<i64>,
    pub until: Option<String>,
    pub retained: bool,
    pub reason: Option<String>,
}

impl Reached {
    /// Higher is stronger: the level first, then the order of the paths.
    pub(crate) fn strength(&self) -> (Level, Reverse<Path>) {
        (self.level, Reverse(self.path))
    }
}

/// Every path of every active member, or of one, to a record; nobody reaches one without organization.
pub(crate) fn reached(target: &Target, record: &Record, only: Option<i64>, sees: Sees) -> Vec<Reached> {
    let mut found = Vec::new();
    let Some(organization) = record.organization else { return found };
    let params = [
        Param::Oid(target.table.target),
        Param::Text(Some(&record.id)),
        Param::Int(record.owner),
        Param::Int(record.territory),
        Param::Int(Some(organization)),
        Param::Int(only),
    ];
    as_extension(|| {
        sql::query(include_str!("../../sql/query/record_paths.sql"), &params, sees, &mut |row| {
            let path = row.text(2).as_deref().and_then(Path::parse);
            let given = row.text(3).as_deref().and_then(Level::parse);
            let (Some(member), Some(key), Some(path), Some(given), Some(through)) =
                (row.int(0), row.text(1), path, given, row.int(6))
            else {
                return;
            };
            found.push(Reached {
                member,
                key,
                path,
                level: given.capped(row.text(4).as_deref().and_then(Level::parse)),
                given,
                exports: row.bool(5),
                through,
                territory: row.int(7),
                team: row.int(8),
                until: row.text(9),
                retained: row.bool(10),
                reason: row.text(11),
                sees_archived: row.bool(12),
                hard_deletes: row.bool(13),
            });
        })
    });
    found
}

/// The level at which one member reaches a record.
pub(crate) fn level_of(target: &Target, record: &Record, member: i64, sees: Sees) -> Level {
    reached(target, record, Some(member), sees).iter().map(|r| r.level).max().unwrap_or_default()
}
