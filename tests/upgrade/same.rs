//! An updated database is what a new installation is.

use crate::catalog::{catalog, columns, contents, contents_of, equal};
use crate::company::found;
use crate::released::{bare, create, current, installed, old, update, versions};
use leadguard_tests::*;
use std::collections::BTreeSet;

fn fresh() -> BTreeSet<String> {
    catalog(&mut Db::new("upgrade_fresh").admin())
}

/// Policies, triggers, flags and rights of the protected tables.
fn protection(admin: &mut Client) -> Vec<Vec<String>> {
    rows(
        admin,
        "SELECT 'policy', polrelid::regclass::text, polname::text,
                concat_ws(' ', oid, polcmd, polpermissive, polroles, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
         FROM pg_policy WHERE polrelid::regclass::text LIKE 'crm.%'
         UNION ALL
         SELECT 'trigger', tgrelid::regclass::text, tgname::text, concat_ws(' ', oid, tgenabled, pg_get_triggerdef(oid))
         FROM pg_trigger WHERE tgrelid::regclass::text LIKE 'crm.%'
         UNION ALL
         SELECT 'relation', oid::regclass::text, relkind::text, concat_ws(' ', relrowsecurity, relforcerowsecurity, relacl)
         FROM pg_class WHERE relnamespace = 'crm'::regnamespace
         ORDER BY 1, 2, 3, 4",
    )
}

#[test]
fn an_update_makes_what_a_new_installation_makes() {
    let new = Db::new("upgrade_fresh");
    let (declared, holds) = (catalog(&mut new.admin()), contents(&mut new.admin()));
    for version in versions() {
        let db = old("upgrade_same", version);
        let mut admin = db.admin();
        assert_ne!(catalog(&mut admin), declared, "{version} is another version");
        update(&mut admin);
        equal(&catalog(&mut admin), &declared, version);
        equal(&contents(&mut admin), &holds, version);
    }
}

#[test]
fn an_update_touches_nothing_but_the_extension() {
    let new = Db::new("upgrade_fresh");
    let (declared, shipped) = (catalog(&mut new.admin()), contents(&mut new.admin()));
    // Roles and switches are shipped, others are made.
    let is_shipped =
        |line: &String| ["leadguard.role: ", "leadguard.access_switch: "].iter().any(|table| line.starts_with(table));
    for version in versions() {
        let db = old("upgrade_filled", version);
        let at_first = contents(&mut db.admin());
        found(&db);
        let mut admin = db.admin();
        let known = columns(&mut admin);
        let (before, tables) = (contents_of(&mut admin, &known), protection(&mut admin));
        update(&mut admin);
        equal(&catalog(&mut admin), &declared, version);
        let after = contents_of(&mut admin, &known);
        let is_known = |line: &&String| known.iter().any(|table| line.starts_with(&format!("{}: ", table[0])));
        let made = before.difference(&at_first).chain(shipped.iter().filter(|line| is_shipped(line)).filter(is_known));
        let kept = before.iter().filter(|line| !is_shipped(line));
        // What 0.2.0 adds to a table that was there before.
        let counted = "leadguard.hierarchy_revision: (registration)".to_string();
        equal(&after, &made.chain(kept).chain([&counted]).cloned().collect(), version);
        assert_eq!(protection(&mut admin), tables, "{version}");
        // Tables that were protected before say so, and archive nothing.
        assert_eq!(
            rows(&mut admin, "SELECT DISTINCT shape, archived_at_column, attribution FROM leadguard.protected_table"),
            [[if version < "0.3.0" { "1" } else { "2" }, "∅", "{}"]]
        );
    }
}

// What follows is the twin of the tests above: the comparison misses nothing of this.
#[test]
fn the_comparison_sees_small_differences() {
    let db = Db::new("upgrade_twin");
    let mut admin = db.admin();
    let declared = catalog(&mut admin);
    let nosy = db.create_role("nosy");
    for change in [
        "ALTER FUNCTION leadguard.visible(regclass, \"any\", \"any\", \"any\", \"any\") PARALLEL RESTRICTED",
        "ALTER FUNCTION leadguard.visible(regclass, \"any\", \"any\", \"any\", \"any\") COST 11",
        "ALTER FUNCTION leadguard.visible(regclass, \"any\", \"any\", \"any\", \"any\") LEAKPROOF",
        "ALTER FUNCTION leadguard.visible(regclass, \"any\", \"any\", \"any\", \"any\") SUPPORT leadguard.visible_owner_support",
        "ALTER FUNCTION leadguard.visible_support(internal) CALLED ON NULL INPUT",
        "ALTER FUNCTION leadguard.verify_closure() ROWS 10",
        "ALTER FUNCTION leadguard.bump_revision() RESET search_path",
        "GRANT EXECUTE ON FUNCTION leadguard.rebind_roles() TO PUBLIC",
        "REVOKE EXECUTE ON FUNCTION leadguard.cache() FROM PUBLIC",
        &format!("ALTER FUNCTION leadguard.cache() OWNER TO \"{nosy}\""),
        &format!("GRANT USAGE ON SCHEMA leadguard TO \"{nosy}\""),
        &format!("GRANT SELECT (email) ON leadguard.member TO \"{nosy}\""),
        "DELETE FROM pg_init_privs WHERE objoid = 'leadguard.cache()'::regprocedure",
        "COMMENT ON FUNCTION leadguard.cache() IS 'other'",
        "COMMENT ON COLUMN leadguard.member.key IS 'other'",
        "ALTER TABLE leadguard.role ENABLE TRIGGER directory_60_plans",
        "DROP TRIGGER directory_60_plans ON leadguard.role",
        "ALTER TABLE leadguard.team DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE leadguard.team FORCE ROW LEVEL SECURITY",
        "ALTER POLICY administered ON leadguard.team USING (true)",
        "ALTER TABLE leadguard.team ALTER COLUMN name SET DEFAULT 'x'",
        "ALTER TABLE leadguard.team ALTER COLUMN name DROP NOT NULL",
        "ALTER TABLE leadguard.team ADD CONSTRAINT named CHECK (name <> '') NOT VALID",
        "CREATE INDEX ON leadguard.team (name)",
        "ALTER SEQUENCE leadguard.team_id_seq CACHE 5",
        "CREATE OR REPLACE RULE nothing AS ON DELETE TO leadguard.team DO INSTEAD NOTHING",
        "CREATE VIEW leadguard.more AS SELECT 1 AS x",
        "CREATE TYPE leadguard.mood AS ENUM ('good')",
        "ALTER EVENT TRIGGER leadguard_watch_drop DISABLE",
        "ALTER EXTENSION leadguard DROP FUNCTION leadguard.cache()",
        "UPDATE pg_extension SET extconfig = extconfig[2:], extcondition = extcondition[2:] WHERE extname = 'leadguard'",
        "UPDATE pg_extension SET extcondition[1] = '' WHERE extname = 'leadguard'",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA leadguard GRANT EXECUTE ON FUNCTIONS TO PUBLIC",
    ] {
        accepted(&mut admin, &format!("BEGIN; {change}"));
        let differs = catalog(&mut admin) != declared;
        accepted(&mut admin, "ROLLBACK");
        assert!(differs, "not seen: {change}");
    }
    equal(&catalog(&mut admin), &declared, "every change was taken back");
}

#[test]
fn another_update_changes_nothing() {
    for version in versions() {
        let db = old("upgrade_again", version);
        found(&db);
        let mut admin = db.admin();
        update(&mut admin);
        let (declared, holds) = (catalog(&mut admin), contents(&mut admin));
        update(&mut admin);
        let current = current(&mut admin);
        accepted(&mut admin, &format!("ALTER EXTENSION leadguard UPDATE TO '{current}'"));
        // There is no way back: a database that needs one is restored.
        refused(&mut admin, &format!("ALTER EXTENSION leadguard UPDATE TO '{version}'"), "22023");
        assert_eq!(installed(&mut admin), current);
        equal(&catalog(&mut admin), &declared, version);
        equal(&contents(&mut admin), &holds, version);
    }
}

// CREATE EXTENSION VERSION does the same where only an older install script and update scripts are at hand.
#[test]
fn installed_and_updated_in_one_transaction() {
    let declared = fresh();
    for version in versions() {
        let db = bare("upgrade_at_once", version);
        let mut admin = db.admin();
        accepted(
            &mut admin,
            &format!("BEGIN; {}; SAVEPOINT s; ALTER EXTENSION leadguard UPDATE; COMMIT", create(version)),
        );
        equal(&catalog(&mut admin), &declared, version);
    }
}

#[test]
fn an_update_that_fails_leaves_everything_as_it_was() {
    for version in versions() {
        let db = old("upgrade_stopped", version);
        found(&db);
        let mut admin = db.admin();
        // An object that is in the way belongs to somebody else and is not adopted.
        accepted(
            &mut admin,
            "CREATE FUNCTION leadguard.tell(bigint, text, regclass, text, jsonb) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        );
        let (declared, holds) = (catalog(&mut admin), contents(&mut admin));
        refused(&mut admin, "ALTER EXTENSION leadguard UPDATE", "42723");
        assert_eq!(installed(&mut admin), version);
        equal(&catalog(&mut admin), &declared, version);
        equal(&contents(&mut admin), &holds, version);
        assert_eq!(leads(&db, "alice"), set("1 2 3 4 5"));
        accepted(&mut admin, "DROP FUNCTION leadguard.tell(bigint, text, regclass, text, jsonb)");
        update(&mut admin);
    }
}
