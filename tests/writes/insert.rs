//! INSERT: the owner defaults to the inserter; owners at or below oneself and reached territories are free, anything
//! else needs the capability `assign`.

use leadguard_tests::*;

/// Gives `key` a role of the default organization with the capability `assign`.
fn dispatcher(db: &Db, key: &str) {
    accepted(
        &mut db.admin(),
        &format!(
            "INSERT INTO leadguard.role (name, org_id, capabilities)
             SELECT 'dispatcher', id, '{{assign}}' FROM leadguard.organization WHERE key = 'default';
             INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'dispatcher' FROM leadguard.member WHERE key = '{key}'"
        ),
    );
}

fn lead(admin: &mut Client, owner: &str, place: &str) -> String {
    let value = |table: &str, key: &str, admin: &mut Client| match key {
        "" => "NULL".to_string(),
        key => scalar(admin, &format!("SELECT id FROM leadguard.{table} WHERE key = '{key}'")),
    };
    let (owner, place) = (value("member", owner, admin), value("territory", place, admin));
    format!("INSERT INTO crm.lead (owner_id, territory_id, name) VALUES ({owner}, {place}, 'n')")
}

#[test]
fn an_owner_is_oneself_or_somebody_below() {
    let db = Db::new("ins_owner");
    org(&db);
    let mut admin = db.admin();
    for (who, owner, expected) in [
        ("alice", "", "ok"),
        ("alice", "alice", "ok"),
        ("mona", "alice", "ok"),
        ("ceo", "carl", "ok"),
        ("vp", "anton", "ok"),
        ("alice", "anton", "42501"),
        ("alice", "mona", "42501"),
        ("mona", "carl", "42501"),
        ("viewer", "viewer", "42501"),
        ("loner", "alice", "42501"),
        ("tina", "ted", "ok"),
        ("ted", "tina", "42501"),
    ] {
        let sql = lead(&mut admin, owner, "");
        assert_eq!(code(&mut db.connect(who), &sql), expected, "{who} for {owner:?}");
    }
}

#[test]
fn a_territory_is_one_that_the_inserter_reaches() {
    let db = Db::new("ins_territory");
    org(&db);
    let mut admin = db.admin();
    for (who, place, expected) in [
        ("tom", "dach", "ok"),
        ("tess", "dach", "ok"),
        ("tina", "dach", "ok"),
        ("tom", "bern", "ok"),
        ("bea", "bern", "ok"),
        ("amy", "amer", "ok"),
        ("tom", "emea", "42501"),
        ("bea", "dach", "42501"),
        ("ted", "dach", "42501"),
        ("alice", "dach", "42501"),
        ("amy", "dach", "42501"),
        ("alice", "", "ok"),
    ] {
        let sql = lead(&mut admin, "", place);
        assert_eq!(code(&mut db.connect(who), &sql), expected, "{who} in {place:?}");
    }
}

#[test]
fn assign_allows_other_owners_and_territories() {
    let db = Db::new("ins_assign");
    org(&db);
    let mut admin = db.admin();
    let (others, elsewhere) = (lead(&mut admin, "carl", ""), lead(&mut admin, "", "amer"));
    let mut alice = db.connect("alice");
    refused(&mut alice, &others, "42501");
    refused(&mut alice, &elsewhere, "42501");
    dispatcher(&db, "alice");
    accepted(&mut alice, &elsewhere);
    accepted(&mut alice, &others);
    assert_eq!(leads(&db, "carl").len(), 3);
    assert_eq!(leads(&db, "amy").len(), 2);
    // The administrator has the capability as well.
    accepted(&mut db.connect("admin"), &others);
}

#[test]
fn an_owner_must_be_active_and_exist() {
    let db = Db::new("ins_bad_owner");
    org(&db);
    let mut admin = db.admin();
    let sql = lead(&mut admin, "alice", "");
    accepted(&mut db.connect("mona"), &sql);
    accepted(&mut admin, "UPDATE leadguard.member SET active = false WHERE key = 'alice'");
    for who in ["mona", "admin"] {
        let mut session = db.connect(who);
        for sql in
            [&sql, "INSERT INTO crm.lead (owner_id) VALUES (0)", "INSERT INTO crm.lead (owner_id) VALUES (987654321)"]
        {
            let state = code(&mut session, sql);
            assert!(["42501", "23503", "23514", "22023"].contains(&state.as_str()), "{who}: {state}: {sql}");
        }
        let state = code(&mut session, "INSERT INTO crm.lead (territory_id) VALUES (987654321)");
        assert!(["42501", "23503", "23514", "22023"].contains(&state.as_str()), "{who}: {state}");
    }
}

#[test]
fn many_rows_pass_or_fail_together() {
    let db = Db::new("ins_many");
    org(&db);
    let mut admin = db.admin();
    let (alice, carl) = (member(&mut admin, "alice"), member(&mut admin, "carl"));
    let mut mona = db.connect("mona");
    refused(&mut mona, &format!("INSERT INTO crm.lead (owner_id) VALUES ({alice}), ({carl}), (NULL)"), "42501");
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.lead"), "15");
    assert_eq!(accepted(&mut mona, &format!("INSERT INTO crm.lead (owner_id) VALUES ({alice}), (NULL)")), 2);
    assert_eq!(accepted(&mut mona, "INSERT INTO crm.lead (name) SELECT 'copy of ' || name FROM crm.lead"), 10);
}

// A statement with many owners reads the list of members once instead of asking for each.
#[test]
fn many_owners_are_judged_like_one() {
    let db = Db::new("ins_owners");
    org(&db);
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "INSERT INTO leadguard.member (key, manager_id)
         SELECT 'below' || g, (SELECT id FROM leadguard.member WHERE key = 'mona') FROM generate_series(1, 200) AS g;
         INSERT INTO leadguard.territory (key) SELECT 'place' || g FROM generate_series(1, 200) AS g;
         SELECT leadguard.set_switch('crm.lead', 'batch_insert', 'none')",
    );
    dispatcher(&db, "alice");
    let owners = "INSERT INTO crm.lead (owner_id) SELECT id FROM leadguard.member WHERE key LIKE 'below%' ORDER BY id";
    let places = "INSERT INTO crm.lead (territory_id) SELECT id FROM leadguard.territory WHERE key LIKE 'place%' UNION ALL SELECT ";
    let give = |below: &str| format!("{owners}; {}", below);
    let (mut mona, mut alice) = (db.connect("mona"), db.connect("alice"));
    assert_eq!(accepted(&mut mona, &give("SELECT 1")), 1);
    accepted(&mut admin, "UPDATE leadguard.member SET active = false WHERE key = 'below199'");
    // Members list none who is inactive, so that the ids are named.
    let named = scalar(
        &mut admin,
        "SELECT string_agg(id::text, '),(' ORDER BY id) FROM leadguard.member WHERE key LIKE 'below%'",
    );
    let insert = format!("INSERT INTO crm.lead (owner_id) VALUES ({named})");
    for session in [&mut mona, &mut alice] {
        refused(session, &insert, "42501");
    }
    accepted(&mut admin, "UPDATE leadguard.member SET active = true WHERE key = 'below199'");
    for session in [&mut mona, &mut alice] {
        assert_eq!(accepted(session, &insert), 200, "twin");
    }
    refused(&mut alice, &format!("{places} 987654321"), "42501");
    let here = territory(&mut admin, "place1");
    assert_eq!(accepted(&mut alice, &format!("{places} {here}")), 201, "twin");
}

#[test]
fn upsert_needs_the_right_to_update() {
    let db = Db::new("ins_upsert");
    org(&db);
    let mut alice = db.connect("alice");
    accepted(
        &mut alice,
        "SELECT leadguard.share('crm.lead', '2', 'anton', 'read'), leadguard.share('crm.lead', '3', 'anton', 'edit')",
    );
    let upsert = |id: u8| {
        format!("INSERT INTO crm.lead (id, name) VALUES ({id}, 'mine') ON CONFLICT (id) DO UPDATE SET name = 'mine'")
    };
    let mut anton = db.connect("anton");
    for (id, expected) in [(6, "ok"), (3, "ok"), (2, "42501"), (1, "42501"), (90, "ok")] {
        assert_eq!(code(&mut anton, &upsert(id)), expected, "lead {id}");
    }
    assert_eq!(ids(&mut db.admin(), "SELECT id FROM crm.lead WHERE name = 'mine'"), set("3 6 90"));
}

#[test]
fn copy_is_no_way_around() {
    let db = Db::new("ins_copy");
    org(&db);
    accepted(&mut db.admin(), "SELECT leadguard.set_switch('crm.lead', 'export', 'free')");
    let carl = member(&mut db.admin(), "carl");
    let told = db.psql("alice", &format!("COPY crm.lead (owner_id, name) FROM STDIN;\n{carl}\tn\n\\.\n"));
    assert!(told.contains("ERROR"), "{told}");
    assert_eq!(leads(&db, "carl"), set("9 10"));
    assert_eq!(db.psql("alice", "COPY crm.lead (id) TO STDOUT").split_whitespace().count(), 5);
}

#[test]
fn returning_shows_what_was_stored() {
    let db = Db::new("ins_returning");
    org(&db);
    let mut alice = db.connect("alice");
    let id = member(&mut db.admin(), "alice").to_string();
    assert_eq!(
        rows(&mut alice, "INSERT INTO crm.lead (name) VALUES ('a'), ('b') RETURNING id, owner_id, name"),
        [["101", &id, "a"], ["102", &id, "b"]].map(|r| r.map(str::to_string).to_vec()).to_vec()
    );
}
