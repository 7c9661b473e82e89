//! Mergers: organizations that become one, and such as stay apart.

use crate::lab::{Company, companies, company, id, organization};
use leadguard_tests::{Client, accepted, allowed, code, ids, refused, rows, scalar, set};

const MERGE: &str = "SELECT leadguard.merge_organization('globex', 'default', 'acquired')";

#[test]
fn d27_everything_moves_and_nothing_is_lost() {
    let db = companies("merging");
    let mut admin = db.admin();
    company(&db, &Company { org: "default", people: ["adm", "mem", "mem2"], prefix: "d" });
    company(&db, &Company { org: "globex", people: ["gina", "gus", "gabi"], prefix: "g" });
    accepted(
        &mut admin,
        "INSERT INTO crm.theirs (id, owner_id) SELECT 1, id FROM leadguard.member WHERE key = 'gus';
         INSERT INTO crm.shared (id, owner, org) VALUES (1, 'gus', 'globex'), (2, 'mem', 'default'), (3, 'gus', 'globex'), (4, NULL, NULL);
         DELETE FROM crm.shared WHERE id = 3;
         SELECT leadguard.share('crm.shared', '1', 'gabi', 'edit'), leadguard.share('crm.theirs', '1', team => 'g-team'),
                leadguard.team_add('crm.shared', '1', 'gina')",
    );
    let globex = organization(&mut admin, "globex");
    let counts = "SELECT (SELECT count(*) FROM leadguard.member), (SELECT count(*) FROM leadguard.member_role),
        (SELECT count(*) FROM leadguard.territory), (SELECT count(*) FROM leadguard.team_member), (SELECT count(*) FROM leadguard.role),
        (SELECT count(*) FROM leadguard.record_grant), (SELECT count(*) FROM leadguard.member_closure),
        (SELECT count(*) FROM leadguard.territory_closure), (SELECT count(*) FROM crm.shared), (SELECT count(*) FROM crm.theirs)";
    let before = rows(&mut admin, counts);
    let mut gus = db.connect("gus");
    assert_eq!(ids(&mut gus, "SELECT key FROM leadguard.member"), set("gina gus gabi"));
    accepted(&mut admin, MERGE);
    assert_eq!(rows(&mut admin, counts), before);
    assert_eq!(rows(&mut admin, "SELECT * FROM leadguard.verify_closure()"), Vec::<Vec<String>>::new());
    for table in ["member", "territory", "team", "role", "protected_table"] {
        assert_eq!(
            scalar(&mut admin, &format!("SELECT count(*) FROM leadguard.{table} WHERE org_id = {globex}")),
            "0",
            "{table}"
        );
    }
    assert_eq!(
        rows(
            &mut admin,
            "SELECT archived_at IS NOT NULL, merged_into FROM leadguard.organization WHERE key = 'globex'"
        ),
        [["t", "1"]]
    );
    assert_eq!(rows(&mut admin, "SELECT DISTINCT coalesce(org, '-') FROM crm.shared ORDER BY 1"), [["-"], ["default"]]);
    // One directory, two trees; what they reached they reach.
    assert!(ids(&mut gus, "SELECT key FROM leadguard.member").is_superset(&set("gina gus gabi owner mem")));
    assert_eq!(scalar(&mut gus, "SELECT string_agg(id::text, ',') FROM crm.theirs"), "1");
    assert_eq!(scalar(&mut gus, "SELECT string_agg(id::text, ',') FROM crm.shared"), "1");
    assert_eq!(scalar(&mut db.connect("gabi"), "SELECT leadguard.can('update', 'crm.shared', '1')"), "t");
    assert_eq!(scalar(&mut db.connect("mem2"), "SELECT count(*) FROM crm.theirs"), "0");
    assert_eq!(ids(&mut db.connect("root"), "SELECT id FROM crm.shared"), set("1 2 3"));
    // The move of each record is in the audit, and the merger itself for both.
    assert_eq!(
        rows(
            &mut admin,
            "SELECT record, organization FROM leadguard.audit_log WHERE changes ? 'org' AND action = 'update' ORDER BY 1"
        ),
        [["1", "1"], ["3", "1"]]
    );
    assert_eq!(
        scalar(
            &mut admin,
            "SELECT string_agg(reason || ' ' || detail, ';') FROM leadguard.audit_log WHERE action = 'merge_organization'"
        ),
        "acquired organization globex into default;acquired organization globex into default"
    );
    // The source is done with.
    refused(&mut admin, MERGE, "22023");
}

// What was agreed, found, purged and changed in an organization is its auditors' after the merger too; what the audit
// wrote before stays with the archived one.
#[test]
fn d27_d31_k49_what_governs_an_organization_moves_too() {
    let db = companies("merging_governance");
    let mut admin = db.admin();
    let globex = organization(&mut admin, "globex");
    accepted(
        &mut admin,
        "INSERT INTO crm.theirs (id, owner_id) SELECT n, id FROM leadguard.member, generate_series(1, 3) n WHERE key = 'gus';
         INSERT INTO crm.shared (id, owner, org) VALUES (1, 'gus', 'globex')",
    );
    // Both have a role that nobody has, of one name: a finding with one subject. Names of roles must differ to merge.
    accepted(&mut admin, &format!("INSERT INTO leadguard.role (org_id, name) VALUES ({globex}, 'spy')"));
    for (who, template) in [("root", "theirs"), ("gabi", "ours")] {
        let table = if who == "root" { "crm.item" } else { "crm.theirs" };
        let mut c = db.connect(who);
        accepted(
            &mut c,
            &format!("SELECT leadguard.set_batch_template('{template}', '{table}', 'update', 500, reason => 'yearly')"),
        );
        accepted(&mut c, "SELECT leadguard.audit_run('quarterly')");
    }
    accepted(&mut admin, &format!("UPDATE leadguard.role SET name = 'g-spy' WHERE org_id = {globex} AND name = 'spy'"));
    let mut gabi = db.connect("gabi");
    accepted(
        &mut gabi,
        "UPDATE crm.shared SET owner = 'gabi' WHERE id = 1;
         DELETE FROM crm.theirs WHERE id = 3; SELECT leadguard.purge('crm.theirs', '3', 'asked to be forgotten')",
    );
    accepted(&mut admin, "ALTER TABLE crm.theirs ADD COLUMN extra text");
    let theirs = |c: &mut Client| {
        (
            ids(c, "SELECT finding || ' ' || subject FROM leadguard.findings('open')"),
            ids(c, "SELECT replace(kind, ' ', '_') || '_' || object FROM leadguard.schema_change"),
            ids(c, "SELECT record FROM leadguard.tombstone"),
            ids(c, "SELECT name FROM leadguard.batch_templates"),
        )
    };
    let (before, own) = (theirs(&mut gabi), theirs(&mut db.connect("root")));
    assert!(before.0.contains("unused_role role spy") && own.0.contains("unused_role role spy"), "{before:?} {own:?}");
    assert_eq!((&before.1, &before.2, &before.3), (&set("add_column_extra"), &set("3"), &set("ours")));
    assert_eq!((&own.1, &own.2, &own.3), (&set(""), &set(""), &set("theirs")));
    let sealed = "SELECT count(*) FROM leadguard.audit_verify()";

    accepted(&mut admin, MERGE);
    for who in ["root", "gabi"] {
        let after = theirs(&mut db.connect(who));
        for finding in own.0.union(&before.0) {
            assert!(after.0.contains(finding), "{finding}: {after:?}");
        }
        assert!(after.0.contains("unused_role role spy (globex)"), "{after:?}");
        assert_eq!((after.1, after.2, after.3), (before.1.clone(), set("3"), set("theirs ours")));
    }
    assert_eq!(scalar(&mut admin, &format!("SELECT count(*) FROM leadguard.review WHERE org_id = {globex}")), "0");
    // Whoever works there now resolves them.
    accepted(
        &mut db.connect("root"),
        "SELECT leadguard.accept_schema_change(id, 'agreed') FROM leadguard.schema_change WHERE state = 'violation'",
    );
    // The audit is as it was sealed; of one's own records one still learns who worked on them.
    assert_eq!(scalar(&mut admin, sealed), "0");
    assert_eq!(
        rows(&mut db.connect("gabi"), "SELECT DISTINCT member, what FROM leadguard.worked_on('crm.shared', '1')"),
        [["gabi", "change"]]
    );
    refused(&mut admin, "UPDATE leadguard.tombstone SET org_id = 1", "42501");
    refused(&mut admin, "UPDATE leadguard.erasure SET org_id = 1", "42501");
}

#[test]
fn d27_k31_templates_of_one_name_are_listed() {
    let db = companies("merging_templates");
    let mut admin = db.admin();
    for (who, table) in [("root", "crm.item"), ("gabi", "crm.theirs")] {
        accepted(
            &mut db.connect(who),
            &format!("SELECT leadguard.set_batch_template('weekly', '{table}', 'update', 500, reason => 'scores')"),
        );
    }
    let error = refused(&mut admin, MERGE, "23505");
    assert_eq!(error.detail(), Some("Both have batch template \"weekly\"."));
    accepted(&mut db.connect("gabi"), "SELECT leadguard.drop_batch_template('weekly')");
    allowed(&mut admin, MERGE);
}

#[test]
fn d27_names_that_clash_are_listed_and_nothing_happens() {
    let db = companies("merging_clash");
    let mut admin = db.admin();
    let globex = organization(&mut admin, "globex");
    accepted(
        &mut admin,
        &format!(
            "INSERT INTO leadguard.territory (org_id, key) VALUES (1, 'west'), ({globex}, 'west'), ({globex}, 'east');
             INSERT INTO leadguard.team (org_id, key) VALUES (1, 'red'), ({globex}, 'red');
             INSERT INTO leadguard.role (org_id, name) VALUES ({globex}, 'hr');
             INSERT INTO crm.shared (id, owner, org) VALUES (1, 'gus', 'globex')"
        ),
    );
    let state = "SELECT o.key, count(*) FROM leadguard.member m JOIN leadguard.organization o ON o.id = m.org_id GROUP BY 1 ORDER BY 1";
    let before = rows(&mut admin, state);
    let error = refused(&mut admin, MERGE, "23505");
    assert_eq!(error.detail(), Some("Both have role \"hr\", team \"red\", territory \"west\"."));
    assert_eq!(rows(&mut admin, state), before);
    assert_eq!(scalar(&mut admin, "SELECT org FROM crm.shared"), "globex");
    accepted(
        &mut admin,
        &format!(
            "UPDATE leadguard.territory SET key = 'g-west' WHERE key = 'west' AND org_id = {globex};
             UPDATE leadguard.team SET key = 'g-red' WHERE org_id = {globex};
             DELETE FROM leadguard.role WHERE org_id = {globex}"
        ),
    );
    allowed(&mut admin, MERGE);
}

#[test]
fn d27_only_a_superuser_merges() {
    let db = companies("merging_who");
    for who in ["owner", "root", "adm", "gina", "gabi"] {
        let error = refused(&mut db.connect(who), MERGE, "42501");
        let absent = refused(&mut db.connect(who), "SELECT leadguard.merge_organization('x', 'y', 'z')", "42501");
        assert_eq!(error.message(), absent.message());
    }
    let mut admin = db.admin();
    for bad in [
        "'globex', 'globex', 'x'",
        "'nil', 'default', 'x'",
        "'globex', 'nil', 'x'",
        "'globex', 'default', ''",
        "NULL, 'default', 'x'",
    ] {
        refused(&mut admin, &format!("SELECT leadguard.merge_organization({bad})"), "22023");
    }
    allowed(&mut admin, MERGE);
}

// Acquired, but kept separate: nobody reaches anything of the other.
#[test]
fn d27_p25_organizations_that_stay_apart() {
    let db = companies("merging_not");
    let mut admin = db.admin();
    let gus = id(&mut admin, "gus");
    accepted(
        &mut admin,
        &format!(
            "INSERT INTO crm.theirs (id, owner_id) VALUES (1, {gus});
             INSERT INTO crm.item (id, owner_id) SELECT 1, id FROM leadguard.member WHERE key = 'mem';
             INSERT INTO crm.shared (id, owner, org) VALUES (1, 'gus', 'globex'), (2, 'mem', 'default')"
        ),
    );
    for (who, item, theirs, shared) in
        [("root", "1", "0", "2"), ("mem", "1", "0", "2"), ("gabi", "0", "1", "1"), ("gus", "0", "1", "1")]
    {
        let mut c = db.connect(who);
        assert_eq!(scalar(&mut c, "SELECT count(*) FROM crm.item"), item, "{who}");
        assert_eq!(scalar(&mut c, "SELECT count(*) FROM crm.theirs"), theirs, "{who}");
        assert_eq!(scalar(&mut c, "SELECT string_agg(id::text, ',') FROM crm.shared"), shared, "{who}");
        assert_eq!(code(&mut c, "UPDATE crm.shared SET title = 'x' WHERE id = 1"), "ok");
    }
    assert_eq!(
        scalar(
            &mut admin,
            "SELECT count(*) FROM leadguard.audit_log WHERE target = 'crm.shared'::regclass AND record = '1' AND member_key IN ('root', 'mem')"
        ),
        "0"
    );
}
