//! Real sales organizations: what every member sees, and at which level, against a recursive query over the CSV files.
//!
//! Skips with one line when the data is not there.

mod load;
mod presets;
mod reorganization;
mod story;

use leadguard_tests::{Client, Db, accepted, rows, scalar, shared_data};
use load::Person;
use std::collections::{BTreeMap, BTreeSet};

/// Protected table and its id column.
const TABLES: [(&str, &str); 2] = [("maven.opportunity", "opportunity_id"), ("olist.lead", "mql_id")];
const LEVELS: [&str; 3] = ["read", "edit", "full"];

type Access = BTreeMap<String, u32>;

#[test]
fn real_data_every_member_sees_exactly_what_the_files_say() {
    let Some(data) = shared_data() else { return };
    let db = Db::new("real_data");
    let people = load::load(&db, &data);
    let mut admin = db.admin();
    input_is_whole(&mut admin, &people);

    let whole = compare(&db, &mut admin, &people, "as loaded", true);

    // Reorganisations of the real company: a manager moves to another office's manager, two offices become one
    // region. No record is written, and everybody's access follows.
    let before = written(&mut admin);
    let (moved, superior) = ("Dustin Brinkmann", "Cara Losch");
    accepted(&mut admin, &format!("UPDATE raw.boss SET boss = '{superior}' WHERE person = '{moved}'"));
    accepted(
        &mut admin,
        &format!(
            "UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = '{superior}')
             WHERE key = '{moved}'"
        ),
    );
    let with_move = compare(&db, &mut admin, &people, "after a manager moved", false);
    assert!(with_move > whole, "the move gave nobody access: {whole} pairs before, {with_move} after");

    accepted(&mut admin, "UPDATE raw.area SET larger = 'East' WHERE area = 'West'");
    accepted(
        &mut admin,
        "UPDATE leadguard.territory SET parent_id = (SELECT id FROM leadguard.territory WHERE key = 'East') WHERE key = 'West'",
    );
    let merged = compare(&db, &mut admin, &people, "after an office was put under another", false);
    assert!(merged > with_move, "the merger gave nobody access: {with_move} pairs before, {merged} after");

    // Whoever loses the reports keeps what other paths give, and nothing else.
    accepted(
        &mut admin,
        "UPDATE raw.boss SET boss = NULL WHERE boss IN ('Rocco Neubert', 'olist-sr-head', 'Cara Losch')",
    );
    accepted(
        &mut admin,
        "UPDATE leadguard.member AS m SET manager_id = NULL
         FROM leadguard.member AS b
         WHERE b.id = m.manager_id AND b.key IN ('Rocco Neubert', 'olist-sr-head', 'Cara Losch')",
    );
    let parted = compare(&db, &mut admin, &people, "after three managers lost their reports", true);
    assert!(parted < merged, "the separation took nobody's access: {merged} pairs before, {parted} after");
    assert_eq!(before, written(&mut admin), "a reorganisation wrote records");
}

/// The comparison proves nothing when the files were read wrong, so what is known about them is checked first;
/// the blemishes are part of it.
fn input_is_whole(admin: &mut Client, people: &[Person]) {
    assert_eq!(scalar(admin, "SELECT count(*) FROM maven.opportunity"), "8800");
    assert_eq!(scalar(admin, "SELECT count(*) FROM olist.lead"), "8000");
    assert_eq!(scalar(admin, "SELECT count(*) FROM maven.opportunity WHERE product = 'GTXPro'"), "1480");
    assert_eq!(scalar(admin, "SELECT count(*) FROM maven.opportunity WHERE coalesce(account, '') = ''"), "1425");
    assert_eq!(
        scalar(admin, "SELECT count(*) FROM olist.lead WHERE coalesce(origin, 'unknown') = 'unknown'"),
        scalar(admin, "SELECT count(*) FROM raw.leads WHERE coalesce(origin, 'unknown') = 'unknown'"),
    );
    // The same people on both sides, or a member could be left out of the comparison.
    let keys: BTreeSet<String> = people.iter().map(|p| p.key.clone()).collect();
    let raw: BTreeSet<String> =
        rows(admin, "SELECT person FROM raw.boss").into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(keys, raw);
    assert_eq!(scalar(admin, "SELECT count(*) FROM leadguard.member"), keys.len().to_string());
}

/// Compares all members over their own connections, with `levels` also what_can; returns how many pairs of member
/// and record there are.
fn compare(db: &Db, admin: &mut Client, people: &[Person], when: &str, levels: bool) -> usize {
    let mut pairs = 0;
    accepted(admin, "DROP TABLE IF EXISTS raw.expected; CREATE TABLE raw.expected AS TABLE raw.access");
    accepted(admin, "CREATE INDEX ON raw.expected (person, target); ANALYZE raw.expected");
    for person in people {
        let mut own = db.connect(&person.login);
        for (table, id) in TABLES {
            let expected: Access = rows(
                admin,
                &format!(
                    "SELECT record, level FROM raw.expected WHERE target = '{table}' AND person = '{}'",
                    person.key.replace('\'', "''")
                ),
            )
            .into_iter()
            .map(|row| (row[0].clone(), row[1].parse().expect("a level")))
            .collect();

            let seen = rows(&mut own, &format!("SELECT {id} FROM {table}"));
            let found: BTreeSet<String> = seen.iter().map(|row| row[0].clone()).collect();
            assert_eq!(found.len(), seen.len(), "{when}: a row of {table} comes twice for {}", person.key);
            same(&format!("{when}: rows of {table} for {}", person.key), &found, &expected.keys().cloned().collect());
            assert_eq!(scalar(&mut own, &format!("SELECT count(*) FROM {table}")), found.len().to_string());

            for (action, least) in [("read", 1), ("update", 2), ("share", 3)].into_iter().filter(|_| levels) {
                let question = format!(
                    "SELECT record, level FROM leadguard.what_can('{}', '{table}', '{action}')",
                    person.key.replace('\'', "''")
                );
                let answer: BTreeSet<String> =
                    rows(&mut own, &question).into_iter().map(|row| format!("{} {}", row[0], row[1])).collect();
                let wanted: BTreeSet<String> = expected
                    .iter()
                    .filter(|(_, level)| **level >= least)
                    .map(|(record, level)| format!("{record} {}", LEVELS[*level as usize - 1]))
                    .collect();
                same(&format!("{when}: {question}"), &answer, &wanted);
            }
            pairs += found.len();
        }
    }
    println!("real data, {when}: {} members, {pairs} pairs of member and record, 0 differences", people.len());
    assert!(pairs > 30_000, "{pairs} pairs are too few for this data");
    pairs
}

/// Like `assert_eq`, but thousands of ids are not printed.
#[track_caller]
fn same(what: &str, found: &BTreeSet<String>, expected: &BTreeSet<String>) {
    let few = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).take(5).cloned().collect::<Vec<_>>();
    assert!(
        found == expected,
        "{what}: {} found, {} expected; too many {:?}, missing {:?}",
        found.len(),
        expected.len(),
        few(found, expected),
        few(expected, found)
    );
}

/// Row versions of both tables: changes when any record is written.
fn written(admin: &mut Client) -> String {
    let sums = TABLES.map(|(table, _)| format!("(SELECT sum(hashtext(ctid::text || xmin::text)) FROM {table})::text"));
    scalar(admin, &format!("SELECT {} || ' ' || {}", sums[0], sums[1]))
}
