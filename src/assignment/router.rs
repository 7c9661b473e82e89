//! The rules of a table put to a record: the first one that concerns it and has somebody, or some territory, for it.

use super::condition::{self, Clause, Compiled};
use super::pool::{self, Person};
use crate::ffi::row::{Attribute, Values};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::visibility::{Part, Table};

/// A territory as columns name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub id: i64,
    pub key: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Owner,
    Pool,
    Qualifier,
    Territory,
}

impl Kind {
    pub(super) fn parse(text: &str) -> Option<Kind> {
        Some(match text {
            "owner" => Kind::Owner,
            "pool" => Kind::Pool,
            "qualifier" => Kind::Qualifier,
            "territory" => Kind::Territory,
            _ => return None,
        })
    }
}

/// A rule as it is stored.
pub(super) struct Rule {
    id: i64,
    name: String,
    clauses: Vec<Clause>,
    kind: Kind,
    /// None where he is not active.
    owner: Option<Person>,
    territory: Option<Place>,
    territory_column: Option<String>,
}

/// What a rule makes of a record.
#[derive(Debug, Clone)]
pub(super) struct Routed {
    pub rule: String,
    pub owner: Option<Person>,
    pub territory: Option<Place>,
}

/// The rules of a table for one organization, in their order.
pub(super) fn rules(target: &Table, organization: i64) -> Vec<Rule> {
    let mut found = Vec::new();
    as_extension(|| {
        sql::query(
            "SELECT r.id, r.name, r.condition::text, r.kind, m.id, m.key, t.id, t.key, r.territory_column \
             FROM leadguard.assignment_rule r \
             LEFT JOIN leadguard.member m ON m.id = r.owner_id AND m.active AND m.org_id = r.org_id AND m.kind <> 'guest' \
             AND NOT EXISTS (SELECT FROM leadguard.offboarding o WHERE o.member_id = m.id AND o.state = 'leaving') \
             LEFT JOIN leadguard.territory t ON t.id = r.territory_id AND t.org_id = r.org_id \
             WHERE r.target = $1 AND r.org_id = $2 ORDER BY r.position, r.id",
            &[Param::Oid(target.target), Param::Int(Some(organization))],
            Sees::Now,
            &mut |row| {
                let clauses = row.text(2).and_then(|text| serde_json::from_str(&text).ok());
                let clauses = clauses.and_then(|json| condition::parse(&json).ok());
                let kind = row.text(3).as_deref().and_then(Kind::parse);
                if let (Some(id), Some(name), Some(clauses), Some(kind)) = (row.int(0), row.text(1), clauses, kind) {
                    found.push(Rule {
                        id,
                        name,
                        clauses,
                        kind,
                        owner: row.int(4).zip(row.text(5)).map(|(id, key)| Person { id, key }),
                        territory: row.int(6).zip(row.text(7)).map(|(id, key)| Place { id, key }),
                        territory_column: row.text(8),
                    });
                }
            },
        )
    });
    found
}

/// The columns that rules look at.
pub(super) fn columns(rules: &[Rule], table: &Table) -> Vec<String> {
    let mut names: Vec<String> = rules
        .iter()
        .flat_map(|rule| condition::columns(&rule.clauses, table).into_iter().chain(rule.territory_column.clone()))
        .chain(progress(table).map(str::to_owned))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The column that says how far a record is.
fn progress(table: &Table) -> Option<&str> {
    table.column(Part::Stage).or(table.column(Part::Status))
}

/// The rules put to the columns of one relation.
pub(super) struct Router {
    rules: Vec<(Rule, Compiled, Option<Attribute>)>,
    table: Table,
    organization: i64,
    progress: Option<Attribute>,
}

impl Router {
    pub(super) fn new(rules: Vec<Rule>, attributes: &[Attribute], table: &Table, organization: i64) -> Router {
        let find = |name: &str| attributes.iter().find(|a| a.name == name).cloned();
        let rules = rules.into_iter().map(|rule| {
            let compiled = Compiled::new(&rule.clauses, attributes, table, organization);
            let territory = rule.territory_column.as_deref().and_then(find);
            (rule, compiled, territory)
        });
        Router { rules: rules.collect(), progress: progress(table).and_then(find), table: table.clone(), organization }
    }

    /// `serve`: the turn of a pool is used up.
    pub(super) fn route(&self, values: &Values, serve: bool) -> Option<Routed> {
        let listed = &self.table.rules.switches.qualified;
        let progress = self.progress.as_ref().and_then(|attribute| values.text(attribute));
        let qualified = progress.is_some_and(|value| listed.contains(&value));
        self.rules.iter().find_map(|(rule, condition, column)| {
            let concerns = match rule.kind {
                Kind::Territory => qualified || listed.is_empty(),
                Kind::Qualifier => !qualified,
                Kind::Owner | Kind::Pool => true,
            };
            if !concerns || !condition.is_met(values) {
                return None;
            }
            let territory = match (&rule.territory, &rule.territory_column) {
                (Some(place), _) => Some(place.clone()),
                (None, Some(_)) => Some(self.territory(&values.text(column.as_ref()?)?)?),
                (None, None) => None,
            };
            let owner = match rule.kind {
                Kind::Owner => Some(rule.owner.clone().filter(|person| pool::may_own(person.id, &self.table))?),
                Kind::Pool | Kind::Qualifier if serve => Some(pool::next(rule.id, &self.table)?),
                Kind::Pool | Kind::Qualifier => Some(pool::peek(rule.id, &self.table)?),
                Kind::Territory => None,
            };
            Some(Routed { rule: rule.name.clone(), owner, territory })
        })
    }

    fn territory(&self, key: &str) -> Option<Place> {
        let text = "SELECT id FROM leadguard.territory WHERE key = $1 AND org_id = $2";
        let params = [Param::Text(Some(key)), Param::Int(Some(self.organization))];
        let id = as_extension(|| sql::first_int(text, &params, Sees::Now))?;
        Some(Place { id, key: key.to_owned() })
    }
}

/// Puts the members of a territory on the teams of records; nobody who is on one is changed.
pub(super) fn join_team(target: pgrx::pg_sys::Oid, records: &[(String, i64)], giver: Option<i64>) {
    let names: Vec<String> = records.iter().map(|(record, _)| record.clone()).collect();
    let territories: Vec<i64> = records.iter().map(|(_, territory)| *territory).collect();
    as_extension(|| {
        sql::query(
            "INSERT INTO leadguard.record_grant (target, record, kind, member_id, level, reason, granted_by) \
             SELECT $1, r.record, 'record_team', m.id, 'edit', 'routed by territory', $4 \
             FROM unnest($2::text[], $3::bigint[]) AS r (record, territory) \
             JOIN leadguard.territory_member tm ON tm.territory_id = r.territory \
             JOIN leadguard.member m ON m.id = tm.member_id AND m.active \
             ON CONFLICT (target, record, kind, member_id, retained) WHERE member_id IS NOT NULL DO NOTHING",
            &[Param::Oid(target), Param::Texts(&names), Param::Ints(&territories), Param::Int(giver)],
            Sees::Now,
            &mut |_| {},
        )
    });
}
