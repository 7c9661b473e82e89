//! The arms of a policy: which column decides, and against what.

use super::subject::{Subject, Table};
use crate::guard;
use crate::model::value::{Kind, ValueSet, parse_uuid};
use std::rc::Rc;

/// One function of the policy's OR for each. Each looks at one column, so that each can use its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arm {
    /// Paths own and manager: the owner is the member or somebody below.
    Owner,
    /// Paths territory, territory_ancestor and territory_manager.
    Territory,
    /// Record team and shares, one's own and those of everyone below.
    Record,
    /// Path admin: every row of the organization, also where owner and territory are empty.
    Admin,
    /// Not a path but a condition beside them: the row is of the member's organization.
    Organization,
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
    if subject.has_all_records() {
        return Verdict::Always(true);
    }
    match arm {
        Arm::Owner => Verdict::OneOf(subject.owners(kind)),
        Arm::Territory => Verdict::OneOf(subject.territories(kind)),
        Arm::Record if guard::sanctioned(table.target).is_some() => Verdict::Ask,
        Arm::Record => match subject.granted_records_at_hand(table.target, kind) {
            Some(records) => Verdict::OneOf(records),
            None => Verdict::Ask,
        },
        Arm::Admin | Arm::Organization => Verdict::Always(false),
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
    match arm {
        Arm::Owner => subject.owners(kind),
        Arm::Territory => subject.territories(kind),
        Arm::Record => {
            let records = subject.granted_records(table.target, kind);
            match guard::sanctioned(table.target) {
                None => records,
                Some(sanction) => {
                    let all: Vec<String> =
                        records.values().filter_map(|v| v.to_text()).chain(sanction.records.iter().cloned()).collect();
                    Rc::new(ValueSet::of_records(all.iter().map(String::as_str), kind))
                }
            }
        }
        Arm::Admin | Arm::Organization => nothing(),
    }
}

/// Whether every row of the table is visible, rows without owner and territory included.
pub(crate) fn sees_all(subject: &Subject, table: &Option<Table>) -> bool {
    match (&subject.member, table) {
        (Some(member), Some(table)) => {
            subject.has_all_records() && (table.organization_column.is_some() || table.org_id == member.org_id)
        }
        _ => false,
    }
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
