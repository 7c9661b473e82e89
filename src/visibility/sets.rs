//! The sets of values of a column that paths let pass, as the hierarchies alone decide them.

use super::load;
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::model::access::Access;
use crate::model::path::Path;
use crate::model::value::{Kind, ValueSet};
use pgrx::pg_sys::Oid;

/// Which set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// The member, those below down to a depth (0: all of them), those with the same manager.
    Members { own: bool, below: Option<u32>, beside: bool },
    /// Territories that the member holds, those below them, those that somebody below him reaches, and a table's scope.
    Territories { held: bool, under: bool, below: Option<u32>, scope: Option<Oid> },
    Segments(Oid),
    Accounts(Oid),
    /// Teams whose records the member reaches by their access setting.
    Teams,
}

impl Which {
    /// The member and everyone below.
    pub(crate) const CHAIN: Which = Which::Members { own: true, below: Some(0), beside: false };
    /// The territories that the member reaches through the hierarchies.
    pub(crate) const REACHED: Which =
        Which::Territories { held: true, under: true, below: Some(0), scope: None };

    /// Whom an owner column may name for these paths.
    pub(crate) fn members(paths: &[Path], access: &Access) -> Which {
        Which::Members {
            own: paths.contains(&Path::Own),
            below: access.below.filter(|_| paths.contains(&Path::Manager)),
            beside: paths.contains(&Path::Colleague),
        }
    }

    pub(crate) fn territories(paths: &[Path], access: &Access, target: Oid) -> Which {
        Which::Territories {
            held: paths.contains(&Path::Territory),
            under: paths.contains(&Path::TerritoryAncestor),
            below: access.below.filter(|_| paths.contains(&Path::TerritoryManager)),
            scope: paths.contains(&Path::Scope).then_some(target),
        }
    }

    /// The set for one member, in the active snapshot.
    pub(super) fn load(self, member: i64, kind: Kind) -> ValueSet {
        let flag = Param::Bool;
        let depth = |below: Option<u32>| Param::Int(below.map(i64::from));
        match self {
            Which::CHAIN => load::owners(member, kind),
            Which::REACHED => load::territories(member, kind),
            Which::Members { own, below, beside } => fill(
                kind,
                include_str!("../../sql/query/set_members.sql"),
                &[Param::Int(Some(member)), flag(own), depth(below), flag(beside)],
            ),
            Which::Territories { held, under, below, scope } => fill(
                kind,
                include_str!("../../sql/query/set_territories.sql"),
                &[
                    Param::Int(Some(member)),
                    flag(held),
                    flag(under),
                    depth(below),
                    scope.map_or(Param::Oid(Oid::INVALID), Param::Oid),
                ],
            ),
            Which::Segments(target) => scope(kind, member, target, "segment"),
            Which::Accounts(target) => scope(kind, member, target, "account"),
            Which::Teams => {
                fill(kind, include_str!("../../sql/query/set_teams.sql"), &[Param::Int(Some(member))])
            }
        }
    }
}

/// Scopes name values as their column shows them.
fn scope(kind: Kind, member: i64, target: Oid, of: &str) -> ValueSet {
    let mut found: Vec<String> = Vec::new();
    let params = [Param::Int(Some(member)), Param::Oid(target), Param::Text(Some(of))];
    as_extension(|| {
        sql::query(
            "SELECT value FROM leadguard.member_scope WHERE member_id = $1 AND target = $2 AND kind = $3",
            &params,
            Sees::Statement,
            &mut |row| found.extend(row.text(0)),
        )
    });
    ValueSet::of_keys(found.iter().map(String::as_str), kind)
}

/// From a query of (id, key).
fn fill(kind: Kind, text: &'static str, params: &[Param]) -> ValueSet {
    let (mut ids, mut keys) = (Vec::new(), Vec::new());
    as_extension(|| {
        sql::query(text, params, Sees::Statement, &mut |row| {
            if kind.is_int() { ids.extend(row.int(0)) } else { keys.extend(row.text(1)) }
        })
    });
    if kind.is_int() { ValueSet::of_ids(ids) } else { ValueSet::of_keys(keys.iter().map(String::as_str), kind) }
}
