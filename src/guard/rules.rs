//! Who may write which row. The triggers raise what these rules answer; the INSERT policy only asks.

use crate::errors::{Failure, refused};
use crate::model::level::Level;
use crate::model::value::{Kind, Value, parse_uuid};
use crate::visibility::listed::List;
use crate::visibility::subject::{Mapped, Subject, Table};

/// The rules of INSERT (requirement O13, contract section 8).
pub(crate) fn insert(subject: &Subject, table: &Table, row: &Mapped) -> Result<(), Failure> {
    let Some(member) = &subject.member else { return Err(refused("this session is no member")) };
    if member.level_cap == Some(Level::Read) {
        return Err(refused(format!("\"{}\" may not insert", member.key)));
    }
    if !subject.same_organization(member, table, &row.organization) {
        return Err(refused("the row belongs to another organization")
            .hint("Leave the organization column empty; it is filled in."));
    }
    let assigns = subject.has_capability("assign");
    if let (owner, Some(kind)) = row.owner
        && owner != Value::Null
        && owner != named(member.id, &member.key, kind)
        && !((assigns || subject.owners(kind).contains(&owner)) && subject.lists(List::ActiveMembers, &owner, kind))
    {
        return Err(refused("the owner of a new row must be the inserting member or somebody active below")
            .hint("Leave the owner empty to own the row, then hand it over with leadguard.reassign."));
    }
    if let (territory, Some(kind)) = row.territory
        && territory != Value::Null
        && !subject.territories(kind).contains(&territory)
        && !(assigns && subject.lists(List::Territories, &territory, kind))
    {
        return Err(refused("the territory of a new row must be one that the inserting member reaches, or empty")
            .hint("Leave the territory empty, then move the row with leadguard.reassign."));
    }
    if !assigns && !subject.reads(table, row) {
        return Err(refused("the new row would not be readable for the inserting member")
            .hint("Leave the owner empty to own the row, then hand it over with leadguard.reassign."));
    }
    Ok(())
}

/// What an UPDATE changes of the mapped columns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Changed {
    pub fixed: bool,
    pub owner: bool,
    pub territory: bool,
}

/// The rules of UPDATE once the level on the old row is known to be edit or more.
pub(crate) fn update(
    subject: &Subject,
    table: &Table,
    level: Level,
    changed: Changed,
    new: &Mapped,
) -> Result<(), Failure> {
    let Some(member) = &subject.member else { return Err(refused("this session is no member")) };
    if changed.fixed {
        return Err(refused("id, creator and organization of a row cannot change"));
    }
    if (changed.owner || changed.territory) && level < Level::Full {
        return Err(refused(format!("\"{}\" may edit the row but not move it", member.key))
            .detail("Owner and territory move with level full: the owner, those above, an administrator."));
    }
    if changed.owner
        && let (owner, Some(kind)) = new.owner
        && owner != Value::Null
        && !subject.lists(List::ActiveMembers, &owner, kind)
    {
        return Err(refused("the new owner is no active member of the organization"));
    }
    if changed.territory
        && let (territory, Some(kind)) = new.territory
        && territory != Value::Null
        && !subject.lists(List::Territories, &territory, kind)
    {
        return Err(refused("the new territory is none of the organization"));
    }
    if !subject.reads(table, new) {
        return Err(refused("the changed row would no longer be readable for the writing member")
            .hint("Hand a record over with leadguard.reassign."));
    }
    Ok(())
}

/// A member or organization as a column of `kind` names it.
pub(crate) fn named(id: i64, key: &str, kind: Kind) -> Value<'_> {
    match kind {
        Kind::Text => Value::Text(key),
        Kind::Uuid => parse_uuid(key).map_or(Value::Text(key), Value::Uuid),
        _ => Value::Int(id),
    }
}
