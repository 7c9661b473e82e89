//! Both hierarchies behind one set of helpers, so that every test runs on both.

use leadguard_tests::*;

/// One hierarchy: its table, the column that names the parent, its closure.
#[derive(Clone, Copy)]
pub struct Tree {
    pub table: &'static str,
    pub parent: &'static str,
    pub closure: &'static str,
}

pub const MEMBERS: Tree = Tree { table: "leadguard.member", parent: "manager_id", closure: "leadguard.member_closure" };
pub const TERRITORIES: Tree =
    Tree { table: "leadguard.territory", parent: "parent_id", closure: "leadguard.territory_closure" };
pub const BOTH: [Tree; 2] = [MEMBERS, TERRITORIES];

impl Tree {
    /// `INSERT` of nodes with explicit ids in one statement: `"1, 2>1, 3>1"` is 1 with the children 2 and 3.
    pub fn insert(&self, nodes: &str) -> String {
        let values: Vec<String> = nodes
            .split(',')
            .map(|node| {
                let (id, parent) = node.trim().split_once('>').unwrap_or((node.trim(), "NULL"));
                format!("({id}, 'n{id}', 'Node {id}', {parent})")
            })
            .collect();
        format!("INSERT INTO {} (id, key, name, {}) VALUES {}", self.table, self.parent, values.join(", "))
    }

    /// `UPDATE` that puts one node below another, `NULL` for the top.
    pub fn moved(&self, id: i64, parent: &str) -> String {
        format!("UPDATE {} SET {} = {parent} WHERE id = {id}", self.table, self.parent)
    }

    /// The differences between the closure and a recursive walk of the table, written here and not by leadguard.
    pub fn differences(&self) -> String {
        let Tree { table, parent, closure } = self;
        format!(
            "WITH RECURSIVE walk (ancestor_id, descendant_id, depth) AS (
                 SELECT id, id, 0 FROM {table}
                 UNION ALL
                 SELECT w.ancestor_id, c.id, w.depth + 1 FROM walk AS w JOIN {table} AS c ON c.{parent} = w.descendant_id
             )
             SELECT '+', x.* FROM (SELECT ancestor_id, descendant_id, depth::int FROM {closure} EXCEPT ALL SELECT * FROM walk) AS x
             UNION ALL
             SELECT '-', x.* FROM (SELECT * FROM walk EXCEPT ALL SELECT ancestor_id, descendant_id, depth::int FROM {closure}) AS x"
        )
    }

    #[track_caller]
    pub fn sound(&self, admin: &mut Client) {
        let found = rows(admin, &self.differences());
        assert!(
            found.is_empty(),
            "{}: {} differences, first {:?}",
            self.closure,
            found.len(),
            &found[..found.len().min(5)]
        );
        let told = rows(admin, "SELECT * FROM leadguard.verify_closure()");
        assert!(told.is_empty(), "verify_closure: {told:?}");
    }

    #[track_caller]
    pub fn pairs(&self, admin: &mut Client) -> i64 {
        scalar(admin, &format!("SELECT count(*) FROM {}", self.closure)).parse().expect("a count")
    }

    /// Runs `sql` and asserts that every pair that is the same before and after is still the same stored row.
    #[track_caller]
    pub fn touches_only_what_changes(&self, admin: &mut Client, sql: &str) {
        let picture = |name: &str| {
            format!(
                "CREATE TEMP TABLE {name} AS SELECT ancestor_id, descendant_id, depth, xmin::text AS writer, ctid AS place FROM {}",
                self.closure
            )
        };
        accepted(admin, &picture("before"));
        accepted(admin, sql);
        accepted(admin, &picture("after"));
        let rewritten = scalar(
            admin,
            "SELECT count(*) FROM before JOIN after USING (ancestor_id, descendant_id, depth)
             WHERE (before.writer, before.place) IS DISTINCT FROM (after.writer, after.place)",
        );
        let changed = scalar(
            admin,
            "SELECT count(*) FROM before FULL JOIN after USING (ancestor_id, descendant_id, depth)
             WHERE before.place IS NULL OR after.place IS NULL",
        );
        accepted(admin, "DROP TABLE before, after");
        assert_eq!(rewritten, "0", "pairs rewritten although only {changed} changed\n{sql}");
        self.sound(admin);
    }
}
