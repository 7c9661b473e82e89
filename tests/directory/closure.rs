//! The closures follow every way of writing the directory.

use crate::tree::BOTH;
use leadguard_tests::*;

/// 1 > 2 > 4, 5; 1 > 3 > 6; 10 > 11
const FOREST: &str = "1, 2>1, 3>1, 4>2, 5>2, 6>3, 10, 11>10";

#[test]
fn insert_one_by_one_and_together() {
    let db = Db::new("cl_insert");
    let mut admin = db.admin();
    for tree in BOTH {
        for node in FOREST.split(',') {
            accepted(&mut admin, &tree.insert(node));
            tree.sound(&mut admin);
        }
        let found = rows(
            &mut admin,
            &format!("SELECT ancestor_id, depth FROM {} WHERE descendant_id = 4 ORDER BY depth", tree.closure),
        );
        assert_eq!(found, [["4", "0"], ["2", "1"], ["1", "2"]].map(|r| r.map(str::to_string).to_vec()).to_vec());
        let one_by_one = tree.pairs(&mut admin);
        accepted(&mut admin, &format!("DELETE FROM {}", tree.table));
        assert_eq!(tree.pairs(&mut admin), 0);
        // One statement, children before their parents.
        accepted(&mut admin, &tree.insert("6>3, 5>2, 4>2, 3>1, 2>1, 1, 11>10, 10"));
        assert_eq!(tree.pairs(&mut admin), one_by_one);
        tree.sound(&mut admin);
    }
}

#[test]
fn move_detach_and_attach_touch_only_the_pairs_that_change() {
    let db = Db::new("cl_move");
    let mut admin = db.admin();
    for tree in BOTH {
        accepted(&mut admin, &tree.insert(FOREST));
        for (id, parent) in
            [(2, "3"), (2, "NULL"), (2, "11"), (11, "6"), (10, "1"), (6, "10"), (3, "2"), (4, "1"), (4, "1")]
        {
            tree.touches_only_what_changes(&mut admin, &tree.moved(id, parent));
        }
        // Between two siblings the pairs with their common ancestors stay as they are.
        accepted(&mut admin, &format!("DELETE FROM {}", tree.table));
        accepted(&mut admin, &tree.insert("1, 2>1, 3>2, 4>2, 5>3, 6>5, 7>6"));
        tree.touches_only_what_changes(&mut admin, &tree.moved(5, "4"));
    }
}

#[test]
fn an_update_of_other_columns_touches_no_pair() {
    let db = Db::new("cl_other");
    let mut admin = db.admin();
    for tree in BOTH {
        accepted(&mut admin, &tree.insert(FOREST));
        let picture =
            format!("SELECT md5(string_agg(format('%s %s', xmin, ctid), ',' ORDER BY ctid)) FROM {}", tree.closure);
        let before = scalar(&mut admin, &picture);
        accepted(&mut admin, &format!("UPDATE {} SET name = name || '!'", tree.table));
        accepted(&mut admin, &format!("UPDATE {} SET {p} = {p}", tree.table, p = tree.parent));
        assert_eq!(scalar(&mut admin, &picture), before);
        tree.sound(&mut admin);
    }
}

#[test]
fn many_rows_in_one_update() {
    let db = Db::new("cl_multi");
    let mut admin = db.admin();
    for tree in BOTH {
        accepted(&mut admin, &tree.insert(FOREST));
        let (table, parent) = (tree.table, tree.parent);
        // Parent and child change places in one statement; a subtree and a part of it move to different places.
        tree.touches_only_what_changes(
            &mut admin,
            &format!("UPDATE {table} SET {parent} = CASE id WHEN 1 THEN 2 WHEN 2 THEN NULL END WHERE id IN (1, 2)"),
        );
        tree.touches_only_what_changes(
            &mut admin,
            &format!("UPDATE {table} AS t SET {parent} = v.p FROM (VALUES (2, 11), (4, 10), (1, 6), (6, NULL), (3, 5)) AS v (id, p) WHERE v.id = t.id"),
        );
        tree.touches_only_what_changes(&mut admin, &format!("UPDATE {table} SET {parent} = NULL"));
        assert_eq!(tree.pairs(&mut admin), 8);
        tree.touches_only_what_changes(&mut admin, &format!("UPDATE {table} SET {parent} = 1 WHERE id <> 1"));
        assert_eq!(tree.pairs(&mut admin), 15);
    }
}

#[test]
fn delete_leaf_subtree_and_manager() {
    let db = Db::new("cl_delete");
    let mut admin = db.admin();
    for tree in BOTH {
        accepted(&mut admin, &tree.insert(FOREST));
        tree.touches_only_what_changes(&mut admin, &format!("DELETE FROM {} WHERE id = 4", tree.table));
        tree.touches_only_what_changes(&mut admin, &format!("DELETE FROM {} WHERE id IN (3, 6)", tree.table));
        // With people below, either nothing happens or nobody is left hanging.
        let state = code(&mut admin, &format!("DELETE FROM {} WHERE id = 1", tree.table));
        assert!(["ok", "23503"].contains(&state.as_str()), "{state}");
        tree.sound(&mut admin);
        accepted(
            &mut admin,
            &format!(
                "WITH gone AS (DELETE FROM {} WHERE id IN (10, 11) RETURNING id) SELECT count(*) FROM gone",
                tree.table
            ),
        );
        tree.sound(&mut admin);
    }
}

#[test]
fn truncate_empties_the_closure() {
    let db = Db::new("cl_truncate");
    let mut admin = db.admin();
    for tree in BOTH {
        accepted(&mut admin, &tree.insert(FOREST));
        accepted(&mut admin, &format!("TRUNCATE {} CASCADE", tree.table));
        assert_eq!(tree.pairs(&mut admin), 0);
        tree.sound(&mut admin);
        accepted(&mut admin, &tree.insert(FOREST));
        tree.sound(&mut admin);
        accepted(&mut admin, &format!("BEGIN; TRUNCATE {} CASCADE; ROLLBACK", tree.table));
        tree.sound(&mut admin);
        assert!(tree.pairs(&mut admin) > 0);
    }
}

#[test]
fn a_changed_id_takes_its_pairs_along() {
    let db = Db::new("cl_id");
    let mut admin = db.admin();
    for tree in BOTH {
        accepted(&mut admin, &tree.insert(FOREST));
        accepted(&mut admin, &format!("UPDATE {} SET id = 40 WHERE id = 4", tree.table));
        tree.sound(&mut admin);
        // A whole tree is renumbered in one statement; ids and parents stay in step.
        accepted(&mut admin, &format!("UPDATE {} SET id = id + 1000, {p} = {p} + 1000", tree.table, p = tree.parent));
        tree.sound(&mut admin);
        // Two nodes exchange ids.
        let state = code(
            &mut admin,
            &format!(
                "UPDATE {} SET id = CASE id WHEN 1040 THEN 1005 ELSE 1040 END WHERE id IN (1005, 1040)",
                tree.table
            ),
        );
        assert!(["ok", "23505"].contains(&state.as_str()), "{state}");
        tree.sound(&mut admin);
        let state = code(&mut admin, &format!("UPDATE {} SET id = 5000 WHERE id = 1001", tree.table));
        assert!(["ok", "23503"].contains(&state.as_str()), "{state}");
        tree.sound(&mut admin);
    }
}

#[test]
fn on_conflict_and_merge() {
    let db = Db::new("cl_conflict");
    let mut admin = db.admin();
    for tree in BOTH {
        accepted(&mut admin, &tree.insert(FOREST));
        let (table, parent) = (tree.table, tree.parent);
        accepted(&mut admin, &format!("{} ON CONFLICT (id) DO NOTHING", tree.insert("4>10, 20>4, 21>20")));
        tree.sound(&mut admin);
        assert_eq!(scalar(&mut admin, &format!("SELECT {parent} FROM {table} WHERE id = 4")), "2");
        // Some rows are new, some move, in one statement.
        accepted(
            &mut admin,
            &format!(
                "{} ON CONFLICT (id) DO UPDATE SET {parent} = excluded.{parent}",
                tree.insert("4>11, 2>21, 30>2, 20")
            ),
        );
        tree.sound(&mut admin);
        if scalar(&mut admin, "SHOW server_version_num").parse::<i32>().expect("a version") < 150000 {
            continue;
        }
        accepted(
            &mut admin,
            &format!(
                "MERGE INTO {table} AS t USING (VALUES (4, 1), (30, NULL), (50, 4), (51, 50)) AS v (id, p) ON t.id = v.id
                 WHEN MATCHED AND v.p IS NULL THEN DELETE
                 WHEN MATCHED THEN UPDATE SET {parent} = v.p
                 WHEN NOT MATCHED THEN INSERT (id, key, name, {parent}) VALUES (v.id, 'n' || v.id, 'n', v.p)"
            ),
        );
        tree.sound(&mut admin);
        assert_eq!(scalar(&mut admin, &format!("SELECT count(*) FROM {table} WHERE id IN (50, 51, 30)")), "2");
    }
}

#[test]
fn writable_ctes_functions_and_savepoints() {
    let db = Db::new("cl_cte");
    let mut admin = db.admin();
    for tree in BOTH {
        accepted(&mut admin, &tree.insert(FOREST));
        let (table, parent) = (tree.table, tree.parent);
        accepted(
            &mut admin,
            &format!(
                "WITH up AS (UPDATE {table} SET {parent} = 10 WHERE id = 3 RETURNING id),
                      new AS (INSERT INTO {table} (id, key, name, {parent}) VALUES (60, 'n60', 'n', 6) RETURNING id)
                 DELETE FROM {table} WHERE id = 5"
            ),
        );
        tree.sound(&mut admin);
        accepted(&mut admin, "BEGIN");
        for id in [2, 3, 6] {
            accepted(&mut admin, &format!("SAVEPOINT s; {}", tree.moved(id, "11")));
            tree.sound(&mut admin);
            if id != 3 {
                accepted(&mut admin, "ROLLBACK TO s");
                tree.sound(&mut admin);
            }
        }
        accepted(&mut admin, "COMMIT");
        tree.sound(&mut admin);
        assert_eq!(scalar(&mut admin, &format!("SELECT {parent} FROM {table} WHERE id = 3")), "11");
        // Several moves inside one function, each seeing the one before.
        accepted(
            &mut admin,
            &format!(
                "DO $$ BEGIN
                     UPDATE {table} SET {parent} = NULL WHERE id = 3;
                     UPDATE {table} SET {parent} = 3 WHERE id = 1;
                     BEGIN UPDATE {table} SET {parent} = 2 WHERE id = 3; EXCEPTION WHEN OTHERS THEN NULL; END;
                     UPDATE {table} SET {parent} = 4 WHERE id = 10;
                 END $$"
            ),
        );
        tree.sound(&mut admin);
    }
}
