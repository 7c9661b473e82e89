//! `pg_dump` and restore bring back the same directory, the same closures and the same visible sets.

use crate::tree::BOTH;
use leadguard_tests::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

const WHO: [&str; 18] = [
    "ceo", "vp", "vp2", "mona", "alice", "anton", "viewer", "bob", "carl", "tina", "tom", "ted", "tess", "bea", "amy",
    "loner", "admin", "report",
];

/// A directory with something in every table, and two protected tables.
fn company() -> Db {
    let db = Db::new("dump");
    org(&db);
    let report = db.create_role("report");
    let app = db.create_role("app");
    accepted(
        &mut db.admin(),
        &format!(
            "INSERT INTO leadguard.organization (key, name) VALUES ('globex', 'Globex');
             INSERT INTO leadguard.member (org_id, key, name) SELECT id, 'gus', 'Gus' FROM leadguard.organization WHERE key = 'globex';
             INSERT INTO leadguard.role (name, org_id, capabilities)
             SELECT 'dispatcher', id, '{{assign}}' FROM leadguard.organization WHERE key = 'default';
             INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'dispatcher' FROM leadguard.member WHERE key = 'ted';
             INSERT INTO leadguard.team (key, name, access) VALUES ('red', 'Red', 'own');
             INSERT INTO leadguard.team_member (team_id, member_id, role)
             SELECT t.id, m.id, 'owner' FROM leadguard.team AS t, leadguard.member AS m WHERE m.key = 'ted';
             SELECT leadguard.share('crm.lead', '2', level => 'edit', team => 'red');
             SELECT leadguard.share('crm.lead', '3', 'amy', 'read', until => '2100-01-01');
             SELECT leadguard.share('crm.lead', '4', 'carl', 'edit', reason => 'deal', retained => true);
             SELECT leadguard.team_add('crm.lead', '1', 'carl', 'full');
             SELECT leadguard.analyst('{report}', 'mona');
             SELECT leadguard.connector('{app}', 'trusted');
             UPDATE leadguard.member SET active = false WHERE key = 'bob';
             CREATE TABLE crm.\"Deal\" (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), \"Owner\" text, region text);
             INSERT INTO crm.\"Deal\" (\"Owner\") VALUES ('alice'), ('carl'), (NULL);
             SELECT leadguard.protect('crm.\"Deal\"', id => 'id', owner => 'Owner')"
        ),
    );
    rules(&db);
    db
}

/// Rules about fields in all states, one of a column that was dropped, and approvals.
fn rules(db: &Db) {
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "ALTER TABLE crm.lead ADD attrs jsonb, ADD tags text[], ADD gone text;
         INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'data_owner' FROM leadguard.member WHERE key = 'mona';
         SELECT leadguard.set_fields('crm.lead', '{\"email\": {\"marketing\": \"owner\", \"sales\": \"read-only\"},
             \"attrs.size\": {\"dispatcher\": \"owner\"}, \"gone\": {\"sales\": \"owner\"}}');
         SELECT leadguard.propose_fields('crm.lead', '{alice}', 'first');
         SELECT leadguard.valid_values('crm.lead', 'name', '{a,b}'),
                leadguard.set_transition('crm.lead', 'name', 'a', 'b', 'sales', '{\"email\": \"present\"}'),
                leadguard.tag_column('crm.lead', 'tags'), leadguard.tag_namespace('crm.lead', 'event', 'marketing');",
    );
    accepted(&mut db.connect("alice"), "SELECT leadguard.sign_fields('crm.lead', 1)");
    accepted(
        &mut admin,
        "SELECT leadguard.set_field('crm.lead', 'attrs', 'sales', 'editor'); ALTER TABLE crm.lead DROP gone",
    );
    let id = scalar(
        &mut db.connect("alice"),
        "SELECT leadguard.request_approval('field', 'crm.lead', '1', 'email', 'it is wrong')",
    );
    accepted(&mut db.connect("mona"), &format!("SELECT leadguard.decide_approval({id}, true)"));
}

/// What every role sees in both tables.
fn visible(roles: &Db, database: &str) -> BTreeMap<&'static str, (BTreeSet<String>, BTreeSet<String>)> {
    WHO.iter()
        .map(|who| {
            let mut session = server().connect(&roles.role(who), database);
            (*who, (ids(&mut session, "SELECT id FROM crm.lead"), ids(&mut session, "SELECT id FROM crm.\"Deal\"")))
        })
        .collect()
}

/// The contents of every table that the extension gives to `pg_dump`, and of the closures.
fn directory(admin: &mut Client) -> BTreeMap<String, Vec<Vec<String>>> {
    let mut tables =
        ids(admin, "SELECT unnest(extconfig)::regclass::text FROM pg_extension WHERE extname = 'leadguard'");
    assert!(!tables.is_empty());
    for table in [
        "member_closure",
        "territory_closure",
        "protected",
        "organization",
        "member",
        "territory",
        "member_role",
        "role",
    ] {
        tables.insert(format!("leadguard.{table}"));
    }
    let mut contents = BTreeMap::new();
    for table in tables {
        if scalar(admin, &format!("SELECT relkind FROM pg_class WHERE oid = '{table}'::regclass")) != "S" {
            let content = rows(admin, &format!("SELECT t::text FROM {table} AS t ORDER BY 1"));
            contents.insert(table, content);
        }
    }
    contents
}

/// Policies, triggers, flags and rights of the protected tables.
fn protection(admin: &mut Client) -> Vec<Vec<String>> {
    rows(
        admin,
        "SELECT 'policy', tablename::text, policyname::text, concat_ws(' ', permissive, roles, cmd, qual, with_check)
         FROM pg_policies WHERE schemaname = 'crm'
         UNION ALL
         SELECT 'trigger', tgrelid::regclass::text, tgname::text, pg_get_triggerdef(oid) || tgenabled::text FROM pg_trigger
         WHERE NOT tgisinternal AND tgrelid::regclass::text LIKE 'crm.%'
         UNION ALL
         SELECT 'table', oid::regclass::text, concat_ws(' ', relrowsecurity, relforcerowsecurity),
                (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(relacl) AS a)
         FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relkind = 'r'
         ORDER BY 1, 2, 3, 4",
    )
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !errors.contains("ERROR"), "{command:?}\n{errors}");
}

/// A file that goes when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(db: &Db, kind: &str) -> Scratch {
        Scratch(std::env::temp_dir().join(format!("{}.{kind}", db.name())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn dump(db: &Db, format: &str, file: &Path) {
    run(db.tool("pg_dump", "postgres").args(["-d", db.name(), "-F", format, "-f"]).arg(file));
}

/// Restores with `restore` and compares everything a member could notice.
fn comes_back(format: &str, restore: impl Fn(&Db, &Path)) {
    let db = company();
    let file = Scratch::new(&db, format);
    dump(&db, format, &file.0);
    let copy = Db::bare("dump_copy");
    restore(&copy, &file.0);
    let (mut before, mut after) = (db.admin(), copy.admin());
    for tree in BOTH {
        tree.sound(&mut after);
    }
    let (old, new) = (directory(&mut before), directory(&mut after));
    assert_eq!(old.keys().collect::<Vec<_>>(), new.keys().collect::<Vec<_>>());
    for (table, content) in &old {
        assert_eq!(content, &new[table], "{table}");
    }
    assert_eq!(protection(&mut before), protection(&mut after));
    assert_eq!(visible(&db, db.name()), visible(&db, copy.name()));
    let (deals, carl) = ("SELECT count(*) FROM crm.\"Deal\"", db.role("carl"));
    assert_eq!(scalar(&mut server().connect(&carl, copy.name()), deals), "1");
    life_goes_on(&db, &copy);
}

/// The restored database is not a museum: numbers go on, rules hold, the directory moves.
fn life_goes_on(db: &Db, copy: &Db) {
    let mut admin = copy.admin();
    let session = |who: &str| server().connect(&db.role(who), copy.name());
    accepted(&mut admin, "INSERT INTO leadguard.member (key, name) VALUES ('new', 'New')");
    accepted(&mut admin, "INSERT INTO leadguard.territory (key, name) VALUES ('new', 'New')");
    accepted(&mut admin, "INSERT INTO leadguard.organization (key, name) VALUES ('new', 'New')");
    accepted(&mut session("alice"), "SELECT leadguard.share('crm.lead', '5', 'ted', 'read')");
    refused(&mut session("alice"), "INSERT INTO crm.lead (name) VALUES ('a')", "42501");
    accepted(&mut session("alice"), "INSERT INTO crm.lead (amount) VALUES (1)");
    assert_eq!(
        scalar(&mut session("alice"), "SELECT leadguard.get_fields('crm.lead') -> 'email' ->> 'marketing'"),
        "owner"
    );
    accepted(&mut session("alice"), "SELECT leadguard.request_approval('delete', 'crm.lead', '1', NULL, 'twice')");
    // The rule of the dropped column does not become one of a column that takes its name.
    accepted(&mut admin, "ALTER TABLE crm.lead ADD gone text");
    let stale = "SELECT count(*) FROM leadguard.field_rule WHERE column_name = 'gone' AND attnum = 0";
    assert_eq!(scalar(&mut admin, stale), "2");
    accepted(&mut session("mona"), "SELECT leadguard.set_field('crm.lead', 'email', 'sales', 'editor')");
    accepted(&mut session("mona"), "SELECT leadguard.discard_fields('crm.lead')");
    accepted(&mut session("mona"), "SELECT leadguard.set_field('crm.lead', 'gone', 'sales', 'owner')");
    accepted(&mut session("mona"), "SELECT leadguard.set_transition('crm.lead', 'name', 'b', 'a')");
    accepted(&mut session("alice"), "INSERT INTO crm.\"Deal\" DEFAULT VALUES");
    refused(&mut session("viewer"), "UPDATE crm.lead SET name = 'x' WHERE false", "42501");
    refused(&mut session("report"), "UPDATE crm.lead SET name = 'x' WHERE false", "42501");
    refused(&mut session("alice"), "UPDATE leadguard.member SET name = 'x'", "42501");
    place(&mut admin, "alice", "amy");
    assert!(ids(&mut session("amy"), "SELECT id FROM crm.lead").is_superset(&set("1 2 3 4 5 15")));
    for tree in BOTH {
        tree.sound(&mut admin);
    }
    // What protect did can be undone after a restore as well.
    accepted(&mut admin, "SELECT leadguard.unprotect('crm.lead')");
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM pg_policies WHERE tablename = 'lead'"), "0");
}

#[test]
fn a_plain_dump_comes_back() {
    comes_back("p", |copy, file| {
        run(copy.tool("psql", "postgres").args(["-Xq", "-v", "ON_ERROR_STOP=1", "-d", copy.name(), "-f"]).arg(file))
    });
}

#[test]
fn a_plain_dump_comes_back_in_one_transaction() {
    comes_back("p", |copy, file| {
        run(copy.tool("psql", "postgres").args(["-Xq1", "-v", "ON_ERROR_STOP=1", "-d", copy.name(), "-f"]).arg(file))
    });
}

#[test]
fn a_custom_dump_comes_back() {
    comes_back("c", |copy, file| {
        run(copy.tool("pg_restore", "postgres").args(["--exit-on-error", "-d", copy.name()]).arg(file))
    });
}

#[test]
fn a_custom_dump_comes_back_in_sections() {
    comes_back("c", |copy, file| {
        for section in
            [&["--section=pre-data", "--section=data", "--exit-on-error"][..], &["--section=post-data", "-j", "3"]]
        {
            run(copy.tool("pg_restore", "postgres").args(section).args(["-d", copy.name()]).arg(file));
        }
    });
}

/// A known limit: `pg_restore -j` loads the tables of any extension in no order, so foreign keys between them may
/// refuse rows. It then says so, and what is there shows nobody more than before. The way out is the test above.
#[test]
fn a_parallel_restore_that_is_incomplete_says_so_and_opens_nothing() {
    let db = company();
    let file = Scratch::new(&db, "c");
    dump(&db, "c", &file.0);
    let copy = Db::bare("dump_parallel");
    let status = copy
        .tool("pg_restore", "postgres")
        .args(["-j", "3", "-d", copy.name()])
        .arg(&file.0)
        .output()
        .expect("pg_restore starts")
        .status;
    let (mut before, mut after) = (db.admin(), copy.admin());
    if status.success() {
        assert_eq!(directory(&mut before), directory(&mut after));
    }
    for (who, (had_leads, had_deals)) in visible(&db, db.name()) {
        let mut session = server().connect(&db.role(who), copy.name());
        for (sql, had) in [("SELECT id FROM crm.lead", had_leads), ("SELECT id FROM crm.\"Deal\"", had_deals)] {
            if code(&mut session, sql) == "ok" {
                assert!(ids(&mut session, sql).is_subset(&had), "{who}: {sql}");
            }
        }
    }
}

#[test]
fn a_restored_dump_dumps_the_same_again() {
    let db = company();
    let (first, second) = (Scratch::new(&db, "one"), Scratch::new(&db, "two"));
    dump(&db, "p", &first.0);
    let copy = Db::bare("dump_again");
    run(copy.tool("psql", "postgres").args(["-Xq", "-v", "ON_ERROR_STOP=1", "-d", copy.name(), "-f"]).arg(&first.0));
    dump(&copy, "p", &second.0);
    // Only the order of rows within a table may differ, and a random mark of newer pg_dump versions.
    let lines = |file: &Scratch| {
        let text = std::fs::read_to_string(&file.0).expect("the dump is text");
        let mut lines: Vec<String> = text
            .lines()
            .filter(|l| !l.starts_with("\\restrict") && !l.starts_with("\\unrestrict"))
            .map(str::to_string)
            .collect();
        lines.sort();
        lines
    };
    assert_eq!(lines(&first), lines(&second));
}

#[test]
fn the_dump_holds_no_closure_and_no_shipped_row() {
    let db = company();
    let file = Scratch::new(&db, "text");
    dump(&db, "p", &file.0);
    let text = std::fs::read_to_string(&file.0).expect("the dump is text");
    for table in ["member_closure", "territory_closure", "role_binding", "hierarchy_revision"] {
        assert!(!text.contains(&format!("COPY leadguard.{table} ")), "{table} is dumped");
    }
    assert!(text.contains("COPY leadguard.member "));
    let roles =
        text.split("COPY leadguard.role ").nth(1).and_then(|t| t.split("\\.\n").next()).expect("roles are dumped");
    assert!(
        roles.contains("dispatcher") && !roles.contains("administrator") && !roles.contains("view_only"),
        "{roles}"
    );
}
