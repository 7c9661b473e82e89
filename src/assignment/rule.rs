//! Setting assignment rules.

use super::condition::{self, Clause, Test};
use super::right::{self, Maker};
use super::router::Kind;
use crate::arguments::required;
use crate::audit::{self, Event};
use crate::errors::{bad_argument, failure};
use crate::ffi::call::kind_of;
use crate::ffi::compare::Order;
use crate::ffi::row::{self, Attribute, Kept};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::visibility::Part;
use pgrx::pg_extern;
use pgrx::pg_sys::Oid;
use serde_json::Value as Json;

const MOST_MEMBERS: usize = 1000;

/// What a rule gives, as it is written.
struct Action {
    kind: Kind,
    owner: Option<i64>,
    /// Members with their capacities, 0 for none.
    pool: Vec<(i64, i64)>,
    territory: Option<i64>,
    territory_column: Option<String>,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Owner => "owner",
            Kind::Pool => "pool",
            Kind::Qualifier => "qualifier",
            Kind::Territory => "territory",
        }
    }
}

fn wrong(what: &str) -> ! {
    bad_argument(format!("the action cannot work: {what}"))
        .hint("It is {\"owner\": key}, {\"pool\": [key, {\"member\": key, \"capacity\": number}]} or {\"qualifiers\": […]}, and may have a \"territory\": key or a \"territory_column\": name.")
        .raise()
}

const CONDITION: &str = "For example [{\"column\": \"size\", \"at_least\": 500}, {\"territory\": \"emea\"}].";

/// Sets a rule, or replaces the one of this name. Who may call: Maker. Errors: 42501, 22023, 42703, 22P02.
#[pg_extern(sql = false)]
fn set_assignment_rule(
    target: Option<Oid>,
    name: Option<&str>,
    position: Option<i32>,
    condition: Option<pgrx::JsonB>,
    action: Option<pgrx::JsonB>,
) -> i64 {
    let maker = Maker::find("set_assignment_rule", target);
    let name = right::name(name, "the name of the rule");
    let position = required(position, "the position");
    if maker.table.owner_column.is_none() {
        bad_argument(format!("{} maps no owner column", maker.table.shown()))
            .hint("Protect it with owner => ... first; leadguard.protected lists what is mapped.")
            .raise();
    }
    let attributes = row::attributes_of(maker.table.target);
    let condition = condition.map_or(Json::Array(Vec::new()), |json| json.0);
    let clauses = condition::parse(&condition)
        .unwrap_or_else(|why| bad_argument(format!("the condition cannot work: {why}")).hint(CONDITION).raise());
    clauses.iter().for_each(|clause| check(&maker, clause, &attributes));
    let action = self::action(&maker, action.map_or(Json::Null, |json| json.0), &attributes);
    let (text, kind) = (condition.to_string(), action.kind.name());
    let params = [
        Param::Int(Some(maker.organization)),
        Param::Oid(maker.table.target),
        Param::Text(Some(name)),
        Param::Int(Some(position.into())),
        Param::Text(Some(&text)),
        Param::Text(Some(kind)),
        Param::Int(action.owner),
        Param::Int(action.territory),
        Param::Text(action.territory_column.as_deref()),
    ];
    let rule = as_extension(|| {
        sql::first_int(
            "INSERT INTO leadguard.assignment_rule AS r \
             (org_id, target, name, position, condition, kind, owner_id, territory_id, territory_column) \
             VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7, $8, $9) \
             ON CONFLICT ON CONSTRAINT assignment_rule_name_unique DO UPDATE SET position = excluded.position, \
             condition = excluded.condition, kind = excluded.kind, owner_id = excluded.owner_id, \
             territory_id = excluded.territory_id, territory_column = excluded.territory_column RETURNING id",
            &params,
            Sees::Now,
        )
    });
    let rule = rule.unwrap_or_else(|| crate::errors::bug("a rule that was not made"));
    fill_pool(rule, &action.pool);
    note(&maker, "set_assignment_rule", format!("{name}: {kind} at {position}"));
    rule
}

/// Drops a rule; false when there is none. Who may call and errors: as set_assignment_rule.
#[pg_extern(sql = false)]
fn drop_assignment_rule(target: Option<Oid>, name: Option<&str>) -> bool {
    let maker = Maker::find("drop_assignment_rule", target);
    let name = right::name(name, "the name of the rule");
    let params = [Param::Oid(maker.table.target), Param::Int(Some(maker.organization)), Param::Text(Some(name))];
    let dropped = as_extension(|| {
        sql::query(
            "DELETE FROM leadguard.assignment_rule WHERE target = $1 AND org_id = $2 AND name = $3",
            &params,
            Sees::Now,
            &mut |_| {},
        )
    }) > 0;
    if dropped {
        note(&maker, "drop_assignment_rule", name.to_owned());
    }
    dropped
}

pub(super) fn note(maker: &Maker, action: &'static str, detail: String) {
    let event = Event {
        target: Some(maker.table.target),
        record: None,
        action,
        reason: None,
        approval: None,
        detail: Some(detail),
    };
    audit::event_of(&event, Some(maker.organization));
}

/// Who was served before keeps the count.
fn fill_pool(rule: i64, pool: &[(i64, i64)]) {
    let members: Vec<i64> = pool.iter().map(|(member, _)| *member).collect();
    let capacities: Vec<i64> = pool.iter().map(|(_, capacity)| *capacity).collect();
    let mut served = vec![0; members.len()];
    as_extension(|| {
        let of = [Param::Int(Some(rule))];
        let text = "SELECT member_id, assigned FROM leadguard.assignment_pool WHERE rule_id = $1";
        sql::query(text, &of, Sees::Now, &mut |row| {
            let place = members.iter().position(|member| row.int(0) == Some(*member));
            if let (Some(place), Some(assigned)) = (place, row.int(1)) {
                served[place] = assigned;
            }
        });
        let text = "DELETE FROM leadguard.assignment_pool WHERE rule_id = $1";
        sql::query(text, &of, Sees::Now, &mut |_| {});
        sql::query(
            "INSERT INTO leadguard.assignment_pool (rule_id, member_id, position, capacity, assigned) \
             SELECT $1, p.member, p.position, nullif(p.capacity, 0), p.assigned \
             FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) WITH ORDINALITY AS p (member, capacity, assigned, position)",
            &[Param::Int(Some(rule)), Param::Ints(&members), Param::Ints(&capacities), Param::Ints(&served)],
            Sees::Now,
            &mut |_| {},
        );
    });
}

/// 42703 for a column that is not there, 22023 for one that cannot be asked so.
fn check(maker: &Maker, clause: &Clause, attributes: &[Attribute]) {
    match clause {
        Clause::Column { name, tests } => {
            let attribute = column(maker, name, attributes);
            for (test, values) in tests {
                if !matches!(test, Test::Null(_)) && Order::of(attribute).is_none() {
                    bad_argument(format!("values of column \"{name}\" cannot be compared"))
                        .hint("Of such a column only is_null can be asked.")
                        .raise();
                }
                values.iter().for_each(|text| drop(Kept::parsed(text, attribute)));
            }
        }
        Clause::Territory(keys) => {
            if maker.table.column(Part::Territory).is_none() {
                bad_argument(format!("{} maps no territory column", maker.table.shown()))
                    .hint("Ask for a column of the table instead, or protect it with territory => ....")
                    .raise();
            }
            for key in keys {
                maker.territory(key);
            }
        }
        Clause::Segment(_) if maker.table.column(Part::Segment).is_none() => {
            bad_argument(format!("{} maps no segment column", maker.table.shown()))
                .hint("Ask for a column of the table instead, or protect it with segment => ....")
                .raise();
        }
        Clause::Segment(_) => {}
    }
}

pub(super) fn column<'a>(maker: &Maker, name: &str, attributes: &'a [Attribute]) -> &'a Attribute {
    attributes.iter().find(|a| a.name == name).unwrap_or_else(|| {
        let short: String = name.chars().take(63).collect();
        failure("42703", format!("{} has no column \"{short}\"", maker.table.shown()))
            .hint("Name a column of the table as it is, in lower case if it was made without quotes.")
            .raise()
    })
}

fn action(maker: &Maker, json: Json, attributes: &[Attribute]) -> Action {
    let Json::Object(given) = json else { wrong("it is an object") };
    let mut action =
        Action { kind: Kind::Territory, owner: None, pool: Vec::new(), territory: None, territory_column: None };
    let mut kinds = 0;
    for (word, value) in &given {
        match (word.as_str(), value) {
            ("owner", Json::String(key)) => {
                action.kind = Kind::Owner;
                action.owner = Some(maker.member(key));
                kinds += 1;
            }
            ("pool" | "qualifiers", Json::Array(list)) => {
                action.kind = if word == "pool" { Kind::Pool } else { Kind::Qualifier };
                action.pool = pool(maker, list);
                kinds += 1;
            }
            ("territory", Json::String(key)) => action.territory = Some(maker.territory(key)),
            ("territory_column", Json::String(name)) => {
                let attribute = column(maker, name, attributes);
                if kind_of(attribute.type_oid).is_none_or(|kind| kind.is_int()) {
                    wrong("the territory_column holds keys, so it is a text");
                }
                action.territory_column = Some(name.clone());
            }
            _ => wrong(&format!("\"{}\" is not understood", word.chars().take(60).collect::<String>())),
        }
    }
    let places = usize::from(action.territory.is_some()) + usize::from(action.territory_column.is_some());
    if kinds > 1 || places > 1 || kinds + places == 0 {
        wrong("it gives one owner, pool or qualifiers, and at most one territory");
    }
    if places > 0 && maker.table.territory_column.is_none() {
        wrong("the table maps no territory column");
    }
    action
}

fn pool(maker: &Maker, list: &[Json]) -> Vec<(i64, i64)> {
    if list.is_empty() || list.len() > MOST_MEMBERS {
        wrong(&format!("a pool has 1 to {MOST_MEMBERS} members"));
    }
    let mut pool: Vec<(i64, i64)> = Vec::new();
    for one in list {
        let (key, capacity) = match one {
            Json::String(key) => (key, 0),
            Json::Object(given) => match (given.get("member"), given.get("capacity"), given.len()) {
                (Some(Json::String(key)), None, 1) => (key, 0),
                (Some(Json::String(key)), Some(capacity), 2) => match capacity.as_i64() {
                    Some(capacity) if capacity > 0 => (key, capacity),
                    _ => wrong("a capacity is a whole number above 0"),
                },
                _ => wrong("a member of a pool is a key, or {\"member\": key, \"capacity\": number}"),
            },
            _ => wrong("a member of a pool is a key, or {\"member\": key, \"capacity\": number}"),
        };
        let member = maker.member(key);
        if pool.iter().any(|(held, _)| *held == member) {
            wrong("a member is in a pool once");
        }
        pool.push((member, capacity));
    }
    pool
}
