//! Large loads and reorganisations: one set-based pass, in any order.

use crate::tree::{BOTH, MEMBERS, Tree};
use leadguard_tests::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use std::io::Write;
use std::time::{Duration, Instant};

/// Far above what a set-based pass takes and far below what a loop over the rows does.
const PATIENCE: Duration = Duration::from_secs(120);

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    println!("{what}: {:.1} s", start.elapsed().as_secs_f64());
    assert!(start.elapsed() < PATIENCE, "{what} took {:?}", start.elapsed());
    result
}

fn copy(admin: &mut Client, tree: Tree, lines: &[String]) {
    let mut writer = admin
        .copy_in(&format!("COPY {} (id, key, name, {}) FROM STDIN", tree.table, tree.parent))
        .unwrap_or_else(|e| panic!("copy starts: {e:?}"));
    writer.write_all(lines.concat().as_bytes()).expect("copy takes the lines");
    assert_eq!(writer.finish().unwrap_or_else(|e| panic!("copy ends: {e:?}")), lines.len() as u64);
}

fn line(id: i64, parent: Option<i64>) -> String {
    format!("{id}\tk{id}\tNode {id}\t{}\n", parent.map_or("\\N".to_string(), |p| p.to_string()))
}

#[test]
fn copy_of_100000_in_random_order() {
    let mut random = StdRng::seed_from_u64(seed("copy"));
    let db = Db::new("bulk_copy");
    let mut admin = db.admin();
    for tree in BOTH {
        let mut lines: Vec<String> = (1..=100_000i64).map(|id| line(id, (id > 1).then_some((id + 8) / 10))).collect();
        lines.shuffle(&mut random);
        timed(&format!("COPY of 100,000 into {}", tree.table), || copy(&mut admin, tree, &lines));
        tree.sound(&mut admin);

        // 20,000 leaves and their managers change in one statement, then in one statement change back.
        let update = format!(
            "UPDATE {} SET {p} = {p} + CASE WHEN {p} % 2 = 0 THEN 1 ELSE -1 END WHERE id BETWEEN 60001 AND 80000",
            tree.table,
            p = tree.parent
        );
        for _ in 0..2 {
            let count = timed(&format!("UPDATE of 20,000 rows of {}", tree.table), || accepted(&mut admin, &update));
            assert_eq!(count, 20_000);
            tree.sound(&mut admin);
        }
        // A subtree of 11,111 nodes moves.
        timed(&format!("move of a large subtree of {}", tree.table), || {
            accepted(&mut admin, &tree.moved(2, "11")).to_string().len()
        });
        tree.sound(&mut admin);
    }
}

#[test]
fn copy_of_random_forests_and_partial_updates() {
    use rand::Rng;
    let mut random = StdRng::seed_from_u64(seed("forests"));
    let db = Db::new("bulk_forest");
    let mut admin = db.admin();
    for tree in BOTH {
        let mut lines: Vec<String> = (1..=3000i64)
            .map(|id| line(id, if id <= 5 { None } else { Some(random.random_range((id / 3).max(1)..id).max(1)) }))
            .collect();
        lines.shuffle(&mut random);
        let (first, second) = lines.split_at(1500);
        accepted(&mut admin, "BEGIN; SET CONSTRAINTS ALL DEFERRED");
        copy(&mut admin, tree, first);
        copy(&mut admin, tree, second);
        accepted(&mut admin, "COMMIT");
        tree.sound(&mut admin);
        for round in 0..20 {
            let sql = format!(
                "UPDATE {t} AS t SET {p} = v.p
                 FROM (SELECT id, nullif((id * 7919 + {round}) % id, 0) AS p FROM {t} WHERE id % 20 = {round} AND id > 5) AS v
                 WHERE v.id = t.id AND EXISTS (SELECT 1 FROM {t} AS x WHERE x.id = v.p)",
                t = tree.table,
                p = tree.parent
            );
            // Parents always have the smaller id, so no round makes a cycle; the depth limit may refuse one.
            let state = code(&mut admin, &sql);
            assert!(["ok", "LG002"].contains(&state.as_str()), "{state}");
            tree.sound(&mut admin);
        }
    }
}

#[test]
fn deferred_constraints_allow_children_before_parents() {
    let db = Db::new("bulk_deferred");
    let mut admin = db.admin();
    for tree in BOTH {
        refused(&mut admin, &tree.insert("3>2"), "23503");
        accepted(&mut admin, "BEGIN; SET CONSTRAINTS ALL DEFERRED");
        for node in ["5>4", "4>3", "3>2", "6>2", "2>1", "1"] {
            accepted(&mut admin, &tree.insert(node));
        }
        accepted(&mut admin, "COMMIT");
        tree.sound(&mut admin);
        assert_eq!(tree.pairs(&mut admin), 1 + 2 + 3 + 3 + 4 + 5);
        // A parent that never comes is refused at the end, and nothing remains.
        accepted(&mut admin, "BEGIN; SET CONSTRAINTS ALL DEFERRED");
        accepted(&mut admin, &tree.insert("9>8"));
        refused(&mut admin, "COMMIT", "23503");
        tree.sound(&mut admin);
        // A parent that goes and comes back within the transaction brings its people back.
        accepted(&mut admin, "BEGIN; SET CONSTRAINTS ALL DEFERRED");
        accepted(&mut admin, &format!("DELETE FROM {} WHERE id = 2", tree.table));
        accepted(&mut admin, &tree.insert("2>1"));
        accepted(&mut admin, "COMMIT");
        tree.sound(&mut admin);
        // A cycle is no way of waiting for a parent.
        accepted(&mut admin, "BEGIN; SET CONSTRAINTS ALL DEFERRED");
        accepted(&mut admin, &tree.insert("11>12"));
        let state = code(&mut admin, &tree.insert("12>11"));
        let end = code(&mut admin, "COMMIT");
        assert!(state == "LG001" || end == "LG001", "{state}, {end}");
        tree.sound(&mut admin);
    }
}

#[test]
fn fifty_thousand_under_one_manager() {
    let db = Db::new("bulk_wide");
    let mut admin = db.admin();
    for tree in BOTH {
        accepted(&mut admin, &tree.insert("1, 2"));
        timed("50,000 children in one INSERT", || {
            accepted(
                &mut admin,
                &format!(
                    "INSERT INTO {} (id, key, name, {}) SELECT i, 'k' || i, 'n', 1 FROM generate_series(10, 50009) AS i",
                    tree.table, tree.parent
                ),
            )
        });
        timed("the manager of 50,000 moves", || accepted(&mut admin, &tree.moved(1, "2")));
        assert_eq!(tree.pairs(&mut admin), 2 + 1 + 2 * 50_000 + 50_000);
        tree.sound(&mut admin);
        timed("all of them move", || {
            accepted(&mut admin, &format!("UPDATE {} SET {p} = 2 WHERE {p} = 1", tree.table, p = tree.parent))
        });
        tree.sound(&mut admin);
        timed("all of them go", || accepted(&mut admin, &format!("DELETE FROM {} WHERE id >= 10", tree.table)));
        assert_eq!(tree.pairs(&mut admin), 3);
    }
}

#[test]
fn a_wide_manager_sees_the_leads_of_all() {
    let db = Db::new("bulk_wide_leads");
    org(&db);
    let mut admin = db.admin();
    let mona = member(&mut admin, "mona");
    accepted(
        &mut admin,
        &format!(
            "INSERT INTO {} (key, name, manager_id) SELECT 'rep' || i, 'n', {mona} FROM generate_series(1, 50000) AS i;
             INSERT INTO crm.lead (owner_id, name) SELECT id, 'n' FROM leadguard.member WHERE key LIKE 'rep%'",
            MEMBERS.table
        ),
    );
    for (who, expected) in [("mona", "50008"), ("ceo", "50010"), ("alice", "5"), ("bob", "2")] {
        assert_eq!(scalar(&mut db.connect(who), "SELECT count(*) FROM crm.lead"), expected, "{who}");
    }
}
