//! A change and its row commit or vanish together.

use crate::{audited, mark, sound, trail};
use leadguard_tests::*;

// Attack template 49: what is rolled back leaves nothing in the table, and nothing stays of others.
#[test]
fn k53_rollback_takes_the_rows_along() {
    let db = audited("au_rollback");
    let mut admin = db.admin();
    let start = mark(&mut admin);
    let mut mona = db.connect("mona");
    let carl = member(&mut admin, "anton");
    let to = |id: i64| format!("UPDATE crm.lead SET owner_id = {carl} WHERE id = {id}");
    accepted(&mut mona, &format!("BEGIN; {}; ROLLBACK", to(1)));
    assert_eq!(trail(&mut admin, &start), Vec::<String>::new());
    accepted(
        &mut mona,
        &format!("BEGIN; {}; SAVEPOINT s; {}; ROLLBACK TO s; {}; RELEASE s; COMMIT", to(1), to(2), to(3)),
    );
    assert_eq!(trail(&mut admin, &start), ["mona reassign 1 owner_id", "mona reassign 3 owner_id"]);
    sound(&mut admin);
}

#[test]
fn blocks_with_exceptions_keep_what_they_keep() {
    let db = audited("au_blocks");
    let mut admin = db.admin();
    let start = mark(&mut admin);
    accepted(
        &mut admin,
        "DO $$ BEGIN
             UPDATE crm.lead SET name = 'a' WHERE id = 1;
             BEGIN UPDATE crm.lead SET name = 'b' WHERE id = 2; RAISE no_data_found; EXCEPTION WHEN no_data_found THEN NULL; END;
             BEGIN UPDATE crm.lead SET name = 'c' WHERE id = 3; EXCEPTION WHEN no_data_found THEN NULL; END;
         END $$",
    );
    assert_eq!(trail(&mut admin, &start), ["- update 1 name", "- update 3 name"]);
    assert_eq!(ids(&mut admin, "SELECT id FROM crm.lead WHERE name IN ('a', 'b', 'c')"), set("1 3"));
}

// A trigger of others that writes a protected table in a block which fails must not take along what the outer
// statement had noted by then.
#[test]
fn a_failing_block_inside_a_trigger_loses_nothing_of_the_statement_around() {
    let db = audited("au_nested");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "CREATE TABLE crm.other (id bigint PRIMARY KEY, owner_id bigint, name text);
         INSERT INTO crm.other VALUES (1, NULL, 'o');
         SELECT leadguard.protect('crm.other', owner => 'owner_id');
         CREATE FUNCTION crm.try() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             BEGIN
                 UPDATE crm.other SET name = new.name WHERE id = 1;
                 IF new.id <> 2 THEN RAISE no_data_found; END IF;
             EXCEPTION WHEN no_data_found THEN NULL; END;
             RETURN NULL;
         END $$;
         CREATE TRIGGER z_try AFTER UPDATE ON crm.lead FOR EACH ROW EXECUTE FUNCTION crm.try()",
    );
    let start = mark(&mut admin);
    accepted(&mut admin, "UPDATE crm.lead SET name = 'n' || id WHERE id IN (1, 2, 3)");
    let mut found = trail(&mut admin, &start);
    found.sort();
    assert_eq!(found, ["- update 1 name", "- update 1 name", "- update 2 name", "- update 3 name"]);
    assert_eq!(scalar(&mut admin, "SELECT name FROM crm.other"), "n2");
    sound(&mut admin);
}

#[test]
fn rows_of_other_triggers_leave_theirs() {
    let db = audited("au_chain");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "CREATE FUNCTION crm.again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF TG_WHEN = 'BEFORE' THEN new.email := 'set'; RETURN new; END IF;
             IF new.amount > 0 THEN UPDATE crm.lead SET amount = -1 WHERE id = new.id; END IF;
             RETURN NULL;
         END $$;
         CREATE TRIGGER z_before BEFORE UPDATE ON crm.lead FOR EACH ROW EXECUTE FUNCTION crm.again();
         CREATE TRIGGER z_after AFTER UPDATE ON crm.lead FOR EACH ROW EXECUTE FUNCTION crm.again()",
    );
    let start = mark(&mut admin);
    accepted(&mut admin, "UPDATE crm.lead SET name = 'x' WHERE id = 1");
    let mut found = trail(&mut admin, &start);
    found.sort();
    assert_eq!(found, ["- update 1 amount", "- update 1 email,name"]);
}

// Tables of 0.2.0 have no trigger that writes at the end of a statement, and an apply worker runs none: the commit does.
#[test]
fn without_the_trigger_the_commit_writes() {
    let db = audited("au_commit");
    let mut admin = db.admin();
    accepted(&mut admin, "DROP TRIGGER leadguard_99_written ON crm.lead");
    let start = mark(&mut admin);
    accepted(&mut admin, "UPDATE crm.lead SET name = 'x' WHERE id < 4");
    assert_eq!(trail(&mut admin, &start).len(), 3);
    accepted(&mut admin, "BEGIN; UPDATE crm.lead SET name = 'y' WHERE id < 4; ROLLBACK");
    accepted(&mut admin, "BEGIN; SAVEPOINT s; UPDATE crm.lead SET name = 'y' WHERE id = 4; ROLLBACK TO s; COMMIT");
    assert_eq!(trail(&mut admin, &start).len(), 3);
    accepted(&mut admin, "BEGIN; UPDATE crm.lead SET name = 'z' WHERE id = 4; PREPARE TRANSACTION 'au_commit'");
    accepted(&mut admin, "COMMIT PREPARED 'au_commit'");
    assert_eq!(trail(&mut admin, &start).len(), 4);
    sound(&mut admin);
}

// Attack template 25.
#[test]
fn replica_mode_is_audited() {
    let db = audited("au_replica");
    let mut admin = db.admin();
    let start = mark(&mut admin);
    accepted(&mut admin, "SET session_replication_role = replica; UPDATE crm.lead SET name = 'x' WHERE id = 1");
    assert_eq!(trail(&mut admin, &start), ["- update 1 name"]);
    refused(&mut admin, "DELETE FROM leadguard.audit_entry", "42501");
    refused(&mut admin, "TRUNCATE leadguard.audit_entry", "42501");
}

// What 0.2.0 put on a table: no trigger after DELETE, none at the end of a statement.
#[test]
fn tables_of_the_version_before_are_audited() {
    let db = audited("au_shape");
    let mut admin = db.admin();
    // Such tables have no archive.
    accepted(
        &mut admin,
        "SELECT leadguard.unprotect('crm.lead'); SELECT leadguard.protect('crm.lead', owner => 'owner_id')",
    );
    accepted(
        &mut admin,
        "DROP TRIGGER leadguard_99_written ON crm.lead; DROP TRIGGER leadguard_99_stored ON crm.lead;
         CREATE TRIGGER leadguard_99_stored AFTER INSERT OR UPDATE ON crm.lead FOR EACH ROW EXECUTE FUNCTION leadguard.guard_stored();
         UPDATE leadguard.protected_table SET shape = 1",
    );
    let start = mark(&mut admin);
    accepted(&mut admin, "UPDATE crm.lead SET name = 'x' WHERE id = 1; DELETE FROM crm.lead WHERE id = 13");
    assert_eq!(trail(&mut admin, &start), ["- update 1 name", "- delete 13 amount,email,id,name"]);
    sound(&mut admin);
}
