//! Delegation with an end date.

use crate::lab::{cannot_work, decision_site, four_role, rights, seen};
use leadguard_tests::{accepted, refused, rows, scalar};

const DELEGATE: &str = "SELECT leadguard.delegate('cora', now() + interval '7 days', 'edit', 'holiday')";

#[test]
fn delegation_reaches_what_the_member_owns_until_the_end() {
    let db = decision_site("delegate");
    let mut cora = db.connect("cora");
    assert_eq!(seen(&mut cora, "crm.site"), "3");
    let mut cara = db.connect("cara");
    let id = scalar(&mut cara, DELEGATE);
    assert_eq!(seen(&mut cora, "crm.site"), "1 2 3 4 6");
    assert_eq!(rights(&mut cora, "crm.site", "1"), "ru---");
    assert_eq!(
        rows(&mut cora, "SELECT path, level FROM leadguard.explain_access('crm.site', '1', 'cora') WHERE decisive"),
        [["share", "edit"]]
    );
    assert_eq!(scalar(&mut cora, "SELECT count(*) FROM leadguard.delegation"), "1");
    assert_eq!(scalar(&mut db.connect("cole"), "SELECT count(*) FROM leadguard.delegation"), "0");
    // It ends by itself: the time alone decides.
    accepted(
        &mut db.admin(),
        "UPDATE leadguard.record_grant SET until = now() - interval '1 second' WHERE delegation_id IS NOT NULL; UPDATE leadguard.delegation SET until = now() - interval '1 second'",
    );
    assert_eq!(seen(&mut cora, "crm.site"), "3");
    // Or when somebody ends it.
    let id = {
        let _ = id;
        scalar(&mut cara, DELEGATE)
    };
    assert_eq!(scalar(&mut db.connect("curt"), &format!("SELECT leadguard.undelegate({id})")), "f");
    assert_eq!(seen(&mut cora, "crm.site"), "1 2 3 4 6");
    assert_eq!(scalar(&mut cara, &format!("SELECT leadguard.undelegate({id})")), "t");
    assert_eq!(seen(&mut cora, "crm.site"), "3");
}

#[test]
fn delegation_follows_the_owner() {
    let db = decision_site("delegate_follows");
    let (mut cora, mut cara) = (db.connect("cora"), db.connect("cara"));
    // Among many that are over.
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.delegation (org_id, member_id, delegate_id, level, until, reason, ended_at)
         SELECT 1, a.id, b.id, 'edit', now() - interval '1 day', 'over', CASE WHEN n > 3 THEN now() END
         FROM leadguard.member a, leadguard.member b, generate_series(1, 500) n WHERE (a.key, b.key) = ('cara', 'curt')",
    );
    scalar(&mut cara, DELEGATE);
    // What she creates meanwhile, and gets.
    let new = scalar(&mut cara, "INSERT INTO crm.site (name) VALUES ('new') RETURNING id");
    accepted(&mut db.connect("curt"), "SELECT leadguard.reassign('crm.site', '5', 'cara', reason => 'hers')");
    assert_eq!(seen(&mut cora, "crm.site"), format!("1 2 3 4 5 6 {new}"));
    // What she hands over is out again.
    accepted(&mut cara, "SELECT leadguard.reassign('crm.site', '1', 'curt', reason => 'his')");
    assert_eq!(seen(&mut cora, "crm.site"), format!("2 3 4 5 6 {new}"));
    // Whoever moved it.
    accepted(
        &mut db.admin(),
        "UPDATE crm.site SET owner_id = (SELECT id FROM leadguard.member WHERE key = 'curt') WHERE id = 2",
    );
    accepted(
        &mut db.admin(),
        "UPDATE crm.site SET owner_id = (SELECT id FROM leadguard.member WHERE key = 'cara') WHERE id = 1",
    );
    assert_eq!(seen(&mut cora, "crm.site"), format!("1 3 4 5 6 {new}"));
    assert!(rows(&mut db.admin(), "SELECT * FROM leadguard.verify('crm.site')").is_empty());
}

#[test]
fn delegation_gives_no_more_than_an_owner_may_share() {
    let db = four_role("delegate_limits");
    // A lead_creator edits what is hers, and shares nothing.
    accepted(&mut db.connect("cleo"), "SELECT leadguard.delegate('sid', now() + interval '1 day', 'edit', 'x')");
    assert_eq!(
        scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.record_grant WHERE delegation_id IS NOT NULL"),
        "0"
    );
    let site = decision_site("delegate_limits2");
    let mut cara = site.connect("cara");
    for (to, until, level, reason) in [
        ("cara", "now() + interval '1 day'", "edit", "'x'"),
        ("gus", "now() + interval '1 day'", "edit", "'x'"),
        ("nobody", "now() + interval '1 day'", "edit", "'x'"),
        ("cora", "now() - interval '1 day'", "edit", "'x'"),
        ("cora", "NULL", "edit", "'x'"),
        ("cora", "now() + interval '1 day'", "all", "'x'"),
        ("cora", "now() + interval '1 day'", "edit", "NULL"),
    ] {
        cannot_work(&mut cara, &format!("SELECT leadguard.delegate('{to}', {until}, '{level}', {reason})"));
    }
    refused(
        &mut site.connect("gus"),
        "SELECT leadguard.delegate('cora', now() + interval '1 day', 'read', 'x')",
        "42501",
    );
    refused(
        &mut cara,
        "SELECT leadguard.delegate('cora', now() + interval '1 day', 'read', 'x', member => 'curt')",
        "42501",
    );
    accepted(
        &mut site.connect("ada"),
        "SELECT leadguard.delegate('cora', now() + interval '1 day', 'read', 'ill', member => 'curt')",
    );
    assert_eq!(seen(&mut site.connect("cora"), "crm.site"), "3 5");
}

#[test]
fn delegation_is_that_of_one_key_in_one_organization() {
    let db = decision_site("delegate_keys");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.member (key) VALUES ('ANNA'), ('anna'), ('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11');
         INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'CREATOR' FROM leadguard.member WHERE key ILIKE 'a%a%' OR key LIKE 'A0%'
             ON CONFLICT DO NOTHING;
         CREATE TABLE crm.plot (id bigint PRIMARY KEY, owner text);
         CREATE TABLE crm.room (id bigint PRIMARY KEY, owner uuid);
         SELECT leadguard.protect('crm.plot', preset => 'decision_site', id => 'id', owner => 'owner', object => 'deal');
         SELECT leadguard.protect('crm.room', preset => 'decision_site', id => 'id', owner => 'owner', object => 'deal')",
    );
    for who in ["ANNA", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"] {
        accepted(
            &mut db.connect("ada"),
            &format!("SELECT leadguard.delegate('cora', now() + interval '1 day', 'edit', 'ill', member => '{who}')"),
        );
    }
    accepted(
        &mut db.admin(),
        "INSERT INTO crm.plot VALUES (1, 'anna'), (2, 'ANNA'); INSERT INTO crm.room VALUES (1, 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11')",
    );
    let mut cora = db.connect("cora");
    assert_eq!(seen(&mut cora, "crm.plot"), "2");
    assert_eq!(seen(&mut cora, "crm.room"), "1", "a column of type uuid shows the key in lower case");
    // What is another organization's is not his by the key alone.
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.organization (key) VALUES ('globex');
         CREATE TABLE crm.yard (id bigint PRIMARY KEY, owner text, org text);
         SELECT leadguard.protect('crm.yard', preset => 'decision_site', id => 'id', owner => 'owner', organization => 'org', object => 'deal');
         INSERT INTO crm.yard VALUES (1, 'ANNA', 'globex'), (2, 'ANNA', 'default')",
    );
    assert_eq!(
        rows(&mut db.admin(), "SELECT record FROM leadguard.record_grant WHERE target = 'crm.yard'::regclass"),
        [["2"]]
    );
}

#[test]
fn delegation_is_not_replaced_by_another_one() {
    let db = decision_site("delegate_twice");
    let (mut cara, mut cora) = (db.connect("cara"), db.connect("cora"));
    let give = |days: i32, level: &str, target: &str| {
        format!("SELECT leadguard.delegate('cora', now() + interval '{days} days', '{level}', 'holiday', {target})")
    };
    let id = scalar(&mut cara, &give(30, "full", "NULL"));
    for target in ["NULL", "'crm.site'"] {
        let e = refused(&mut cara, &give(1, "read", target), "55000");
        assert!(e.hint().unwrap_or_default().contains(&format!("leadguard.undelegate({id})")), "{e:?}");
    }
    let level = "SELECT level FROM leadguard.explain_access('crm.site', '1', 'cora') WHERE decisive";
    assert_eq!(scalar(&mut cora, level), "full");
    // To another member, or once it is over.
    accepted(&mut cara, &give(1, "read", "NULL").replace("cora", "vera"));
    accepted(&mut cara, &format!("SELECT leadguard.undelegate({id}); {}", give(1, "read", "'crm.site'")));
    assert_eq!(scalar(&mut cora, level), "read");
    refused(&mut cara, &give(30, "full", "NULL"), "55000");
}

#[test]
fn delegation_follows_a_superuser_who_moves_rows_between_partitions() {
    let db = decision_site("delegate_partition");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "CREATE TABLE crm.place (id bigint, owner_id bigint, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
         CREATE TABLE crm.place_a PARTITION OF crm.place FOR VALUES IN ('a');
         CREATE TABLE crm.place_b PARTITION OF crm.place FOR VALUES IN ('b');
         INSERT INTO crm.place SELECT 1, id, 'a' FROM leadguard.member WHERE key = 'curt';
         SELECT leadguard.protect('crm.place', preset => 'decision_site', id => 'id', owner => 'owner_id', object => 'deal')",
    );
    scalar(&mut db.connect("cara"), DELEGATE);
    let mut cora = db.connect("cora");
    for (owner, region, sees) in [("cara", "b", "1"), ("curt", "a", "")] {
        accepted(
            &mut admin,
            &format!(
                "UPDATE crm.place SET region = '{region}', owner_id = (SELECT id FROM leadguard.member WHERE key = '{owner}')"
            ),
        );
        assert_eq!(seen(&mut cora, "crm.place"), sees, "{owner}");
    }
}
