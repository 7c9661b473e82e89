//! Triggers of others change rows between the guards and the table, before them and after: what they write counts as
//! the member's.

use crate::enforce_lab::{all, story};
use leadguard_tests::*;

/// A trigger that sets the source where the name asks for it.
fn setter(admin: &mut Client, name: &str, events: &str) {
    accepted(
        admin,
        &format!(
            "CREATE FUNCTION crm.{name}() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN IF NEW.name LIKE '{name} %' THEN NEW.source := substr(NEW.name, 5); END IF; RETURN NEW; END $$;
             CREATE TRIGGER {name} BEFORE {events} ON crm.lead FOR EACH ROW EXECUTE FUNCTION crm.{name}()"
        ),
    );
}

#[test]
fn k24_before_triggers_write_for_the_member() {
    let db = story("t_before");
    let mut admin = db.admin();
    for name in ["aaa", "zzz"] {
        setter(&mut admin, name, "INSERT OR UPDATE");
    }
    let before = all(&mut admin);
    for name in ["aaa", "zzz"] {
        let mut alice = db.connect("alice");
        refused(&mut alice, &format!("UPDATE crm.lead SET name = '{name} fair' WHERE id = 1"), "42501");
        refused(&mut alice, &format!("UPDATE crm.lead SET name = '{name} fair'"), "42501");
        refused(&mut alice, &format!("INSERT INTO crm.lead (name) VALUES ('{name} fair')"), "42501");
        assert_eq!(all(&mut admin), before);
        assert_eq!(allowed(&mut alice, &format!("UPDATE crm.lead SET name = '{name} web' WHERE id = 1")), 1);
        assert_eq!(
            allowed(&mut db.connect("mona"), &format!("UPDATE crm.lead SET name = '{name} fair' WHERE id = 1")),
            1
        );
    }
}

#[test]
fn k24_after_triggers_write_for_the_member() {
    let db = story("t_after");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "CREATE FUNCTION crm.after() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN IF NEW.name = 'after' AND NEW.source = 'web' THEN UPDATE crm.lead SET source = 'fair' WHERE id = NEW.id; END IF; RETURN NULL; END $$;
         CREATE TRIGGER zzz AFTER UPDATE ON crm.lead FOR EACH ROW EXECUTE FUNCTION crm.after()",
    );
    let before = all(&mut admin);
    refused(&mut db.connect("alice"), "UPDATE crm.lead SET name = 'after' WHERE id = 1", "42501");
    assert_eq!(all(&mut admin), before);
    assert_eq!(accepted(&mut db.connect("mona"), "UPDATE crm.lead SET name = 'after' WHERE id = 1"), 1);
    assert_eq!(scalar(&mut admin, "SELECT source FROM crm.lead WHERE id = 1"), "fair");
}

// A trigger or function with definer rights runs as its owner and still for the session's member.
#[test]
fn definer_rights_are_not_the_members() {
    let db = story("t_definer");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "CREATE FUNCTION crm.score(bigint) RETURNS void LANGUAGE sql SECURITY DEFINER AS
             $$ UPDATE crm.lead SET lead_score = 100 WHERE id = $1 $$;
         GRANT EXECUTE ON FUNCTION crm.score(bigint) TO PUBLIC; GRANT USAGE ON SCHEMA crm TO PUBLIC",
    );
    refused(&mut db.connect("alice"), "SELECT crm.score(1)", "42501");
    accepted(&mut db.connect("bot"), "SELECT crm.score(1)");
    assert_eq!(scalar(&mut admin, "SELECT lead_score FROM crm.lead WHERE id = 1"), "100");
}

#[test]
fn cascades_write_for_the_member() {
    let db = story("t_cascade");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        &format!(
            "CREATE TABLE crm.source (name text PRIMARY KEY); INSERT INTO crm.source VALUES ('web'), ('fair');
             ALTER TABLE crm.lead ADD CONSTRAINT lead_source FOREIGN KEY (source) REFERENCES crm.source ON UPDATE CASCADE ON DELETE SET NULL;
             GRANT SELECT, UPDATE, DELETE ON crm.source TO \"{}\", \"{}\"",
            db.role("admin"),
            db.role("bot")
        ),
    );
    let before = all(&mut admin);
    // The administrator sees all leads, and does no marketing.
    for sql in ["UPDATE crm.source SET name = 'www' WHERE name = 'web'", "DELETE FROM crm.source WHERE name = 'web'"] {
        refused(&mut db.connect("admin"), sql, "42501");
    }
    assert_eq!(all(&mut admin), before);
    accepted(
        &mut admin,
        "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'marketing' FROM leadguard.member WHERE key = 'admin'",
    );
    assert_eq!(accepted(&mut db.connect("admin"), "UPDATE crm.source SET name = 'www' WHERE name = 'web'"), 1);
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.lead WHERE source = 'www'"), "15");
}

#[test]
fn generated_columns_are_computed_not_written() {
    let db = story("t_generated");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "ALTER TABLE crm.lead ADD COLUMN label text GENERATED ALWAYS AS (name || '!') STORED;
         UPDATE leadguard.protected_table SET field_default = 'no access'",
    );
    crate::enforce_lab::matrix(&mut admin, "crm.lead", &[("name", "sales", "owner"), ("label", "marketing", "owner")]);
    assert_eq!(accepted(&mut db.connect("alice"), "UPDATE crm.lead SET name = 'x' WHERE id = 1"), 1);
    assert_eq!(scalar(&mut admin, "SELECT label FROM crm.lead WHERE id = 1"), "x!");
}
