//! Moving a record to another owner or territory.
//!
//! The UPDATE is the caller's own, with his table privileges and through all triggers; the guard is told of the
//! one record beforehand, because the mover may lose sight of it. Between the judgement and the UPDATE somebody
//! else may move the record: the UPDATE therefore names the owner and territory that were judged, and the right
//! is judged once more when the row is locked.

use super::lasting;
use super::right::{Right, no_such_record};
use crate::errors::bad_argument;
use crate::ffi::raise;
use crate::ffi::sql::{self, Param, Sees};
use crate::guard::{self, Purpose, Sanction};
use crate::model::rights::Rights;
use crate::model::value::{Kind, parse_uuid};
use crate::names;
use crate::questions::paths::{self, Whose};
use crate::questions::record::{Column, Record};
use crate::visibility::{self, Part};
use pgrx::pg_extern;
use pgrx::pg_sys::Oid;

/// How often a move starts over because the record was moved meanwhile.
pub(crate) const ATTEMPTS: u32 = 3;

/// What a column is set to.
pub(crate) struct Move {
    column: Column,
    id: i64,
    key: String,
}

/// Another column that changes with a move, as SQL: its name and a literal.
pub(crate) struct Set {
    pub column: String,
    pub value: String,
}

/// All that happens to the record.
pub(crate) struct Change<'a> {
    pub owner: Option<&'a Move>,
    pub territory: Option<&'a Move>,
    /// Also demands that the record is in the stage in which it was judged.
    pub more: &'a [Set],
    pub reason: Option<&'a str>,
}

impl Move {
    fn param(&self) -> Param<'_> {
        if self.column.kind.is_int() { Param::Int(Some(self.id)) } else { Param::Text(Some(&self.key)) }
    }

    /// 22023 when the column cannot hold the id or key.
    pub(crate) fn checked(column: Option<&Column>, what: &str, id: i64, key: &str) -> Move {
        let Some(column) = column else {
            bad_argument(format!("the table has no {what} column"))
                .hint("leadguard.protected lists what is mapped: only that is reassigned.")
                .raise();
        };
        if !column.kind.fits(id) && column.kind.is_int() || column.kind == Kind::Uuid && parse_uuid(key).is_none() {
            bad_argument(format!("the {what} column cannot hold \"{key}\""))
                .hint("Name one whose id or key is of the type of the column, or have the table's owner widen it.")
                .raise();
        }
        Move { column: column.clone(), id, key: key.to_owned() }
    }
}

/// Gives a record to another owner, another territory, or both. Needs level full on it, or a superuser, and the
/// caller's own UPDATE privilege. Errors: 42501 (no right, no such record), 22023 (arguments, unknown owner or
/// territory).
#[pg_extern(sql = false)]
fn reassign(
    target: Option<Oid>,
    record: Option<&str>,
    owner: Option<&str>,
    territory: Option<&str>,
    reason: Option<&str>,
) {
    for _ in 0..ATTEMPTS {
        let right = Right::find("reassign", target, record, Rights::REASSIGN);
        lasting::demand("reassign", &right, Rights::REASSIGN);
        if owner.is_none() && territory.is_none() {
            bad_argument("either an owner or a territory must be named").raise();
        }
        let owner = owner.map(|key| Move::checked(right.target.owner.as_ref(), "owner", right.active_member(key), key));
        let territory =
            territory.map(|key| Move::checked(right.target.territory.as_ref(), "territory", right.territory(key), key));
        if owner.is_some() {
            demand_owner_change(&right, false);
        }
        let change = Change { owner: owner.as_ref(), territory: territory.as_ref(), more: &[], reason };
        if update(&right, &change) {
            right.demand("reassign", Rights::REASSIGN);
            tell_if_lost(&right, owner.as_ref(), territory.as_ref());
            return;
        }
    }
    no_such_record(&Right::find("reassign", target, record, Rights::REASSIGN).target, record.unwrap_or_default())
}

/// 42501 where the switch owner_change has owners change otherwise.
pub(crate) fn demand_owner_change(right: &Right, handoff: bool) {
    if let Err(failure) = guard::rules::owner_change(&visibility::now(), &right.target.table, handoff) {
        failure.raise();
    }
}

/// False when there was nothing to update: the record changed or went since it was judged.
pub(crate) fn update(right: &Right, change: &Change) -> bool {
    let target = &right.target;
    let (mut sets, mut params) = (Vec::new(), Vec::new());
    sets.extend(change.more.iter().map(|set| format!("{} = {}", set.column, set.value)));
    for moved in [change.owner, change.territory].into_iter().flatten() {
        params.push(moved.param());
        let cast = if moved.column.kind == Kind::Uuid { "::pg_catalog.uuid" } else { "" };
        sets.push(format!("{} = ${}{cast}", moved.column.quoted, params.len()));
    }
    let (condition, id) = target.is_record(params.len() + 1, &right.record.id);
    params.push(id);
    let mut conditions = vec![condition];
    let record = &right.record;
    let staged = |part: Part| target.column(part).filter(|_| !change.more.is_empty());
    let judged = [
        (target.owner.as_ref(), &record.owner_text),
        (target.territory.as_ref(), &record.territory_text),
        (target.organization.as_ref(), &record.organization_text),
        (staged(Part::Stage), &record.stage),
        (staged(Part::Status), &record.status),
    ];
    for (column, text) in judged {
        if let Some(column) = column {
            params.push(Param::Text(text.as_deref()));
            let (value, number) = (format!("{}::pg_catalog.text", column.quoted), params.len());
            conditions
                .push(format!("({value} OPERATOR(pg_catalog.=) ${number} OR ({value} IS NULL AND ${number} IS NULL))"));
        }
    }
    let text = format!("UPDATE {} SET {} WHERE {}", target.relation, sets.join(", "), conditions.join(" AND "));
    // With the caller's search path, on which triggers of the table may rely: the text itself needs none.
    let sanction = Sanction::of(target.table.target, &record.id, Purpose::Reassign, change.reason);
    guard::sanction(sanction, || sql::query_once(&text, &params, Sees::Now, &mut |_| {})) > 0
}

pub(crate) fn tell_if_lost(right: &Right, owner: Option<&Move>, territory: Option<&Move>) {
    let Some(member) = right.member else { return };
    let moved = Record {
        owner: owner.map_or(right.record.owner, |m| Some(m.id)),
        territory: territory.map_or(right.record.territory, |m| Some(m.id)),
        ..right.record.clone()
    };
    if paths::rights_of(&right.target, &moved, Whose::Member(member), Sees::Now).is_empty() {
        let table = names::shown(right.target.table.target);
        raise::notice(&format!("record {} of {table} is no longer visible to you", right.record.id));
    }
}
