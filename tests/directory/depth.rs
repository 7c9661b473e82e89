//! The depth limit: a chain of n members has n²/2 pairs, so a deep one is refused, and quickly.

use crate::tree::{BOTH, MEMBERS, Tree};
use leadguard_tests::*;
use std::time::{Duration, Instant};

/// A chain of the ids `from..=to`, the first at the top.
fn chain(tree: Tree, from: i64, to: i64) -> String {
    format!(
        "INSERT INTO {} (id, key, name, {}) SELECT i, 'n' || i, 'n', nullif(i - 1, {from} - 1) FROM generate_series({from}, {to}) AS i",
        tree.table, tree.parent
    )
}

#[test]
fn the_default_limit_is_64() {
    let db = Db::new("depth");
    let mut admin = db.admin();
    accepted(&mut admin, "SELECT leadguard.current_member()");
    assert_eq!(scalar(&mut admin, "SHOW leadguard.max_depth"), "64");
    for tree in BOTH {
        let mut longest = 0;
        for id in 1..=70 {
            let node = if id == 1 { "1".to_string() } else { format!("{id}>{}", id - 1) };
            match code(&mut admin, &tree.insert(&node)).as_str() {
                "ok" => longest = id,
                state => {
                    assert_eq!(state, "LG002");
                    break;
                }
            }
        }
        assert!((64..=65).contains(&longest), "a chain of {longest}");
        tree.sound(&mut admin);
        // In one statement the limit is the same, and a refused one leaves nothing.
        accepted(&mut admin, &chain(tree, 1001, 1000 + longest));
        refused(&mut admin, &chain(tree, 2001, 2001 + longest), "LG002");
        tree.sound(&mut admin);
        assert_eq!(scalar(&mut admin, &format!("SELECT count(*) FROM {} WHERE id > 2000", tree.table)), "0");
    }
}

#[test]
fn a_move_that_would_be_too_deep_is_refused() {
    let db = Db::new("depth_move");
    let mut admin = db.admin();
    for tree in BOTH {
        accepted(&mut admin, &chain(tree, 1, 40));
        accepted(&mut admin, &chain(tree, 101, 140));
        let error = refused(&mut admin, &tree.moved(101, "40"), "LG002");
        assert!(error.hint().is_some_and(|h| h.contains("leadguard.max_depth")), "{error:?}");
        tree.sound(&mut admin);
        accepted(&mut admin, &tree.moved(101, "20"));
        tree.sound(&mut admin);
    }
}

#[test]
fn a_superuser_changes_the_limit() {
    let db = Db::new("depth_set");
    let mut admin = db.admin();
    for tree in BOTH {
        // The library is there before the setting is.
        accepted(&mut admin, "SELECT leadguard.current_member(); RESET leadguard.max_depth");
        refused(&mut admin, &chain(tree, 1, 100), "LG002");
        accepted(&mut admin, "SET leadguard.max_depth = 100");
        accepted(&mut admin, &chain(tree, 1, 100));
        tree.sound(&mut admin);
        accepted(&mut admin, "SET leadguard.max_depth = 10");
        refused(&mut admin, &chain(tree, 201, 220), "LG002");
        accepted(&mut admin, &chain(tree, 201, 210));
        // What is deep already may become shallower, and stays until somebody does that.
        accepted(&mut admin, &tree.moved(95, "NULL"));
        tree.sound(&mut admin);
    }
}

#[test]
fn others_do_not_change_the_limit() {
    let db = Db::new("depth_user");
    people(&db);
    let mut session = db.connect("admin");
    // Before the library is loaded the name is only a placeholder, which anybody may set and nobody obeys.
    let _ = code(&mut session, "SET leadguard.max_depth = 1000");
    refused(&mut session, &chain(MEMBERS, 1001, 1200), "LG002");
    refused(&mut session, "SET leadguard.max_depth = 1000", "42501");
    accepted(&mut session, &chain(MEMBERS, 1001, 1030));
    MEMBERS.sound(&mut db.admin());
}

#[test]
fn a_chain_of_100000_is_refused_quickly() {
    let db = Db::new("depth_chain");
    let mut admin = db.admin();
    accepted(&mut admin, "SET statement_timeout = '60s'");
    for tree in BOTH {
        let start = Instant::now();
        refused(&mut admin, &chain(tree, 1, 100_000), "LG002");
        println!("a chain of 100,000 in {}: refused after {:.1} s", tree.table, start.elapsed().as_secs_f64());
        assert!(start.elapsed() < Duration::from_secs(30));
        assert_eq!(tree.pairs(&mut admin), 0);
        // Node by node, top last: every statement alone is a small one, so the limit is found on the way.
        accepted(&mut admin, "BEGIN; SET CONSTRAINTS ALL DEFERRED");
        let state = code(
            &mut admin,
            &format!(
                "DO $$ BEGIN FOR i IN REVERSE 200..1 LOOP
                     INSERT INTO {} (id, key, name, {}) VALUES (i, 'n' || i, 'n', nullif(i - 1, 0));
                 END LOOP; END $$",
                tree.table, tree.parent
            ),
        );
        let end = code(&mut admin, "COMMIT");
        assert!(state == "LG002" || end == "LG002", "{state}, {end}");
        assert_eq!(tree.pairs(&mut admin), 0);
    }
}
