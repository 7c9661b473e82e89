//! share, unshare, team_add, team_remove: who may give, to whom, how much.

use crate::reassign::answer;
use leadguard_tests::*;

const GIVE: [&str; 2] =
    ["leadguard.share('crm.lead', 'ID', 'WHO', 'LEVEL')", "leadguard.team_add('crm.lead', 'ID', 'WHO', 'LEVEL')"];

fn give(call: &str, id: &str, who: &str, level: &str) -> String {
    format!("SELECT {}", call.replace("ID", id).replace("WHO", who).replace("LEVEL", level))
}

#[test]
fn giving_needs_full() {
    let db = Db::new("give_level");
    org(&db);
    accepted(
        &mut db.connect("alice"),
        "SELECT leadguard.share('crm.lead', '1', 'carl', 'read'), leadguard.share('crm.lead', '2', 'carl', 'edit'),
                leadguard.share('crm.lead', '3', 'carl', 'full')",
    );
    for call in GIVE {
        for who in ["carl", "bob"] {
            let mut session = db.connect(who);
            for (id, expected) in [("1", "42501"), ("2", "42501"), ("3", "ok"), ("4", "42501"), ("9", "ok")] {
                for level in ["read", "edit", "full"] {
                    assert_eq!(
                        code(&mut session, &give(call, id, "amy", level)),
                        expected,
                        "{who} {call} {id} {level}"
                    );
                }
            }
        }
        refused(&mut db.connect("tom"), &give(call, "11", "amy", "read"), "42501");
        refused(&mut db.connect("viewer"), &give(call, "1", "viewer", "read"), "42501");
        accepted(&mut db.connect("mona"), &give(call, "4", "loner", "full"));
        accepted(&mut db.connect("admin"), &give(call, "13", "loner", "full"));
        accepted(&mut db.admin(), &give(call, "14", "loner", "full"));
    }
    assert_eq!(leads(&db, "amy"), set("3 9 15"));
}

#[test]
fn nobody_raises_the_own_level() {
    let db = Db::new("give_self");
    org(&db);
    accepted(&mut db.connect("alice"), "SELECT leadguard.share('crm.lead', '1', 'carl', 'edit')");
    for call in GIVE {
        for who in ["carl", "bob"] {
            for grantee in ["carl", "bob"] {
                refused(&mut db.connect(who), &give(call, "1", grantee, "full"), "42501");
            }
        }
    }
    assert_eq!(level(&db, "carl", "1"), "edit");
}

#[test]
fn the_grantee_is_active_and_of_the_same_organization() {
    let db = Db::new("give_whom");
    org(&db);
    accepted(
        &mut db.admin(),
        "UPDATE leadguard.member SET active = false WHERE key = 'ted';
         INSERT INTO leadguard.organization (key, name) VALUES ('globex', 'Globex');
         INSERT INTO leadguard.member (org_id, key, name) SELECT id, 'gus', 'Gus' FROM leadguard.organization WHERE key = 'globex'",
    );
    let mut alice = db.connect("alice");
    for call in GIVE {
        let unknown = answer(&mut alice, &give(call, "1", "nobody_of_us", "read"), "nobody_of_us");
        assert!(["22023", "42501"].contains(&unknown[0].as_str()), "{unknown:?}");
        assert_eq!(
            answer(&mut alice, &give(call, "1", "gus", "read"), "gus"),
            unknown,
            "another organization says nothing about its people"
        );
        assert_eq!(answer(&mut alice, &give(call, "1", "ted", "read"), "ted")[0], unknown[0]);
        accepted(&mut alice, &give(call, "1", "tess", "read"));
    }
}

#[test]
fn bad_arguments_are_refused() {
    let db = Db::new("give_args");
    org(&db);
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.team (key, name, access) VALUES ('red', 'Red', 'own'); CREATE TABLE crm.plain (id int PRIMARY KEY)",
    );
    let mut alice = db.connect("alice");
    for call in [
        "leadguard.share('crm.lead', '1', 'carl', 'none')",
        "leadguard.share('crm.lead', '1', 'carl', 'READ ')",
        "leadguard.share('crm.lead', '1', 'carl', NULL)",
        "leadguard.share('crm.lead', '1')",
        "leadguard.share('crm.lead', '1', 'carl', team => 'red')",
        "leadguard.share('crm.lead', '1', team => 'blue')",
        "leadguard.share('crm.lead', '1', 'carl', until => '2001-01-01')",
        "leadguard.share('crm.plain', '1', 'carl')",
        "leadguard.share('crm.lead', 'x', 'carl')",
        "leadguard.team_add('crm.lead', '1', 'carl', 'owner')",
        "leadguard.team_add('crm.lead', '1', NULL)",
        "leadguard.team_add('crm.plain', '1', 'carl')",
    ] {
        let state = code(&mut alice, &format!("SELECT {call}"));
        assert!(["22023", "42501"].contains(&state.as_str()), "{state}: {call}");
    }
    assert_eq!(leads(&db, "carl"), set("9 10"));
    accepted(&mut alice, "SELECT leadguard.share('crm.lead', '1', 'carl', until => '2101-01-01')");
    accepted(&mut alice, "SELECT leadguard.share('crm.lead', '1', team => 'red')");
}

#[test]
fn taking_away_needs_full_as_well() {
    let db = Db::new("take_level");
    org(&db);
    let mut alice = db.connect("alice");
    accepted(
        &mut alice,
        "SELECT leadguard.share('crm.lead', '1', 'carl', 'edit'), leadguard.team_add('crm.lead', '1', 'amy', 'edit'),
                leadguard.share('crm.lead', '2', 'carl', 'full')",
    );
    for call in ["unshare('crm.lead', '1', 'carl')", "team_remove('crm.lead', '1', 'amy')"] {
        for who in ["carl", "amy", "anton", "viewer"] {
            refused(&mut db.connect(who), &format!("SELECT leadguard.{call}"), "42501");
        }
        accepted(&mut alice, &format!("SELECT leadguard.{call}"));
    }
    assert_eq!(leads(&db, "carl"), set("2 9 10"));
    assert_eq!(leads(&db, "amy"), set("15"));
    accepted(&mut db.connect("carl"), "SELECT leadguard.unshare('crm.lead', '2', 'carl')");
    assert_eq!(leads(&db, "carl"), set("9 10"));
}

#[test]
fn shares_and_the_sales_team_are_taken_away_separately() {
    let db = Db::new("take_one");
    org(&db);
    let mut alice = db.connect("alice");
    accepted(
        &mut alice,
        "SELECT leadguard.share('crm.lead', '1', 'carl', 'read'), leadguard.team_add('crm.lead', '1', 'carl', 'edit')",
    );
    accepted(&mut alice, "SELECT leadguard.team_remove('crm.lead', '1', 'carl')");
    assert_eq!(level(&db, "carl", "1"), "read");
    accepted(
        &mut alice,
        "SELECT leadguard.team_add('crm.lead', '1', 'carl', 'edit'), leadguard.unshare('crm.lead', '1', 'carl')",
    );
    assert_eq!(level(&db, "carl", "1"), "edit");
    // Taking away what is not there is no error worth stopping for, and takes nothing else.
    let _ = code(&mut alice, "SELECT leadguard.unshare('crm.lead', '1', 'carl')");
    assert_eq!(level(&db, "carl", "1"), "edit");
}

#[test]
fn a_rolled_back_grant_was_never_given() {
    let db = Db::new("give_rollback");
    org(&db);
    let mut alice = db.connect("alice");
    accepted(
        &mut alice,
        "BEGIN; SELECT leadguard.share('crm.lead', '1', 'carl'); SAVEPOINT s; SELECT leadguard.team_add('crm.lead', '2', 'carl')",
    );
    accepted(&mut alice, "ROLLBACK TO s; COMMIT");
    assert_eq!(leads(&db, "carl"), set("1 9 10"));
    accepted(&mut alice, "BEGIN; SELECT leadguard.unshare('crm.lead', '1', 'carl'); ROLLBACK");
    assert_eq!(leads(&db, "carl"), set("1 9 10"));
}

#[test]
fn grants_of_two_records_do_not_wait_for_each_other() {
    let db = Db::new("give_parallel");
    org(&db);
    let (mut alice, mut mona) = (db.connect("alice"), db.connect("mona"));
    accepted(
        &mut alice,
        "BEGIN; SELECT leadguard.share('crm.lead', '1', 'carl'); SELECT leadguard.team_add('crm.lead', '2', 'carl')",
    );
    accepted(&mut mona, "SET statement_timeout = '5s'");
    accepted(&mut mona, "SELECT leadguard.share('crm.lead', '3', 'carl'), leadguard.team_add('crm.lead', '6', 'carl')");
    assert_eq!(leads(&db, "carl"), set("3 6 9 10"));
    accepted(&mut alice, "COMMIT");
    assert_eq!(leads(&db, "carl"), set("1 2 3 6 9 10"));
}
