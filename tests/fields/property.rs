//! Random matrices, roles, rows and writes, with triggers of others in between, against a model of its own: it knows
//! rows as texts and JSON and nothing of how leadguard works. A write that the model allows leaves exactly the rows
//! that the model computes; one that it refuses leaves everything as it was.

use crate::enforce_lab::matrix;
use crate::property_model::{COLUMNS, KEYS, Row, Rules, Verdict};
use leadguard_tests::rand::rngs::StdRng;
use leadguard_tests::rand::{Rng, SeedableRng};
use leadguard_tests::*;
use std::collections::BTreeMap;

const ROLES: [&str; 4] = ["marketing", "sales", "lead_manager", "data_owner"];
const ROUNDS: usize = 60;
const WRITES: usize = 25;

const TABLE: &str = "
    CREATE SCHEMA crm;
    CREATE TABLE crm.fact (id bigint PRIMARY KEY, owner_id bigint, t1 text DEFAULT 'a', t2 text, n1 integer DEFAULT 1, n2 integer,
                           j1 jsonb, j2 jsonb DEFAULT '{\"k1\": 1}', tags text[]);
    INSERT INTO crm.fact SELECT n, m.id FROM generate_series(1, 4) n, leadguard.member m WHERE m.key = 'alice';
    SELECT leadguard.protect('crm.fact', id => 'id', owner => 'owner_id');
    CREATE FUNCTION crm.other() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
    INSERT INTO leadguard.tag_column VALUES ('crm.fact', 'tags', 9);
    INSERT INTO leadguard.tag_namespace VALUES ('crm.fact', 'm', 'marketing'), ('crm.fact', 's', 'sales')";

/// A value as SQL writes it, NULL for none.
fn literal(value: &Option<String>) -> String {
    value.as_ref().map_or("NULL".to_string(), |text| format!("'{text}'"))
}

fn pick<'a, T: ?Sized>(rng: &mut StdRng, from: &[&'a T]) -> &'a T {
    from[rng.random_range(0..from.len())]
}

/// A random value of a column, in the text form in which Postgres shows it.
fn value(rng: &mut StdRng, column: &str) -> Option<String> {
    if rng.random_ratio(1, 8) {
        return None;
    }
    Some(match &column[..1] {
        "n" => rng.random_range(1..4).to_string(),
        "j" if rng.random_ratio(1, 8) => pick(rng, &["[]", "3", "\"k1\"", "null"]).to_string(),
        "j" => {
            let mut object = serde_json::Map::new();
            for key in KEYS {
                if rng.random_ratio(1, 2) {
                    object.insert(key.to_string(), rng.random_range(1..3).into());
                }
            }
            let parts: Vec<String> = object.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
            format!("{{{}}}", parts.join(", "))
        }
        "t" if column == "tags" => {
            let all = ["m:a", "m:b", "s:a", "x:a"];
            let some: Vec<&str> = all.into_iter().filter(|_| rng.random_ratio(1, 3)).collect();
            format!("{{{}}}", some.join(","))
        }
        _ => pick(rng, &["a", "b", "c"]).to_string(),
    })
}

fn rules(rng: &mut StdRng) -> Rules {
    let mut rules = Rules { closed: rng.random_ratio(1, 4), ..Rules::default() };
    let fields = COLUMNS.iter().map(|c| c.to_string());
    let keys = ["j1", "j2"].iter().flat_map(|c| KEYS.iter().map(move |key| format!("{c}.{key}")));
    for field in fields.chain(keys) {
        if rng.random_ratio(1, 2) {
            continue;
        }
        let mut owned = false;
        for role in ROLES {
            if rng.random_ratio(1, 3) {
                continue;
            }
            let mut access = pick(rng, &["owner", "editor", "read-only", "no access"]);
            if access == "owner" && owned {
                access = "editor";
            }
            owned |= access == "owner";
            rules.cells.push((field.clone(), role.to_string(), access.to_string()));
        }
    }
    if rng.random_ratio(1, 2) {
        for from in [None, Some("a"), Some("b"), Some("c")] {
            for to in ["a", "b", "c"] {
                if rng.random_ratio(1, 2) {
                    let role = rng.random_ratio(1, 2).then(|| pick(rng, &ROLES).to_string());
                    rules.transitions.push((from.map(str::to_string), to.to_string(), role));
                }
            }
        }
    }
    if rng.random_ratio(1, 2) {
        rules.valid = vec!["a".into(), "b".into()];
    }
    rules.roles = ROLES.iter().filter(|_| rng.random_ratio(1, 3)).map(|r| r.to_string()).collect();
    rules
}

fn install(admin: &mut Client, rules: &Rules) {
    let cells: Vec<(&str, &str, &str)> =
        rules.cells.iter().map(|(f, r, a)| (f.as_str(), r.as_str(), a.as_str())).collect();
    matrix(admin, "crm.fact", &cells);
    let mut sql = format!(
        "UPDATE leadguard.protected_table SET field_default = '{}'; DELETE FROM leadguard.field_transition;
         DELETE FROM leadguard.field_value; DELETE FROM leadguard.member_role WHERE member_id = (SELECT id FROM leadguard.member WHERE key = 'alice');",
        if rules.closed { "no access" } else { "editor" }
    );
    for (from, to, role) in &rules.transitions {
        sql += &format!(
            "INSERT INTO leadguard.field_transition (target, column_name, attnum, from_value, to_value, role) VALUES ('crm.fact', 't1', 3, {}, '{to}', {});",
            literal(from),
            literal(role)
        );
    }
    for value in &rules.valid {
        sql += &format!(
            "INSERT INTO leadguard.field_value (target, column_name, attnum, value) VALUES ('crm.fact', 't2', 4, '{value}');"
        );
    }
    for role in &rules.roles {
        sql += &format!(
            "INSERT INTO leadguard.member_role (member_id, role) SELECT id, '{role}' FROM leadguard.member WHERE key = 'alice';"
        );
    }
    accepted(admin, &sql);
}

fn table(admin: &mut Client) -> BTreeMap<i64, Row> {
    let columns = COLUMNS.join(", ");
    rows(admin, &format!("SELECT id, {columns} FROM crm.fact"))
        .into_iter()
        .map(|row| {
            let values = COLUMNS.iter().zip(&row[1..]);
            (row[0].parse().unwrap(), values.map(|(c, v)| (*c, (v != "∅").then(|| v.clone()))).collect())
        })
        .collect()
}

fn assignments(rng: &mut StdRng, most: usize) -> Row {
    (0..rng.random_range(1..=most))
        .map(|_| {
            let column = pick(rng, &COLUMNS);
            (column, value(rng, column))
        })
        .collect()
}

/// What a trigger of others does in this round, and whether it runs after the guards.
struct Other {
    sets: Row,
    late: bool,
}

fn other(rng: &mut StdRng, admin: &mut Client) -> Other {
    let sets = if rng.random_ratio(1, 2) { Row::new() } else { assignments(rng, 1) };
    let late = rng.random_ratio(1, 2);
    let body: String = sets.iter().map(|(c, v)| format!("NEW.{c} := {}; ", literal(v))).collect();
    accepted(
        admin,
        &format!(
            "DROP TRIGGER IF EXISTS zzz ON crm.fact; DROP TRIGGER IF EXISTS aaa ON crm.fact;
             CREATE OR REPLACE FUNCTION crm.other() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$;
             CREATE TRIGGER {} BEFORE INSERT OR UPDATE ON crm.fact FOR EACH ROW EXECUTE FUNCTION crm.other()",
            if late { "zzz" } else { "aaa" }
        ),
    );
    Other { sets, late }
}

fn with(row: &Row, sets: &Row) -> Row {
    let mut row = row.clone();
    row.extend(sets.iter().map(|(column, value)| (*column, value.clone())));
    row
}

#[test]
fn writes_change_what_the_model_allows_and_nothing_else() {
    let db = Db::new("f_property");
    people(&db);
    let mut admin = db.admin();
    accepted(&mut admin, TABLE);
    // Somebody always answers for the data; alice may stop to.
    accepted(
        &mut admin,
        "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'data_owner' FROM leadguard.member WHERE key = 'ceo'",
    );
    let mut rng = StdRng::seed_from_u64(seed("fields"));
    let (mut allowed, mut denied) = (0, 0);
    for round in 0..ROUNDS {
        let rules = rules(&mut rng);
        install(&mut admin, &rules);
        let other = other(&mut rng, &mut admin);
        let mut alice = db.connect("alice");
        for _ in 0..WRITES {
            let sets = assignments(&mut rng, 3);
            let before = table(&mut admin);
            let mut expected = before.clone();
            let mut verdict = Verdict::default();
            let insert = rng.random_ratio(1, 5);
            let sql = if insert {
                let first = with(&defaults(), &sets);
                let seen = if other.late { first } else { with(&first, &other.sets) };
                let filled = rules.filled(&defaults(), &seen);
                verdict.insert(&rules, &defaults(), &filled);
                let last = if other.late { with(&filled, &other.sets) } else { filled };
                verdict.insert(&rules, &defaults(), &last);
                let id = before.keys().max().unwrap() + 1;
                expected.insert(id, last);
                let (columns, values): (Vec<&str>, Vec<String>) = sets.iter().map(|(c, v)| (*c, literal(v))).unzip();
                format!("INSERT INTO crm.fact (id, {}) VALUES ({id}, {})", columns.join(", "), values.join(", "))
            } else {
                let ids: Vec<i64> = before.keys().copied().filter(|_| rng.random_ratio(1, 2)).collect();
                for id in &ids {
                    let first = with(&before[id], &sets);
                    let named: Vec<&'static str> = sets.keys().copied().collect();
                    let seen = if other.late { first } else { with(&first, &other.sets) };
                    let kept = rules.kept(&before[id], &seen, &named);
                    verdict.update(&rules, &before[id], &kept, &seen, &named);
                    let last = if other.late { with(&kept, &other.sets) } else { kept };
                    verdict.update(&rules, &before[id], &last, &last, &[]);
                    expected.insert(*id, last);
                }
                let list: Vec<String> = sets.iter().map(|(c, v)| format!("{c} = {}", literal(v))).collect();
                format!("UPDATE crm.fact SET {} WHERE id = ANY ('{{{}}}')", list.join(", "), join(&ids))
            };
            let answer = code(&mut alice, &sql);
            let after = table(&mut admin);
            let context = || {
                format!("round {round}: {sql}\n{rules:#?}\ntrigger {:?}, late {}\n{before:#?}", other.sets, other.late)
            };
            assert!(verdict.accepts(&answer), "answer {answer}, expected {verdict:?}\n{}", context());
            if answer == "ok" {
                assert_eq!(after, expected, "{}", context());
                allowed += 1;
            } else {
                assert_eq!(after, before, "{}", context());
                denied += 1;
            }
        }
        accepted(&mut admin, "DELETE FROM crm.fact WHERE id > 4");
    }
    println!("{allowed} writes allowed, {denied} refused");
    assert!(allowed > 50 && denied > 50, "{allowed} allowed and {denied} refused tell little");
}

fn join(ids: &[i64]) -> String {
    ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",")
}

fn defaults() -> Row {
    COLUMNS
        .iter()
        .map(|column| {
            let value = match *column {
                "t1" => Some("a"),
                "n1" => Some("1"),
                "j2" => Some("{\"k1\": 1}"),
                _ => None,
            };
            (*column, value.map(str::to_string))
        })
        .collect()
}
