//! Routing a record that is there.

use super::pool::Person;
use super::router::{self, Place, Routed, Router};
use crate::arguments::given;
use crate::audit::{self, Event};
use crate::errors::refused;
use crate::ffi::row::attributes_of;
use crate::ffi::sql::{self, Sees};
use crate::grants::reassign::{self, ATTEMPTS, Change, Move};
use crate::grants::{Right, lasting};
use crate::model::rights::Rights;
use crate::names;
use crate::questions::record::as_caller;
use crate::visibility;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::Oid;
use pgrx::{name, pg_extern};

type Answer = TableIterator<
    'static,
    (
        name!(rule, Option<String>),
        name!(owner, Option<String>),
        name!(territory, Option<String>),
        name!(reason, String),
    ),
>;

/// Gives a record to whom the rules say, or only tells. Needs the right to reassign it, or the capability assign, or a
/// superuser. Errors: 42501, 22023.
#[pg_extern(sql = false)]
fn route(target: Option<Oid>, record: Option<&str>, dry_run: Option<bool>) -> Answer {
    let dry_run = given(dry_run, "dry_run");
    for _ in 0..ATTEMPTS {
        let right = Right::find("route", target, record, Rights::READ);
        demand(&right);
        let Some(routed) = find(&right, !dry_run) else {
            return answer(None, "no rule concerns the record, or nobody can take it".to_owned());
        };
        let (moves, reason) = (Moves::of(&right, &routed), format!("rule {}", routed.rule));
        if dry_run {
            return answer(Some(routed), format!("{reason}, not carried out"));
        }
        if moves.owner.is_some() {
            reassign::demand_owner_change(&right, false);
        }
        if !moves.carry_out(&right, &reason) {
            continue;
        }
        demand(&right);
        if let Some(place) = &routed.territory {
            router::join_team(right.target.table.target, &[(right.record.id.clone(), place.id)], right.member);
        }
        note(&right, &routed);
        reassign::tell_if_lost(&right, moves.owner.as_ref(), moves.territory.as_ref());
        return answer(Some(routed), reason);
    }
    let right = Right::find("route", target, record, Rights::READ);
    crate::errors::no_such_record(&names::shown(right.target.table.target), &right.record.id)
}

fn answer(routed: Option<Routed>, reason: String) -> Answer {
    let (rule, owner, territory) = match routed {
        Some(Routed { rule, owner, territory }) => (Some(rule), owner, territory),
        None => (None, None, None),
    };
    TableIterator::once((rule, owner.map(|p: Person| p.key), territory.map(|p: Place| p.key), reason))
}

fn demand(right: &Right) {
    let assigns = right.member.is_some() && visibility::now().has_capability("assign");
    if right.guest {
        refused("route refused: guests assign nothing").raise();
    }
    if !assigns {
        right.demand("route", Rights::REASSIGN);
        lasting::demand("route", right, Rights::REASSIGN);
    }
}

/// What the rules say about the record as the caller reads it.
fn find(right: &Right, serve: bool) -> Option<Routed> {
    let (target, organization) = (&right.target, right.record.organization?);
    let rules = router::rules(&target.table, organization);
    let there = attributes_of(target.table.target);
    let mut columns: Vec<String> = vec![target.id.quoted.clone()];
    for name in router::columns(&rules, &target.table) {
        if there.iter().any(|attribute| attribute.name == name) && names::quote(&name) != target.id.quoted {
            columns.push(names::quote(&name));
        }
    }
    let (condition, id) = target.is_record(1, &right.record.id);
    let text = format!("SELECT {} FROM {} WHERE {condition}", columns.join(", "), target.relation);
    let (mut rules, mut found) = (Some(rules), None);
    as_caller(|| {
        sql::query_once(&text, &[id], Sees::Now, &mut |row| {
            let row = row.as_row();
            if let Some(rules) = rules.take() {
                let router = Router::new(rules, &row.attributes(), &target.table, organization);
                found = router.route(&row.values(), serve);
            }
        })
    });
    found
}

/// What of it is another owner or territory than the record has.
struct Moves {
    owner: Option<Move>,
    territory: Option<Move>,
}

impl Moves {
    fn of(right: &Right, routed: &Routed) -> Moves {
        let (target, record) = (&right.target, &right.record);
        let owner = routed.owner.as_ref().filter(|person| record.owner != Some(person.id));
        let territory = routed.territory.as_ref().filter(|place| record.territory != Some(place.id));
        Moves {
            owner: owner.map(|p| Move::checked(target.owner.as_ref(), "owner", p.id, &p.key)),
            territory: territory.map(|p| Move::checked(target.territory.as_ref(), "territory", p.id, &p.key)),
        }
    }

    /// False where the record changed meanwhile.
    fn carry_out(&self, right: &Right, reason: &str) -> bool {
        if self.owner.is_none() && self.territory.is_none() {
            return true;
        }
        let change =
            Change { owner: self.owner.as_ref(), territory: self.territory.as_ref(), more: &[], reason: Some(reason) };
        reassign::update(right, &change)
    }
}

fn note(right: &Right, routed: &Routed) {
    super::finish();
    let event = Event {
        target: Some(right.target.table.target),
        record: Some(&right.record.id),
        action: "route",
        reason: None,
        approval: None,
        detail: Some(format!("rule {}", routed.rule)),
    };
    audit::event_of(&event, right.record.organization);
}
