//! New rows and old ones go to whom the rules say.

use crate::lab::*;
use leadguard_tests::*;

#[test]
fn k37_o13_the_creator_owns_a_new_lead() {
    let db = lab("route_default");
    let mut ivy = db.connect("ivy");
    accepted(&mut ivy, "INSERT INTO crm.lead (name) VALUES ('new')");
    assert_eq!(owners(&db), "ivy");
    let creator = scalar(&mut ivy, "SELECT m.key FROM crm.lead l JOIN leadguard.member m ON m.id = l.creator_id");
    assert_eq!(creator, "ivy");
    // A rule that concerns new leads is another default; who creates one stays its creator.
    rule(&db, "default", 1000, "[]", r#"{"owner": "rita"}"#);
    accepted(&mut ivy, "INSERT INTO crm.lead (name) VALUES ('still off')");
    switch(&db, "routing", "insert");
    accepted(&mut ivy, "INSERT INTO crm.lead (name) VALUES ('routed')");
    assert_eq!(owners(&db), "ivy ivy rita");
    let creators = scalar(
        &mut db.admin(),
        "SELECT string_agg(m.key, ' ' ORDER BY l.id) FROM crm.lead l JOIN leadguard.member m ON m.id = l.creator_id WHERE l.id > 100",
    );
    assert_eq!(creators, "ivy ivy ivy");
}

#[test]
fn k38_new_leads_go_round() {
    let db = lab("route_round");
    reps_in_turn(&db);
    let mut ivy = db.connect("ivy");
    for _ in 0..4 {
        accepted(&mut ivy, "INSERT INTO crm.lead (name) VALUES ('one')");
    }
    accepted(&mut ivy, "INSERT INTO crm.lead (name) VALUES ('two'), ('three')");
    assert_eq!(owners(&db), "rita rob ron rita rob ron");
    // Who names an owner means it.
    accepted(&mut ivy, "INSERT INTO crm.lead (name, owner_id) SELECT 'mine', leadguard.current_member()");
    assert_eq!(owners(&db), "rita rob ron rita rob ron ivy");
    // And may not name others: not even the one whose turn it is.
    refused(
        &mut ivy,
        "INSERT INTO crm.lead (name, owner_id) SELECT 'his', id FROM leadguard.member WHERE key = 'rita'",
        "42501",
    );
}

#[test]
fn k38_returning_shows_the_inserting_member_the_routed_row() {
    let db = lab("route_returning");
    reps_in_turn(&db);
    let mut ivy = db.connect("ivy");
    let found = rows(
        &mut ivy,
        "INSERT INTO crm.lead (name) VALUES ('a'), ('b') RETURNING name, (SELECT key FROM leadguard.member WHERE id = owner_id)",
    );
    assert_eq!(found, [["a", "rita"], ["b", "rob"]]);
    assert!(rows(&mut ivy, "SELECT FROM crm.lead").is_empty(), "afterwards they are out of sight");
    // In the same transaction, too.
    accepted(&mut ivy, "BEGIN");
    accepted(&mut ivy, "INSERT INTO crm.lead (id, name) VALUES (500, 'c') RETURNING id");
    assert!(rows(&mut ivy, "SELECT FROM crm.lead WHERE id = 500").is_empty());
    accepted(&mut ivy, "COMMIT");
    // An id that is taken is no way to see whose it is.
    for sql in [
        "INSERT INTO crm.lead (id, name) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = crm.lead.name RETURNING name",
        "INSERT INTO crm.lead (id, name) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = 'x'",
    ] {
        refused(&mut ivy, sql, "42501");
    }
    assert!(
        rows(&mut ivy, "INSERT INTO crm.lead (id, name) VALUES (1, 'x') ON CONFLICT (id) DO NOTHING RETURNING name")
            .is_empty()
    );
    // Nor from another part of the same command.
    for sql in [
        "WITH x AS (INSERT INTO crm.lead (id, name) VALUES (1, 'x'), (600, 'y') ON CONFLICT (id) DO NOTHING RETURNING id)
         SELECT l.name FROM (SELECT count(*) FROM x) c CROSS JOIN LATERAL (SELECT * FROM crm.lead WHERE c.count > 0 OFFSET 0) l",
        "WITH x AS MATERIALIZED (INSERT INTO crm.lead (id, name) VALUES (1, 'x'), (601, 'y') ON CONFLICT (id) DO NOTHING RETURNING id)
         SELECT l.name FROM x LEFT JOIN LATERAL (SELECT * FROM crm.lead WHERE id = 1 AND x.id > 0) l ON true WHERE l.id IS NOT NULL",
    ] {
        assert!(rows(&mut ivy, sql).is_empty(), "{sql}");
    }
    assert_eq!(scalar(&mut db.admin(), "SELECT name FROM crm.lead WHERE id = 1"), "lead 1");
}

#[test]
fn k38_conditions_choose() {
    let db = lab("route_conditions");
    rule(&db, "big", 1, r#"[{"column": "size", "at_least": 50, "at_most": 99}]"#, r#"{"owner": "rita"}"#);
    rule(
        &db,
        "german",
        2,
        r#"[{"column": "country", "in": ["DE", "AT"]}, {"column": "region", "is_null": true}]"#,
        r#"{"owner": "rob"}"#,
    );
    rule(&db, "rich", 3, r#"[{"column": "worth", "is": "10.50"}]"#, r#"{"owner": "ron"}"#);
    rule(
        &db,
        "late",
        4,
        r#"[{"column": "seen", "at_least": "2026-01-01"}, {"column": "country", "not_in": ["FR"]}]"#,
        r#"{"owner": "mona"}"#,
    );
    switch(&db, "routing", "insert");
    let mut ivy = db.connect("ivy");
    accepted(
        &mut ivy,
        "SET datestyle = 'German';
         INSERT INTO crm.lead (size, country, region, worth, seen) VALUES
            (50, NULL, NULL, NULL, NULL), (99, 'DE', NULL, NULL, NULL), (100, 'DE', NULL, NULL, NULL), (NULL, 'AT', 'x', NULL, NULL),
            (NULL, NULL, NULL, 10.5, NULL), (NULL, NULL, NULL, NULL, DATE '2026-02-01'), (NULL, 'FR', NULL, NULL, DATE '2026-02-01'),
            (NULL, 'US', NULL, 10.51, DATE '2025-12-31')",
    );
    assert_eq!(owners(&db), "rita rita rob ivy ron mona ivy ivy");
}

#[test]
fn k38_a_territory_and_those_below() {
    let db = lab("route_territory");
    rule(&db, "emea", 1, r#"[{"territory": "emea"}]"#, r#"{"owner": "rita"}"#);
    let mut dora = db.connect("dora");
    for (lead, place) in [(1, "amer"), (2, "dach")] {
        accepted(&mut dora, &format!("SELECT leadguard.reassign('crm.lead', '{lead}', territory => '{place}')"));
    }
    let asked = |lead: i64| {
        rows(&mut db.connect("dora"), &format!("SELECT rule, owner FROM leadguard.route('crm.lead', '{lead}')"))
    };
    assert_eq!(asked(1), [["∅", "∅"]]);
    assert_eq!(asked(2), [["emea", "rita"]]);
    assert_eq!(owner(&db, 2), "rita");
}

#[test]
fn o1_a_qualified_lead_goes_to_the_team_of_its_territory() {
    let db = lab("route_o1");
    switch(&db, "qualified", "qualified, accepted");
    rule(&db, "dach", 1, r#"[{"column": "country", "in": ["DE", "AT", "CH"]}]"#, r#"{"territory": "dach"}"#);
    rule(&db, "by region", 2, "[]", r#"{"territory_column": "region"}"#);
    rule(&db, "qualifiers", 3, "[]", r#"{"qualifiers": ["sid", "ron"]}"#);
    switch(&db, "routing", "insert");
    let mut ivy = db.connect("ivy");
    accepted(
        &mut ivy,
        "INSERT INTO crm.lead (id, country, stage, region) VALUES (201, 'DE', 'qualified', NULL), (202, 'DE', 'new', NULL),
             (203, 'US', 'accepted', 'amer'), (204, 'US', 'qualified', 'mars')",
    );
    let places = "SELECT string_agg(coalesce(t.key, '-'), ' ' ORDER BY l.id) FROM crm.lead l LEFT JOIN leadguard.territory t ON t.id = l.territory_id WHERE l.id > 200";
    assert_eq!(scalar(&mut db.admin(), places), "dach - amer -");
    // O1: its members are on the record's team; O2: one qualifier owns the other.
    assert_eq!(owners(&db), "ivy sid ivy ivy");
    let teams = rows(
        &mut db.admin(),
        "SELECT g.record, m.key, g.level FROM leadguard.record_grant g JOIN leadguard.member m ON m.id = g.member_id ORDER BY 1, 2",
    );
    assert_eq!(teams, [["201", "rita", "edit"], ["201", "rob", "edit"]]);
    for who in ["rita", "rob"] {
        assert_eq!(accepted(&mut db.connect(who), "UPDATE crm.lead SET name = 'seen' WHERE id = 201"), 1);
    }
    assert!(rows(&mut db.connect("ron"), "SELECT FROM crm.lead WHERE id = 201").is_empty());
}

#[test]
fn o2_an_unqualified_lead_gets_one_qualifier_by_hand() {
    let db = lab("route_o2");
    switch(&db, "qualified", "qualified");
    rule(&db, "dach", 1, "[]", r#"{"territory": "dach"}"#);
    rule(&db, "qualifiers", 2, "[]", r#"{"qualifiers": ["sid", "ron"]}"#);
    let mut dora = db.connect("dora");
    assert_eq!(
        rows(&mut dora, "SELECT rule, owner, territory FROM leadguard.route('crm.lead', '1')"),
        [["qualifiers", "sid", "∅"]]
    );
    assert_eq!(owner(&db, 1), "sid");
    accepted(&mut dora, "UPDATE crm.lead SET stage = 'qualified' WHERE id = 1");
    assert_eq!(
        rows(&mut dora, "SELECT rule, owner, territory FROM leadguard.route('crm.lead', '1')"),
        [["dach", "∅", "dach"]]
    );
    assert_eq!(owner(&db, 1), "sid", "the owner stays");
    assert_eq!(
        scalar(
            &mut dora,
            "SELECT count(*) FROM leadguard.who_can('read', 'crm.lead', '1') WHERE member IN ('rita', 'rob')"
        ) == "0",
        false
    );
    assert_eq!(logged(&db, "route"), "2");
}

#[test]
fn k38_a_dry_run_changes_nothing() {
    let db = lab("route_dry");
    reps_in_turn(&db);
    let before = contents(&db);
    let mut dora = db.connect("dora");
    for _ in 0..3 {
        assert_eq!(
            rows(&mut dora, "SELECT rule, owner FROM leadguard.route('crm.lead', '3', dry_run => true)"),
            [["reps", "rita"]]
        );
    }
    assert_eq!(contents(&db), before);
    assert_eq!(told(&db, "rita"), "");
    assert_eq!(rows(&mut dora, "SELECT owner FROM leadguard.route('crm.lead', '3')"), [["rita"]]);
    assert_eq!(rows(&mut dora, "SELECT owner FROM leadguard.route('crm.lead', '3', true)"), [["rob"]]);
}

#[test]
fn k38_who_may_route() {
    let db = lab("route_who");
    reps_in_turn(&db);
    let mut sid = db.connect("sid");
    accepted(&mut sid, "SELECT * FROM leadguard.route('crm.lead', '3')");
    for who in ["ivy", "zed", "gus", "vic", "sid"] {
        refused(&mut db.connect(who), "SELECT * FROM leadguard.route('crm.lead', '2')", "42501");
        let absent = refused(&mut db.connect(who), "SELECT * FROM leadguard.route('crm.lead', '999')", "42501");
        let hidden = refused(&mut db.connect(who), "SELECT * FROM leadguard.route('crm.lead', '2')", "42501");
        assert_eq!(absent.message().replace("999", "2"), hidden.message(), "{who}");
    }
    // Seeing it is not enough.
    accepted(&mut db.connect("dora"), "SELECT leadguard.share('crm.lead', '2', 'ivy', 'edit')");
    refused(&mut db.connect("ivy"), "SELECT * FROM leadguard.route('crm.lead', '2', true)", "42501");
}

#[test]
fn k38_ten_thousand_rows_take_seconds() {
    let db = lab("route_bulk");
    rule(&db, "others", 1, r#"[{"column": "country", "is": "FR"}]"#, r#"{"owner": "ron"}"#);
    rule(&db, "reps", 2, "[]", r#"{"pool": ["rita", {"member": "rob", "capacity": 100}, "ron"], "territory": "dach"}"#);
    switch(&db, "routing", "insert");
    let mut ivy = db.connect("ivy");
    // However many a batch may be.
    let _ = db.admin().batch_execute("SELECT leadguard.set_switch('crm.lead', 'batch_insert', 'none', '*')");
    let start = std::time::Instant::now();
    accepted(&mut ivy, "INSERT INTO crm.lead (name, size) SELECT 'bulk', i FROM generate_series(1, 10000) i");
    println!("10,000 routed rows: {:?}", start.elapsed());
    assert!(start.elapsed().as_secs() < 20, "a debug build takes {:?}", start.elapsed());
    let counts = "SELECT m.key || ' ' || count(*) FROM crm.lead l JOIN leadguard.member m ON m.id = l.owner_id WHERE l.id > 100 GROUP BY m.key ORDER BY 1";
    assert_eq!(rows(&mut db.admin(), counts), [["rita 4951"], ["rob 99"], ["ron 4950"]], "rob owned one before");
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.record_grant"), "20000");
    assert_eq!(told(&db, "rob"), "owner_changed 99");
}
