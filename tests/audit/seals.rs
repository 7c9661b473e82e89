//! A missing or inserted row is found, and nobody waits for the sealing.

use crate::{audited, sound};
use leadguard_tests::*;
use std::sync::atomic::{AtomicBool, Ordering};

/// Seals, and says how many rows that were.
#[track_caller]
pub fn seal(client: &mut Client) -> u64 {
    let made = rows(client, "SELECT \"rows\" FROM leadguard.seal_audit()");
    assert!(made.len() < 2, "{made:?}");
    made.first().map_or(0, |row| row[0].parse().unwrap())
}

/// What verify_audit says: problem, seal, and whether it names a row.
#[track_caller]
pub fn problems(client: &mut Client) -> Vec<String> {
    let text = "SELECT DISTINCT concat_ws(' ', problem, seal, CASE WHEN audit_id IS NOT NULL THEN '#' END) FROM leadguard.verify_audit() ORDER BY 1";
    rows(client, text).iter().map(|row| row[0].clone()).collect()
}

#[track_caller]
pub fn holds(client: &mut Client) {
    assert_eq!(problems(client), Vec::<String>::new());
    sound(client);
}

#[track_caller]
fn change(client: &mut Client, id: u32, name: &str) {
    let changed = accepted(client, &format!("UPDATE crm.lead SET name = '{name}' WHERE id = {id}"));
    assert_eq!(changed, 1);
}

/// Three seals, with three rows each after the first.
pub fn sealed(name: &str) -> Db {
    let db = audited(name);
    let mut admin = db.admin();
    assert!(seal(&mut admin) > 0);
    for number in 0..2 {
        accepted(&mut admin, &format!("UPDATE crm.lead SET name = 's{number}' WHERE id IN (1, 2, 3)"));
        assert_eq!(seal(&mut admin), 3);
    }
    holds(&mut admin);
    db
}

/// What is found after somebody has gone round the triggers, which is then taken back.
#[track_caller]
fn after(admin: &mut Client, sql: &str) -> Vec<String> {
    accepted(admin, &format!("BEGIN; SET LOCAL row_security = off; {OPEN} {sql}"));
    let found = problems(admin);
    accepted(admin, "ROLLBACK");
    found
}

/// What somebody who owns the server can do.
pub const OPEN: &str =
    "ALTER TABLE leadguard.audit_log_default DISABLE TRIGGER ALL; ALTER TABLE leadguard.audit_entry DISABLE TRIGGER ALL;
    ALTER TABLE leadguard.audit_entry_value DISABLE TRIGGER ALL; ALTER TABLE leadguard.audit_seal DISABLE TRIGGER ALL;";

const NOT_SEALED: &str = "the row was not there when it should have been sealed";

#[test]
fn k48_what_is_sealed_verifies() {
    let db = audited("au_seal");
    let mut admin = db.admin();
    let before: u64 = scalar(&mut admin, "SELECT count(*) FROM leadguard.audit_log").parse().unwrap();
    assert_eq!(seal(&mut admin), before);
    assert_eq!(seal(&mut admin), 0, "there is nothing new");
    accepted(&mut admin, "UPDATE crm.lead SET name = 'x' || id");
    holds(&mut admin);
    let leads: u64 = scalar(&mut admin, "SELECT count(*) FROM crm.lead").parse().unwrap();
    let written = leads + 1; // the batch, too
    assert_eq!(seal(&mut admin), written);
    holds(&mut admin);
    let seals = "SELECT number, \"rows\", previous IS NULL FROM leadguard.audit_seal ORDER BY 1";
    let expected = [["1".into(), before.to_string(), "t".into()], ["2".into(), written.to_string(), "f".into()]];
    assert_eq!(rows(&mut admin, seals), expected);
}

#[test]
fn k48_a_changed_missing_or_inserted_row_is_found() {
    let db = sealed("au_seal_rows");
    let mut admin = db.admin();
    let last = "(SELECT max(id) FROM leadguard.audit_log_default)";
    let gone = format!(
        "DELETE FROM leadguard.audit_entry_value WHERE audit_id = {last}; DELETE FROM leadguard.audit_log_default WHERE id = {last}"
    );
    assert_eq!(after(&mut admin, &gone), ["the row is missing 3 #"]);
    let changed = format!("UPDATE leadguard.audit_log_default SET member_key = 'carl' WHERE id = {last}");
    assert_eq!(after(&mut admin, &changed), ["the row is not as it was written 3 #"]);
    // With a digest of another row: what the row says of itself is wrong, and what the seal says too.
    let mac = format!(
        "UPDATE leadguard.audit_log_default SET mac = (SELECT mac FROM leadguard.audit_log_default WHERE id = {last} - 1) WHERE id = {last}"
    );
    assert_eq!(
        after(&mut admin, &mac),
        ["the row is not as it was written 3 #", "the rows are not as they were sealed 3"]
    );
    let copy = |id: &str| {
        format!(
            "INSERT INTO leadguard.audit_entry SELECT {id}, at, transaction, session_role, outer_role, member_id, member_key, organization,
             target, target_name, record, action, reason, approval, detail, changes, false, mac FROM leadguard.audit_log WHERE id = {last}"
        )
    };
    let twice = ["the row is not as it was written 3 #".to_string(), format!("{NOT_SEALED} 3 #")];
    assert_eq!(after(&mut admin, &copy("-id")), twice);
    // Moved to another time, and so to another place.
    let moved = format!("UPDATE leadguard.audit_log_default SET transaction = '3' WHERE id = {last}");
    let expected = [
        "the row is missing 3 #".to_string(),
        "the row is not as it was written 1 #".into(),
        format!("{NOT_SEALED} 1 #"),
    ];
    assert_eq!(after(&mut admin, &moved), expected);
    let later = format!("UPDATE leadguard.audit_log_default SET transaction = '4000000000000' WHERE id = {last}");
    let expected = [
        "the row is missing 3 #",
        "the row is not as it was written #",
        "the row names a transaction that has not been #",
    ];
    assert_eq!(after(&mut admin, &later), expected);
    // All of a seal, and all of them.
    let (values, all) = ("DELETE FROM leadguard.audit_entry_value", "DELETE FROM leadguard.audit_log_default");
    assert_eq!(after(&mut admin, &format!("{values}; {all} WHERE id > {last} - 3")), ["the row is missing 3 #"]);
    assert_eq!(
        after(&mut admin, &format!("{values}; {all}")),
        ["the row is missing 1 #", "the row is missing 2 #", "the row is missing 3 #"]
    );
    assert_eq!(
        after(&mut admin, &format!("{gone}; SELECT 1")),
        ["the row is missing 3 #"],
        "which row: {:?}",
        rows(&mut admin, "SELECT * FROM leadguard.verify_audit()")
    );
    // What nobody has sealed may be forged only with the key: that shows as ever.
    change(&mut admin, 4, "open");
    assert_eq!(
        after(
            &mut admin,
            "UPDATE leadguard.audit_log_default SET action = 'x' WHERE record = '4' AND action = 'update'"
        ),
        ["the row is not as it was written #"]
    );
    holds(&mut admin);
}

#[test]
fn k48_a_seal_that_is_gone_or_changed_is_found() {
    let db = sealed("au_seal_seals");
    let mut admin = db.admin();
    let delete = |number: &str| format!("DELETE FROM leadguard.audit_seal WHERE number {number}");
    assert_eq!(after(&mut admin, &delete("= 1")), ["seals are missing 1"]);
    assert_eq!(after(&mut admin, &delete("= 2")), ["seals are missing 2"]);
    assert_eq!(after(&mut admin, &delete("= 3")), ["seals are missing 3"]);
    assert_eq!(after(&mut admin, &delete("> 0")), ["seals are missing 1"]);
    let changed = |set: &str| format!("UPDATE leadguard.audit_seal SET {set} WHERE number = 2");
    let expected = ["the seal is not as it was written 2"];
    for set in ["at = now()", "life = gen_random_uuid()", "\"rows\" = 4", "last_at = last_at + interval '1 second'"] {
        assert!(after(&mut admin, &changed(set)).contains(&expected[0].to_string()), "{set}");
    }
    assert!(after(&mut admin, &changed("parts = '{}'")).contains(&expected[0].to_string()));
    let mac = after(&mut admin, &changed("mac = '\\x00'"));
    assert_eq!(mac, ["the seal does not follow the one before 3", "the seal is not as it was written 2"]);
    // Gone with its rows, and the others moved up.
    let renumbered = "DELETE FROM leadguard.audit_seal WHERE number = 2; UPDATE leadguard.audit_seal SET number = 2 WHERE number = 3";
    assert!(after(&mut admin, renumbered).contains(&"the seal does not follow the one before 2".to_string()));
    holds(&mut admin);
    // A seal of later does not take the place of one that is gone.
    accepted(
        &mut admin,
        &format!(
            "SET row_security = off; {OPEN} DELETE FROM leadguard.audit_seal WHERE number = 3; RESET row_security"
        ),
    );
    change(&mut admin, 5, "later");
    assert_eq!(seal(&mut admin), 4);
    assert_eq!(problems(&mut admin), ["seals are missing 3"]);
}

// A transaction that began before a seal and commits after it.
#[test]
fn k48_a_long_transaction_is_neither_lost_nor_reported() {
    let db = sealed("au_seal_long");
    let mut admin = db.admin();
    let (mut long, mut other) = (db.admin(), db.admin());
    accepted(&mut long, "BEGIN");
    change(&mut long, 1, "long");
    accepted(&mut other, "BEGIN; UPDATE crm.lead SET name = 'prepared' WHERE id = 9; PREPARE TRANSACTION 'au_sealed'");
    for name in ["a", "b"] {
        change(&mut admin, 2, name);
        assert_eq!(seal(&mut admin), 1);
        holds(&mut admin);
    }
    change(&mut long, 3, "long");
    accepted(&mut long, "COMMIT");
    holds(&mut admin);
    assert_eq!(seal(&mut admin), 2);
    accepted(&mut other, "COMMIT PREPARED 'au_sealed'");
    change(&mut admin, 4, "later");
    assert_eq!(seal(&mut admin), 2);
    holds(&mut admin);
    // Rolled back, in part and whole.
    accepted(&mut long, "BEGIN; SAVEPOINT a");
    change(&mut long, 5, "x");
    accepted(&mut long, "ROLLBACK TO a");
    change(&mut long, 6, "y");
    assert_eq!(seal(&mut admin), 0);
    accepted(&mut long, "COMMIT; BEGIN");
    change(&mut long, 7, "z");
    accepted(&mut long, "ROLLBACK");
    assert_eq!(seal(&mut admin), 1);
    holds(&mut admin);
}

// Rows of the sealing transaction itself are for the next seal.
#[test]
fn k48_sealing_inside_of_a_transaction() {
    let db = sealed("au_seal_own");
    let mut admin = db.admin();
    for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        let mut own = db.admin();
        accepted(&mut own, &format!("BEGIN ISOLATION LEVEL {level}"));
        change(&mut own, 1, level);
        change(&mut admin, 2, level);
        assert_eq!(seal(&mut own), 1);
        change(&mut own, 3, level);
        assert_eq!(seal(&mut own), 0);
        holds(&mut own);
        accepted(&mut own, "COMMIT");
        holds(&mut admin);
        assert_eq!(seal(&mut admin), 2);
        holds(&mut admin);
        accepted(&mut own, "BEGIN");
        change(&mut admin, 2, &format!("{level} again"));
        assert_eq!(seal(&mut own), 1);
        accepted(&mut own, "ROLLBACK");
        assert_eq!(seal(&mut admin), 1);
    }
    holds(&mut admin);
    refused(&mut admin, "BEGIN READ ONLY; SELECT leadguard.seal_audit()", "25006");
    accepted(&mut admin, "ROLLBACK; BEGIN READ ONLY");
    holds(&mut admin);
    accepted(&mut admin, "COMMIT");
}

#[test]
fn k48_sealers_take_turns_and_writers_do_not_wait() {
    let db = sealed("au_seal_turns");
    let mut admin = db.admin();
    let (mut first, mut writer) = (db.admin(), db.admin());
    change(&mut admin, 2, "a");
    accepted(&mut first, "BEGIN");
    assert_eq!(seal(&mut first), 1);
    let mut second = db.admin();
    refused(&mut second, "SELECT leadguard.seal_audit()", "55P03");
    accepted(&mut writer, "SET lock_timeout = '2s'; UPDATE crm.lead SET name = 'free' WHERE id = 1");
    accepted(&mut first, "COMMIT");
    assert_eq!(seal(&mut second), 1, "the row that was written meanwhile");
    holds(&mut admin);
    assert_eq!(rows(&mut admin, "SELECT count(*), max(number) FROM leadguard.audit_seal"), [["5", "5"]]);
}

#[test]
fn k48_seals_among_many_writers() {
    let db = sealed("au_seal_many");
    let mut admin = db.admin();
    let is_done = AtomicBool::new(false);
    let mut sealed = 0;
    std::thread::scope(|scope| {
        let writers: Vec<_> = (1..5)
            .map(|id| {
                let mut client = db.admin();
                scope.spawn(move || {
                    for n in 0..40 {
                        let end = if n % 5 == 0 { "ROLLBACK" } else { "COMMIT" };
                        accepted(
                            &mut client,
                            &format!("BEGIN; UPDATE crm.lead SET name = 'n{n}' WHERE id = {id}; SAVEPOINT s"),
                        );
                        accepted(&mut client, &format!("UPDATE crm.lead SET name = 'm{n}' WHERE id = {id}"));
                        accepted(
                            &mut client,
                            &format!("ROLLBACK TO s; UPDATE crm.lead SET name = 'o{n}' WHERE id = {id}; {end}"),
                        );
                    }
                })
            })
            .collect();
        let sealer = scope.spawn(|| {
            let mut client = db.admin();
            let mut sealed = 0;
            while !is_done.load(Ordering::Relaxed) {
                sealed += seal(&mut client);
                holds(&mut client);
            }
            sealed
        });
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        is_done.store(true, Ordering::Relaxed);
        sealed = sealer.join().unwrap();
    });
    sealed += seal(&mut admin);
    assert_eq!(sealed, 4 * 32 * 2);
    holds(&mut admin);
}

#[test]
fn k48_auditors_seal_and_see_their_organization() {
    let db = sealed("au_seal_who");
    let mut admin = db.admin();
    accepted(&mut admin, "INSERT INTO leadguard.organization (key, name) VALUES ('globex', 'Globex')");
    let role = db.create_role("gus");
    accepted(
        &mut admin,
        &format!(
            "INSERT INTO leadguard.member (org_id, key, db_role) SELECT id, 'gus', '{role}' FROM leadguard.organization WHERE key = 'globex';
             INSERT INTO leadguard.role (name, org_id, capabilities) SELECT 'inspector', id, '{{audit}}' FROM leadguard.organization WHERE key = 'globex';
             INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'inspector' FROM leadguard.member WHERE key = 'gus'"
        ),
    );
    accepted(&mut admin, "SELECT leadguard.seal_audit()");
    let (mut gus, mut tina) = (db.connect("gus"), db.connect("tina"));
    change(&mut admin, 1, "seen");
    assert_eq!(seal(&mut gus), 0, "none of his organization");
    change(&mut admin, 1, "seen again");
    assert_eq!(seal(&mut tina), 1);
    holds(&mut gus);
    holds(&mut tina);
    for who in ["alice", "ceo", "viewer"] {
        for call in ["seal_audit()", "verify_audit()", "audit_retire('2020-01-01')"] {
            refused(&mut db.connect(who), &format!("SELECT * FROM leadguard.{call}"), "42501");
        }
    }
    for who in ["tina", "gus"] {
        refused(&mut db.connect(who), "SELECT * FROM leadguard.audit_retire('2020-01-01')", "42501");
        for table in ["audit_seal", "audit_life", "audit_retired"] {
            refused(&mut db.connect(who), &format!("SELECT * FROM leadguard.{table}"), "42501");
        }
    }
    refused(&mut tina, "SELECT * FROM leadguard.verify_audit(NULL)", "22023");
    // An attack on a row of the default organization.
    accepted(
        &mut admin,
        &format!(
            "{OPEN} SET row_security = off; UPDATE leadguard.audit_log_default SET session_role = 'x' WHERE id = (SELECT max(id) FROM leadguard.audit_log_default)"
        ),
    );
    let last = scalar(&mut admin, "SELECT max(number) FROM leadguard.audit_seal");
    let other = [format!("the row is not as it was written {last}")];
    let own = [format!("{} #", other[0])];
    assert_eq!(problems(&mut tina), own);
    assert_eq!(problems(&mut admin), own);
    assert_eq!(problems(&mut gus), other);
}

#[test]
fn k48_seals_are_append_only() {
    let db = sealed("au_seal_append");
    let mut admin = db.admin();
    for table in ["audit_seal", "audit_retired"] {
        for sql in [
            format!("INSERT INTO leadguard.{table} SELECT * FROM leadguard.{table}"),
            format!("UPDATE leadguard.{table} SET at = now()"),
            format!("DELETE FROM leadguard.{table}"),
            format!("TRUNCATE leadguard.{table}"),
            format!("BEGIN; SET LOCAL session_replication_role = replica; DELETE FROM leadguard.{table}"),
        ] {
            refused(&mut admin, &sql, "42501");
            let _ = code(&mut admin, "ROLLBACK");
            refused(&mut db.connect("tina"), &sql, "42501");
        }
    }
    holds(&mut admin);
}
