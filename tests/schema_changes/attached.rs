//! Partitions that come with something under leadguard's names: detached and stripped, or made to look protected.

use crate::lab::*;
use leadguard_tests::*;

/// crm.deal with the partitions deal_east and deal_west; in each one deal of rep's. gus, a guest who sees neither, may read
/// all three tables.
fn deals(name: &str) -> Db {
    let db = lab(name);
    accepted(
        &mut db.connect("dba"),
        "CREATE TABLE crm.deal (id bigint, owner_id bigint, region text, note text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
         CREATE TABLE crm.deal_east PARTITION OF crm.deal FOR VALUES IN ('east');
         CREATE TABLE crm.deal_west PARTITION OF crm.deal FOR VALUES IN ('west');
         SELECT leadguard.protect('crm.deal', owner => 'owner_id', id => 'id', archived_at => 'archived_at', archived_by => 'archived_by')",
    );
    accepted(
        &mut db.admin(),
        "INSERT INTO crm.deal (id, owner_id, region) SELECT n, m.id, (ARRAY['east', 'west'])[n] FROM leadguard.member m, generate_series(1, 2) n WHERE m.key = 'rep'",
    );
    let gus = db.role("gus");
    accepted(
        &mut db.connect("dba"),
        &format!(
            "GRANT USAGE ON SCHEMA crm TO \"{gus}\"; GRANT SELECT ON crm.deal, crm.deal_east, crm.deal_west TO \"{gus}\""
        ),
    );
    db
}

const DETACH: &str = "ALTER TABLE crm.deal DETACH PARTITION crm.deal_east";
const ATTACH: &str = "ALTER TABLE crm.deal ATTACH PARTITION crm.deal_east FOR VALUES IN ('east')";

/// What protects a relation of the tree of crm.deal, as it would read on crm.deal_west.
fn protection(db: &Db, relation: &str) -> Vec<Vec<String>> {
    rows(
        &mut db.admin(),
        &format!(
            "SELECT kind, identity, replace(definition, '{relation}', 'crm.deal_west') FROM leadguard.table_shape('crm.deal')
             WHERE relation = '{relation}'::regclass AND kind IN ('policy', 'trigger', 'row security') ORDER BY 1, 2"
        ),
    )
}

/// As protect makes it: like the partition that nobody touched.
#[track_caller]
fn is_whole(db: &Db, relation: &str) {
    let west = protection(db, "crm.deal_west");
    assert_eq!(west.len(), 12, "{west:?}");
    assert_eq!(protection(db, relation), west, "{relation}");
}

/// What the command that attaches adds to the changelog, behind "violation " and of the partition crm.deal_east.
#[track_caller]
fn attach_adds(db: &Db) -> Vec<String> {
    let mut added = adds(db, ATTACH);
    assert_eq!(added.pop().as_deref(), Some("violation attach partition crm.deal_east"));
    added.iter().map(|line| line.replace("violation ", "").replace("crm.deal_east", "*")).collect()
}

#[test]
fn k49_x1_a_stripped_partition_comes_back_as_protect_made_it() {
    let db = deals("stripped");
    let gus = &mut db.connect("gus");
    accepted(
        &mut db.admin(),
        "CREATE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    );
    let all = "leadguard_open leadguard_select leadguard_insert leadguard_update leadguard_delete leadguard_z_recheck_update leadguard_z_recheck_delete";
    let no_policies: String = all.split(' ').map(|policy| format!("DROP POLICY {policy} ON crm.deal_east;")).collect();
    let dropped: Vec<String> = all.split(' ').map(|policy| format!("drop policy *.{policy}")).collect();
    let but = |without: &str| dropped.iter().filter(|d| !d.ends_with(without)).cloned().collect::<Vec<_>>().join(", ");
    for (strip, expected) in [
        // Twin: nothing was touched.
        ("SELECT", String::new()),
        ("ALTER TABLE crm.deal_east DISABLE ROW LEVEL SECURITY", "row security *".into()),
        ("ALTER TABLE crm.deal_east NO FORCE ROW LEVEL SECURITY", "row security *".into()),
        (
            "DROP POLICY leadguard_select ON crm.deal_east; ALTER POLICY leadguard_update ON crm.deal_east USING (true)",
            "change policy *.leadguard_update, drop policy *.leadguard_select".into(),
        ),
        (
            "ALTER POLICY leadguard_select ON crm.deal_east TO pg_monitor; ALTER POLICY leadguard_open ON crm.deal_east USING (true)",
            "change policy *.leadguard_open, change policy *.leadguard_select".into(),
        ),
        ("DROP POLICY leadguard_open ON crm.deal_east", "drop policy *.leadguard_open".into()),
        (
            "ALTER TABLE crm.deal_east DISABLE TRIGGER leadguard_10_statement; DROP TRIGGER leadguard_99_written ON crm.deal_east",
            "disable trigger *.leadguard_10_statement, drop trigger *.leadguard_99_written".into(),
        ),
        ("ALTER TABLE crm.deal_east ENABLE TRIGGER leadguard_99_written", "change trigger *.leadguard_99_written".into()),
        (
            "DROP TRIGGER leadguard_10_statement ON crm.deal_east;
             CREATE TRIGGER leadguard_10_statement BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON crm.deal_east EXECUTE FUNCTION public.nothing();
             ALTER TABLE crm.deal_east ENABLE ALWAYS TRIGGER leadguard_10_statement",
            "change trigger *.leadguard_10_statement".into(),
        ),
        (
            "DROP POLICY leadguard_select ON crm.deal_east; CREATE POLICY leadguard_select ON crm.deal_east USING (true)",
            "change policy *.leadguard_select".into(),
        ),
        (no_policies.as_str(), dropped.join(", ")),
        (
            &format!("{no_policies}; CREATE POLICY leadguard_open ON crm.deal_east USING (true)"),
            format!("change policy *.leadguard_open, {}", but("leadguard_open")),
        ),
        // Whoever takes the protection off as it is meant to be has an ordinary table.
        ("SELECT leadguard.unprotect('crm.deal_east')", String::new()),
    ] {
        assert_eq!(adds(&db, DETACH), ["violation detach partition crm.deal_east"]);
        accepted(&mut db.connect("dba"), strip);
        let mut added = attach_adds(&db);
        added.sort();
        let mut expected: Vec<&str> = expected.split(", ").filter(|e| !e.is_empty()).collect();
        expected.sort_unstable();
        assert_eq!(added, expected, "{strip}");
        is_whole(&db, "crm.deal_east");
        assert_eq!(scalar(gus, "SELECT count(*) FROM crm.deal_east"), "0", "{strip}");
        refused(&mut db.connect("dba"), "TRUNCATE crm.deal_east", "42501");
    }
    assert_eq!(scalar(&mut db.connect("rep"), "SELECT count(*) FROM crm.deal"), "2", "twin: whose they are");
    let told =
        "SELECT DISTINCT detail FROM leadguard.schema_change WHERE kind = 'row security' AND detail ->> 'was' = 'off'";
    assert_eq!(rows(&mut db.admin(), told), [[r#"{"is": "on, forced", "was": "off", "mended": true}"#]]);
    accepted(&mut db.connect("dba"), "SELECT leadguard.unprotect('crm.deal')");
    let left =
        "SELECT count(*) FROM pg_class c WHERE c.relname LIKE 'deal%' AND (c.relrowsecurity OR c.relforcerowsecurity)";
    assert_eq!(scalar(&mut db.admin(), left), "0");
}

#[test]
fn k49_x1_a_table_that_looks_protected_is_protected() {
    let db = deals("lookalike");
    let (dba, gus) = (&mut db.connect("dba"), &mut db.connect("gus"));
    for (name, lookalike) in [
        ("north", "CREATE POLICY leadguard_open ON crm.deal_north USING (true)"),
        (
            "south",
            "CREATE FUNCTION crm.mine() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
             CREATE TRIGGER leadguard_10_statement BEFORE UPDATE ON crm.deal_south EXECUTE FUNCTION crm.mine()",
        ),
        ("up", "SELECT"),
    ] {
        accepted(
            dba,
            &format!(
                "CREATE TABLE crm.deal_{name} (LIKE crm.deal INCLUDING ALL); INSERT INTO crm.deal_{name} VALUES (9, 1, '{name}');
                 GRANT SELECT ON crm.deal_{name} TO \"{}\"; {lookalike}",
                db.role("gus")
            ),
        );
        assert_eq!(scalar(gus, &format!("SELECT count(*) FROM crm.deal_{name}")), "1", "twin: it is open now");
        let added =
            adds(&db, &format!("ALTER TABLE crm.deal ATTACH PARTITION crm.deal_{name} FOR VALUES IN ('{name}')"));
        let looked = added.iter().any(|line| *line == format!("violation row security crm.deal_{name}"));
        assert_eq!((looked, added.len() > 1), (name != "up", name != "up"), "{added:?}");
        is_whole(&db, &format!("crm.deal_{name}"));
        assert_eq!(scalar(gus, &format!("SELECT count(*) FROM crm.deal_{name}")), "0");
    }
}

#[test]
fn k49_an_approval_to_attach_does_not_cover_a_stripped_partition() {
    let db = deals("stripped_refuse");
    accepted(&mut db.connect("dba"), "SELECT leadguard.set_switch('crm.deal', 'schema_changes', 'refuse')");
    let agree = |change: &str| {
        let ask = format!("SELECT leadguard.request_schema_change('crm.deal', '{change}', 'repack', 'ops', 'none')");
        let id = scalar(&mut db.connect("rep"), &ask);
        accepted(&mut db.connect("olga"), &format!("SELECT leadguard.decide_approval({id}, true, 'fine')"));
    };
    let both = "detach partition crm.deal_east, attach partition crm.deal_east";
    let work = |strip: &str| format!("BEGIN; {DETACH}; {strip}; {ATTACH}; COMMIT");
    let off = "ALTER TABLE crm.deal_east DISABLE ROW LEVEL SECURITY";
    agree(both);
    for strip in
        [off, "DROP POLICY leadguard_select ON crm.deal_east", "ALTER TABLE crm.deal_east DISABLE TRIGGER USER"]
    {
        let dba = &mut db.connect("dba");
        refused(dba, &work(strip), "LG004");
        // After the attachment it is a change of the partition like any other.
        accepted(dba, "ROLLBACK");
        refused(dba, &format!("BEGIN; {DETACH}; {ATTACH}; {strip}; COMMIT"), "LG004");
    }
    assert_eq!(log(&db), [""; 0]);
    accepted(&mut db.connect("dba"), &work("SELECT"));
    assert_eq!(log(&db), ["approved detach partition crm.deal_east", "approved attach partition crm.deal_east"]);
    // Or with one that says so: it comes back whole all the same.
    agree(&format!("{both}, row security crm.deal_east"));
    accepted(&mut db.connect("dba"), &work(off));
    assert_eq!(log(&db)[3], "approved row security crm.deal_east");
    is_whole(&db, "crm.deal_east");
}

#[test]
fn x1_a_partition_with_permissive_policies_of_its_own_is_refused() {
    let db = deals("permissive");
    let dba = &mut db.connect("dba");
    accepted(
        dba,
        "CREATE TABLE crm.deal_north (LIKE crm.deal INCLUDING ALL); CREATE POLICY mine ON crm.deal_north USING (true)",
    );
    let attach = "ALTER TABLE crm.deal ATTACH PARTITION crm.deal_north FOR VALUES IN ('north')";
    let error = refused(dba, attach, "55000");
    assert!(error.detail().unwrap().contains("mine") && error.hint().unwrap().contains("RESTRICTIVE"), "{error:?}");
    accepted(
        dba,
        "DROP POLICY mine ON crm.deal_north; CREATE POLICY mine ON crm.deal_north AS RESTRICTIVE USING (true)",
    );
    accepted(dba, attach);
    // The same for one that was protected meanwhile.
    accepted(dba, &format!("{DETACH}; CREATE POLICY mine ON crm.deal_east USING (true)"));
    refused(dba, ATTACH, "55000");
    accepted(dba, &format!("DROP POLICY mine ON crm.deal_east; {ATTACH}"));
    is_whole(&db, "crm.deal_east");
}

#[test]
fn k49_x1_a_stripped_leaf_of_an_attached_tree_is_protected() {
    let db = deals("stripped_tree");
    let dba = &mut db.connect("dba");
    accepted(
        dba,
        "CREATE TABLE crm.deal_north PARTITION OF crm.deal FOR VALUES IN ('north') PARTITION BY RANGE (id);
         CREATE TABLE crm.deal_north_1 PARTITION OF crm.deal_north FOR VALUES FROM (1) TO (100)",
    );
    is_whole(&db, "crm.deal_north_1");
    let detach = "ALTER TABLE crm.deal DETACH PARTITION crm.deal_north";
    let attach = "ALTER TABLE crm.deal ATTACH PARTITION crm.deal_north FOR VALUES IN ('north')";
    accepted(
        dba,
        &format!(
            "{detach}; ALTER TABLE crm.deal_north_1 DISABLE ROW LEVEL SECURITY;
             ALTER TABLE crm.deal_north DETACH PARTITION crm.deal_north_1;
             DROP POLICY leadguard_select ON crm.deal_north_1; DROP TRIGGER leadguard_10_statement ON crm.deal_north_1;
             ALTER TABLE crm.deal_north ATTACH PARTITION crm.deal_north_1 FOR VALUES FROM (1) TO (100)"
        ),
    );
    let mut added = adds(&db, attach);
    added.sort();
    assert_eq!(
        added,
        [
            "violation attach partition crm.deal_north",
            "violation attach partition crm.deal_north_1",
            "violation drop policy crm.deal_north_1.leadguard_select",
            "violation drop trigger crm.deal_north_1.leadguard_10_statement",
            "violation row security crm.deal_north_1"
        ]
    );
    is_whole(&db, "crm.deal_north_1");
    is_whole(&db, "crm.deal_north");
    // From one place in the tree to another, in one transaction.
    accepted(
        dba,
        "BEGIN; ALTER TABLE crm.deal_north DETACH PARTITION crm.deal_north_1; ALTER TABLE crm.deal_north_1 DISABLE ROW LEVEL SECURITY;
         SAVEPOINT a; ALTER TABLE crm.deal_north ATTACH PARTITION crm.deal_north_1 FOR VALUES FROM (1) TO (50); ROLLBACK TO a;
         ALTER TABLE crm.deal ATTACH PARTITION crm.deal_north_1 FOR VALUES IN ('far'); COMMIT",
    );
    is_whole(&db, "crm.deal_north_1");
}

#[test]
fn k49_x1_a_partition_detached_concurrently_comes_back_whole() {
    let db = deals("stripped_concurrently");
    let dba = &mut db.connect("dba");
    accepted(dba, "SET row_security = off");
    accepted(dba, "ALTER TABLE crm.deal DETACH PARTITION crm.deal_east CONCURRENTLY");
    accepted(
        dba,
        "ALTER TABLE crm.deal_east DISABLE ROW LEVEL SECURITY; DROP POLICY leadguard_select ON crm.deal_east",
    );
    accepted(dba, ATTACH);
    is_whole(&db, "crm.deal_east");
    assert!(log(&db).contains(&"violation row security crm.deal_east".to_owned()), "{:?}", log(&db));
}

#[test]
fn k22_k49_a_stripped_partition_of_a_concealed_table_is_protected() {
    let db = deals("stripped_concealed");
    let (dba, gus) = (&mut db.connect("dba"), db.role("gus"));
    accepted(dba, &format!("REVOKE ALL ON crm.deal_east, crm.deal_west FROM \"{gus}\""));
    accepted(&mut db.admin(), "SELECT leadguard.mask('crm.deal', 'note', 'full')");
    let attach = "ALTER TABLE crm_base.deal ATTACH PARTITION crm.deal_east FOR VALUES IN ('east')";
    accepted(
        dba,
        "ALTER TABLE crm_base.deal DETACH PARTITION crm.deal_east; ALTER TABLE crm.deal_east DISABLE ROW LEVEL SECURITY;
         ALTER POLICY leadguard_select ON crm.deal_east USING (true)",
    );
    accepted(dba, &format!("GRANT SELECT ON crm.deal_east TO \"{gus}\""));
    refused(dba, attach, "55000");
    accepted(dba, &format!("REVOKE SELECT ON crm.deal_east FROM \"{gus}\""));
    let added = adds(&db, attach);
    assert_eq!(
        added,
        [
            "violation row security crm.deal_east",
            "violation change policy crm.deal_east.leadguard_select",
            "violation attach partition crm.deal_east"
        ]
    );
    let both = "SELECT count(DISTINCT pg_get_expr(o.polqual, o.polrelid)) FROM pg_policy o JOIN pg_class c ON c.oid = o.polrelid AND c.relrowsecurity AND c.relforcerowsecurity
                WHERE o.polname = 'leadguard_select' AND c.relname IN ('deal', 'deal_east')";
    assert_eq!(scalar(&mut db.admin(), both), "1");
    assert_eq!(scalar(&mut db.connect("gus"), "SELECT count(*) FROM crm.deal"), "0");
    assert_eq!(scalar(&mut db.connect("rep"), "SELECT count(*) FROM crm.deal"), "2", "twin: whose they are");
}

#[test]
fn x1_a_table_with_a_protection_of_its_own_is_no_partition_and_no_child() {
    let db = deals("own_protection");
    let dba = &mut db.connect("dba");
    accepted(
        dba,
        "CREATE TABLE crm.deal_north (LIKE crm.deal INCLUDING ALL, UNIQUE (id));
         SELECT leadguard.protect('crm.deal_north', owner => 'owner_id', id => 'id', archived_at => 'archived_at', archived_by => 'archived_by')",
    );
    let attach = "ALTER TABLE crm.deal ATTACH PARTITION crm.deal_north FOR VALUES IN ('north')";
    // Postgres has its own reason, triggers of the same name, which can be renamed.
    refused(dba, attach, "42710");
    accepted(
        dba,
        "ALTER TRIGGER leadguard_90_row ON crm.deal_north RENAME TO a; ALTER TRIGGER leadguard_99_stored ON crm.deal_north RENAME TO b",
    );
    refused(dba, attach, "42809");
    accepted(
        dba,
        "ALTER TRIGGER a ON crm.deal_north RENAME TO leadguard_90_row; ALTER TRIGGER b ON crm.deal_north RENAME TO leadguard_99_stored",
    );
    refused(dba, "CREATE TABLE crm.kid () INHERITS (crm.deal_north)", "42809");
    accepted(dba, "CREATE TABLE crm.kid (LIKE crm.deal_north)");
    refused(dba, "ALTER TABLE crm.kid INHERIT crm.deal_north", "42809");
    accepted(dba, "SELECT leadguard.unprotect('crm.deal_north')");
    accepted(dba, attach);
    is_whole(&db, "crm.deal_north");
}

#[test]
fn x1_steps_by_hand_in_the_transaction_that_makes_the_partition() {
    let db = deals("by_hand");
    accepted(&mut db.connect("dba"), "SELECT leadguard.unprotect('crm.deal')");
    accepted(
        &mut db.admin(),
        "BEGIN;
         CREATE TABLE crm.deal_north PARTITION OF crm.deal FOR VALUES IN ('north');
         DO $do$ DECLARE s text; BEGIN
             FOR s IN SELECT p.statement FROM leadguard.protect('crm.deal', owner => 'owner_id', id => 'id', archived_at => 'archived_at',
                                                                archived_by => 'archived_by', dry_run => true) p ORDER BY p.step
             LOOP EXECUTE s; END LOOP;
         END $do$;
         CREATE TABLE crm.deal_south PARTITION OF crm.deal FOR VALUES IN ('south');
         COMMIT",
    );
    is_whole(&db, "crm.deal_north");
    is_whole(&db, "crm.deal_south");
}
