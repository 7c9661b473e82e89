//! Two people claim one lead: a data owner decides.

use crate::lab::*;
use leadguard_tests::*;

/// Lead 3 is sid's; rita and rob may edit it.
fn claims_lab(name: &str) -> Db {
    let db = lab(name);
    accepted(
        &mut db.connect("dora"),
        "SELECT leadguard.team_add('crm.lead', '3', 'rita'); SELECT leadguard.team_add('crm.lead', '3', 'rob'); SELECT leadguard.team_add('crm.lead', '3', 'ron')",
    );
    db
}

const CLAIM: &str = "SELECT leadguard.claim('crm.lead', '3', 'I met them')";

#[test]
fn k41_a_second_claim_opens_a_dispute() {
    let db = claims_lab("claims_second");
    let (mut rita, mut rob) = (db.connect("rita"), db.connect("rob"));
    accepted(&mut rita, CLAIM);
    assert_eq!(rows(&mut rita, "SELECT record, state FROM leadguard.claim"), [["3", "open"]]);
    refused(&mut rita, CLAIM, "23505");
    assert_eq!(told(&db, "sid"), "claim 3");
    accepted(&mut rob, CLAIM);
    accepted(&mut db.connect("ron"), CLAIM);
    assert_eq!(
        rows(&mut db.connect("dora"), "SELECT DISTINCT state, dispute_id FROM leadguard.claim"),
        [["disputed", "1"]]
    );
    assert_eq!(told(&db, "rita"), "dispute 3, dispute 3");
    assert_eq!(told(&db, "rob"), "dispute 3", "not what he did himself");
    assert_eq!(scalar(&mut rob, "SELECT count(*) FROM leadguard.dispute"), "1");
    assert_eq!(scalar(&mut rob, "SELECT count(*) FROM leadguard.claim"), "1", "his own");
    for who in ["alma", "zed", "gus"] {
        assert_eq!(scalar(&mut db.connect(who), "SELECT count(*) FROM leadguard.dispute"), "0", "{who}");
        assert_eq!(scalar(&mut db.connect(who), "SELECT count(*) FROM leadguard.claim"), "0", "{who}");
    }
}

#[test]
fn k41_only_a_data_owner_closes_it_once() {
    let db = claims_lab("claims_close");
    accepted(&mut db.connect("rita"), CLAIM);
    accepted(&mut db.connect("rob"), CLAIM);
    let close = "SELECT leadguard.close_dispute(1, 'rob', 'he was first on site')";
    for who in ["rita", "rob", "sid", "mona", "gus", "vic", "zed"] {
        refused(&mut db.connect(who), close, "42501");
    }
    let mut dora = db.connect("dora");
    for sql in [
        "SELECT leadguard.close_dispute(1, 'alma', 'who?')",
        "SELECT leadguard.close_dispute(1, 'zed', 'who?')",
        "SELECT leadguard.close_dispute(1, 'rob', '')",
        "SELECT leadguard.close_dispute(NULL, 'rob', 'x')",
    ] {
        refused(&mut dora, sql, "22023");
    }
    refused(&mut dora, "SELECT leadguard.close_dispute(99, 'rob', 'x')", "42501");
    accepted(&mut dora, close);
    refused(&mut dora, close, "55000");
    assert_eq!(owner(&db, 3), "rob");
    let states =
        "SELECT m.key, c.state FROM leadguard.claim c JOIN leadguard.member m ON m.id = c.member_id ORDER BY 1";
    assert_eq!(rows(&mut db.admin(), states), [["rita", "closed"], ["rob", "open"]]);
    assert_eq!(told(&db, "rita"), "dispute 3, dispute_closed 3");
    assert_eq!(told(&db, "sid"), "claim 3, claim 3, owner_changed 3");
    assert_eq!(
        rows(&mut db.admin(), "SELECT reason FROM leadguard.audit_log WHERE action = 'close_dispute'"),
        [["he was first on site"]]
    );
    // The winner's claim stands: the next one opens another dispute.
    accepted(&mut db.connect("ron"), CLAIM);
    accepted(&mut dora, "SELECT leadguard.close_dispute(2, NULL, 'nobody', reassign => true)");
    assert_eq!(owner(&db, 3), "rob");
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.claim WHERE state <> 'closed'"), "0");
}

#[test]
fn k41_nobody_decides_his_own_dispute() {
    let db = claims_lab("claims_own");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'administrator' FROM leadguard.member WHERE key = 'rita'",
    );
    accepted(&mut db.connect("rita"), CLAIM);
    accepted(&mut db.connect("rob"), CLAIM);
    refused(&mut db.connect("rita"), "SELECT leadguard.close_dispute(1, 'rita', 'mine')", "42501");
    accepted(&mut db.connect("dora"), "SELECT leadguard.close_dispute(1, 'rita', 'hers', reassign => false)");
    assert_eq!(owner(&db, 3), "sid");
}

// A data owner who claims the record himself does not get rid of the other claims.
#[test]
fn k41_a_claim_in_a_dispute_is_released_by_its_holder_alone() {
    let db = claims_lab("claims_release");
    accepted(&mut db.connect("rita"), CLAIM);
    let mut dora = db.connect("dora");
    accepted(&mut dora, "BEGIN; SELECT leadguard.release(1)");
    accepted(&mut dora, "ROLLBACK");
    accepted(&mut db.connect("rob"), CLAIM);
    let robs = scalar(&mut db.admin(), "SELECT max(id) FROM leadguard.claim");
    for claim in ["1", &robs] {
        refused(&mut dora, &format!("SELECT leadguard.release({claim})"), "55000");
    }
    accepted(&mut db.connect("rob"), &format!("SELECT leadguard.release({robs})"));
    accepted(&mut dora, "SELECT leadguard.close_dispute(1, 'rita', 'the other one left')");
    accepted(&mut dora, "SELECT leadguard.release(1)");
    assert!(told(&db, "rita").ends_with("claim_released 3"), "{}", told(&db, "rita"));
}

#[test]
fn k41_who_claims() {
    let db = claims_lab("claims_who");
    accepted(
        &mut db.connect("dora"),
        "SELECT leadguard.share('crm.lead', '3', 'alma', 'read'); SELECT leadguard.share('crm.lead', '3', 'gus', 'edit')",
    );
    for who in ["alma", "gus", "vic", "ivy", "zed"] {
        refused(&mut db.connect(who), CLAIM, "42501");
    }
    refused(&mut db.admin(), CLAIM, "42501");
    refused(&mut db.connect("rita"), "SELECT leadguard.claim('crm.lead', '3', ' ')", "22023");
    switch(&db, "claims", "read");
    accepted(&mut db.connect("alma"), CLAIM);
    refused(&mut db.connect("gus"), CLAIM, "42501");
    accepted(&mut db.connect("sid"), CLAIM);
    let absent = refused(&mut db.connect("ivy"), "SELECT leadguard.claim('crm.lead', '99', 'x')", "42501");
    let hidden = refused(&mut db.connect("ivy"), "SELECT leadguard.claim('crm.lead', '3', 'x')", "42501");
    assert_eq!(absent.message().replace("99", "3"), hidden.message());
}

#[test]
fn k41_a_claim_is_released_by_who_made_it() {
    let db = claims_lab("claims_release");
    accepted(&mut db.connect("rita"), CLAIM);
    for who in ["rob", "zed", "gus", "sid"] {
        refused(&mut db.connect(who), "SELECT leadguard.release(1)", "42501");
    }
    accepted(&mut db.connect("rita"), "SELECT leadguard.release(1)");
    refused(&mut db.connect("rita"), "SELECT leadguard.release(1)", "55000");
    accepted(&mut db.connect("rob"), CLAIM);
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.dispute"), "0");
    accepted(&mut db.connect("rita"), CLAIM);
    let again = scalar(&mut db.connect("rita"), "SELECT max(id) FROM leadguard.claim");
    accepted(&mut db.connect("rita"), &format!("SELECT leadguard.release({again})"));
    assert_eq!(
        scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.dispute WHERE closed_at IS NULL"),
        "1",
        "only a data owner closes it"
    );
    accepted(&mut db.connect("dora"), "SELECT leadguard.close_dispute(1, 'rob', 'alone')");
}

#[test]
fn k41_claims_at_once_make_one_dispute() {
    let db = claims_lab("claims_race");
    for round in 1..=5 {
        std::thread::scope(|scope| {
            for who in ["rita", "rob", "ron"] {
                let db = &db;
                scope.spawn(move || accepted(&mut db.connect(who), CLAIM));
            }
        });
        let open = "SELECT count(*), count(DISTINCT d.id) FROM leadguard.claim c JOIN leadguard.dispute d ON d.id = c.dispute_id WHERE c.state = 'disputed' AND d.closed_at IS NULL";
        assert_eq!(rows(&mut db.admin(), open), [["3", "1"]], "round {round}");
        assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.dispute"), round.to_string());
        accepted(
            &mut db.connect("dora"),
            &format!("SELECT leadguard.close_dispute((SELECT max(id) FROM leadguard.dispute), NULL, 'round {round}')"),
        );
    }
}

#[test]
fn k41_two_data_owners_decide_once() {
    let db = claims_lab("claims_twice");
    join(&db, "dave", "person", "administrator", "default", "");
    accepted(&mut db.connect("rita"), CLAIM);
    accepted(&mut db.connect("rob"), CLAIM);
    let (mut dora, mut dave) = (db.connect("dora"), db.connect("dave"));
    let process = pid(&mut dave);
    accepted(&mut dora, "BEGIN; SELECT leadguard.close_dispute(1, 'rita', 'hers')");
    std::thread::scope(|scope| {
        let second = scope.spawn(|| code(&mut dave, "SELECT leadguard.close_dispute(1, 'rob', 'his')"));
        assert!(blocked(&mut db.admin(), process));
        accepted(&mut dora, "COMMIT");
        assert_eq!(second.join().expect("the second answers"), "55000");
    });
    assert_eq!(owner(&db, 3), "rita");
}

#[test]
fn k41_what_is_purged_is_claimed_by_nobody() {
    let db = claims_lab("claims_purge");
    accepted(&mut db.connect("rita"), CLAIM);
    accepted(&mut db.connect("rob"), CLAIM);
    accepted(&mut db.connect("dora"), "DELETE FROM crm.lead WHERE id = 3");
    refused(&mut db.connect("dora"), CLAIM, "55000");
    accepted(&mut db.connect("dora"), "SELECT leadguard.purge('crm.lead', '3', 'asked to')");
    for table in ["claim", "dispute"] {
        assert_eq!(scalar(&mut db.admin(), &format!("SELECT count(*) FROM leadguard.{table}")), "0");
    }
}

#[test]
fn k41_who_claimed_and_let_go_does_not_decide_and_deciders_are_told() {
    let db = claims_lab("claims_own");
    join(&db, "dana", "person", "administrator", "default", "");
    accepted(&mut db.admin(), "DELETE FROM leadguard.notification");
    accepted(&mut db.connect("rita"), CLAIM);
    accepted(&mut db.connect("dana"), CLAIM);
    assert_eq!(told(&db, "dora"), "dispute 3");
    accepted(
        &mut db.connect("dana"),
        "SELECT leadguard.release(id) FROM leadguard.claim WHERE member_id = leadguard.current_member()",
    );
    let close = "SELECT leadguard.close_dispute(1, NULL, 'nobody')";
    refused(&mut db.connect("dana"), close, "42501");
    accepted(&mut db.connect("dora"), close);
    // Without numbers, all that is unread is read.
    assert_eq!(scalar(&mut db.connect("dora"), "SELECT leadguard.mark_read() > 0"), "t");
    assert_eq!(told(&db, "dora"), "");
}

#[test]
fn k41_who_lets_his_claim_go_at_this_moment_wins_nothing() {
    let db = claims_lab("claims_released");
    accepted(&mut db.connect("rita"), CLAIM);
    accepted(&mut db.connect("rob"), CLAIM);
    let (mut rob, mut dora) = (db.connect("rob"), db.connect("dora"));
    let claim = scalar(&mut rob, "SELECT max(id) FROM leadguard.claim");
    for (end, answer) in [("ROLLBACK", "ok"), ("COMMIT", "22023")] {
        let process = pid(&mut dora);
        accepted(&mut rob, &format!("BEGIN; SELECT leadguard.release({claim})"));
        std::thread::scope(|scope| {
            let closed = scope.spawn(|| code(&mut dora, "BEGIN; SELECT leadguard.close_dispute(1, 'rob', 'first')"));
            assert!(blocked(&mut db.admin(), process));
            accepted(&mut rob, end);
            assert_eq!(closed.join().expect("she decides"), answer);
        });
        accepted(&mut dora, "ROLLBACK");
    }
    assert_eq!(owner(&db, 3), "sid");
}
