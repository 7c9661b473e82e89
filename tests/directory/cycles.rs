//! What a hierarchy refuses: cycles, oneself, the unknown, another organization.

use crate::tree::{BOTH, MEMBERS, TERRITORIES};
use leadguard_tests::*;

#[track_caller]
fn cycle(client: &mut Client, sql: &str, keys: &[&str]) {
    let error = refused(client, sql, "LG001");
    let words = format!("{} {}", error.message(), error.detail().unwrap_or(""));
    for key in keys {
        assert!(words.contains(key), "{key} is not named: {words}");
    }
}

#[test]
fn a_cycle_is_refused_and_its_members_named() {
    let db = Db::new("cycle");
    let mut admin = db.admin();
    for tree in BOTH {
        let (table, parent) = (tree.table, tree.parent);
        accepted(&mut admin, &tree.insert("1, 2>1, 3>2, 4>3, 9>1"));
        let before = scalar(
            &mut admin,
            &format!("SELECT md5(string_agg(c::text, ',' ORDER BY c::text)) FROM {} AS c", tree.closure),
        );
        cycle(&mut admin, &tree.moved(1, "2"), &["n1", "n2"]);
        cycle(&mut admin, &tree.moved(2, "4"), &["n2", "n3", "n4"]);
        cycle(&mut admin, &format!("UPDATE {table} SET {parent} = 4 WHERE id IN (1, 9)"), &["n1", "n2", "n3", "n4"]);
        // Two moves in one statement, each harmless alone.
        cycle(
            &mut admin,
            &format!("UPDATE {table} SET {parent} = CASE id WHEN 9 THEN 4 WHEN 2 THEN 9 END WHERE id IN (2, 9)"),
            &["n9", "n2", "n3", "n4"],
        );
        cycle(&mut admin, &tree.insert("20>21, 21>22, 22>20"), &["n20", "n21", "n22"]);
        assert_eq!(
            scalar(
                &mut admin,
                &format!("SELECT md5(string_agg(c::text, ',' ORDER BY c::text)) FROM {} AS c", tree.closure)
            ),
            before
        );
        // One thing different: no cycle.
        accepted(&mut admin, &tree.moved(9, "4"));
        accepted(&mut admin, &tree.insert("20>21, 21>22, 22"));
        tree.sound(&mut admin);
    }
}

#[test]
fn oneself_is_no_parent() {
    let db = Db::new("self_parent");
    let mut admin = db.admin();
    for tree in BOTH {
        for sql in [tree.insert("1>1"), tree.insert("2, 1>1")] {
            let state = code(&mut admin, &sql);
            assert!(["23514", "LG001"].contains(&state.as_str()), "{state}");
        }
        accepted(&mut admin, &tree.insert("1, 2"));
        let state = code(&mut admin, &tree.moved(1, "1"));
        assert!(["23514", "LG001"].contains(&state.as_str()), "{state}");
        accepted(&mut admin, &tree.moved(1, "2"));
        tree.sound(&mut admin);
    }
}

#[test]
fn an_unknown_parent_is_refused() {
    let db = Db::new("unknown_parent");
    let mut admin = db.admin();
    for tree in BOTH {
        refused(&mut admin, &tree.insert("1>77"), "23503");
        accepted(&mut admin, &tree.insert("1, 2>1"));
        refused(&mut admin, &tree.moved(2, "77"), "23503");
        refused(&mut admin, &tree.moved(2, "-1"), "23503");
        tree.sound(&mut admin);
        accepted(&mut admin, &tree.insert("77"));
        accepted(&mut admin, &tree.moved(2, "77"));
        tree.sound(&mut admin);
    }
}

#[test]
fn a_parent_in_another_organization_is_refused() {
    let db = Db::new("foreign_parent");
    let mut admin = db.admin();
    accepted(&mut admin, "INSERT INTO leadguard.organization (key, name) VALUES ('globex', 'Globex')");
    let globex = scalar(&mut admin, "SELECT id FROM leadguard.organization WHERE key = 'globex'");
    for tree in BOTH {
        let foreign = |id: i64, parent: &str| {
            format!(
                "INSERT INTO {} (id, org_id, key, name, {}) VALUES ({id}, {globex}, 'n{id}', 'n', {parent})",
                tree.table, tree.parent
            )
        };
        let not_there = |admin: &mut Client, sql: &str| {
            let state = code(admin, sql);
            assert!(["23503", "23514"].contains(&state.as_str()), "{state}: {sql}");
            tree.sound(admin);
        };
        accepted(&mut admin, &tree.insert("1, 2>1, 3"));
        not_there(&mut admin, &foreign(10, "1"));
        accepted(&mut admin, &foreign(10, "NULL"));
        not_there(&mut admin, &tree.moved(10, "1"));
        not_there(&mut admin, &tree.moved(3, "10"));
        // Nor does a node leave its parent or its children behind in the old organization.
        for id in [1, 2] {
            not_there(&mut admin, &format!("UPDATE {} SET org_id = {globex} WHERE id = {id}", tree.table));
        }
        accepted(&mut admin, &foreign(11, "10"));
        tree.sound(&mut admin);
    }
    // The other references of the directory keep to one organization as well.
    for sql in [
        "UPDATE leadguard.territory SET owner_id = 1 WHERE id = 10",
        "INSERT INTO leadguard.territory_member (territory_id, member_id) VALUES (1, 10)",
    ] {
        let state = code(&mut admin, sql);
        assert!(["23503", "23514"].contains(&state.as_str()), "{state}: {sql}");
        accepted(&mut admin, &sql.replace("id = 10", "id = 1").replace("(1, 10)", "(1, 1)"));
    }
}

/// Two sessions each make half of a cycle; whoever comes second is refused.
fn two_halves(isolation: &str, expected: &[&str]) {
    let db = Db::new("two_halves");
    let mut admin = db.admin();
    for tree in [MEMBERS, TERRITORIES] {
        accepted(&mut admin, &tree.insert("1, 2, 3>1, 4>2"));
        let (mut one, mut two) = (db.admin(), db.admin());
        for session in [&mut one, &mut two] {
            accepted(session, &format!("BEGIN ISOLATION LEVEL {isolation}; SELECT count(*) FROM {}", tree.table));
        }
        accepted(&mut one, &tree.moved(1, "4"));
        let waiting = pid(&mut two);
        let half = tree.moved(2, "3");
        let second = std::thread::spawn(move || {
            let state = code(&mut two, &half);
            (state.clone(), if state == "ok" { code(&mut two, "COMMIT") } else { code(&mut two, "ROLLBACK") })
        });
        assert!(blocked(&mut admin, waiting), "the second writer waits for the first");
        accepted(&mut one, "COMMIT");
        let (state, end) = second.join().expect("the second session ends");
        assert!(expected.contains(&state.as_str()), "{isolation}: {state}, {end}");
        tree.sound(&mut admin);
        // Alone, the same half is fine.
        accepted(&mut admin, &tree.moved(1, "NULL"));
        accepted(&mut admin, &tree.moved(2, "3"));
        tree.sound(&mut admin);
    }
}

#[test]
fn two_halves_of_a_cycle_at_read_committed() {
    two_halves("READ COMMITTED", &["LG001"]);
}

#[test]
fn two_halves_of_a_cycle_at_repeatable_read() {
    two_halves("REPEATABLE READ", &["40001"]);
}

#[test]
fn two_halves_of_a_cycle_at_serializable() {
    two_halves("SERIALIZABLE", &["40001"]);
}

#[test]
fn the_first_half_rolled_back_lets_the_second_pass() {
    let db = Db::new("half_back");
    let mut admin = db.admin();
    accepted(&mut admin, &MEMBERS.insert("1, 2, 3>1, 4>2"));
    let (mut one, mut two) = (db.admin(), db.admin());
    accepted(&mut one, &format!("BEGIN; {}", MEMBERS.moved(1, "4")));
    let waiting = pid(&mut two);
    let second = std::thread::spawn(move || code(&mut two, &MEMBERS.moved(2, "3")));
    assert!(blocked(&mut admin, waiting));
    accepted(&mut one, "ROLLBACK");
    assert_eq!(second.join().expect("the second session ends"), "ok");
    MEMBERS.sound(&mut admin);
}
