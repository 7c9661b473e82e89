//! `reassign`: the way to give a lead away, for those who have it in full.

use leadguard_tests::*;

#[test]
fn the_owner_and_her_managers_give_a_lead_to_anybody() {
    let db = Db::new("reassign");
    org(&db);
    accepted(
        &mut db.connect("alice"),
        "SELECT leadguard.reassign('crm.lead', '1', owner => 'carl', reason => 'holidays')",
    );
    assert_eq!(leads(&db, "alice"), set("2 3 4 5"));
    assert_eq!(level(&db, "carl", "1"), "full");
    accepted(&mut db.connect("mona"), "SELECT leadguard.reassign('crm.lead', '2', 'loner')");
    assert_eq!(level(&db, "loner", "2"), "full");
    accepted(&mut db.connect("admin"), "SELECT leadguard.reassign('crm.lead', '13', 'amy')");
    assert_eq!(level(&db, "amy", "13"), "full");
    accepted(&mut db.admin(), "SELECT leadguard.reassign('crm.lead', '14', 'amy')");
    assert_eq!(level(&db, "amy", "14"), "full");
}

#[test]
fn only_the_named_record_moves_and_other_columns_stay() {
    let db = Db::new("reassign_one");
    org(&db);
    let mut admin = db.admin();
    let others = "SELECT md5(string_agg(l::text, ',' ORDER BY id)) FROM crm.lead AS l WHERE id <> 1";
    let before = scalar(&mut admin, others);
    accepted(&mut db.connect("alice"), "SELECT leadguard.reassign('crm.lead', '1', owner => 'anton')");
    assert_eq!(scalar(&mut admin, others), before);
    assert_eq!(
        rows(&mut admin, "SELECT name, email, amount, territory_id FROM crm.lead WHERE id = 1"),
        vec![["lead 1", "lead1@example.com", "100", "∅"].map(str::to_string).to_vec()]
    );
}

#[test]
fn the_territory_moves_alone_or_with_the_owner() {
    let db = Db::new("reassign_place");
    org(&db);
    let mut alice = db.connect("alice");
    accepted(&mut alice, "SELECT leadguard.reassign('crm.lead', '1', territory => 'amer')");
    assert_eq!(leads(&db, "amy"), set("1 15"));
    assert_eq!(level(&db, "alice", "1"), "full");
    accepted(&mut alice, "SELECT leadguard.reassign('crm.lead', '1', owner => 'anton', territory => 'bern')");
    assert_eq!(leads(&db, "amy"), set("15"));
    assert_eq!(leads(&db, "bea"), set("1 12"));
    assert_eq!(level(&db, "anton", "1"), "full");
}

#[test]
fn less_than_full_is_refused() {
    let db = Db::new("reassign_level");
    org(&db);
    accepted(
        &mut db.connect("alice"),
        "SELECT leadguard.share('crm.lead', '1', 'carl', 'read'), leadguard.share('crm.lead', '2', 'carl', 'edit'),
                leadguard.share('crm.lead', '3', 'carl', 'full')",
    );
    let mut carl = db.connect("carl");
    for id in [1, 2] {
        refused(&mut carl, &format!("SELECT leadguard.reassign('crm.lead', '{id}', owner => 'carl')"), "42501");
    }
    accepted(&mut carl, "SELECT leadguard.reassign('crm.lead', '3', owner => 'amy')");
    assert_eq!(level(&db, "amy", "3"), "full");
    refused(&mut db.connect("tom"), "SELECT leadguard.reassign('crm.lead', '11', owner => 'tom')", "42501");
    refused(&mut db.connect("viewer"), "SELECT leadguard.reassign('crm.lead', '1', owner => 'viewer')", "42501");
}

/// State, message, detail and hint with the record's name taken out.
#[track_caller]
pub fn answer(client: &mut Client, sql: &str, record: &str) -> Vec<String> {
    let state = code(client, sql);
    assert_ne!(state, "ok", "{sql}");
    let error = refused(client, sql, &state);
    let words =
        [Some(error.message()), error.detail(), error.hint()].map(|part| part.unwrap_or("").replace(record, "?"));
    [vec![state], words.to_vec()].concat()
}

#[test]
fn an_invisible_record_answers_like_one_that_does_not_exist() {
    let db = Db::new("reassign_blind");
    org(&db);
    let mut anton = db.connect("anton");
    for call in [
        "leadguard.reassign('crm.lead', 'ID', owner => 'anton')",
        "leadguard.share('crm.lead', 'ID', 'anton')",
        "leadguard.unshare('crm.lead', 'ID', 'anton')",
        "leadguard.team_add('crm.lead', 'ID', 'anton')",
        "leadguard.team_remove('crm.lead', 'ID', 'anton')",
    ] {
        let sql = |id: &str| format!("SELECT {}", call.replace("ID", id));
        let invisible = answer(&mut anton, &sql("1"), "1");
        assert_eq!(invisible, answer(&mut anton, &sql("987654"), "987654"), "{call}");
        assert_eq!(invisible[0], "42501", "{call}");
    }
}

#[test]
fn bad_arguments_are_named() {
    let db = Db::new("reassign_args");
    org(&db);
    let mut admin = db.admin();
    accepted(&mut admin, "UPDATE leadguard.member SET active = false WHERE key = 'ted'");
    let mut alice = db.connect("alice");
    for call in [
        "leadguard.reassign('crm.lead', '1')",
        "leadguard.reassign('crm.lead', '1', owner => 'nobody')",
        "leadguard.reassign('crm.lead', '1', owner => 'ted')",
        "leadguard.reassign('crm.lead', '1', territory => 'nowhere')",
        "leadguard.reassign('crm.lead', 'one', owner => 'anton')",
        "leadguard.reassign('pg_class', '1', owner => 'anton')",
        "leadguard.reassign(NULL, '1', owner => 'anton')",
        "leadguard.reassign('crm.lead', NULL, owner => 'anton')",
    ] {
        let state = code(&mut alice, &format!("SELECT {call}"));
        assert!(["22023", "42501"].contains(&state.as_str()), "{state}: {call}");
    }
    assert_eq!(leads(&db, "alice"), set("1 2 3 4 5"));
    accepted(&mut alice, "SELECT leadguard.reassign('crm.lead', '1', owner => 'anton')");
}

#[test]
fn a_read_only_transaction_gives_nothing_away() {
    let db = Db::new("reassign_ro");
    org(&db);
    let mut alice = db.connect("alice");
    for call in [
        "leadguard.reassign('crm.lead', '1', owner => 'anton')",
        "leadguard.share('crm.lead', '1', 'anton')",
        "leadguard.team_add('crm.lead', '1', 'anton')",
    ] {
        accepted(&mut alice, "BEGIN READ ONLY");
        refused(&mut alice, &format!("SELECT {call}"), "25006");
        accepted(&mut alice, "ROLLBACK");
        allowed(&mut alice, &format!("SELECT {call}"));
    }
}
