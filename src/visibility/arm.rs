//! The arms of a policy: which column decides, and against what.

use super::subject::Subject;
use super::table::{Part, Table};
use crate::guard;
use crate::model::access::Decides;
use crate::model::value::{Kind, ValueSet, parse_uuid};
use std::rc::Rc;

/// One function of the policy's OR for each. Each looks at one column, so that each can use its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arm {
    /// Paths own, manager and colleague: the owner is the member, somebody below or somebody beside.
    Owner,
    /// Path created.
    Creator,
    /// Paths territory, territory_ancestor and territory_manager, and a scope of territories.
    Territory,
    /// A scope of segments.
    Segment,
    /// Path team.
    Team,
    /// Path parent, and a scope of accounts.
    Parent,
    /// Record team, shares and contacts, one's own and those of everyone below.
    Record,
    /// Paths organization and admin: every row of the organization, also where everything else is empty.
    Admin,
    /// Not a path but a condition beside them: the row is of the member's organization.
    Organization,
}

impl Arm {
    /// The arms that one column decides, in the order of the policy's OR.
    pub(crate) const OF_COLUMNS: [Arm; 6] =
        [Arm::Owner, Arm::Creator, Arm::Territory, Arm::Segment, Arm::Team, Arm::Parent];

    /// The column that it looks at.
    pub(crate) fn part(self) -> Part {
        match self {
            Arm::Owner => Part::Owner,
            Arm::Creator => Part::Creator,
            Arm::Territory => Part::Territory,
            Arm::Segment => Part::Segment,
            Arm::Team => Part::Team,
            Arm::Parent => Part::Parent,
            Arm::Record | Arm::Admin => Part::Id,
            Arm::Organization => Part::Organization,
        }
    }

    fn decides(self) -> Option<Decides> {
        match self {
            Arm::Owner => Some(Decides::Owner),
            Arm::Creator => Some(Decides::Creator),
            Arm::Territory => Some(Decides::Territory),
            Arm::Segment => Some(Decides::Segment),
            Arm::Team => Some(Decides::Team),
            Arm::Parent => Some(Decides::Parent),
            Arm::Record | Arm::Admin | Arm::Organization => None,
        }
    }
}

/// What an arm answers for all rows of one execution.
#[derive(Clone)]
pub(crate) enum Verdict {
    Always(bool),
    OneOf(Rc<ValueSet>),
    /// Row by row: the set is not at hand, and may be large.
    Ask,
}

/// The verdict of an arm whose column has this type. Without identity or registration it is no.
pub(crate) fn verdict(subject: &Subject, table: &Option<Table>, arm: Arm, kind: Kind) -> Verdict {
    let (Some(member), Some(table)) = (&subject.member, table) else { return Verdict::Always(false) };
    if arm == Arm::Organization {
        return Verdict::OneOf(Rc::new(organization(member.org_id, &member.org_key, kind)));
    }
    if table.organization_column.is_none() && table.org_id != member.org_id {
        return Verdict::Always(false);
    }
    if subject.access(table).reads_everything() {
        return Verdict::Always(true);
    }
    if let Some(decides) = arm.decides() {
        return Verdict::OneOf(subject.read_set(table, decides, kind));
    }
    match arm {
        Arm::Record if !guard::exempts(table.target) => {
            subject.granted_records_at_hand(table, kind).map_or(Verdict::Ask, Verdict::OneOf)
        }
        Arm::Record => Verdict::Ask,
        _ => Verdict::Always(false),
    }
}

/// The values of the column that the arm lets pass, for an index. Exact, except that the arm of those who see
/// everything has no list.
pub(crate) fn values(subject: &Subject, table: &Option<Table>, arm: Arm, kind: Kind) -> Rc<ValueSet> {
    let nothing = || Rc::new(ValueSet::of_ids([]));
    let (Some(member), Some(table)) = (&subject.member, table) else { return nothing() };
    if arm == Arm::Organization {
        return Rc::new(organization(member.org_id, &member.org_key, kind));
    }
    if table.organization_column.is_none() && table.org_id != member.org_id {
        return nothing();
    }
    if let Some(decides) = arm.decides() {
        return subject.read_set(table, decides, kind);
    }
    if arm != Arm::Record {
        return nothing();
    }
    let records = subject.granted_records(table, kind);
    match guard::sanctioned(table.target) {
        None => records,
        Some(sanction) => {
            let all: Vec<String> =
                records.values().filter_map(|v| v.to_text()).chain(sanction.records.iter().cloned()).collect();
            Rc::new(ValueSet::of_records(all.iter().map(String::as_str), kind))
        }
    }
}

/// Whether every row of the table is reached, rows without owner and territory included. Some may be hidden.
pub(crate) fn reaches_all(subject: &Subject, table: &Option<Table>) -> bool {
    let (Some(member), Some(table)) = (&subject.member, table) else { return false };
    subject.access(table).reads_everything() && (table.organization_column.is_some() || table.org_id == member.org_id)
}

/// The same where none is hidden.
pub(crate) fn sees_all(subject: &Subject, table: &Option<Table>) -> bool {
    let hides_marked = |table: &Table| table.sensitive_column.is_some() && subject.access(table).hidden.sensitive;
    sees_all_unmarked(subject, table) && table.as_ref().is_some_and(|table| !hides_marked(table))
}

/// The same where none is hidden but those that are marked as sensitive.
pub(crate) fn sees_all_unmarked(subject: &Subject, table: &Option<Table>) -> bool {
    let hides_stages = |table: &Table| table.stage_column.is_some() && subject.access(table).hidden.stages.is_some();
    reaches_all(subject, table) && table.as_ref().is_some_and(|table| !hides_stages(table))
}

/// Whether no row of the table can be visible.
pub(crate) fn sees_nothing(subject: &Subject, table: &Option<Table>) -> bool {
    match (&subject.member, table) {
        (Some(member), Some(table)) => table.organization_column.is_none() && table.org_id != member.org_id,
        _ => true,
    }
}

fn organization(id: i64, key: &str, kind: Kind) -> ValueSet {
    match kind {
        Kind::Text => ValueSet::of_keys([key], kind),
        Kind::Uuid => ValueSet::Uuids(parse_uuid(key).into_iter().collect()),
        _ => ValueSet::of_ids([id]),
    }
}
