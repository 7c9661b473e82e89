//! Notes are read with their lead.

use crate::lab::*;
use leadguard_tests::*;

#[test]
fn k27_notes_are_read_by_whoever_reads_the_lead() {
    let db = lab("notes_read");
    accepted(
        &mut db.connect("alice"),
        "SELECT leadguard.share('crm.lead', '2', 'carl'), leadguard.team_add('crm.lead', '3', 'ted')",
    );
    for who in ["ceo", "mona", "alice", "viewer", "carl", "ted", "tess", "bea", "loner", "admin", "dora"] {
        let mut session = db.connect(who);
        let notes = ids(&mut session, "SELECT lead_id FROM crm.note");
        assert_eq!(notes, leads(&db, who), "{who}");
        for sql in ["SELECT count(*) FROM crm.note", "SELECT count(*) FROM crm.note JOIN crm.lead ON lead.id = lead_id"]
        {
            assert_eq!(scalar(&mut session, sql), notes.len().to_string(), "{who}: {sql}");
        }
    }
    db.create_role("stranger");
    accepted(
        &mut db.admin(),
        &format!(
            "GRANT USAGE ON SCHEMA crm TO \"{0}\"; GRANT SELECT ON crm.note, crm.lead TO \"{0}\"",
            db.role("stranger")
        ),
    );
    assert!(rows(&mut db.connect("stranger"), "SELECT * FROM crm.note").is_empty());
}

#[test]
fn k27_notes_of_archived_leads_are_archived_with_them() {
    let db = lab("notes_archived");
    accepted(&mut db.connect("alice"), "DELETE FROM crm.lead WHERE id = 1");
    assert_eq!(ids(&mut db.connect("alice"), "SELECT lead_id FROM crm.note"), set("2 3 4 5"));
    assert!(ids(&mut db.connect("dora"), "SELECT lead_id FROM crm.note").contains("1"));
}

#[test]
fn k27_a_reorganisation_moves_the_notes_too() {
    let db = lab("notes_move");
    let mut carl = db.connect("carl");
    accepted(&mut carl, "PREPARE q AS SELECT count(*) FROM crm.note");
    assert_eq!(scalar(&mut carl, "EXECUTE q"), "2");
    place(&mut db.admin(), "alice", "carl");
    assert_eq!(scalar(&mut carl, "EXECUTE q"), "7");
}

#[test]
fn k27_a_rep_finds_the_notes_of_a_lead_by_index() {
    let db = lab("notes_plan");
    accepted(&mut db.admin(), "ANALYZE crm.note, crm.lead");
    let mut alice = db.connect("alice");
    accepted(&mut alice, "SET enable_seqscan = off");
    let plan = rows(&mut alice, "EXPLAIN (COSTS OFF) SELECT * FROM crm.note WHERE lead_id = 1");
    let text = plan.concat().join("\n");
    assert!(text.contains("Index Cond: (lead_id = 1)"), "{text}");
}

#[test]
fn k27_a_rep_counts_notes_without_a_look_for_each() {
    let db = lab("notes_count");
    accepted(
        &mut db.admin(),
        "INSERT INTO crm.lead (owner_id, name) SELECT (SELECT id FROM leadguard.member WHERE key = 'carl'), 'bulk' FROM generate_series(1, 5000);
         INSERT INTO crm.note (lead_id, body) SELECT id, 'bulk' FROM crm.lead, generate_series(1, 4); ANALYZE crm.lead, crm.note",
    );
    let plan = rows(&mut db.connect("alice"), "EXPLAIN (COSTS OFF) SELECT count(*) FROM crm.note").concat().join("\n");
    assert!(plan.contains("hashed SubPlan") || plan.contains("Join"), "{plan}");
    assert_eq!(scalar(&mut db.connect("alice"), "SELECT count(*) FROM crm.note"), "25");
}

#[test]
fn k27_analysts_read_and_do_not_write() {
    let db = lab("notes_analyst");
    for moment in ["before", "after"] {
        let report = db.create_role(&format!("report_{moment}"));
        accepted(&mut db.admin(), &format!("SELECT leadguard.analyst('{report}', 'mona')"));
        if moment == "before" {
            accepted(
                &mut db.admin(),
                "SELECT leadguard.unprotect('crm.note');
                 SELECT leadguard.protect_notes('crm.note', 'crm.lead', 'lead_id', 'body', author => 'author')",
            );
        }
        let mut session = db.connect(&format!("report_{moment}"));
        assert_eq!(
            ids(&mut session, "SELECT id FROM crm.note"),
            ids(&mut db.connect("mona"), "SELECT id FROM crm.note")
        );
        for sql in
            ["INSERT INTO crm.note (lead_id, body) VALUES (1, 'x')", "INSERT INTO crm.tag VALUES (1, 'source:x')"]
        {
            refused(&mut session, sql, "42501");
            accepted(&mut db.admin(), &format!("GRANT ALL ON crm.note, crm.tag TO \"{report}\""));
            refused(&mut session, sql, "42501");
            accepted(&mut db.admin(), &format!("REVOKE INSERT ON crm.note, crm.tag FROM \"{report}\""));
        }
    }
    accepted(&mut db.connect("mona"), "INSERT INTO crm.note (lead_id, body) VALUES (1, 'x')");
}
