//! Who it was: session role, outer role, member.

use crate::{audited, mark, sound};
use leadguard_tests::*;

// Attack template 51: one login for everybody; the audit names the member.
#[test]
fn k58_two_members_over_one_connection_are_told_apart() {
    let db = audited("au_pooled");
    let mut admin = db.admin();
    let app = db.create_role("app");
    accepted(&mut admin, &format!("SELECT leadguard.connector('{app}', 'trusted')"));
    let anton = member(&mut admin, "anton");
    let start = mark(&mut admin);
    let mut pool = db.connect("app");
    for (who, id) in [("alice", 1), ("mona", 2), ("alice", 3)] {
        let share =
            format!("BEGIN; SELECT leadguard.act_as('{who}'); SELECT leadguard.share('crm.lead', '{id}', 'carl')");
        accepted(&mut pool, &share);
        accepted(&mut pool, "COMMIT");
    }
    accepted(
        &mut pool,
        &format!("BEGIN; SELECT leadguard.act_as('mona'); UPDATE crm.lead SET owner_id = {anton} WHERE id = 4; COMMIT"),
    );
    let who = format!("SELECT session_role = '{app}', outer_role = '{app}', member_key, member_id = (SELECT id FROM leadguard.member m WHERE m.key = member_key), record
                       FROM leadguard.audit_log WHERE id > {start} ORDER BY id");
    assert_eq!(
        rows(&mut admin, &who),
        [
            ["t", "t", "alice", "t", "1"],
            ["t", "t", "mona", "t", "2"],
            ["t", "t", "alice", "t", "3"],
            ["t", "t", "mona", "t", "4"]
        ]
    );
    sound(&mut admin);
}

#[test]
fn k58_set_role_and_definer_functions_hide_nobody() {
    let db = audited("au_outer");
    let mut admin = db.admin();
    let group = db.create_role("sales");
    let mona = db.role("mona");
    accepted(
        &mut admin,
        &format!(
            "GRANT {group} TO {mona}; GRANT USAGE ON SCHEMA crm, leadguard TO {group}; GRANT SELECT, UPDATE ON crm.lead TO {group};
             CREATE FUNCTION crm.move(bigint, bigint) RETURNS void LANGUAGE sql SECURITY DEFINER AS 'UPDATE crm.lead SET owner_id = $2 WHERE id = $1';
             GRANT EXECUTE ON FUNCTION crm.move TO PUBLIC"
        ),
    );
    let anton = member(&mut admin, "anton");
    let start = mark(&mut admin);
    let mut session = db.connect("mona");
    accepted(
        &mut session,
        &format!("SET ROLE {group}; UPDATE crm.lead SET owner_id = {anton} WHERE id = 1; RESET ROLE"),
    );
    accepted(&mut session, &format!("SELECT crm.move(2, {anton})"));
    let who = format!(
        "SELECT session_role, outer_role, member_key, record FROM leadguard.audit_log WHERE id > {start} ORDER BY id"
    );
    assert_eq!(rows(&mut admin, &who), [[mona.as_str(), &group, "mona", "1"], [mona.as_str(), &mona, "mona", "2"]]);
}

#[test]
fn an_owner_without_force_is_written_down_as_a_role() {
    let db = audited("au_owner");
    let mut admin = db.admin();
    let owner = db.create_role("migrator");
    accepted(
        &mut admin,
        &format!(
            "GRANT USAGE, CREATE ON SCHEMA crm TO {owner}; GRANT USAGE ON SCHEMA leadguard TO {owner};
             CREATE TABLE crm.deal (id bigint PRIMARY KEY, owner_id bigint, name text); ALTER TABLE crm.deal OWNER TO {owner};
             SELECT leadguard.protect('crm.deal', owner => 'owner_id', force => false)"
        ),
    );
    let start = mark(&mut admin);
    accepted(&mut db.connect("migrator"), "INSERT INTO crm.deal VALUES (1, NULL, 'a'); UPDATE crm.deal SET name = 'b'");
    let who = format!(
        "SELECT session_role, coalesce(member_key, '-'), action FROM leadguard.audit_log WHERE id > {start} ORDER BY id"
    );
    assert_eq!(rows(&mut admin, &who), [[owner.as_str(), "-", "create"], [owner.as_str(), "-", "update"]]);
}

// What access follows from: who changed it, by whom he was commanded and is.
#[test]
fn d26_changes_of_the_directory_are_in_the_audit() {
    let db = audited("au_directory");
    let mut admin = db.admin();
    let start = mark(&mut admin);
    let said = |admin: &mut Client| {
        rows(
            admin,
            &format!(
                "SELECT coalesce(member_key, '-') || ' ' || detail FROM leadguard.audit_log
                 WHERE action = 'directory' AND id > {start} ORDER BY at, id"
            ),
        )
        .into_iter()
        .map(|row| row[0].clone())
        .collect::<Vec<_>>()
    };
    let mut chief = db.connect("admin");
    accepted(&mut chief, "UPDATE leadguard.member SET manager_id = NULL WHERE key = 'carl'");
    accepted(&mut chief, "UPDATE leadguard.member SET name = 'Carl C.' WHERE key = 'carl'");
    accepted(&mut chief, "BEGIN; UPDATE leadguard.member SET active = false WHERE key = 'carl'; ROLLBACK");
    accepted(&mut admin, "UPDATE leadguard.territory SET owner_id = NULL WHERE key = 'amer'");
    accepted(
        &mut chief,
        "INSERT INTO leadguard.territory_member SELECT t.id, m.id FROM leadguard.territory t, leadguard.member m
         WHERE t.key = 'emea' AND m.key IN ('carl', 'bea')",
    );
    assert_eq!(
        said(&mut admin),
        [
            "admin member carl: manager bob -> nobody",
            "- territory amer: owner amy -> nobody",
            "admin territory emea: member bea; territory emea: member carl",
        ]
    );
    // A load is one row, which says how many.
    accepted(
        &mut admin,
        "INSERT INTO leadguard.member (key) SELECT 'many' || n FROM generate_series(1, 1500) n;
         UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = 'ceo') WHERE key LIKE 'many%'",
    );
    assert_eq!(said(&mut admin).last().map(String::as_str), Some("- update of 1500 rows of member"));
    sound(&mut admin);
}
