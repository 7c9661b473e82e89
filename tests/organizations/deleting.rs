//! Deleting an organization archives it, when nothing is left in it.

use crate::lab::{companies, id};
use leadguard_tests::{Db, accepted, allowed, code, refused, rows, scalar};

const DELETE: &str = "SELECT leadguard.delete_organization('globex', 'closed down')";

#[test]
fn p2_p4_only_its_owner_deletes_an_organization() {
    let db = companies("deleting_who");
    let mut admin = db.admin();
    accepted(&mut admin, "UPDATE leadguard.member SET active = false WHERE key IN ('gus', 'gabi')");
    let mut theirs = Vec::new();
    for who in ["owner", "adm", "mem", "root"] {
        theirs.push(refused(&mut db.connect(who), DELETE, "42501").message().to_string());
        let absent = refused(&mut db.connect(who), "SELECT leadguard.delete_organization('nothing', 'x')", "42501");
        assert_eq!(absent.message().replace("nothing", "globex"), theirs[0]);
    }
    for who in ["adm", "root", "mem"] {
        refused(&mut db.connect(who), "SELECT leadguard.delete_organization('default', 'x')", "42501");
    }
    for missing in ["NULL", "''", "' '"] {
        refused(
            &mut db.connect("gina"),
            &format!("SELECT leadguard.delete_organization('globex', {missing})"),
            "22023",
        );
    }
    refused(&mut admin, "SELECT leadguard.delete_organization('nothing', 'x')", "22023");
    allowed(&mut admin, DELETE.replace("closed", "shut").as_str());
    allowed(&mut db.connect("gina"), DELETE);
}

#[test]
fn p2_members_and_records_keep_it() {
    let db = companies("deleting_kept");
    let mut admin = db.admin();
    let gus = id(&mut admin, "gus");
    accepted(
        &mut admin,
        &format!(
            "INSERT INTO crm.theirs (id, owner_id) VALUES (1, {gus}), (2, NULL);
             INSERT INTO crm.shared (id, owner, org) VALUES (1, 'gus', 'globex'), (2, 'mem', 'default');
             INSERT INTO crm.item (id) VALUES (1)"
        ),
    );
    let error = refused(&mut db.connect("gina"), DELETE, "23503");
    assert_eq!(
        error.detail(),
        Some("There are 2 other active members, 1 record of crm.shared, 2 records of crm.theirs.")
    );
    accepted(&mut admin, "UPDATE leadguard.member SET active = false WHERE key = 'gabi'; DELETE FROM crm.theirs");
    let error = refused(&mut db.connect("gina"), DELETE, "23503");
    assert_eq!(error.detail(), Some("There are 1 other active member, 1 record of crm.shared."));
    let error = refused(&mut admin, DELETE, "23503");
    assert_eq!(error.detail(), Some("There are 1 active member, 1 record of crm.shared."));
    accepted(
        &mut admin,
        "UPDATE leadguard.member SET active = false WHERE key = 'gus'; DELETE FROM crm.shared WHERE id = 1",
    );
    accepted(&mut db.connect("gina"), DELETE);
    // No row is gone.
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.theirs"), "2");
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM leadguard.member WHERE org_id <> 1"), "3");
    assert_eq!(
        rows(
            &mut admin,
            "SELECT action, reason, member_key, detail, organization <> 1 FROM leadguard.audit_log WHERE action = 'delete_organization'"
        ),
        [["delete_organization", "closed down", "gina", "organization globex", "t"]]
    );
}

fn who(db: &Db, key: &str) -> String {
    scalar(&mut db.connect(key), "SELECT how || ' ' || coalesce(key, '') FROM leadguard.whoami()")
}

#[test]
fn p2_members_of_an_archived_organization_are_nobody() {
    let db = companies("deleting_nobody");
    let mut admin = db.admin();
    let (gus, app) = (id(&mut admin, "gus"), db.create_role("app"));
    accepted(
        &mut admin,
        &format!(
            "INSERT INTO crm.theirs (id, owner_id) VALUES (1, {gus});
             INSERT INTO crm.shared (id, owner, org) VALUES (1, 'gus', 'globex');
             SELECT leadguard.connector('{app}', 'trusted')"
        ),
    );
    let mut open = db.connect("gus");
    let mut app = db.connect("app");
    let reads = "SELECT (SELECT count(*) FROM crm.theirs) || ' ' || (SELECT count(*) FROM crm.shared)";
    accepted(&mut open, "PREPARE reads AS SELECT count(*) FROM crm.theirs");
    assert_eq!((scalar(&mut open, reads), scalar(&mut open, "EXECUTE reads")), ("1 1".to_string(), "1".to_string()));
    assert_eq!(who(&db, "gus"), "person gus");
    let acts = "BEGIN; SELECT leadguard.act_as('gus'); ROLLBACK";
    accepted(&mut app, acts);
    accepted(&mut admin, "UPDATE leadguard.organization SET archived_at = now() WHERE key = 'globex'");
    assert_eq!((scalar(&mut open, reads), scalar(&mut open, "EXECUTE reads")), ("0 0".to_string(), "0".to_string()));
    for key in ["gus", "gina", "gabi"] {
        assert_eq!(who(&db, key), "nobody ");
        assert_eq!(scalar(&mut db.connect(key), "SELECT count(*) FROM leadguard.member"), "0");
        refused(&mut db.connect(key), "UPDATE leadguard.member SET name = 'x' WHERE key = 'gus'", "42501");
        refused(&mut db.connect(key), "INSERT INTO crm.theirs (id) VALUES (5)", "42501");
        refused(&mut db.connect(key), "UPDATE leadguard.organization SET organization_view = true", "42501");
    }
    let gone = refused(&mut app, acts, "28000");
    accepted(&mut app, "ROLLBACK");
    let absent = refused(&mut app, &acts.replace("gus", "nobody"), "28000");
    accepted(&mut app, "ROLLBACK");
    assert_eq!((gone.message(), gone.detail()), (absent.message(), absent.detail()));
    // Others are as they were; and what was archived can be brought back.
    assert_eq!(who(&db, "mem"), "person mem");
    accepted(&mut admin, "UPDATE leadguard.organization SET archived_at = NULL WHERE key = 'globex'");
    assert_eq!(scalar(&mut open, reads), "1 1");
    accepted(&mut app, acts);
    assert_eq!(code(&mut open, "EXECUTE reads"), "ok");
}
