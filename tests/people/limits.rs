//! What those who manage members may not do, and what ends with a member.

use crate::lab::{cannot_work, decision_site, people, seen};
use leadguard_tests::{Db, accepted, refused, rows, scalar};

fn office(name: &str, rank: i32) -> Db {
    let db = decision_site(name);
    accepted(
        &mut db.admin(),
        &format!(
            "INSERT INTO leadguard.role (name, org_id, rank, capabilities) VALUES ('office', 1, {rank}, '{{manage_members,manage_roles}}');
             INSERT INTO leadguard.job_function (org_id, name, role) VALUES (1, 'maker', 'CREATOR')"
        ),
    );
    people(&db, "otis office");
    db
}

#[test]
fn d21_the_end_ends_delegations_and_requests_too() {
    let db = decision_site("limits_end");
    accepted(&mut db.connect("ada"), "SELECT * FROM leadguard.offboard_plan('curt', current_date)");
    accepted(&mut db.connect("ada"), "SELECT * FROM leadguard.offboard_last_day('curt', 'vera', 'x')");
    // Who leaves is no delegate.
    let to = |who: &str| format!("SELECT leadguard.delegate('{who}', now() + interval '1 day', 'edit', 'holiday')");
    cannot_work(&mut db.connect("cara"), &to("curt"));
    accepted(&mut db.connect("cara"), &to("cora"));
    // What comes between the last day and the end ends with it.
    accepted(&mut db.connect("curt"), "SELECT leadguard.request_access('crm.site', '1', 'read', 'to compare')");
    accepted(&mut db.connect("curt"), "SELECT leadguard.request_role('CREATOR', 'again')");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.delegation (org_id, member_id, delegate_id, level, until, reason)
         SELECT 1, a.id, b.id, 'read', now() + interval '1 day', 'x' FROM leadguard.member a, leadguard.member b
         WHERE (a.key, b.key) IN (('curt', 'cora'), ('cara', 'curt'))",
    );
    let done = rows(&mut db.connect("ada"), "SELECT step, count FROM leadguard.offboard_end('curt', 'over')");
    for step in [["delegations ended", "2"], ["requests withdrawn", "2"]] {
        assert!(done.iter().any(|row| row == &step), "{done:?}");
    }
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.delegation WHERE ended_at IS NULL"), "1");
    assert!(rows(&mut db.connect("ada"), "SELECT * FROM leadguard.access_requests()").is_empty());
    // A plan for who is gone is none.
    refused(&mut db.connect("ada"), "SELECT * FROM leadguard.offboard_plan('curt', current_date)", "55000");
}

#[test]
fn delegation_gives_nothing_to_who_is_not_active() {
    let db = decision_site("limits_inactive");
    accepted(&mut db.connect("cara"), "SELECT leadguard.delegate('cora', now() + interval '1 day', 'edit', 'holiday')");
    let given = "SELECT count(*) FROM leadguard.record_grant WHERE delegation_id IS NOT NULL";
    accepted(&mut db.connect("cara"), "INSERT INTO crm.site (name) VALUES ('one')");
    assert_eq!(scalar(&mut db.admin(), given), "6");
    accepted(
        &mut db.admin(),
        "DELETE FROM crm.site WHERE owner_id = (SELECT id FROM leadguard.member WHERE key = 'cora');
         SELECT leadguard.set_switch('crm.site', 'owners_stay', 'off'); UPDATE leadguard.member SET active = false WHERE key = 'cora'",
    );
    accepted(&mut db.connect("cara"), "INSERT INTO crm.site (name) VALUES ('two')");
    assert_eq!(scalar(&mut db.admin(), given), "0", "it has ended with the membership");
}

#[test]
fn delegation_ends_within_a_year() {
    let db = decision_site("limits_year");
    let mut cara = db.connect("cara");
    for until in ["'infinity'", "now() + interval '367 days'"] {
        cannot_work(&mut cara, &format!("SELECT leadguard.delegate('cora', {until}, 'edit', 'holiday')"));
    }
    let e = refused(&mut cara, "SELECT leadguard.delegate('cora', now() + interval '1 day', 'edit')", "22023");
    assert!(e.message().contains("the reason is missing") && e.hint().is_some(), "{e:?}");
    accepted(&mut cara, "SELECT leadguard.delegate('cora', now() + interval '365 days', 'edit', 'holiday')");
}

#[test]
fn d19_only_who_stands_as_high_takes_a_plan_back() {
    let db = office("limits_cancel", 60);
    accepted(&mut db.connect("ada"), "SELECT * FROM leadguard.offboard_plan('arno', current_date)");
    accepted(&mut db.connect("ada"), "SELECT * FROM leadguard.offboard_plan('cole', current_date)");
    let mut otis = db.connect("otis");
    refused(&mut otis, "SELECT * FROM leadguard.offboard_cancel('arno', 'he stays')", "42501");
    accepted(&mut otis, "SELECT * FROM leadguard.offboard_cancel('cole', 'he stays')");
    accepted(&mut db.connect("ada"), "SELECT * FROM leadguard.offboard_cancel('arno', 'he stays')");
}

#[test]
fn d2_a_third_admin_does_not_come_back_by_another_door() {
    let db = decision_site("limits_third");
    people(&db, "anna");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.role (name, org_id, rank, capabilities) VALUES ('chief', 1, 10, '{}');
         INSERT INTO leadguard.member_role SELECT id, 'chief' FROM leadguard.member WHERE key = 'anna';
         UPDATE leadguard.organization SET third_admin = 'refuse'",
    );
    let rises = "UPDATE leadguard.role SET rank = 95, capabilities = '{administer}' WHERE name = 'chief'";
    refused(&mut db.admin(), rises, "23514");
    accepted(&mut db.admin(), "UPDATE leadguard.member SET active = false WHERE key = 'anna'");
    accepted(&mut db.admin(), rises);
    let back = "UPDATE leadguard.member SET active = true WHERE key = 'anna'";
    refused(&mut db.admin(), back, "23514");
    accepted(
        &mut db.admin(),
        "DELETE FROM leadguard.member_role WHERE role = 'ADMIN' AND member_id = (SELECT id FROM leadguard.member WHERE key = 'arno')",
    );
    accepted(&mut db.admin(), back);
}

#[test]
fn d35_nobody_changes_his_own_job_function_or_that_of_a_higher_rank() {
    let db = office("limits_job", 60);
    let mut otis = db.connect("otis");
    let give = |who: &str| {
        format!(
            "INSERT INTO leadguard.member_function (member_id, job_function) SELECT id, 'maker' FROM leadguard.member WHERE key = '{who}'"
        )
    };
    refused(&mut otis, &give("otis"), "42501");
    refused(&mut otis, &give("ada"), "42501");
    accepted(&mut otis, &give("cole"));
    accepted(&mut db.connect("ada"), &give("otis"));
    accepted(&mut db.connect("ada"), &give("ada"));
    refused(&mut otis, "DELETE FROM leadguard.member_function WHERE member_id = leadguard.current_member()", "42501");
    // One that is renamed or dropped takes all along.
    accepted(&mut db.admin(), "UPDATE leadguard.job_function SET name = 'creator'; DELETE FROM leadguard.job_function");
    assert_eq!(
        scalar(
            &mut db.admin(),
            "SELECT count(*) > 5 AND bool_or(detail = 'member cole: job function maker given') FROM leadguard.audit_log WHERE action = 'job_function'"
        ),
        "t"
    );
}

#[test]
fn d24_only_what_happened_is_written_down_as_a_change_of_role() {
    let db = office("limits_note", 60);
    let mut otis = db.connect("otis");
    let noted = "SELECT count(*) FROM leadguard.audit_log WHERE action = 'change_role'";
    accepted(&mut otis, "SELECT leadguard.note_change_of_role('cole', 'CREATOR', 'COLLABORATOR', 'made up')");
    assert_eq!(scalar(&mut db.admin(), noted), "0");
    accepted(
        &mut db.connect("ada"),
        "SELECT * FROM leadguard.change_role('cole', 'COLLABORATOR', 'CREATOR', 'promoted')",
    );
    assert_eq!(scalar(&mut db.admin(), noted), "1");
    // Nor more often, nor from what he never was.
    let mut ada = db.connect("ada");
    let say = |from: &str| {
        format!("SELECT leadguard.note_change_of_role('cole', {from}, 'COLLABORATOR', 'x') FROM generate_series(1, 3)")
    };
    accepted(
        &mut ada,
        "BEGIN; INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'COLLABORATOR' FROM leadguard.member WHERE key = 'cole'",
    );
    accepted(&mut ada, &say("'administrator'"));
    accepted(&mut ada, &say("NULL"));
    accepted(&mut ada, "COMMIT");
    assert_eq!(
        rows(&mut db.admin(), "SELECT detail FROM leadguard.audit_log WHERE action = 'change_role' ORDER BY id"),
        [["member cole, from COLLABORATOR to CREATOR"], ["member cole, from none to COLLABORATOR"]]
    );
}

#[test]
fn d24_small_answers() {
    let db = office("limits_small", 60);
    cannot_work(&mut db.connect("ada"), "SELECT * FROM leadguard.onboard('nina', 'Nina', NULL, teams => '{NULL}')");
    accepted(&mut db.connect("ada"), "SELECT * FROM leadguard.onboard('nina', 'Nina', NULL, teams => '{general}')");
    let stranger = db.create_role("stranger");
    accepted(&mut db.admin(), &format!("GRANT USAGE ON SCHEMA leadguard TO {stranger}"));
    assert_eq!(scalar(&mut db.connect("stranger"), "SELECT leadguard.role_of_function('maker') IS NULL"), "t");
    assert_eq!(scalar(&mut db.connect("cole"), "SELECT leadguard.role_of_function('maker')"), "CREATOR");
    assert!(!seen(&mut db.connect("cara"), "crm.site").is_empty());
}

#[test]
fn k20_what_is_given_for_a_time_is_not_passed_on_for_longer() {
    let db = decision_site("limits_time");
    let mut cara = db.connect("cara");
    accepted(&mut cara, "SELECT leadguard.delegate('vera', now() + interval '7 days', 'full', 'holiday')");
    accepted(&mut cara, "SELECT leadguard.delegate('curt', now() + interval '7 days', 'full', 'holiday')");
    let mut curt = db.connect("curt");
    let share = |until: &str| format!("SELECT leadguard.share('crm.site', '1', 'cole', 'read', 'to help', {until})");
    for sql in [
        share("NULL").as_str(),
        share("now() + interval '8 days'").as_str(),
        "SELECT leadguard.team_add('crm.site', '1', 'cole', 'read', 'to help')",
        "SELECT leadguard.share('crm.site', '1', 'curt', 'full', 'for good')",
        "SELECT leadguard.share('crm.site', '1', 'curt', 'full', 'for me', now() + interval '6 days')",
        "SELECT leadguard.reassign('crm.site', '1', 'curt', reason => 'mine')",
        "UPDATE crm.site SET owner_id = leadguard.current_member() WHERE id = 1",
    ] {
        refused(&mut curt, sql, "42501");
    }
    accepted(&mut curt, &share("now() + interval '6 days'"));
    assert_eq!(seen(&mut db.connect("cole"), "crm.site"), "1 2 3");
    // The same right for good.
    accepted(&mut cara, "SELECT leadguard.share('crm.site', '2', 'curt', 'full', 'for good')");
    accepted(&mut curt, "SELECT leadguard.share('crm.site', '2', 'cora', 'read', 'to help')");
    accepted(&mut curt, "SELECT leadguard.reassign('crm.site', '2', 'vera', reason => 'hers')");
}

#[test]
fn k20_a_delegate_does_not_make_his_access_last() {
    let db = decision_site("limits_last");
    let mut cara = db.connect("cara");
    let give = |who: &str, level: &str| {
        format!("SELECT leadguard.delegate('{who}', now() + interval '7 days', '{level}', 'holiday')")
    };
    accepted(&mut cara, &give("curt", "full"));
    accepted(&mut cara, &give("cora", "edit"));
    let (mut curt, mut cora) = (db.connect("curt"), db.connect("cora"));
    // By a team of his own he would reach it for good.
    let team = "UPDATE crm.site SET team_id = (SELECT id FROM leadguard.team WHERE key = 'strategic') WHERE id = 1";
    let e = refused(&mut curt, team, "42501");
    assert!(e.message().contains("your own right to it ends"), "{e:?}");
    accepted(&mut curt, "UPDATE crm.site SET name = 'x' WHERE id = 1");
    // As a contact, too.
    let contact = |who: &str| format!("SELECT leadguard.contact_add('crm.site', '1', member => '{who}')");
    refused(&mut cora, &contact("cora"), "42501");
    refused(&mut cora, &contact("cole"), "42501");
    accepted(&mut cora, "SELECT leadguard.contact_add('crm.site', '1', name => 'the buyer')");
    let id = scalar(&mut cara, "SELECT leadguard.contact_add('crm.site', '1', 'BUYER', 'cora')");
    let side = format!("SELECT leadguard.contact_side({id}, 'SELLER')");
    refused(&mut cora, &side, "42501");
    // Who has the right for good does all of it.
    accepted(&mut cara, &side);
    accepted(&mut cara, &contact("cole"));
    accepted(&mut cara, team);
}

#[test]
fn d22_a_restored_record_has_an_owner() {
    let db = decision_site("limits_restore");
    let mut ada = db.connect("ada");
    accepted(&mut ada, "SELECT leadguard.archive('crm.site', '5', 'old')");
    accepted(&mut ada, "SELECT leadguard.archive('crm.site', '1', 'old')");
    accepted(&mut ada, "SELECT * FROM leadguard.offboard_now('curt', 'vera', 'x')");
    accepted(&mut ada, "SELECT leadguard.restore('crm.site', '5', 'needed')");
    accepted(&mut ada, "SELECT leadguard.restore('crm.site', '1', 'needed')");
    let owners = "SELECT s.id, m.key FROM crm.site s JOIN leadguard.member m ON m.id = s.owner_id WHERE s.id IN (1, 5) ORDER BY 1";
    assert_eq!(rows(&mut db.admin(), owners), [["1", "cara"], ["5", "ada"]]);
    // Nor is one left without.
    let none = "UPDATE crm.site SET owner_id = NULL WHERE id = 5";
    refused(&mut ada, none, "42501");
    accepted(&mut db.admin(), "SELECT leadguard.set_switch('crm.site', 'owners_stay', 'off')");
    accepted(&mut ada, none);
}
