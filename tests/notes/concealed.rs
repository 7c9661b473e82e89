//! Whoever reads a record through the view reads its notes and tags, and the table behind the view no more than before.

use crate::lab::*;
use leadguard_tests::*;

/// Notes and tags as an analyst of mona reads them: those of the leads that he reads.
#[track_caller]
fn reads(db: &Db, who: &str) {
    let mut session = db.connect(who);
    assert_eq!(ids(&mut session, "SELECT id FROM crm.lead"), set("1 2 3 4 5 6 7 8"), "{who}");
    assert_eq!(ids(&mut session, "SELECT lead_id FROM crm.note"), set("1 2 3 4 5 6 7 8"), "{who}");
    assert_eq!(ids(&mut session, "SELECT lead_id FROM crm.tag"), set("1"), "{who}");
    for sql in [
        "SELECT id FROM crm_base.lead",
        "SELECT email FROM crm_base.lead",
        "INSERT INTO crm.note (lead_id, body) VALUES (1, 'x')",
        "INSERT INTO crm.tag VALUES (1, 'source:x')",
    ] {
        refused(&mut session, sql, "42501");
    }
}

fn analyst(db: &Db, name: &str) -> String {
    let role = db.create_role(name);
    accepted(&mut db.admin(), &format!("SELECT leadguard.analyst('{role}', 'mona')"));
    role
}

/// The roles that hold something on a column of the table behind the view.
const HOLDERS: &str = "SELECT DISTINCT x.grantee::regrole::text FROM pg_attribute a, aclexplode(a.attacl) x WHERE a.attrelid = 'crm_base.lead'::regclass";

#[test]
fn k27_analysts_read_the_notes_of_a_concealed_lead() {
    let db = lab("notes_veiled");
    let before = analyst(&db, "before");
    let mut admin = db.admin();
    accepted(&mut admin, "SELECT leadguard.mask('crm.lead', 'email', 'full')");
    reads(&db, "before");
    let after = analyst(&db, "after");
    reads(&db, "after");
    let holders = ids(&mut admin, HOLDERS);
    for role in [&before, &after, &db.role("alice")] {
        assert!(holders.contains(role), "{role}: {holders:?}");
    }
    // Who is registered no more holds nothing; the others go on.
    accepted(&mut admin, &format!("DELETE FROM leadguard.login_role WHERE db_role = '{after}'"));
    accepted(&mut admin, "UPDATE leadguard.member SET db_role = NULL WHERE key = 'alice'");
    let holders = ids(&mut admin, HOLDERS);
    for (role, holds) in [(&before, true), (&after, false), (&db.role("alice"), false)] {
        assert_eq!(holders.contains(role), holds, "{role}: {holders:?}");
    }
    reads(&db, "before");
}

#[test]
fn k27_reveal_takes_back_what_the_notes_needed() {
    let db = lab("notes_unveiled");
    analyst(&db, "before");
    let mut admin = db.admin();
    let columns = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'crm.lead'::regclass AND attacl IS NOT NULL";
    accepted(&mut admin, "SELECT leadguard.conceal('crm.lead')");
    analyst(&db, "after");
    accepted(&mut admin, "SELECT leadguard.reveal('crm.lead')");
    assert_eq!(scalar(&mut admin, columns), "0");
    for who in ["before", "after"] {
        assert_eq!(ids(&mut db.connect(who), "SELECT lead_id FROM crm.note"), set("1 2 3 4 5 6 7 8"));
    }
    accepted(
        &mut admin,
        "SELECT leadguard.conceal('crm.lead'); SELECT leadguard.unprotect('crm.note'); SELECT leadguard.unprotect('crm.tag');
         SELECT leadguard.unprotect('crm.lead')",
    );
    assert_eq!(scalar(&mut admin, columns), "0");
    refused(&mut db.connect("after"), "SELECT id FROM crm.lead", "42501");
}

#[test]
fn k27_a_lead_concealed_long_ago_gives_what_its_notes_need() {
    let db = lab("notes_veiled_old");
    let mut admin = db.admin();
    let role = analyst(&db, "report");
    accepted(
        &mut admin,
        &format!("SELECT leadguard.conceal('crm.lead'); REVOKE SELECT (id) ON crm_base.lead FROM \"{role}\""),
    );
    refused(&mut db.connect("report"), "SELECT lead_id FROM crm.note", "42501");
    accepted(
        &mut admin,
        "SELECT leadguard.unprotect('crm.note'); SELECT leadguard.protect_notes('crm.note', 'crm.lead', 'lead_id', 'body')",
    );
    reads(&db, "report");
    // Or all at once.
    accepted(
        &mut admin,
        &format!("REVOKE SELECT (id) ON crm_base.lead FROM \"{role}\"; SELECT leadguard.rebind_roles()"),
    );
    reads(&db, "report");
}

#[test]
fn k27_one_role_for_all_readers_is_enough() {
    let db = lab("notes_veiled_group");
    let (crew, rita) = (db.create_role("crew"), db.create_role("rita"));
    accepted(
        &mut db.admin(),
        &format!(
            "GRANT USAGE ON SCHEMA crm TO \"{crew}\"; GRANT SELECT, INSERT, UPDATE, DELETE ON crm.lead, crm.note, crm.tag TO \"{crew}\";
             GRANT USAGE ON ALL SEQUENCES IN SCHEMA crm TO \"{crew}\"; GRANT \"{crew}\" TO \"{rita}\";
             SELECT leadguard.conceal('crm.lead'); SELECT leadguard.analyst('{rita}', 'mona')"
        ),
    );
    let holders = ids(&mut db.admin(), HOLDERS);
    assert!(holders.contains(&crew) && !holders.contains(&rita), "{holders:?}");
    assert_eq!(ids(&mut db.connect("rita"), "SELECT lead_id FROM crm.note"), set("1 2 3 4 5 6 7 8"));
}
