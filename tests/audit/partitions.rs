//! Partitions of protected tables, and those of the audit itself.

use crate::{audited, audited_by_months, mark, sound, trail};
use leadguard_tests::*;

fn deals(db: &Db) {
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "CREATE TABLE crm.deal (id bigint, owner_id bigint, stage text, name text, PRIMARY KEY (id, stage)) PARTITION BY LIST (stage);
         CREATE TABLE crm.deal_open PARTITION OF crm.deal FOR VALUES IN ('open');
         CREATE TABLE crm.deal_won (name text, stage text NOT NULL, gone text, owner_id bigint, id bigint NOT NULL);
         ALTER TABLE crm.deal_won DROP COLUMN gone;
         ALTER TABLE crm.deal ATTACH PARTITION crm.deal_won FOR VALUES IN ('won');
         SELECT leadguard.protect('crm.deal', id => 'id', owner => 'owner_id');
         INSERT INTO crm.deal SELECT g, m.id, 'open', 'd' || g FROM generate_series(1, 9) AS g, leadguard.member AS m WHERE m.key = 'alice'",
    );
}

// A row that moves is one change, and no deletion.
#[test]
fn k53_a_partition_move_is_one_update() {
    let db = audited("au_move");
    deals(&db);
    let mut admin = db.admin();
    let start = mark(&mut admin);
    accepted(&mut admin, "UPDATE crm.deal SET stage = 'won' WHERE id IN (1, 2)");
    accepted(&mut admin, "UPDATE crm.deal SET stage = 'open', name = 'back' WHERE id = 2");
    accepted(&mut admin, "UPDATE crm.deal_open SET name = 'leaf' WHERE id = 3");
    accepted(&mut admin, "INSERT INTO crm.deal_won (id, stage) VALUES (20, 'won')");
    accepted(&mut admin, "DELETE FROM crm.deal WHERE id = 20");
    assert_eq!(
        trail(&mut admin, &start),
        [
            "- update 1 stage",
            "- update 2 stage",
            "- update 2 name,stage",
            "- update 3 name",
            "- create 20 id,stage",
            "- delete 20 id,stage"
        ]
    );
    let values = "SELECT \"values\" -> 'stage' ->> 'old', \"values\" -> 'stage' ->> 'new' FROM leadguard.audit_value WHERE record = '1' ORDER BY audit_id DESC LIMIT 1";
    assert_eq!(rows(&mut admin, values), [["open", "won"]]);
    sound(&mut admin);
}

#[test]
fn k53_a_member_who_moves_a_row_and_hands_it_over_leaves_one_row() {
    let db = audited("au_move_member");
    deals(&db);
    let mut admin = db.admin();
    let anton = member(&mut admin, "anton");
    let start = mark(&mut admin);
    let mut mona = db.connect("mona");
    accepted(&mut mona, "UPDATE crm.deal SET stage = 'won' WHERE id = 1");
    accepted(&mut mona, &format!("UPDATE crm.deal SET stage = 'won', owner_id = {anton} WHERE id IN (2, 3)"));
    assert_eq!(trail(&mut admin, &start), ["mona reassign 2 owner_id", "mona reassign 3 owner_id"]);
    accepted(
        &mut mona,
        &format!("BEGIN; UPDATE crm.deal SET stage = 'won', owner_id = {anton} WHERE id = 4; ROLLBACK"),
    );
    assert_eq!(trail(&mut admin, &start).len(), 2);
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.deal"), "9");
}

#[test]
fn partitions_of_later_are_audited() {
    let db = audited("au_later");
    deals(&db);
    let mut admin = db.admin();
    accepted(&mut admin, "CREATE TABLE crm.deal_lost PARTITION OF crm.deal FOR VALUES IN ('lost')");
    let start = mark(&mut admin);
    accepted(&mut admin, "UPDATE crm.deal SET stage = 'lost' WHERE id = 1");
    accepted(&mut admin, "UPDATE crm.deal_lost SET name = 'x'");
    assert_eq!(trail(&mut admin, &start), ["- update 1 stage", "- update 1 name"]);
}

#[test]
fn the_log_gets_months_of_its_own() {
    let db = audited_by_months("au_months", 3);
    let mut admin = db.admin();
    assert_eq!(rows(&mut admin, "SELECT made FROM leadguard.audit_partitions(2)"), [["f"], ["f"], ["f"]]);
    accepted(&mut admin, "UPDATE crm.lead SET name = 'x' WHERE id = 1");
    let of = "SELECT DISTINCT tableoid::regclass = ('leadguard.audit_log_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM'))::regclass FROM leadguard.audit_entry";
    assert_eq!(scalar(&mut admin, of), "t");
    let month = scalar(&mut admin, "SELECT 'leadguard.audit_log_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')");
    for sql in ["DELETE FROM", "TRUNCATE", "UPDATE"] {
        let tail = if sql == "UPDATE" { " SET at = at" } else { "" };
        refused(&mut admin, &format!("{sql} {month}{tail}"), "42501");
    }
    refused(&mut db.connect("tina"), &format!("SELECT * FROM {month}"), "42501");
    let count = "SELECT count(*) FROM leadguard.audit_log WHERE action NOT LIKE 'role_%' AND action NOT IN ('directory', 'admin_made')";
    assert_eq!(scalar(&mut db.connect("tina"), count), "2");
    refused(&mut admin, "SELECT leadguard.audit_partitions(-1)", "22023");
    sound(&mut admin);
}

// Rows cannot move out of the default partition; their month stays there.
#[test]
fn a_month_that_has_begun_in_the_default_partition_stays_there() {
    let db = audited("au_begun");
    let mut admin = db.admin();
    accepted(&mut admin, "UPDATE crm.lead SET name = 'x' WHERE id = 1");
    assert_eq!(rows(&mut admin, "SELECT made FROM leadguard.audit_partitions(1)"), [["f"], ["t"]]);
    accepted(&mut admin, "UPDATE crm.lead SET name = 'y' WHERE id = 1");
    sound(&mut admin);
}
