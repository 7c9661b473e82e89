//! Who may write which row. The triggers raise what these rules answer; the INSERT policy only asks.

use crate::assignment;
use crate::errors::{Failure, refused};
use crate::model::access::Decides;
use crate::model::path::Path;
use crate::model::rights::Rights;
use crate::model::rules::OwnerChange;
use crate::model::value::{Kind, Value};
use crate::visibility::listed::List;
use crate::visibility::{Mapped, Part, Subject, Table};

/// The rules of INSERT (requirement O13, contract section 8).
pub(crate) fn insert(subject: &Subject, table: &Table, row: &Mapped) -> Result<(), Failure> {
    let Some(member) = &subject.member else { return Err(refused("this session is no member")) };
    if !subject.access(table).create {
        return Err(refused(format!("\"{}\" may not insert", member.key)));
    }
    if !subject.same_organization(member, table, &row.value(Part::Organization)) {
        return Err(refused("the row belongs to another organization")
            .hint("Leave the organization column empty; it is filled in."));
    }
    let assigns = subject.has_capability("assign");
    // What a rule of assignment chose is not the inserting member's choice.
    let (owner_chosen, territory_chosen) = assignment::chosen(table.target, row);
    if let Some((owner, kind)) = row.held(Part::Owner)
        && !owner_chosen
        && owner != member.named(kind)
        && !((assigns || subject.owners(kind).contains(&owner)) && subject.lists(List::ActiveMembers, &owner, kind))
    {
        return Err(refused("the owner of a new row must be the inserting member or somebody active below")
            .hint("Leave the owner empty to own the row, then hand it over with leadguard.reassign."));
    }
    if let Some((territory, kind)) = row.held(Part::Territory)
        && !territory_chosen
        && !reaches_territory(subject, table, &territory, kind)
        && !(assigns && subject.lists(List::Territories, &territory, kind))
    {
        return Err(refused("the territory of a new row must be one that the inserting member reaches, or empty")
            .hint("Leave the territory empty, then move the row with leadguard.reassign."));
    }
    team(subject, row)?;
    parent(subject, table, row, assigns)?;
    if !assigns && !owner_chosen && !subject.reads(table, row) {
        return Err(refused("the new row would not be readable for the inserting member")
            .hint("Leave the owner empty to own the row, then hand it over with leadguard.reassign."));
    }
    Ok(())
}

/// By the hierarchies, or as a scope.
fn reaches_territory(subject: &Subject, table: &Table, territory: &Value, kind: Kind) -> bool {
    subject.territories(kind).contains(territory)
        || subject.read_set(table, Decides::Territory, kind).contains(territory)
}

fn team(subject: &Subject, row: &Mapped) -> Result<(), Failure> {
    match row.held(Part::Team) {
        Some((team, kind)) if !subject.lists(List::Teams, &team, kind) => {
            Err(refused("the team is none of the organization"))
        }
        _ => Ok(()),
    }
}

/// Whoever reads the parent may read the row: only who does puts it there.
fn parent(subject: &Subject, table: &Table, row: &Mapped, assigns: bool) -> Result<(), Failure> {
    if let Some((parent, kind)) = row.held(Part::Parent)
        && !assigns
        && !subject.reads_parent(table, &parent, kind)
    {
        return Err(refused("the row would belong to a record that is not visible to its writer")
            .hint("Leave it empty, or have somebody who sees both put it there."));
    }
    Ok(())
}

/// Whether the member may change owners of the table, by the switch owner_change. `handoff`: by a handoff.
pub(crate) fn owner_change(subject: &Subject, table: &Table, handoff: bool) -> Result<(), Failure> {
    let Some(member) = &subject.member else { return Ok(()) };
    let by = table.rules.switches.owner_change;
    if by == OwnerChange::Free
        || (by == OwnerChange::Handoff && handoff)
        || subject.has_capability("assign")
        || subject.is_data_owner()
    {
        return Ok(());
    }
    let shown = table.shown();
    let refusal = refused(format!("\"{}\" may not change the owner of a record of {shown}", member.key));
    Err(match by {
        OwnerChange::Handoff => refusal
            .detail("Owners change by handoff there (switch owner_change).")
            .hint("leadguard.handoff hands a record over; members with the capability assign or approve do otherwise."),
        _ => refusal
            .detail("Data owners change owners there (switch owner_change).")
            .hint("A member with the capability assign or approve can."),
    })
}

/// What an UPDATE changes of the mapped columns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Changed {
    pub fixed: bool,
    pub owner: bool,
    pub territory: bool,
    pub team: bool,
    pub parent: bool,
    pub segment: bool,
}

impl Changed {
    /// A segment is a value as any other until rules make scopes of it.
    pub(super) fn moves(self, table: &Table) -> bool {
        let scopes = || table.rules.rules.iter().any(|rule| rule.path == Some(Path::Scope));
        self.owner || self.territory || self.team || self.parent || (self.segment && scopes())
    }
}

/// The rules of UPDATE once the right to update the old row is known. `may_hide`: it may go out of the writer's sight by
/// a hiding rule.
pub(crate) fn update(
    subject: &Subject,
    table: &Table,
    rights: Rights,
    changed: Changed,
    new: &Mapped,
    may_hide: bool,
) -> Result<(), Failure> {
    let Some(member) = &subject.member else { return Err(refused("this session is no member")) };
    if changed.fixed {
        return Err(refused("id, creator and organization of a row cannot change"));
    }
    if changed.moves(table) && !rights.has(Rights::REASSIGN) {
        return Err(refused(format!("\"{}\" may edit the row but not move it", member.key)).detail(
            "Owner, territory, team, parent and a segment that scopes go by move with the right to reassign.",
        ));
    }
    if changed.owner {
        owner_change(subject, table, false)?;
    }
    if changed.owner
        && let Some((owner, kind)) = new.held(Part::Owner)
        && !subject.lists(List::ActiveMembers, &owner, kind)
    {
        return Err(refused("the new owner is no active member of the organization"));
    }
    if changed.territory
        && let Some((territory, kind)) = new.held(Part::Territory)
        && !subject.lists(List::Territories, &territory, kind)
    {
        return Err(refused("the new territory is none of the organization"));
    }
    if changed.team {
        team(subject, new)?;
    }
    if changed.parent {
        parent(subject, table, new, false)?;
    }
    let stays = subject.reads(table, new) || (may_hide && subject.would_read(table, new));
    if !stays {
        return Err(refused("the changed row would no longer be readable for the writing member").hint(
            if subject.would_read(table, new) {
                "Mark a record with leadguard.mark_sensitive; who sees the next stage moves it there."
            } else {
                "Hand a record over with leadguard.reassign."
            },
        ));
    }
    Ok(())
}
