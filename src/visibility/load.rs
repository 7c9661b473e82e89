//! The queries that fill a reach or a subject, in the active snapshot. What is not read directly runs as the
//! extension's owner, read-only.

use super::member::Member;
use super::reach::{Teams, TeamsOf};
use super::table::Table;
use crate::ffi::scan::{self, Equal};
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::identity::Mode;
use crate::model::ids::IdSet;
use crate::model::level::Level;
use crate::model::value::{Kind, ValueSet};
use crate::rules;
use pgrx::pg_sys::Oid;
use std::rc::Rc;

/// Capabilities that only read: all that an analyst login may use.
const READING: [&str; 6] = ["all_records", "export", "see_sensitive", "see_archived", "explain", "audit"];

/// An active member with his capabilities; None for anybody else.
pub(super) fn member(id: i64, mode: Mode) -> Option<Member> {
    let mut member = None;
    let params = [Param::Int(Some(id))];
    as_extension(|| {
        let text = if rules::load::are_there() {
            include_str!("../../sql/query/member.sql")
        } else {
            include_str!("../../sql/query/member_before_rules.sql")
        };
        sql::query(text, &params, Sees::Statement, &mut |row| {
            member = row.int(0).map(|org_id| Member {
                id,
                key: row.text(1).unwrap_or_default(),
                org_id,
                org_key: row.text(2).unwrap_or_default(),
                guest: row.text(3).as_deref() == Some("guest"),
                system: row.text(3).as_deref() == Some("system"),
                organization_view: row.bool(4),
                rank: 0,
                level_cap: None,
                capabilities: Vec::new(),
                roles: Vec::new(),
            });
        });
        if let Some(member) = &mut member {
            sql::query(include_str!("../../sql/query/member_roles.sql"), &params, Sees::Statement, &mut |row| {
                member.capabilities.extend(row.text(0));
                member.rank = member.rank.max(row.int(3).unwrap_or_default());
                if let Some(role) = row.text(2)
                    && !member.roles.contains(&role)
                {
                    member.roles.push(role);
                }
                if let Some(cap) = row.text(1).as_deref().and_then(Level::parse) {
                    member.level_cap = Some(member.level_cap.map_or(cap, |held| held.min(cap)));
                }
            });
        }
    });
    let mut member = member?;
    if mode == Mode::Analyst {
        member.capabilities.retain(|c| READING.contains(&c.as_str()));
        member.level_cap = Some(Level::Read);
    }
    Some(member)
}

/// A table's own registration.
pub(super) fn registered(target: Oid) -> Option<Table> {
    let tables = scan::Table::open(c"protected_table");
    let column = |name| tables.column(name);
    let [org_id, id, owner, creator] = [c"org_id", c"id_column", c"owner_column", c"creator_column"].map(column);
    let [territory, organization] = [c"territory_column", c"organization_column"].map(column);
    let [on_denied, force] = [c"on_denied", c"force"].map(column);
    let later = session::is_updated().then(|| {
        [c"archived_at_column", c"archived_by_column", c"field_default", c"concealed_by", c"shape"].map(column)
    });
    let has_rules = rules::load::are_there();
    let parts = has_rules.then(|| {
        [c"segment_column", c"team_column", c"parent_column", c"stage_column", c"status_column", c"sensitive_column"]
            .map(column)
    });
    let parent = has_rules.then(|| column(c"parent"));
    let mut table = None;
    let keys = [(tables.column(c"target"), Equal::Oid(target))];
    tables.scan(Some(c"protected_table_pkey"), &keys, |row| {
        table = Some(Table {
            target,
            org_id: row.int(org_id).unwrap_or_default(),
            id_column: row.name(id).unwrap_or_default(),
            owner_column: row.name(owner),
            creator_column: row.name(creator),
            territory_column: row.name(territory),
            organization_column: row.name(organization),
            skip_denied: row.text(on_denied).as_deref() == Some("skip"),
            force: row.bool(force),
            archived_at_column: later.and_then(|[at, ..]| row.name(at)),
            archived_by_column: later.and_then(|[_, by, ..]| row.name(by)),
            closed_by_default: later
                .is_some_and(|[_, _, default, ..]| row.text(default).as_deref() == Some("no access")),
            concealed_by: later.and_then(|[_, _, _, by, _]| row.oid(by)),
            shape: later.map_or(0, |[.., shape]| row.small(shape)),
            segment_column: parts.and_then(|[segment, ..]| row.name(segment)),
            team_column: parts.and_then(|[_, team, ..]| row.name(team)),
            parent_column: parts.and_then(|[_, _, parent, ..]| row.name(parent)),
            stage_column: parts.and_then(|[_, _, _, stage, ..]| row.name(stage)),
            status_column: parts.and_then(|[_, _, _, _, status, _]| row.name(status)),
            sensitive_column: parts.and_then(|[.., sensitive]| row.name(sensitive)),
            parent: parent.and_then(|parent| row.oid(parent)),
            rules: Rc::default(),
        });
        false
    });
    drop(tables);
    table.map(|table| Table { rules: Rc::new(rules::load::of(target, Sees::Statement)), ..table })
}

/// The registration of the table that a view conceals.
pub(super) fn concealed(view: Oid) -> Option<Table> {
    // No relation is what is left of a view that was dropped.
    if view == Oid::INVALID || !session::is_updated() {
        return None;
    }
    let tables = scan::Table::open(c"protected_table");
    let (target, by) = (tables.column(c"target"), tables.column(c"concealed_by"));
    let mut found = None;
    tables.scan(None, &[(by, Equal::Oid(view))], |row| {
        found = row.oid(target);
        false
    });
    drop(tables);
    found.and_then(registered)
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
    if kind.is_int() {
        return ValueSet::of_ids(column_of_ids(ids, member));
    }
    let mut found: Vec<String> = Vec::new();
    as_extension(|| {
        sql::query(keys, &[Param::Int(Some(member))], Sees::Statement, &mut |row| found.extend(row.text(0)))
    });
    ValueSet::of_keys(found.iter().map(String::as_str), kind)
}

pub(super) fn teams(member: i64, of: TeamsOf) -> Teams {
    let (mut own, mut below) = (Vec::new(), Vec::new());
    let params = [Param::Int(Some(member)), Param::Bool(of.by_access), Param::Int(of.below.map(i64::from))];
    as_extension(|| {
        sql::query(include_str!("../../sql/query/member_teams.sql"), &params, Sees::Statement, &mut |row| {
            if row.bool(1) { own.extend(row.int(0)) } else { below.extend(row.int(0)) }
        })
    });
    let set = |ids: Vec<i64>| ids.into_iter().collect::<IdSet>();
    Teams { own: set(own), below: set(below) }
}

fn column_of_ids(text: &'static str, member: i64) -> Vec<i64> {
    let mut found = Vec::new();
    as_extension(|| {
        sql::query(text, &[Param::Int(Some(member))], Sees::Statement, &mut |row| found.extend(row.int(0)))
    });
    found
}
