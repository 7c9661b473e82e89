//! organization: Owner, Admin and Member over campaigns, leads, deals and segments.

use leadguard_tests::*;

use crate::lab::{attempt, creates, lines, organization, people, rights, seen, switch, table};

const ALL: &str = "1 2 3 4 5 6";
const OBJECTS: [&str; 4] = ["crm.campaign", "crm.lead", "crm.deal", "crm.segment"];

fn open_view(db: &Db, on: bool) {
    accepted(&mut db.admin(), &format!("UPDATE leadguard.organization SET organization_view = {on} WHERE id = 1"));
}

// P1, P5 to P7, P11 to P18 with the organization view closed and open: rows 1 mel's, 2 mia's, 3 mia's and created by mel, 4 owen's (draft),
// 5 mel's, 6 mia's (sent).
#[test]
fn p01_three_roles_over_four_objects() {
    let db = organization("p01");
    let shipped = rows(
        &mut db.connect("nob"),
        "SELECT name FROM leadguard.role WHERE preset = 'organization' ORDER BY rank DESC",
    );
    assert_eq!(shipped, [["Owner"], ["Admin"], ["Member"]]);
    let campaigns = "owen ruasm ruasm ruasm ruasm r-asm r-asm
                     adam ruasm ruasm ruasm ruasm r-asm r-asm
                     mel  ruasm ----- ruasm ----- r-asm -----
                     nob  ----- ----- ----- ----- ----- -----";
    let others = "owen ruasm ruasm ruasm ruasm ruasm ruasm
                  adam ruasm ruasm ruasm ruasm ruasm ruasm
                  mel  ruasm ----- ruasm ----- ruasm -----
                  nob  ----- ----- ----- ----- ----- -----";
    for object in OBJECTS {
        let expected = if object == "crm.campaign" { campaigns } else { others };
        assert_eq!(table(&db, object, "owen adam mel nob", ALL), lines(expected), "{object}, view closed");
    }
    open_view(&db, true);
    for (object, mel) in [
        ("crm.campaign", "mel ruasm r---- ruasm r---- r-asm r----"),
        ("crm.lead", "mel ruasm ru--- ruasm ru--- ruasm ru---"),
        ("crm.deal", "mel ruasm r---- ruasm r---- ruasm r----"),
        ("crm.segment", "mel ruasm r---- ruasm r---- ruasm r----"),
    ] {
        assert_eq!(table(&db, object, "mel", ALL), lines(mel), "{object}, view open");
    }
    assert_eq!(
        table(&db, "crm.lead", "nob", ALL),
        lines("nob ----- ----- ----- ----- ----- -----"),
        "no role, no view"
    );
}

#[test]
fn p05_owner_and_admin_view_everything() {
    let db = organization("p05");
    for who in ["owen", "adam"] {
        for object in OBJECTS {
            assert_eq!(seen(&mut db.connect(who), object), ALL, "{who} {object}");
        }
    }
    assert_eq!(seen(&mut db.connect("mel"), "crm.lead"), "1 3 5", "twin: a Member");
}

#[test]
fn p06_member_views_the_organization_only_if_enabled() {
    let db = organization("p06");
    let mut mel = db.connect("mel");
    for object in OBJECTS {
        assert_eq!(seen(&mut mel, object), "1 3 5", "{object}");
    }
    open_view(&db, true);
    for object in OBJECTS {
        assert_eq!(seen(&mut mel, object), ALL, "{object}: with the next statement");
    }
    open_view(&db, false);
    assert_eq!(seen(&mut mel, "crm.deal"), "1 3 5");
    switch(&db, "crm.deal", "organization_view", "on", "");
    assert_eq!(seen(&mut mel, "crm.deal"), ALL, "fixed for one table");
    assert_eq!(seen(&mut mel, "crm.segment"), "1 3 5");
    open_view(&db, true);
    switch(&db, "crm.deal", "organization_view", "off", "");
    assert_eq!(seen(&mut mel, "crm.deal"), "1 3 5");
    assert_eq!(seen(&mut mel, "crm.segment"), ALL);
}

#[test]
fn p07_my_data_is_always_there() {
    let db = organization("p07");
    for view in [false, true] {
        open_view(&db, view);
        for mode in ["organization", "personal"] {
            let mut mel = db.connect("mel");
            accepted(&mut mel, &format!("SET leadguard.view_mode = '{mode}'"));
            for object in OBJECTS {
                assert_eq!(rights(&mut mel, object, "1"), "ruasm", "{object} view {view} mode {mode}");
            }
            assert_eq!(accepted(&mut mel, "UPDATE crm.lead SET name = 'mine' WHERE id = 1"), 1);
        }
    }
}

#[test]
fn p08_view_modes_narrow_and_never_widen() {
    let db = organization("p08");
    let mut mel = db.connect("mel");
    accepted(&mut mel, "SET leadguard.view_mode = 'organization'");
    assert_eq!(seen(&mut mel, "crm.lead"), "1 3 5", "the mode opens nothing that is closed");
    open_view(&db, true);
    assert_eq!(seen(&mut mel, "crm.lead"), ALL);
    accepted(&mut mel, "SET leadguard.view_mode = 'personal'");
    assert_eq!(seen(&mut mel, "crm.lead"), "1 3 5");
    assert_eq!(rights(&mut mel, "crm.lead", "2"), "-----");
    accepted(&mut mel, "RESET leadguard.view_mode");
    assert_eq!(seen(&mut mel, "crm.lead"), ALL);
    let mut owen = db.connect("owen");
    accepted(&mut owen, "SET leadguard.view_mode = 'personal'");
    assert_eq!(seen(&mut owen, "crm.lead"), "4");
    assert_eq!(seen(&mut owen, "crm.campaign"), "4");
    accepted(&mut owen, "BEGIN; SET LOCAL leadguard.view_mode = 'organization'");
    assert_eq!(seen(&mut owen, "crm.lead"), ALL);
    accepted(&mut owen, "ROLLBACK");
    assert_eq!(seen(&mut owen, "crm.lead"), "4");
    refused(&mut owen, "SET leadguard.view_mode = 'everything'", "22023");
}

#[test]
fn p09_filter_by_creator() {
    let db = organization("p09");
    let filter = "SELECT id FROM crm.lead WHERE creator_id = (SELECT id FROM leadguard.member WHERE key = 'mia')";
    assert_eq!(ids(&mut db.connect("owen"), filter), set("2 6"));
    assert_eq!(ids(&mut db.connect("mel"), filter), set(""), "the view is closed");
    open_view(&db, true);
    assert_eq!(ids(&mut db.connect("mel"), filter), set("2 6"));
}

#[test]
fn p10_every_role_creates_every_object() {
    let db = organization("p10");
    for who in ["owen", "adam", "mel", "mia", "nob"] {
        let mut c = db.connect(who);
        for object in OBJECTS {
            assert_eq!(creates(&mut c, object), who != "nob", "{who} {object}");
        }
    }
}

#[test]
fn p11_own_data_is_edited_and_deleted_without_restriction() {
    let db = organization("p11");
    let mut mel = db.connect("mel");
    for object in ["crm.lead", "crm.deal", "crm.segment"] {
        assert_eq!(
            accepted(
                &mut mel,
                &format!("UPDATE {object} SET name = 'x', stage = 'y', status = 'z' WHERE id IN (1, 5)")
            ),
            2
        );
        assert_eq!(accepted(&mut mel, &format!("DELETE FROM {object} WHERE id IN (1, 5)")), 2);
        assert_eq!(seen(&mut mel, object), "3", "{object}");
    }
}

#[test]
fn p12_campaigns_are_edited_only_while_their_status_allows() {
    let db = organization("p12");
    let edit = |id: u8| format!("UPDATE crm.campaign SET name = 'x' WHERE id = {id}");
    for (who, id, answer) in [
        ("mel", 1, "1"),
        ("mel", 5, "42501"),
        ("mel", 2, "0"),
        ("owen", 2, "1"),
        ("owen", 6, "42501"),
        ("adam", 2, "1"),
        ("adam", 6, "42501"),
    ] {
        assert_eq!(attempt(&mut db.connect(who), &edit(id)), answer, "{who} {id}");
    }
    open_view(&db, true);
    assert_eq!(attempt(&mut db.connect("mel"), &edit(2)), "42501", "others' campaigns never, whatever their status");
    for status in ["draft", "scheduled", "paused", "active", "completed", "Draft", ""] {
        accepted(&mut db.admin(), &format!("UPDATE crm.campaign SET status = '{status}' WHERE id = 1"));
        let answer = if ["draft", "scheduled", "paused"].contains(&status) { "1" } else { "42501" };
        assert_eq!(attempt(&mut db.connect("mel"), &edit(1)), answer, "{status}");
    }
    accepted(&mut db.admin(), "UPDATE crm.campaign SET status = NULL WHERE id = 1");
    assert_eq!(attempt(&mut db.connect("mel"), &edit(1)), "42501", "no status is none of them");
}

// The status before the change decides: nobody opens a closed campaign by writing the status, and whoever may edit a draft may send it.
#[test]
fn p12_the_status_before_the_change_decides() {
    let db = organization("p12_before");
    let mut mel = db.connect("mel");
    for sql in [
        "UPDATE crm.campaign SET status = 'draft' WHERE id = 5",
        "UPDATE crm.campaign SET status = 'draft', name = 'x' WHERE id = 5",
        "INSERT INTO crm.campaign (id, name) VALUES (5, 'x') ON CONFLICT (id) DO UPDATE SET status = 'draft'",
        "MERGE INTO crm.campaign c USING (VALUES (5)) v (id) ON c.id = v.id WHEN MATCHED THEN UPDATE SET status = 'draft'",
        "WITH a AS (UPDATE crm.campaign SET status = 'draft' WHERE id = 5 RETURNING id) UPDATE crm.campaign SET name = 'x' WHERE id = 5",
    ] {
        assert_eq!(attempt(&mut mel, sql), "42501", "{sql}");
    }
    assert_eq!(accepted(&mut mel, "UPDATE crm.campaign SET status = 'sent' WHERE id = 1"), 1);
    assert_eq!(
        attempt(&mut mel, "UPDATE crm.campaign SET status = 'draft' WHERE id = 1"),
        "42501",
        "and now it is sent"
    );
}

#[test]
fn p13_campaigns_are_deleted_by_their_owner_or_by_admins() {
    let db = organization("p13");
    open_view(&db, true);
    let delete = |id: u8| format!("DELETE FROM crm.campaign WHERE id = {id}");
    for (who, id, answer) in
        [("mel", 1, "1"), ("mel", 5, "1"), ("mel", 2, "42501"), ("mel", 6, "42501"), ("owen", 2, "1"), ("adam", 6, "1")]
    {
        assert_eq!(attempt(&mut db.connect(who), &delete(id)), answer, "{who} {id}");
    }
}

#[test]
fn p14_leads_are_viewed_by_owner_and_admins_and_by_members_if_enabled() {
    let db = organization("p14");
    assert_eq!(seen(&mut db.connect("mia"), "crm.lead"), "2 3 6");
    open_view(&db, true);
    assert_eq!(seen(&mut db.connect("mia"), "crm.lead"), ALL);
}

#[test]
fn p15_any_member_edits_any_lead_that_he_views() {
    let db = organization("p15");
    let mut mel = db.connect("mel");
    let edit = "UPDATE crm.lead SET name = 'x' WHERE id IN (2, 4, 6)";
    assert_eq!(attempt(&mut mel, edit), "0", "PostgreSQL shows what it updates: closed view, no edit (x5)");
    open_view(&db, true);
    assert_eq!(attempt(&mut mel, edit), "3");
    assert_eq!(
        attempt(&mut mel, "UPDATE crm.lead SET owner_id = leadguard.current_member() WHERE id = 2"),
        "42501",
        "editing is not taking"
    );
    assert_eq!(attempt(&mut db.connect("nob"), edit), "42501", "no Member by role");
}

#[test]
fn p16_leads_are_deleted_by_owner_creator_and_admins() {
    let db = organization("p16");
    open_view(&db, true);
    let delete = |id: u8| format!("DELETE FROM crm.lead WHERE id = {id}");
    for (who, id, answer) in [
        ("mel", 1, "1"),
        ("mel", 3, "1"),
        ("mel", 2, "42501"),
        ("mel", 4, "42501"),
        ("mia", 3, "1"),
        ("mia", 1, "42501"),
        ("owen", 1, "1"),
        ("adam", 4, "1"),
    ] {
        assert_eq!(attempt(&mut db.connect(who), &delete(id)), answer, "{who} {id}");
    }
    // Nobody becomes the creator afterwards.
    assert_eq!(
        attempt(&mut db.connect("mel"), "UPDATE crm.lead SET creator_id = leadguard.current_member() WHERE id = 2"),
        "42501"
    );
}

#[test]
fn p17_p18_deals_and_segments_of_others_are_for_admins_only() {
    let db = organization("p17");
    open_view(&db, true);
    for object in ["crm.deal", "crm.segment"] {
        for (who, id, found) in [
            ("mel", "1", "ruasm"),
            ("mel", "2", "r----"),
            ("mel", "4", "r----"),
            ("owen", "2", "ruasm"),
            ("adam", "4", "ruasm"),
        ] {
            assert_eq!(rights(&mut db.connect(who), object, id), found, "{object} {who} {id}");
        }
    }
}

#[test]
fn p25_nothing_crosses_organizations() {
    let db = organization("p25");
    people(&db, "xena Owner, xaver Member");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "INSERT INTO leadguard.organization (key, organization_view) VALUES ('other', true);
         UPDATE leadguard.member SET org_id = (SELECT id FROM leadguard.organization WHERE key = 'other') WHERE key IN ('xena', 'xaver');
         CREATE TABLE crm.task (id int PRIMARY KEY, org_id bigint, owner_id bigint, name text);
         INSERT INTO crm.task SELECT row_number() OVER (ORDER BY id), org_id, id, key FROM leadguard.member WHERE key IN ('owen', 'mel', 'xena', 'xaver');
         SELECT leadguard.protect('crm.task', preset => 'organization', id => 'id', owner => 'owner_id', organization => 'org_id', object => 'lead')",
    );
    for (who, found) in [("owen", "1 2"), ("adam", "1 2"), ("mel", "2"), ("xena", "3 4"), ("xaver", "3 4"), ("nob", "")]
    {
        assert_eq!(
            seen(&mut db.connect(who), "crm.task"),
            found,
            "{who}: the view is open in the other organization only"
        );
    }
    let mut xena = db.connect("xena");
    for object in OBJECTS {
        assert_eq!(seen(&mut xena, object), "", "{object} belongs to the first organization");
        assert!(!creates(&mut xena, object));
    }
    for sql in [
        "SELECT leadguard.set_switch('crm.task', 'visibility', 'all', 'Member')",
        "SELECT leadguard.set_switch('crm.lead', 'visibility', 'all', 'Member')",
    ] {
        assert_eq!(attempt(&mut xena, sql), "42501", "a table that is not her organization's alone: {sql}");
    }
    assert_eq!(attempt(&mut xena, "UPDATE crm.task SET org_id = 1"), "42501");
    assert_eq!(attempt(&mut xena, "UPDATE crm.task SET name = 'x'"), "2");
}
