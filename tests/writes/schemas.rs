//! Who owns a table need not own its schema: leadguard gives away nothing there that he could not.

use leadguard_tests::*;

/// A schema of the superuser where alice may create tables, one of her own, and a table of hers in each.
fn lab(name: &str) -> Db {
    let db = Db::new(name);
    people(&db);
    let alice = db.role("alice");
    accepted(
        &mut db.admin(),
        &format!(
            "CREATE SCHEMA pub; GRANT USAGE, CREATE ON SCHEMA pub TO \"{alice}\"; CREATE SCHEMA own AUTHORIZATION \"{alice}\""
        ),
    );
    for schema in ["pub", "own"] {
        accepted(
            &mut db.connect("alice"),
            &format!(
                "CREATE TABLE {schema}.lead (id bigint PRIMARY KEY, owner_id bigint, name text);
                 INSERT INTO {schema}.lead SELECT row_number() OVER (), leadguard.current_member(), 'x' FROM generate_series(1, 3)"
            ),
        );
    }
    db
}

fn protect(table: &str, more: &str) -> String {
    format!("SELECT leadguard.protect('{table}', id => 'id', owner => 'owner_id'{more})")
}

fn uses(db: &Db, who: &str, schema: &str) -> bool {
    let sql = format!("SELECT has_schema_privilege('{}', '{schema}', 'USAGE')", db.role(who));
    scalar(&mut db.admin(), &sql) == "t"
}

#[test]
fn usage_of_a_schema_is_not_given_by_whoever_could_not() {
    let db = lab("sch_usage");
    let said = db.psql("alice", &protect("pub.lead", ""));
    assert!(said.contains("NOTICE") && said.contains("GRANT USAGE ON SCHEMA pub TO"), "{said}");
    assert!(said.contains(&db.role("mona")), "{said}");
    assert!(!uses(&db, "mona", "pub"));
    enlist(&db, "early", "mona");
    accepted(&mut db.admin(), &format!("SELECT leadguard.analyst('{}', 'mona')", db.create_role("report")));
    for who in ["early", "report"] {
        assert!(!uses(&db, who, "pub"), "{who}");
    }
    // The table is protected all the same, for whoever reaches it.
    assert_eq!(ids(&mut db.connect("alice"), "SELECT id FROM pub.lead"), set("1 2 3"));
    let mona = db.role("mona");
    accepted(&mut db.admin(), &format!("GRANT USAGE ON SCHEMA pub TO \"{mona}\""));
    assert_eq!(ids(&mut db.connect("mona"), "SELECT id FROM pub.lead"), set("1 2 3"));
    // Her own schema is hers to give.
    let said = db.psql("alice", &protect("own.lead", ""));
    assert!(!said.contains("NOTICE"), "{said}");
    enlist(&db, "late", "mona");
    for who in ["mona", "early", "report", "late"] {
        assert!(uses(&db, who, "own"), "{who}");
    }
    assert!(!uses(&db, "late", "pub"));
}

#[test]
fn usage_of_a_schema_is_given_by_grant_option_and_superusers() {
    for by in ["alice", "postgres"] {
        let db = lab("sch_option");
        if by == "alice" {
            let option = format!("GRANT USAGE ON SCHEMA pub TO \"{}\" WITH GRANT OPTION", db.role("alice"));
            accepted(&mut db.admin(), &option);
        }
        accepted(&mut db.connect(by), &protect("pub.lead", ""));
        enlist(&db, "late", "mona");
        for who in ["mona", "late"] {
            assert_eq!(
                ids(&mut db.connect(who), "SELECT id FROM pub.lead"),
                set("1 2 3").into_iter().filter(|_| who == "mona").collect()
            );
        }
    }
}

#[test]
fn usage_of_the_schema_of_notes_is_not_given_either() {
    let db = lab("sch_notes");
    accepted(
        &mut db.connect("alice"),
        &format!(
            "{}; CREATE TABLE pub.note (id int PRIMARY KEY, lead_id bigint, body text);
                  CREATE TABLE own.note (LIKE pub.note INCLUDING ALL)",
            protect("own.lead", "")
        ),
    );
    let notes =
        |schema: &str| format!("SELECT leadguard.protect_notes('{schema}.note', 'own.lead', 'lead_id', 'body')");
    let said = db.psql("alice", &notes("pub"));
    assert!(said.contains("GRANT USAGE ON SCHEMA pub TO"), "{said}");
    assert!(!uses(&db, "mona", "pub"));
    let said = db.psql("alice", &notes("own"));
    assert!(!said.contains("NOTICE"), "{said}");
    assert!(uses(&db, "mona", "own"));
}

#[test]
fn conceal_makes_a_schema_only_for_whoever_could() {
    let db = lab("sch_conceal");
    let mut alice = db.connect("alice");
    accepted(&mut alice, &protect("pub.lead", ""));
    accepted(&mut alice, &protect("own.lead", ""));
    for sql in [
        "SELECT leadguard.conceal('pub.lead')",
        "SELECT leadguard.conceal('pub.lead', dry_run => true)",
        "SELECT leadguard.mask('pub.lead', 'name', 'full')",
    ] {
        let error = refused(&mut alice, sql, "42501");
        assert!(error.hint().is_some_and(|hint| hint.contains("CREATE on the database")), "{error:?}");
    }
    assert_eq!(scalar(&mut db.admin(), "SELECT to_regnamespace('pub_base') IS NULL"), "t");
    // A schema of her own, one that a superuser made for her, the right to make schemas, a superuser.
    accepted(&mut alice, "SELECT leadguard.conceal('own.lead')");
    assert_eq!(scalar(&mut alice, "SELECT count(*) FROM own.lead"), "3");
    let conceal = "SELECT leadguard.conceal('pub.lead')";
    let role = db.role("alice");
    accepted(&mut db.admin(), &format!("CREATE SCHEMA pub_base AUTHORIZATION \"{role}\""));
    accepted(&mut alice, &format!("BEGIN; {conceal}; ROLLBACK"));
    accepted(&mut db.admin(), "DROP SCHEMA pub_base");
    refused(&mut alice, conceal, "42501");
    accepted(&mut db.admin(), &format!("GRANT CREATE ON DATABASE \"{}\" TO \"{role}\"", db.name()));
    accepted(&mut alice, &format!("BEGIN; {conceal}; ROLLBACK"));
    accepted(&mut db.admin(), &format!("REVOKE CREATE ON DATABASE \"{}\" FROM \"{role}\"", db.name()));
    accepted(&mut db.admin(), conceal);
    assert_eq!(scalar(&mut alice, "SELECT count(*) FROM pub.lead"), "3");
}

#[test]
fn a_member_protects_tables_of_his_organization() {
    let db = lab("sch_org");
    let mut admin = db.admin();
    accepted(&mut admin, "INSERT INTO leadguard.organization (key, name) VALUES ('globex', 'Globex')");
    let mut alice = db.connect("alice");
    for key in ["globex", "nobody"] {
        let error = refused(&mut alice, &protect("own.lead", &format!(", org_key => '{key}'")), "42501");
        assert!(error.hint().is_some_and(|hint| hint.contains("org_key => 'default'")), "{error:?}");
    }
    accepted(&mut alice, &protect("own.lead", ", org_key => 'default'"));
    accepted(&mut alice, "SELECT leadguard.unprotect('own.lead')");
    // What is said of members holds for those who work no more.
    accepted(&mut admin, "UPDATE leadguard.member SET active = false WHERE key = 'alice'");
    refused(&mut alice, &protect("own.lead", ""), "42501");
    accepted(&mut admin, "UPDATE leadguard.member SET active = true WHERE key = 'alice'");
    accepted(&mut alice, &protect("own.lead", ""));
    // Superusers and owners who are no members choose.
    accepted(&mut admin, &protect("pub.lead", ", org_key => 'globex'"));
    accepted(&mut admin, "SELECT leadguard.unprotect('pub.lead')");
    let keeper = db.create_role("keeper");
    accepted(
        &mut admin,
        &format!(
            "GRANT USAGE ON SCHEMA leadguard, pub TO \"{keeper}\"; GRANT CREATE ON SCHEMA pub TO \"{keeper}\"; ALTER TABLE pub.lead OWNER TO \"{keeper}\""
        ),
    );
    accepted(&mut db.connect("keeper"), &protect("pub.lead", ", org_key => 'globex'"));
}

// Whoever owns a table may move it into a schema where he may create: that gives nobody the schema.
#[test]
fn usage_of_a_schema_into_which_a_table_was_moved_is_not_given_either() {
    for by in ["alice", "postgres"] {
        for option in [false, true] {
            let db = lab("sch_moved");
            accepted(&mut db.connect(by), &protect("own.lead", ""));
            let mut alice = db.connect("alice");
            accepted(&mut alice, "DROP TABLE pub.lead; ALTER TABLE own.lead SET SCHEMA pub");
            if option {
                let usage = format!("GRANT USAGE ON SCHEMA pub TO \"{}\" WITH GRANT OPTION", db.role("alice"));
                accepted(&mut db.admin(), &usage);
            }
            enlist(&db, "late", "mona");
            assert_eq!((uses(&db, "late", "pub"), uses(&db, "late", "own")), (option, false), "{by}");
        }
    }
}

// Nor does a view that is made again in another schema, nor a table behind one.
#[test]
fn usage_of_a_schema_is_not_given_by_a_view_that_is_made_again() {
    let db = lab("sch_again");
    let alice = db.role("alice");
    accepted(
        &mut db.admin(),
        &format!(
            "GRANT USAGE ON SCHEMA leadguard TO \"{alice}\"; GRANT CREATE ON DATABASE \"{}\" TO \"{alice}\";
             {}; SELECT leadguard.conceal('own.lead')",
            db.name(),
            protect("own.lead", "")
        ),
    );
    accepted(
        &mut db.connect("alice"),
        "DROP TABLE pub.lead; DROP VIEW own.lead; CREATE SCHEMA pub_base; ALTER TABLE own_base.lead SET SCHEMA pub_base;
         SELECT leadguard.conceal('pub_base.lead')",
    );
    assert!(!uses(&db, "mona", "pub"));
    accepted(
        &mut db.connect("alice"),
        "ALTER TABLE pub_base.lead RENAME TO behind; ALTER TABLE pub_base.behind SET SCHEMA pub",
    );
    enlist(&db, "late", "mona");
    assert!(!uses(&db, "late", "pub"));
}
