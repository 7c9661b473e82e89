//! Leaving in three phases, under two presets.

use crate::lab::{attempt, cannot_work, creates, decision_site, people, seen};
use leadguard_tests::{Db, accepted, code, leads, org, pid, refused, rows, scalar, set};

fn table(found: &[Vec<String>]) -> Vec<String> {
    found.iter().map(|row| row.join(" ")).collect()
}

const PLAN: &str = "SELECT kind, target, record, suggested_owner FROM leadguard.offboard_plan";

#[test]
fn d19_to_d22_the_whole_story_under_sales_hierarchy() {
    let db = Db::new("leaving_sales");
    org(&db);
    let mut admin = db.connect("admin");
    // loner owns leads in four territories, and one territory has tom, who owns dach.
    let plan = rows(&mut admin, &format!("{PLAN}('loner', current_date + 14, 'moves to Lisbon')"));
    assert_eq!(
        table(&plan),
        ["record crm.lead 11 tom", "record crm.lead 12 bea", "record crm.lead 14 admin", "record crm.lead 15 amy"]
    );
    assert_eq!(leads(&db, "loner"), set("11 12 14 15"));

    let plan = rows(&mut admin, &format!("{PLAN}('tom', current_date + 14)"));
    assert_eq!(table(&plan), ["territory ∅ dach tina"]);
    assert_eq!(rows(&mut db.connect("tina"), "SELECT kind FROM leadguard.notification"), [["offboarding"]]);

    // The end does not come before the last day.
    refused(&mut admin, "SELECT * FROM leadguard.offboard_end('tom', 'x')", "55000");
    // By default the manager takes over; loner has none.
    cannot_work(&mut admin, "SELECT * FROM leadguard.offboard_last_day('loner', reason => 'last day')");
    cannot_work(&mut admin, "SELECT * FROM leadguard.offboard_last_day('loner', 'tom', 'leaves himself')");
    cannot_work(&mut admin, "SELECT * FROM leadguard.offboard_last_day('loner', 'amy')");
    let done = rows(
        &mut admin,
        "SELECT step, target, detail, count FROM leadguard.offboard_last_day('loner', 'amy', 'last day')",
    );
    assert_eq!(table(&done), ["reassigned crm.lead to amy 4", "role left ∅ view_only 1"]);
    assert!(leads(&db, "loner").is_empty());
    assert!(leads(&db, "amy").is_superset(&set("11 12 14 15")));
    let done =
        rows(&mut admin, "SELECT step, detail, count FROM leadguard.offboard_last_day('tom', reason => 'last day')");
    assert_eq!(table(&done), ["territories passed on dach 1", "role left view_only 1"]);
    assert!(leads(&db, "tina").contains("11"));

    // Work in transition: he may look, not write. What he gets meanwhile stands in the way of the end.
    accepted(&mut db.connect("amy"), "SELECT leadguard.share('crm.lead', '11', 'loner')");
    assert_eq!(leads(&db, "loner"), set("11"));
    refused(&mut db.connect("loner"), "UPDATE crm.lead SET name = 'x'", "42501");
    accepted(&mut db.connect("amy"), "SELECT leadguard.reassign('crm.lead', '12', 'loner', reason => 'by mistake')");
    let e = refused(&mut admin, "SELECT * FROM leadguard.offboard_end('loner', 'over')", "23503");
    assert!(e.detail().unwrap_or_default().contains("1 record of crm.lead"), "{e:?}");
    accepted(&mut admin, "SELECT leadguard.reassign('crm.lead', '12', 'amy', reason => 'back')");
    accepted(&mut admin, "SELECT * FROM leadguard.offboard_end('loner', 'over')");
    let login = db.role("loner");
    assert_eq!(rows(&mut db.admin(), "SELECT active, db_role FROM leadguard.member WHERE key = 'loner'"), [["f", "∅"]]);
    assert_eq!(
        scalar(&mut db.admin(), &format!("SELECT count(*) FROM leadguard.role_binding WHERE db_role = '{login}'")),
        "0"
    );
    assert_eq!(code(&mut db.connect("loner"), "SELECT count(*) FROM crm.lead"), "42501");
    assert_eq!(
        rows(
            &mut db.admin(),
            "SELECT state, last_day > current_date, reassigned_at IS NOT NULL, ended_at IS NOT NULL FROM leadguard.offboarding o JOIN leadguard.member m ON m.id = o.member_id WHERE m.key = 'loner'"
        ),
        [["ended", "t", "t", "t"]]
    );
    assert_eq!(
        table(&rows(
            &mut db.admin(),
            "SELECT action, count(*) FROM leadguard.audit_log WHERE member_key = 'admin' AND action ~ 'offboard|reassign' GROUP BY 1 ORDER BY 1"
        )),
        ["offboard_end 1", "offboard_last_day 2", "offboard_plan 2", "reassign 5"]
    );
}

#[test]
fn d19_to_d22_the_whole_story_under_decision_site() {
    let db = decision_site("leaving_site");
    let mut ada = db.connect("ada");
    accepted(&mut db.connect("vera"), "SELECT 1");
    let plan = rows(&mut ada, &format!("{PLAN}('curt', current_date, 'leaves')"));
    // He manages three teams alone, and owns a site.
    assert_eq!(
        table(&plan),
        ["record crm.site 5 ada", "team ∅ general ada", "team ∅ solo ada", "team ∅ strategic ada"]
    );
    let done = rows(
        &mut ada,
        "SELECT step, target, detail, count FROM leadguard.offboard_last_day('curt', 'vera', 'last day')",
    );
    assert_eq!(
        table(&done),
        [
            "reassigned crm.site to vera 1",
            "teams passed on ∅ general, solo, strategic 3",
            "teams left ∅ general, solo, strategic 3",
            "roles taken ∅ CREATOR 1",
            "role left ∅ COLLABORATOR 1"
        ]
    );
    // As a COLLABORATOR he edits what is still shared, and creates nothing.
    let mut curt = db.connect("curt");
    assert!(!creates(&mut curt, "crm.site"));
    accepted(&mut db.connect("vera"), "SELECT leadguard.share('crm.site', '5', 'curt', 'edit', 'hand over')");
    assert_eq!(attempt(&mut curt, "UPDATE crm.site SET name = 'x' WHERE id = 5"), "1");
    assert_eq!(
        rows(
            &mut db.admin(),
            "SELECT t.key, m.key FROM leadguard.team_member tm JOIN leadguard.team t ON t.id = tm.team_id JOIN leadguard.member m ON m.id = tm.member_id WHERE tm.role = 'owner' ORDER BY 1"
        ),
        [["general", "vera"], ["solo", "vera"], ["strategic", "vera"]]
    );
    accepted(&mut ada, "SELECT * FROM leadguard.offboard_end('curt', 'over')");
    assert_eq!(code(&mut db.connect("curt"), "SELECT FROM crm.site"), "42501");
    assert_eq!(
        scalar(
            &mut db.admin(),
            "SELECT count(*) FROM leadguard.record_grant g JOIN leadguard.member m ON m.id = g.member_id WHERE m.key = 'curt'"
        ),
        "0"
    );
}

#[test]
fn d20_what_the_caller_does_not_reach_makes_all_of_it_fail() {
    let db = decision_site("leaving_unreached");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.role (name, org_id, rank, capabilities) VALUES ('office', 1, 60, '{manage_members}')",
    );
    people(&db, "otis office");
    let mut otis = db.connect("otis");
    let plan = rows(&mut otis, &format!("{PLAN}('cara', current_date)"));
    assert_eq!(table(&plan), ["unreadable crm.site 5 ∅"]);
    let before = scalar(&mut db.admin(), "SELECT md5(string_agg(s::text, ',' ORDER BY id)) FROM crm.site s");
    let e = refused(&mut otis, "SELECT * FROM leadguard.offboard_last_day('cara', 'vera', 'x')", "42501");
    assert!(e.detail().unwrap_or_default().contains("5 of 5 records of crm.site"), "{e:?}");
    assert_eq!(scalar(&mut db.admin(), "SELECT md5(string_agg(s::text, ',' ORDER BY id)) FROM crm.site s"), before);
    assert_eq!(scalar(&mut db.admin(), "SELECT state FROM leadguard.offboarding"), "planned");
    // With sight of all of them it goes, for the same office.
    accepted(
        &mut db.admin(),
        "SELECT leadguard.share('crm.site', s::text, 'otis', 'full', 'for the hand-over') FROM generate_series(1, 6) s WHERE s <> 5; INSERT INTO leadguard.member_role SELECT id, 'COLLABORATOR' FROM leadguard.member WHERE key = 'otis'",
    );
    accepted(&mut otis, "SELECT * FROM leadguard.offboard_last_day('cara', 'vera', 'x')");
    assert_eq!(
        scalar(
            &mut db.admin(),
            "SELECT count(*) FROM crm.site s JOIN leadguard.member m ON m.id = s.owner_id WHERE m.key = 'vera'"
        ),
        "5"
    );
}

#[test]
fn d19_only_those_who_manage_members_and_not_themselves() {
    let db = decision_site("leaving_who");
    for who in ["cara", "cole", "gus", "bob"] {
        for sql in [
            "SELECT * FROM leadguard.offboard_plan('curt', current_date)",
            "SELECT * FROM leadguard.offboard_last_day('curt', 'vera', 'x')",
            "SELECT * FROM leadguard.offboard_end('curt', 'x')",
            "SELECT * FROM leadguard.offboard_now('curt', 'vera', 'x')",
            "SELECT * FROM leadguard.offboard_cancel('curt', 'x')",
            "SELECT * FROM leadguard.remove_departed('{curt}', 'vera', 'x')",
        ] {
            refused(&mut db.connect(who), sql, "42501");
        }
    }
    refused(&mut db.connect("ada"), "SELECT * FROM leadguard.offboard_plan('ada', current_date)", "42501");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.role (name, org_id, rank, capabilities) VALUES ('office', 1, 60, '{manage_members}')",
    );
    people(&db, "otis office");
    let mut otis = db.connect("otis");
    refused(&mut otis, "SELECT * FROM leadguard.offboard_plan('arno', current_date)", "42501");
    cannot_work(&mut otis, "SELECT * FROM leadguard.offboard_plan('nobody', current_date)");
    cannot_work(&mut otis, "SELECT * FROM leadguard.offboard_plan('curt', current_date, transition_role => 'ADMIN')");
    accepted(&mut otis, "SELECT * FROM leadguard.offboard_plan('curt', current_date)");
    // Nobody of another organization, who is answered like nobody at all.
    accepted(&mut db.admin(), "INSERT INTO leadguard.organization (key) VALUES ('globex')");
    people(&db, "zoe");
    accepted(
        &mut db.admin(),
        "UPDATE leadguard.member SET org_id = (SELECT id FROM leadguard.organization WHERE key = 'globex') WHERE key = 'zoe'",
    );
    let words = |who: &str| {
        cannot_work(&mut db.connect("ada"), &format!("SELECT * FROM leadguard.offboard_plan('{who}', current_date)"))
            .replace(who, "?")
    };
    assert_eq!(words("zoe"), words("nobody"));
    cannot_work(&mut db.connect("ada"), "SELECT * FROM leadguard.offboard_last_day('curt', 'zoe', 'x')");
}

#[test]
fn d17_d22_the_last_admin_does_not_leave() {
    let db = decision_site("leaving_last");
    accepted(&mut db.connect("ada"), "SELECT * FROM leadguard.offboard_now('arno', 'vera', 'x')");
    people(&db, "otto ADMIN");
    accepted(&mut db.connect("otto"), "SELECT * FROM leadguard.offboard_now('ada', 'vera', 'x')");
    // From outside there is nobody left who could.
    refused(&mut db.admin(), "SELECT * FROM leadguard.offboard_now('otto', 'vera', 'x')", "23514");
    assert_eq!(scalar(&mut db.admin(), "SELECT active FROM leadguard.member WHERE key = 'otto'"), "t");
}

#[test]
fn x18_d23_at_once() {
    let db = decision_site("leaving_now");
    let mut cara = db.connect("cara");
    assert_eq!(seen(&mut cara, "crm.site"), "1 2 3 4 6");
    let done = rows(
        &mut db.connect("ada"),
        "SELECT step, target, detail, count FROM leadguard.offboard_now('cara', reason => 'dismissed')",
    );
    assert_eq!(table(&done)[0], "reassigned crm.site to vera 5");
    assert_eq!(table(&done).last().map(String::as_str), Some("membership ended ∅ ∅ 1"));
    // The open session has nothing any more with the next statement.
    assert_ne!(code(&mut cara, "SELECT 1 / count(*) FROM crm.site"), "ok");
    assert_eq!(scalar(&mut db.admin(), "SELECT state FROM leadguard.offboarding"), "ended");
}

#[test]
fn d25_the_departed_are_removed_together_or_not_at_all() {
    let db = decision_site("leaving_many");
    let mut ada = db.connect("ada");
    assert_eq!(
        rows(&mut ada, "SELECT * FROM leadguard.remove_departed('{cara,curt}', 'vera', 'office closed')"),
        [["cara", "removed", "5"], ["curt", "removed", "1"]]
    );
    cannot_work(&mut ada, "SELECT * FROM leadguard.remove_departed('{cole,nobody}', 'vera', 'x')");
    assert_eq!(
        scalar(&mut db.admin(), "SELECT string_agg(key, ' ' ORDER BY key) FROM leadguard.member WHERE NOT active"),
        "cara curt"
    );
}

#[test]
fn d21_requests_delegations_and_grants_end() {
    let db = decision_site("leaving_rest");
    accepted(&mut db.connect("curt"), "SELECT leadguard.request_access('crm.site', '1', 'read', 'to compare')");
    accepted(&mut db.connect("cara"), "SELECT leadguard.share('crm.site', '1', 'curt', 'edit')");
    accepted(&mut db.connect("cara"), "SELECT leadguard.delegate('curt', now() + interval '1 day', 'edit', 'holiday')");
    assert_eq!(seen(&mut db.connect("curt"), "crm.site"), "1 2 3 4 5 6");
    accepted(&mut db.connect("ada"), "SELECT * FROM leadguard.offboard_plan('curt', current_date)");
    let done = rows(&mut db.connect("ada"), "SELECT step, count FROM leadguard.offboard_last_day('curt', 'vera', 'x')");
    for step in ["grants taken 1", "delegations ended 1", "requests withdrawn 1"] {
        assert!(table(&done).iter().any(|row| row == step), "{step}: {done:?}");
    }
    assert_eq!(seen(&mut db.connect("curt"), "crm.site"), "3");
}

#[test]
fn d19_a_plan_can_be_taken_back() {
    let db = decision_site("leaving_cancel");
    let mut ada = db.connect("ada");
    refused(&mut ada, "SELECT * FROM leadguard.offboard_cancel('curt', 'x')", "55000");
    accepted(&mut ada, "SELECT * FROM leadguard.offboard_plan('curt', current_date + 3)");
    accepted(&mut ada, "SELECT * FROM leadguard.offboard_plan('curt', current_date + 5, 'later')");
    assert_eq!(
        rows(&mut ada, "SELECT state, last_day - current_date, note FROM leadguard.offboarding"),
        [["planned", "5", "later"]]
    );
    accepted(&mut ada, "SELECT * FROM leadguard.offboard_cancel('curt', 'he stays')");
    refused(&mut ada, "SELECT * FROM leadguard.offboard_last_day('curt', 'vera', 'x')", "55000");
    accepted(&mut ada, "SELECT * FROM leadguard.offboard_plan('curt', current_date)");
    accepted(&mut ada, "SELECT * FROM leadguard.offboard_last_day('curt', 'vera', 'x')");
    let back = rows(&mut ada, "SELECT * FROM leadguard.offboard_cancel('curt', 'he stays after all')");
    assert_eq!(table(&back), ["cancelled member curt stays", "roles before CREATOR", "handed over vera"]);
    assert!(rows(&mut db.connect("cara"), "SELECT * FROM leadguard.offboarding").is_empty());
}

#[test]
fn d20_what_comes_while_records_are_handed_over_is_not_lost() {
    let db = decision_site("leaving_race");
    accepted(&mut db.connect("ada"), "SELECT * FROM leadguard.offboard_plan('cara', current_date)");
    let mut cara = db.connect("cara");
    accepted(&mut cara, "BEGIN");
    accepted(&mut cara, "INSERT INTO crm.site (name) VALUES ('late')");
    // Not committed yet, so that nobody sees it: it is found at the end.
    accepted(&mut db.connect("ada"), "SELECT * FROM leadguard.offboard_last_day('cara', 'vera', 'x')");
    accepted(&mut cara, "COMMIT");
    refused(&mut db.connect("ada"), "SELECT * FROM leadguard.offboard_end('cara', 'x')", "23503");
}

#[test]
fn d20_nobody_does_himself_a_favour_with_it() {
    let db = decision_site("leaving_favours");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.role (name, org_id, rank, capabilities) VALUES ('office', 1, 20, '{manage_members,all_records}')",
    );
    people(&db, "otis office, pal, rex");
    let mut otis = db.connect("otis");
    // A role that he could not give, for somebody who has none.
    cannot_work(
        &mut otis,
        "SELECT * FROM leadguard.offboard_plan('pal', current_date, transition_role => 'COLLABORATOR')",
    );
    accepted(&mut otis, "SELECT * FROM leadguard.offboard_plan('pal', current_date)");
    assert_eq!(scalar(&mut db.admin(), "SELECT transition_role FROM leadguard.offboarding"), "view_only");
    accepted(&mut db.admin(), "SELECT leadguard.set_rule('crm.site', 'office', 'admin', 'access', 'full')");
    // Nor a territory, which gives access, to a friend.
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.territory (key, owner_id) SELECT 'west', id FROM leadguard.member WHERE key = 'rex'",
    );
    accepted(&mut otis, "SELECT * FROM leadguard.offboard_plan('rex', current_date)");
    refused(
        &mut otis,
        "SELECT * FROM leadguard.offboard_last_day('rex', 'pal2', 'x')".replace("pal2", "bob").as_str(),
        "42501",
    );
    accepted(
        &mut db.admin(),
        "UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = 'vera') WHERE key = 'rex'",
    );
    accepted(&mut otis, "SELECT * FROM leadguard.offboard_last_day('rex', reason => 'x')");
    assert_eq!(
        scalar(
            &mut db.admin(),
            "SELECT m.key FROM leadguard.territory t JOIN leadguard.member m ON m.id = t.owner_id WHERE t.key = 'west'"
        ),
        "vera"
    );
}

#[test]
fn d22_a_session_that_dies_in_the_middle_leaves_all_or_nothing() {
    let db = decision_site("leaving_dies");
    let keys: Vec<String> = (0..12).map(|n| format!("rep{n}")).collect();
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.member (key, manager_id) SELECT 'rep' || n, m.id FROM leadguard.member m, generate_series(0, 11) n WHERE m.key = 'vera';
         INSERT INTO crm.site (owner_id, name) SELECT m.id, 'of ' || m.key FROM leadguard.member m, generate_series(1, 20) WHERE m.key LIKE 'rep%'",
    );
    let mut admin = db.admin();
    for round in 0.. {
        let mut ada = db.connect("ada");
        let pid = pid(&mut ada);
        let left = rows(&mut admin, "SELECT key FROM leadguard.member WHERE key LIKE 'rep%' AND active ORDER BY 1");
        if left.is_empty() {
            break;
        }
        let working = std::thread::spawn(move || {
            for key in left {
                if ada
                    .simple_query(&format!("SELECT * FROM leadguard.offboard_now('{}', reason => 'x')", key[0]))
                    .is_err()
                {
                    break;
                }
            }
        });
        // Later each time, until all are done.
        std::thread::sleep(std::time::Duration::from_millis(60 + 150 * round));
        accepted(&mut admin, &format!("SELECT pg_terminate_backend({pid})"));
        working.join().expect("the session ended");
        for key in &keys {
            let found = rows(
                &mut admin,
                &format!(
                    "SELECT m.active, (SELECT count(*) FROM crm.site s WHERE s.owner_id = m.id),
                            (SELECT count(*) FROM leadguard.offboarding o WHERE o.member_id = m.id AND o.state = 'ended'),
                            (SELECT count(*) FROM leadguard.audit_log l WHERE l.action = 'offboard_end' AND l.detail = 'member {key}'),
                            (SELECT count(*) FROM leadguard.audit_log l JOIN crm.site s ON s.id::text = l.record AND s.name = 'of {key}' WHERE l.action = 'reassign')
                     FROM leadguard.member m WHERE m.key = '{key}'"
                ),
            );
            let line = table(&found);
            assert!(line == ["t 20 0 0 0"] || line == ["f 0 1 1 20"], "{key}: {line:?}");
        }
    }
}
