//! Records are handed over by defined steps.

use crate::lab::*;
use leadguard_tests::*;

/// Steps: qualify (new to qualified, by sdr), accept (qualified to accepted, from sdr to account_executive).
fn steps(name: &str) -> Db {
    let db = lab(name);
    let mut dora = db.connect("dora");
    accepted(
        &mut dora,
        "SELECT leadguard.set_handoff_step('crm.lead', 'qualify', 'new', 'sdr', 'qualified', 'sdr');
         SELECT leadguard.set_handoff_step('crm.lead', 'accept', 'qualified', 'sdr', 'accepted', 'account_executive',
             fields => '{\"region\": \"north\", \"size\": 7, \"country\": null}', notify => '{record_team,managers,role:marketing,ron}');
         SELECT leadguard.set_handoff_step('crm.lead', 'offer', 'new', 'sdr', 'accepted', 'account_executive', needs_acceptance => true);
         SELECT leadguard.team_add('crm.lead', '3', 'rita')",
    );
    db
}

fn stage(db: &Db, lead: i64) -> String {
    scalar(&mut db.admin(), &format!("SELECT stage FROM crm.lead WHERE id = {lead}"))
}

fn to_qualified(db: &Db, lead: i64) {
    accepted(&mut db.admin(), &format!("UPDATE crm.lead SET stage = 'qualified' WHERE id = {lead}"));
}

#[test]
fn k39_a_record_keeps_its_key_and_history() {
    let db = steps("handoff_moves");
    to_qualified(&db, 3);
    let history = scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.audit_log WHERE record = '3'");
    let mut sid = db.connect("sid");
    let found = rows(
        &mut sid,
        "SELECT what, name, before, after FROM leadguard.handoff('crm.lead', '3', 'accept', 'alma', 'they called back')",
    );
    assert_eq!(
        found,
        [
            ["field", "owner_id", "sid", "alma"],
            ["field", "stage", "qualified", "accepted"],
            ["field", "country", "DE", "∅"],
            ["field", "region", "∅", "north"],
            ["field", "size", "60", "7"],
            ["notify", "alma", "∅", "owner_changed"],
            ["notify", "rita", "∅", "handoff"],
            ["notify", "ron", "∅", "handoff"],
            ["notify", "ivy", "∅", "handoff"],
        ]
    );
    assert_eq!(owner(&db, 3), "alma");
    let row = rows(&mut db.connect("alma"), "SELECT id, stage, country, region, size, name FROM crm.lead");
    assert_eq!(row, [["3", "accepted", "∅", "north", "7", "lead 3"]]);
    let later: i32 = scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.audit_log WHERE record = '3'")
        .parse()
        .expect("a number");
    assert!(later > history.parse().expect("a number"), "what was there stays, and the handoff is added");
    assert_eq!(
        rows(&mut db.admin(), "SELECT reason, detail FROM leadguard.audit_log WHERE action = 'handoff'"),
        [["they called back", "handoff 1, step accept"]]
    );
    assert_eq!(
        rows(&mut db.connect("alma"), "SELECT record, step, state FROM leadguard.handoff"),
        [["3", "accept", "done"]]
    );
    for (who, what) in [
        ("alma", "owner_changed 3"),
        ("rita", "handoff 3"),
        ("ron", "handoff 3"),
        ("ivy", "handoff 3"),
        ("sid", ""),
        ("mona", ""),
    ] {
        assert_eq!(told(&db, who), what, "{who}");
    }
    assert!(rows(&mut sid, "SELECT FROM crm.lead").is_empty(), "X9: the previous owner keeps nothing by default");
}

#[test]
fn k39_no_step_is_skipped() {
    let db = steps("handoff_skips");
    let mut sid = db.connect("sid");
    let before = contents(&db);
    let accept = "SELECT * FROM leadguard.handoff('crm.lead', '3', 'accept', 'alma')";
    let e = refused(&mut sid, accept, "55000");
    assert!(e.detail().unwrap_or_default().contains("qualified"), "{e:?}");
    assert_eq!(contents(&db), before);
    to_qualified(&db, 3);
    refused(&mut sid, "SELECT * FROM leadguard.handoff('crm.lead', '3', 'accept', 'rita')", "55000");
    refused(&mut sid, "SELECT * FROM leadguard.handoff('crm.lead', '3', 'accept', 'sid')", "55000");
    refused(&mut sid, "SELECT * FROM leadguard.handoff('crm.lead', '3', 'accept', 'gus')", "55000");
    for to in ["zed", "nobody"] {
        refused(&mut sid, &format!("SELECT * FROM leadguard.handoff('crm.lead', '3', 'accept', '{to}')"), "22023");
    }
    refused(&mut sid, "SELECT * FROM leadguard.handoff('crm.lead', '3', 'leap', 'alma')", "22023");
    accepted(&mut sid, accept);
    refused(&mut db.connect("dora"), accept, "55000");
}

#[test]
fn k39_who_hands_over() {
    let db = steps("handoff_who");
    to_qualified(&db, 3);
    to_qualified(&db, 1);
    let accept = |lead: i64| format!("SELECT * FROM leadguard.handoff('crm.lead', '{lead}', 'accept', 'alma')");
    // The owner of another role, a reader, strangers.
    refused(&mut db.connect("rita"), &accept(1), "42501");
    accepted(&mut db.connect("dora"), "SELECT leadguard.share('crm.lead', '1', 'sid', 'read')");
    refused(&mut db.connect("sid"), &accept(1), "42501");
    for who in ["ivy", "gus", "vic", "zed"] {
        refused(&mut db.connect(who), &accept(1), "42501");
    }
    // Who only edits what is another one's gives nothing away; the owner of the step's role does.
    accepted(&mut db.connect("dora"), "SELECT leadguard.share('crm.lead', '1', 'sid', 'edit')");
    refused(&mut db.connect("sid"), &accept(1), "42501");
    accepted(&mut db.connect("dora"), "SELECT leadguard.reassign('crm.lead', '1', 'sid')");
    accepted(&mut db.connect("sid"), &accept(1));
    accepted(&mut db.connect("dora"), &accept(3));
}

#[test]
fn k40_a_dry_run_on_a_real_lead_changes_nothing() {
    let db = steps("handoff_dry");
    to_qualified(&db, 3);
    let state = |db: &Db| {
        let audit = scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.audit_log");
        let grants =
            scalar(&mut db.admin(), "SELECT md5(string_agg(g::text, ',' ORDER BY id)) FROM leadguard.record_grant g");
        (contents(db), audit, grants, scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.notification"))
    };
    let before = state(&db);
    let mut sid = db.connect("sid");
    let dry = rows(&mut sid, "SELECT * FROM leadguard.handoff('crm.lead', '3', 'accept', 'alma', dry_run => true)");
    assert_eq!(dry.len(), 9);
    assert_eq!(state(&db), before);
    assert_eq!(rows(&mut sid, "SELECT id FROM crm.lead"), [["3"]]);
    // What would be refused is refused.
    refused(&mut sid, "SELECT * FROM leadguard.handoff('crm.lead', '3', 'qualify', 'sid', dry_run => true)", "55000");
    accepted(
        &mut db.admin(),
        "SELECT leadguard.set_transition('crm.lead', 'stage', 'qualified', 'accepted', 'marketing')",
    );
    let e = refused(
        &mut sid,
        "SELECT * FROM leadguard.handoff('crm.lead', '3', 'accept', 'alma', dry_run => true)",
        "42501",
    );
    assert!(e.message().contains("not possible"), "{e:?}");
    accepted(&mut db.admin(), "SELECT leadguard.set_transition('crm.lead', 'stage', 'qualified', 'accepted', 'sdr')");
    // In a transaction that goes on, too.
    accepted(&mut sid, "BEGIN; SELECT * FROM leadguard.handoff('crm.lead', '3', 'accept', 'alma', dry_run => true)");
    accepted(&mut sid, "UPDATE crm.lead SET name = 'mine still' WHERE id = 3; COMMIT");
    let real = rows(&mut sid, "SELECT * FROM leadguard.handoff('crm.lead', '3', 'accept', 'alma')");
    assert_eq!(real, dry);
    assert_eq!(stage(&db, 3), "accepted");
}

#[test]
fn k39_field_rules_and_triggers_hold() {
    let db = steps("handoff_fields");
    to_qualified(&db, 3);
    accepted(&mut db.admin(), "SELECT leadguard.valid_values('crm.lead', 'region', '{south}')");
    refused(&mut db.connect("sid"), "SELECT * FROM leadguard.handoff('crm.lead', '3', 'accept', 'alma')", "23514");
    assert_eq!(owner(&db, 3), "sid");
    accepted(&mut db.admin(), "SELECT leadguard.valid_values('crm.lead', 'region', '{south,north}')");
    accepted(&mut db.connect("sid"), "SELECT * FROM leadguard.handoff('crm.lead', '3', 'accept', 'alma')");
}

#[test]
fn k39_the_receiver_answers_first() {
    let db = steps("handoff_answer");
    let (mut sid, mut alma) = (db.connect("sid"), db.connect("alma"));
    let offer = "SELECT * FROM leadguard.handoff('crm.lead', '3', 'offer', 'alma', 'please')";
    accepted(&mut sid, offer);
    assert_eq!(owner(&db, 3), "sid");
    assert_eq!(told(&db, "alma"), "handoff 3");
    assert_eq!(rows(&mut alma, "SELECT id FROM crm.lead"), [["3"]], "the receiver looks at it");
    refused(&mut alma, "UPDATE crm.lead SET name = 'x' WHERE id = 3", "42501");
    refused(&mut sid, offer, "55000");
    let id = scalar(&mut sid, "SELECT id FROM leadguard.handoff WHERE state = 'open'");
    for who in ["rita", "gus", "zed"] {
        refused(&mut db.connect(who), &format!("SELECT leadguard.accept_handoff({id})"), "42501");
        refused(&mut db.connect(who), &format!("SELECT leadguard.refuse_handoff({id}, 'no')"), "42501");
        assert!(rows(&mut db.connect(who), "SELECT FROM leadguard.handoff").is_empty());
    }
    refused(&mut sid, &format!("SELECT leadguard.accept_handoff({id})"), "42501");
    refused(&mut alma, &format!("SELECT leadguard.refuse_handoff({id}, ' ')"), "22023");
    accepted(&mut alma, &format!("SELECT leadguard.refuse_handoff({id}, 'no time')"));
    assert_eq!(told(&db, "sid"), "handoff 3");
    assert!(rows(&mut alma, "SELECT FROM crm.lead").is_empty());
    refused(&mut alma, &format!("SELECT leadguard.accept_handoff({id})"), "55000");
    // Again, and this time yes.
    accepted(&mut sid, offer);
    let id = scalar(&mut sid, "SELECT id FROM leadguard.handoff WHERE state = 'open'");
    accepted(&mut alma, &format!("SELECT leadguard.accept_handoff({id})"));
    assert_eq!((owner(&db, 3), stage(&db, 3)), ("alma".to_owned(), "accepted".to_owned()));
    refused(&mut alma, &format!("SELECT leadguard.accept_handoff({id})"), "55000");
    let states = "SELECT string_agg(state, ' ' ORDER BY id) FROM leadguard.handoff";
    assert_eq!(scalar(&mut db.admin(), states), "refused done");
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.record_grant WHERE kind = 'share'"), "0");
    assert!(rows(&mut sid, "SELECT FROM crm.lead WHERE id = 3").is_empty());
}

#[test]
fn k39_an_offer_is_for_the_record_as_it_was() {
    let db = steps("handoff_stale");
    let (mut sid, mut alma) = (db.connect("sid"), db.connect("alma"));
    let offer = "SELECT * FROM leadguard.handoff('crm.lead', '3', 'offer', 'alma')";
    accepted(&mut sid, offer);
    let id = scalar(&mut sid, "SELECT id FROM leadguard.handoff WHERE state = 'open'");
    accepted(&mut db.connect("dora"), "SELECT leadguard.reassign('crm.lead', '3', 'ron')");
    refused(&mut alma, &format!("SELECT leadguard.accept_handoff({id})"), "55000");
    assert_eq!(owner(&db, 3), "ron");
    // It ended with the owner's right: the receiver reads no longer, is told, and the next owner offers it himself.
    assert_eq!(scalar(&mut db.admin(), &format!("SELECT state FROM leadguard.handoff WHERE id = {id}")), "withdrawn");
    assert!(rows(&mut alma, "SELECT FROM crm.lead WHERE id = 3").is_empty());
    assert_eq!(told(&db, "alma"), "handoff 3, handoff 3");
    // Two answers at once: one counts.
    accepted(&mut db.connect("dora"), "SELECT leadguard.reassign('crm.lead', '3', 'sid')");
    accepted(&mut sid, offer);
    let id = scalar(&mut sid, "SELECT id FROM leadguard.handoff WHERE state = 'open'");
    let mut other = db.connect("alma");
    let process = pid(&mut other);
    accepted(&mut alma, &format!("BEGIN; SELECT leadguard.accept_handoff({id})"));
    std::thread::scope(|scope| {
        let second = scope.spawn(|| code(&mut other, &format!("SELECT leadguard.refuse_handoff({id}, 'no')")));
        assert!(blocked(&mut db.admin(), process));
        accepted(&mut alma, "COMMIT");
        assert_eq!(second.join().expect("the second answers"), "55000");
    });
    assert_eq!(owner(&db, 3), "alma");
}

#[test]
fn x9_what_the_previous_owner_keeps() {
    let db = steps("handoff_x9");
    for (level, reads, writes) in [("none", 0, "0"), ("read", 1, "42501"), ("edit", 1, "1")] {
        accepted(
            &mut db.admin(),
            "DELETE FROM leadguard.record_grant; UPDATE crm.lead SET stage = 'qualified', owner_id = (SELECT id FROM leadguard.member WHERE key = 'sid') WHERE id = 3",
        );
        switch(&db, "previous_owner_access", level);
        let mut sid = db.connect("sid");
        accepted(&mut sid, "SELECT * FROM leadguard.handoff('crm.lead', '3', 'accept', 'alma')");
        assert_eq!(rows(&mut sid, "SELECT FROM crm.lead WHERE id = 3").len(), reads, "{level}");
        let answer = match code(&mut sid, "UPDATE crm.lead SET name = 'x' WHERE id = 3").as_str() {
            "ok" if reads == 1 => "1".to_owned(),
            "ok" => "0".to_owned(),
            other => other.to_owned(),
        };
        assert_eq!(answer, writes, "{level}");
    }
}

#[test]
fn k39_a_share_that_has_ended_does_not_stand_in_for_a_new_one() {
    let db = steps("handoff_expired");
    let mut admin = db.admin();
    let expired = |who: &str| {
        format!(
            "INSERT INTO leadguard.record_grant (target, record, kind, member_id, level, until)
             SELECT 'crm.lead', '3', 'share', id, 'edit', now() - interval '1 day' FROM leadguard.member WHERE key = '{who}'"
        )
    };
    accepted(&mut admin, &expired("alma"));
    accepted(&mut admin, &expired("sid"));
    switch(&db, "previous_owner_access", "read");
    let (mut sid, mut alma) = (db.connect("sid"), db.connect("alma"));
    let sees = "SELECT count(*) FROM crm.lead WHERE id = 3";
    assert_eq!(scalar(&mut alma, sees), "0");
    accepted(&mut sid, "SELECT * FROM leadguard.handoff('crm.lead', '3', 'offer', 'alma')");
    assert_eq!(scalar(&mut alma, sees), "1");
    refused(&mut alma, "UPDATE crm.lead SET name = 'x' WHERE id = 3", "42501");
    let id = scalar(&mut admin, "SELECT id FROM leadguard.handoff WHERE state = 'open'");
    accepted(&mut alma, &format!("SELECT leadguard.accept_handoff({id})"));
    assert_eq!((owner(&db, 3).as_str(), scalar(&mut sid, sees).as_str()), ("alma", "1"));
    // One that lasts stays what it is.
    accepted(&mut alma, "SELECT leadguard.share('crm.lead', '3', 'rob', 'edit', 'to help')");
    accepted(
        &mut admin,
        "UPDATE crm.lead SET stage = 'qualified', owner_id = (SELECT id FROM leadguard.member WHERE key = 'rob') WHERE id = 3",
    );
    accepted(&mut db.connect("dora"), "SELECT * FROM leadguard.handoff('crm.lead', '3', 'accept', 'alma')");
    accepted(&mut db.connect("rob"), "UPDATE crm.lead SET name = 'still' WHERE id = 3");
}

#[test]
fn k39_steps_that_cannot_work() {
    let db = lab("handoff_steps");
    let mut dora = db.connect("dora");
    for (arguments, code) in [
        ("'s', from_role => 'nobody'", "22023"),
        ("'', from_role => 'sdr'", "22023"),
        ("'s', fields => '{\"nothing\": 1}'", "42703"),
        ("'s', fields => '{\"owner_id\": 1}'", "22023"),
        ("'s', fields => '{\"stage\": \"x\"}'", "22023"),
        ("'s', fields => '{\"archived_at\": \"now\"}'", "22023"),
        ("'s', fields => '{\"size\": \"many\"}'", "22P02"),
        ("'s', fields => '[]'", "22023"),
        ("'s', notify => '{zed}'", "22023"),
        ("'s', notify => '{role:nothing}'", "22023"),
    ] {
        refused(&mut dora, &format!("SELECT leadguard.set_handoff_step('crm.lead', {arguments})"), code);
    }
    accepted(
        &mut dora,
        "SELECT leadguard.set_handoff_step('crm.lead', 's', fields => '{\"name\": \"a''); DROP TABLE crm.lead; --\"}')",
    );
    accepted(&mut dora, "SELECT * FROM leadguard.handoff('crm.lead', '3', 's', 'alma')");
    assert_eq!(scalar(&mut db.admin(), "SELECT name FROM crm.lead WHERE id = 3"), "a'); DROP TABLE crm.lead; --");
    assert_eq!(scalar(&mut db.connect("rita"), "SELECT count(*) FROM leadguard.handoff_step"), "1");
    for who in ["zed", "gus"] {
        assert_eq!(scalar(&mut db.connect(who), "SELECT count(*) FROM leadguard.handoff_step"), "0", "{who}");
    }
    assert_eq!(scalar(&mut dora, "SELECT leadguard.drop_handoff_step('crm.lead', 's')"), "t");
}

#[test]
fn k39_nobody_hands_a_record_to_himself() {
    let db = steps("handoff_self");
    let mine = "SELECT * FROM leadguard.handoff('crm.lead', '1', 'qualify', 'sid')";
    let mut sid = db.connect("sid");
    accepted(&mut db.connect("dora"), "SELECT leadguard.share('crm.lead', '1', 'sid', 'edit')");
    refused(&mut sid, mine, "42501");
    // Not with the right to reassign either, which leadguard.reassign carries out.
    accepted(&mut db.connect("dora"), "SELECT leadguard.share('crm.lead', '1', 'sid', 'full')");
    refused(&mut sid, mine, "42501");
    assert_eq!(owner(&db, 1), "rita");
    accepted(&mut db.connect("dora"), mine);
    assert_eq!(owner(&db, 1), "sid");
}

#[test]
fn k39_what_was_shared_since_stays_when_the_offer_is_refused() {
    let db = steps("handoff_shared");
    let mut sid = db.connect("sid");
    accepted(&mut sid, "SELECT * FROM leadguard.handoff('crm.lead', '3', 'offer', 'alma')");
    accepted(&mut sid, "SELECT leadguard.share('crm.lead', '3', 'alma', 'edit', 'to help')");
    accepted(&mut db.connect("alma"), "SELECT leadguard.refuse_handoff(1, 'no time')");
    assert_eq!(scalar(&mut db.connect("alma"), "SELECT count(*) FROM crm.lead WHERE id = 3"), "1");
    // The offer itself goes.
    accepted(&mut sid, "SELECT leadguard.unshare('crm.lead', '3', 'alma')");
    accepted(&mut sid, "SELECT * FROM leadguard.handoff('crm.lead', '3', 'offer', 'alma')");
    assert_eq!(scalar(&mut db.connect("alma"), "SELECT count(*) FROM crm.lead WHERE id = 3"), "1");
    accepted(&mut db.connect("alma"), "SELECT leadguard.refuse_handoff(2, 'no time')");
    assert_eq!(scalar(&mut db.connect("alma"), "SELECT count(*) FROM crm.lead WHERE id = 3"), "0");
}

// An offer gives no more than who made it has when it is accepted.
#[test]
fn k39_an_offer_ends_with_the_right_of_its_giver() {
    for (change, holds) in [
        ("SELECT 1", true),
        ("UPDATE leadguard.member SET active = false WHERE key = 'mona'", false),
        (
            "UPDATE leadguard.member SET manager_id = NULL WHERE manager_id = (SELECT id FROM leadguard.member WHERE key = 'mona')",
            false,
        ),
        ("SELECT leadguard.set_switch('crm.lead', 'owner_change', 'handoff')", true),
        ("SELECT leadguard.set_switch('crm.lead', 'owner_change', 'admin')", false),
        ("UPDATE leadguard.handoff_step SET from_role = 'sdr' WHERE name = 'offer'", false),
    ] {
        let db = steps("handoff_giver");
        let offer = "SELECT * FROM leadguard.handoff('crm.lead', '3', 'offer', 'alma')";
        accepted(&mut db.admin(), "UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = 'mona') WHERE key = 'sid';
            UPDATE leadguard.handoff_step SET from_role = NULL WHERE name = 'offer'");
        accepted(&mut db.connect("mona"), offer);
        let id = scalar(&mut db.admin(), "SELECT id FROM leadguard.handoff WHERE state = 'open'");
        accepted(&mut db.admin(), change);
        let accept = format!("SELECT leadguard.accept_handoff({id})");
        if holds {
            accepted(&mut db.connect("alma"), &accept);
        } else {
            let error = refused(&mut db.connect("alma"), &accept, "55000");
            assert!(error.message().contains("may not hand the record over any more"), "{error}");
        }
        assert_eq!(owner(&db, 3), if holds { "alma" } else { "sid" });
    }
}
