//! Ways around the counter.

use crate::lab::{lab, log, needs_approval, update};
use leadguard_tests::{accepted, refused, scalar};

#[test]
fn k31_what_is_rolled_back_still_counts() {
    let db = lab("rollback");
    let mut cleo = db.connect("cleo");
    accepted(&mut cleo, "BEGIN");
    for _ in 0..2 {
        accepted(&mut cleo, "SAVEPOINT a");
        accepted(&mut cleo, &update(50));
        accepted(&mut cleo, "ROLLBACK TO a");
    }
    needs_approval(&mut cleo, "UPDATE crm.lead SET name = 'x' WHERE id = 1");
    accepted(&mut cleo, "ROLLBACK");
    let caught = "DO $$ BEGIN
        FOR i IN 1 .. 3 LOOP
            BEGIN
                UPDATE crm.lead SET name = 'x' WHERE id <= 40;
                RAISE EXCEPTION 'again';
            EXCEPTION WHEN raise_exception THEN NULL;
            END;
        END LOOP; END $$";
    needs_approval(&mut cleo, caught);
}

#[test]
fn k31_a_caught_refusal_lets_nothing_through() {
    let db = lab("caught");
    let mut cleo = db.connect("cleo");
    accepted(
        &mut cleo,
        "DO $$ BEGIN
            FOR i IN 1 .. 300 LOOP
                BEGIN
                    UPDATE crm.lead SET name = 'x' WHERE id = i;
                EXCEPTION WHEN OTHERS THEN NULL;
                END;
            END LOOP; END $$",
    );
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm.lead WHERE name = 'x'"), "100");
    assert_eq!(log(&db), ["cleo update 100"]);
}

#[test]
fn k31_members_behind_one_login_are_counted_apart_and_each_is_held() {
    let db = lab("connector");
    let login = db.create_role("app");
    accepted(&mut db.admin(), &format!("SELECT leadguard.connector('{login}', 'trusted')"));
    let mut app = db.connect("app");
    accepted(&mut app, "BEGIN; SELECT leadguard.act_as('cleo')");
    accepted(&mut app, &update(100));
    needs_approval(&mut app, "UPDATE crm.lead SET name = 'x' WHERE id = 1");
    accepted(&mut app, "ROLLBACK");
    accepted(&mut app, "BEGIN; SAVEPOINT a; SELECT leadguard.act_as('cleo')");
    accepted(&mut app, &update(100));
    accepted(&mut app, "ROLLBACK TO a; SELECT leadguard.act_as('cleo')");
    needs_approval(&mut app, "UPDATE crm.lead SET name = 'x' WHERE id = 1");
    accepted(&mut app, "ROLLBACK");
}

#[test]
fn k31_settings_and_replication_roles_change_nothing() {
    let db = lab("settings");
    let mut cleo = db.connect("cleo");
    refused(&mut cleo, "SET session_replication_role = replica", "42501");
    accepted(&mut cleo, "SET leadguard.cache_size = 0");
    needs_approval(&mut cleo, &update(101));
    accepted(&mut cleo, "DISCARD ALL");
    needs_approval(&mut cleo, &update(101));
    accepted(&mut cleo, "PREPARE many AS UPDATE crm.lead SET name = 'x' WHERE id <= $1");
    accepted(&mut cleo, "EXECUTE many (100)");
    needs_approval(&mut cleo, "EXECUTE many (101)");
    accepted(&mut cleo, "BEGIN");
    accepted(&mut cleo, "EXECUTE many (100)");
    accepted(&mut cleo, "DISCARD PLANS; DISCARD TEMP; DISCARD SEQUENCES");
    needs_approval(&mut cleo, "EXECUTE many (1)");
    accepted(&mut cleo, "ROLLBACK");
}

#[test]
fn k31_writes_of_foreign_keys_and_triggers_count() {
    let db = lab("cascades");
    accepted(
        &mut db.admin(),
        "CREATE TABLE crm.account (id bigint PRIMARY KEY, owner_id bigint, creator_id bigint);
         ALTER TABLE crm.lead ADD account_id bigint REFERENCES crm.account ON UPDATE CASCADE;
         INSERT INTO crm.account SELECT 1, id, id FROM leadguard.member WHERE key = 'cleo';
         SELECT leadguard.set_switch('crm.lead', 'batch_update', 'none');
         UPDATE crm.lead SET account_id = 1 WHERE id <= 150;
         SELECT leadguard.reset_switch('crm.lead', 'batch_update');
         CREATE FUNCTION crm.touch() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN UPDATE crm.lead SET name = 'touched' WHERE id <= new.id; RETURN NULL; END $$;
         CREATE TABLE crm.touch (id bigint);
         CREATE TRIGGER touch AFTER INSERT ON crm.touch FOR EACH ROW EXECUTE FUNCTION crm.touch();",
    );
    accepted(
        &mut db.admin(),
        &format!("GRANT SELECT, UPDATE ON crm.account TO {0}; GRANT INSERT ON crm.touch TO {0}", db.role("cleo")),
    );
    let mut cleo = db.connect("cleo");
    needs_approval(&mut cleo, "UPDATE crm.account SET id = 2");
    accepted(&mut cleo, "INSERT INTO crm.touch VALUES (100)");
    needs_approval(&mut cleo, "INSERT INTO crm.touch VALUES (101)");
}
