//! What is kept of a value, and what it is compared with, does not follow the settings of whoever writes it.

use crate::{audited, sound};
use leadguard_tests::*;

const SETTINGS: &str = "SET extra_float_digits = -15; SET datestyle = 'SQL, DMY'; SET intervalstyle = 'sql_standard';
    SET bytea_output = 'escape'; SET timezone = 'Asia/Kolkata'; SET quote_all_identifiers = on; SET lc_monetary = 'C';
    SET search_path = crm, public";

fn facts(name: &str) -> Db {
    let db = audited(name);
    accepted(
        &mut db.admin(),
        "CREATE TYPE crm.pair AS (day date, half float8);
         CREATE TABLE crm.fact (id bigint PRIMARY KEY, owner text, f float8, fs float8[], d date, ts timestamptz, t timestamp, i interval,
             b bytea, m money, r regclass, p crm.pair, g daterange);
         INSERT INTO crm.fact (id, owner) VALUES (1, 'alice'), (2, 'alice');
         INSERT INTO leadguard.role (name, org_id, capabilities) VALUES ('writer', 1, '{}');
         INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'writer' FROM leadguard.member WHERE key = 'alice';
         SELECT leadguard.protect('crm.fact', owner => 'owner');
         WITH v AS (INSERT INTO leadguard.field_version (target, version, state) VALUES ('crm.fact', 1, 'active') RETURNING id)
         INSERT INTO leadguard.field_rule (version_id, column_name, role, access)
         SELECT id, c, 'writer', 'owner' FROM v, unnest('{f,fs,d,ts,t,i,b,m,r,p,g}'::text[]) c",
    );
    db
}

#[test]
fn k53_the_audit_says_the_same_whatever_the_session_shows() {
    let db = facts("au_settings");
    let update = |id: u32| {
        format!(
            "UPDATE crm.fact SET f = 149999.99, fs = '{{0.1,1e300}}', d = DATE '2026-04-03', ts = TIMESTAMPTZ '2026-04-03 12:00:00+00',
                 t = TIMESTAMP '2026-04-03 12:00:00.5', i = INTERVAL '1 year -2 days 03:04:05', b = '\\x00ff61', m = 12.5::numeric::money,
                 r = 'crm.lead'::regclass, p = ROW(DATE '2026-04-03', 149999.99)::crm.pair, g = daterange(DATE '2026-04-03', NULL) WHERE id = {id}"
        )
    };
    accepted(&mut db.connect("alice"), &update(1));
    let mut other = db.connect("alice");
    accepted(&mut other, SETTINGS);
    accepted(&mut other, &update(2));
    // The session goes on as it was.
    assert_eq!(scalar(&mut other, "SELECT DATE '2026-04-03' || ' ' || 149999.99::float8"), "03/04/2026 1e+05");
    assert_eq!(
        scalar(&mut other, "SELECT quote_ident('plain') || current_setting('quote_all_identifiers')"),
        "\"plain\"on"
    );
    let said = |id: u32| {
        let text = format!(
            "SELECT l.target_name, v.\"values\" FROM leadguard.audit_log l JOIN leadguard.audit_value v ON v.audit_id = l.id AND v.record = l.record
             WHERE l.record = '{id}' AND l.target = 'crm.fact'::regclass"
        );
        rows(&mut db.admin(), &text)
    };
    assert_eq!(said(1).len(), 1);
    assert_eq!(said(1), said(2));
    for part in
        ["149999.99", "2026-04-03", "2026-04-03 12:00:00+00", "\\\\x00ff61", "crm.lead", "(2026-04-03,149999.99)"]
    {
        assert!(said(2)[0][1].contains(part), "{part}: {:?}", said(2));
    }
    sound(&mut db.admin());
}

#[test]
fn k51_valid_values_are_what_they_are() {
    let db = facts("au_valid");
    accepted(
        &mut db.admin(),
        "SELECT leadguard.valid_values('crm.fact', 'f', '{1,2}'); SELECT leadguard.valid_values('crm.fact', 'd', '{2026-04-03}')",
    );
    let mut alice = db.connect("alice");
    for settings in ["", SETTINGS] {
        if !settings.is_empty() {
            accepted(&mut alice, settings);
        }
        refused(&mut alice, "UPDATE crm.fact SET f = 1.4 WHERE id = 1", "23514");
        refused(&mut alice, "UPDATE crm.fact SET d = make_date(2026, 3, 4) WHERE id = 1", "23514");
        accepted(&mut alice, "UPDATE crm.fact SET f = 1, d = make_date(2026, 4, 3) WHERE id = 1");
        accepted(&mut alice, "UPDATE crm.fact SET f = NULL, d = NULL WHERE id = 1");
    }
}
