//! Who may update, and that an update gives nobody anything.

use crate::catalog::{catalog, equal};
use crate::company::found;
use crate::released::{installed, old, update, versions};
use leadguard_tests::*;

#[test]
fn only_a_superuser_updates() {
    for version in versions() {
        let db = old("upgrade_who", version);
        found(&db);
        let mut admin = db.admin();
        let owner = db.create_role("dba");
        accepted(&mut admin, &format!("ALTER DATABASE \"{}\" OWNER TO \"{owner}\"", db.name()));
        for who in ["alice", "admin", "app", "dba", "stranger"] {
            refused(&mut db.connect(who), "ALTER EXTENSION leadguard UPDATE", "42501");
        }
        assert_eq!(installed(&mut admin), version);
        update(&mut admin);
    }
}

// The superuser who updates may be another one than installed, and his default privileges may favour anybody.
#[test]
fn the_updating_superuser_adds_nothing() {
    let declared = catalog(&mut Db::new("upgrade_fresh").admin());
    for version in versions() {
        let db = old("upgrade_defaults", version);
        let (updater, nosy) = (db.create_role("updater"), db.create_role("nosy"));
        accepted(&mut db.admin(), &format!("ALTER ROLE \"{updater}\" SUPERUSER"));
        let mut c = db.connect("updater");
        let defaults = |verb: &str, to: &str, option: &str| -> String {
            let mut sql = String::new();
            for place in ["", "IN SCHEMA leadguard"] {
                for (kind, what) in
                    [("TABLES", "ALL"), ("SEQUENCES", "ALL"), ("FUNCTIONS", "EXECUTE"), ("TYPES", "USAGE")]
                {
                    sql +=
                        &format!("ALTER DEFAULT PRIVILEGES {place} {verb} {what} ON {kind} {to} \"{nosy}\" {option};");
                }
            }
            sql
        };
        accepted(&mut c, &defaults("GRANT", "TO", "WITH GRANT OPTION"));
        accepted(
            &mut c,
            "CREATE FUNCTION public.witness() RETURNS int LANGUAGE sql AS 'SELECT 1';
             REVOKE ALL ON FUNCTION public.witness() FROM PUBLIC",
        );
        assert_eq!(
            scalar(&mut c, &format!("SELECT has_function_privilege('{nosy}', 'public.witness()', 'EXECUTE')")),
            "t",
            "twin: the defaults do work"
        );
        update(&mut c);
        accepted(&mut c, &defaults("REVOKE", "FROM", ""));
        equal(&catalog(&mut c), &declared, version);
    }
}

// Also in the eyes of pg_dump: what is no part of the extension must be in the dump.
#[test]
fn what_administrators_granted_stays_theirs() {
    for version in versions() {
        let db = old("upgrade_granted", version);
        found(&db);
        let auditor = db.create_role("auditor");
        let mut admin = db.admin();
        accepted(
            &mut admin,
            &format!(
                "GRANT USAGE ON SCHEMA leadguard TO \"{auditor}\";
                 GRANT SELECT ON leadguard.record_grant TO \"{auditor}\";
                 GRANT EXECUTE ON FUNCTION leadguard.rebind_roles() TO \"{auditor}\";
                 REVOKE EXECUTE ON FUNCTION leadguard.who_can(text, regclass, text) FROM PUBLIC"
            ),
        );
        let grants = |db: &Db| {
            let output = db.tool("pg_dump", "postgres").args(["-s", "-d", db.name()]).output().expect("pg_dump runs");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let mut lines: Vec<String> = text
                .lines()
                .filter(|l| (l.starts_with("GRANT") || l.starts_with("REVOKE")) && l.contains("leadguard"))
                .map(str::to_string)
                .collect();
            lines.sort();
            lines
        };
        let before = grants(&db);
        for part in ["TABLE leadguard.record_grant", "rebind_roles", "who_can", "SCHEMA leadguard"] {
            assert!(before.iter().any(|line| line.contains(part)), "{part} in {before:?}");
        }
        update(&mut admin);
        assert_eq!(grants(&db), before, "{version}");
        assert_eq!(
            scalar(&mut db.connect("auditor"), "SELECT count(*) > 0 FROM leadguard.record_grant"),
            "f",
            "under row security"
        );
        refused(&mut db.connect("alice"), "SELECT leadguard.who_can('read', 'crm.lead', '1')", "42501");
    }
}
