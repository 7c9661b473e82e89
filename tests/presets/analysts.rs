//! The Read-Only Analyst of four_role.

use leadguard_tests::*;

use crate::lab::{attempt, contents, four_role, give_role, rights, seen, switch};

#[test]
fn k17_analyst_reads_all_or_a_scope() {
    let db = four_role("k17");
    let mut ana = db.connect("ana");
    assert_eq!(seen(&mut ana, "crm.lead"), "1 2 3 4 5 8");
    switch(&db, "crm.lead", "visibility", "scope", "analyst");
    assert_eq!(seen(&mut ana, "crm.lead"), "", "no scope yet");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.member_scope SELECT id, 'crm.lead', 'segment', 'smb' FROM leadguard.member WHERE key = 'ana'",
    );
    assert_eq!(seen(&mut ana, "crm.lead"), "1 3");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.territory_member
         SELECT t.id, m.id FROM leadguard.territory t, leadguard.member m WHERE (t.key, m.key) = ('emea', 'ana')",
    );
    assert_eq!(seen(&mut ana, "crm.lead"), "1 2 3 4 5", "territory and segment");
    assert_eq!(rights(&mut ana, "crm.lead", "4"), "r----");
}

#[test]
fn k18_analyst_exports() {
    let db = four_role("k18");
    assert_eq!(db.psql("ana", "COPY (SELECT id FROM crm.lead ORDER BY id) TO STDOUT").lines().count(), 6);
    assert_eq!(scalar(&mut db.connect("ana"), "SELECT leadguard.can('export', 'crm.lead', '1')"), "t");
}

const WRITES: [&str; 9] = [
    "INSERT INTO crm.lead (name) VALUES ('x')",
    "UPDATE crm.lead SET name = 'x' WHERE id = 1",
    "UPDATE crm.lead SET name = 'x' WHERE id = -1",
    "DELETE FROM crm.lead WHERE id = 1",
    "DELETE FROM crm.lead WHERE false",
    "TRUNCATE crm.lead",
    "MERGE INTO crm.lead l USING (VALUES (1)) v (id) ON l.id = v.id WHEN MATCHED THEN UPDATE SET name = 'x'",
    "INSERT INTO crm.lead (id) VALUES (1) ON CONFLICT DO NOTHING",
    "WITH w AS (UPDATE crm.lead SET name = 'x' RETURNING 1) SELECT count(*) FROM w",
];

#[test]
fn k19_analyst_writes_nothing_whatever_he_owns_or_was_given() {
    let db = four_role("k19");
    accepted(
        &mut db.admin(),
        "UPDATE crm.lead SET owner_id = m.id, creator_id = m.id FROM leadguard.member m WHERE m.key = 'ana' AND lead.id = 1",
    );
    accepted(&mut db.connect("olga"), "SELECT leadguard.share('crm.lead', '2', 'ana', 'full', reason => 'x')");
    accepted(&mut db.connect("olga"), "SELECT leadguard.share('crm.lead', '1', 'ana', 'full', reason => 'x')");
    let before = contents(&db);
    let mut ana = db.connect("ana");
    for sql in WRITES {
        assert_eq!(attempt(&mut ana, sql), "42501", "{sql}");
    }
    assert!(db.psql("ana", "COPY crm.lead (name) FROM STDIN;\nx\n\\.\n").contains("ERROR"));
    for id in ["1", "2"] {
        assert_eq!(rights(&mut ana, "crm.lead", id), "r----", "{id}");
    }
    assert_eq!(contents(&db), before);
    assert_eq!(attempt(&mut db.connect("cody"), "UPDATE crm.lead SET name = 'x' WHERE id = 2"), "1", "twin: its owner");
}

// The role says what a member may at least; another role of his may more, and only over it.
#[test]
fn k19_a_second_role_writes_as_itself() {
    let db = four_role("k19_two");
    let mut ana = db.connect("ana");
    give_role(&db, "ana", "lead_manager");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.member_scope SELECT id, 'crm.lead', 'segment', 'smb' FROM leadguard.member WHERE key = 'ana'",
    );
    assert_eq!(rights(&mut ana, "crm.lead", "2"), "r----", "outside the scope she reads as an analyst");
    let login = db.create_role("bi");
    accepted(&mut db.admin(), &format!("SELECT leadguard.analyst('{login}', 'ana')"));
    let mut bi = db.connect("bi");
    for sql in WRITES {
        assert_eq!(attempt(&mut bi, sql), "42501", "{sql}");
    }
    for id in ["1", "2"] {
        assert_eq!(rights(&mut bi, "crm.lead", id), "r----", "{id}: the login only reads");
    }
}
