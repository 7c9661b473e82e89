//! Asking for access and roles.

use crate::lab::{attempt, cannot_work, creates, decision_site, people, seen};
use leadguard_tests::{accepted, allowed, blocked, code, pid, refused, rows, scalar};

fn ask(record: &str) -> String {
    format!("SELECT leadguard.request_access('crm.site', '{record}', 'edit', 'my customer asked')")
}

#[test]
fn d37_k20_a_request_is_granted_by_who_could_share() {
    let db = decision_site("ask");
    let mut cole = db.connect("cole");
    assert_eq!(seen(&mut cole, "crm.site"), "2 3");
    let id = scalar(&mut cole, &ask("1"));
    // The owner finds it among those that are hers to decide; others do not.
    let mut cara = db.connect("cara");
    assert_eq!(
        rows(
            &mut cara,
            "SELECT id, kind, member, target, record, wanted, justification FROM leadguard.access_requests()"
        ),
        [[id.as_str(), "access", "cole", "crm.site", "1", "edit", "my customer asked"]]
    );
    for who in ["curt", "cora", "cole"] {
        assert!(rows(&mut db.connect(who), "SELECT * FROM leadguard.access_requests()").is_empty(), "{who}");
        refused(&mut db.connect(who), &format!("SELECT leadguard.decide_approval({id}, true)"), "42501");
    }
    assert_eq!(seen(&mut cole, "crm.site"), "2 3");
    accepted(&mut cara, &format!("SELECT leadguard.decide_approval({id}, true, 'fine')"));
    assert_eq!(seen(&mut cole, "crm.site"), "1 2 3");
    assert_eq!(attempt(&mut cole, "UPDATE crm.site SET name = 'x' WHERE id = 1"), "1");
    refused(&mut cara, &format!("SELECT leadguard.decide_approval({id}, true)"), "55000");
    // K20: the grant says why, who asked and who granted.
    assert_eq!(
        rows(
            &mut db.admin(),
            "SELECT g.reason, r.key, d.key, a.used_at IS NOT NULL FROM leadguard.record_grant g JOIN leadguard.approval a ON a.id = g.approval_id
             JOIN leadguard.member r ON r.id = a.requested_by JOIN leadguard.member d ON d.id = g.granted_by AND d.id = a.decided_by"
        ),
        [["my customer asked", "cole", "cara", "t"]]
    );
    let told = rows(&mut cole, "SELECT kind FROM leadguard.notification WHERE kind ~ 'approval|access' ORDER BY id");
    assert_eq!(told, [["access_granted"], ["approval_decided"]]);
    // The administrators were told that somebody asks.
    assert_eq!(
        rows(
            &mut db.connect("ada"),
            "SELECT kind, record FROM leadguard.notification WHERE kind = 'approval_requested'"
        ),
        [["approval_requested", "∅"]]
    );
}

#[test]
fn d37_a_denial_gives_nothing() {
    let db = decision_site("ask_denied");
    let id = scalar(&mut db.connect("cole"), &ask("1"));
    accepted(&mut db.connect("ada"), &format!("SELECT leadguard.decide_approval({id}, false, 'no')"));
    assert_eq!(seen(&mut db.connect("cole"), "crm.site"), "2 3");
    assert_eq!(rows(&mut db.connect("cole"), "SELECT granted, answer FROM leadguard.approval"), [["f", "no"]]);
}

#[test]
fn d37_the_same_answer_whether_the_record_exists() {
    let db = decision_site("ask_blind");
    let mut cole = db.connect("cole");
    for record in ["1", "999999"] {
        let id = scalar(&mut cole, &ask(record));
        assert!(id.parse::<i64>().is_ok());
        let e = refused(&mut cole, &ask(record), "55000");
        assert_eq!(e.message(), format!("that is asked for already, by request {id}"));
    }
    // What is told says nothing about it either.
    let told = rows(
        &mut db.connect("ada"),
        "SELECT kind, target, record, (detail - 'approval')::text FROM leadguard.notification WHERE kind = 'approval_requested'",
    );
    assert_eq!(told[0], told[1]);
    cannot_work(&mut cole, &ask("no number"));
    cannot_work(&mut cole, "SELECT leadguard.request_access('crm.site', '1', 'everything', 'x')");
    cannot_work(&mut cole, "SELECT leadguard.request_access('crm.site', '1', 'read', ' ')");
    cannot_work(&mut cole, "SELECT leadguard.request_access('crm.site', '1', 'read', 'x', now() - interval '1 day')");
}

#[test]
fn d37_until_is_when_the_share_ends() {
    let db = decision_site("ask_until");
    let mut cole = db.connect("cole");
    let id = scalar(
        &mut cole,
        "SELECT leadguard.request_access('crm.site', '1', 'read', 'for a week', now() + interval '7 days')",
    );
    accepted(&mut db.connect("cara"), &format!("SELECT leadguard.decide_approval({id}, true)"));
    assert_eq!(
        scalar(
            &mut db.admin(),
            "SELECT until - now() BETWEEN '6 days' AND '7 days' FROM leadguard.record_grant WHERE approval_id IS NOT NULL"
        ),
        "t"
    );
}

#[test]
fn d37_nobody_grants_more_than_he_has() {
    let db = decision_site("ask_level");
    // vera has site 1 at level edit only.
    accepted(&mut db.connect("cara"), "SELECT leadguard.share('crm.site', '1', 'vera', 'edit')");
    let id = scalar(&mut db.connect("cole"), "SELECT leadguard.request_access('crm.site', '1', 'full', 'x')");
    refused(&mut db.connect("vera"), &format!("SELECT leadguard.decide_approval({id}, true)"), "42501");
    accepted(&mut db.connect("cara"), &format!("SELECT leadguard.decide_approval({id}, true)"));
}

#[test]
fn d37_who_may_ask() {
    let db = decision_site("ask_who");
    for who in ["gus", "bob"] {
        accepted(&mut db.connect(who), &ask("1"));
    }
    let login = db.create_role("bi");
    accepted(&mut db.admin(), &format!("SELECT leadguard.analyst('{login}', 'cole')"));
    refused(&mut db.connect("bi"), &ask("1"), "42501");
    // An invited guest who may share (full) still decides nothing.
    accepted(&mut db.admin(), "SELECT leadguard.share('crm.site', '5', 'gus', 'full', 'x')");
    let id = scalar(&mut db.connect("cora"), &ask("5"));
    refused(&mut db.connect("gus"), &format!("SELECT leadguard.decide_approval({id}, true)"), "42501");
    assert!(rows(&mut db.connect("gus"), "SELECT * FROM leadguard.access_requests()").is_empty());
    // A flood ends somewhere.
    let mut bob = db.connect("bob");
    for record in 1000..1099 {
        accepted(&mut bob, &ask(&record.to_string()));
    }
    refused(&mut bob, &ask("2000"), "55000");
}

#[test]
fn d37_a_role_is_given_by_who_may_give_it() {
    let db = decision_site("ask_role");
    let mut cole = db.connect("cole");
    let id = scalar(&mut cole, "SELECT leadguard.request_role('CREATOR', 'I have deals of my own')");
    refused(&mut cole, "SELECT leadguard.request_role('CREATOR', 'again')", "55000");
    cannot_work(&mut cole, "SELECT leadguard.request_role('COLLABORATOR', 'has it')");
    for until in ["'infinity'", "now() + interval '367 days'"] {
        cannot_work(&mut cole, &format!("SELECT leadguard.request_role('GUEST', 'for ever', {until})"));
    }
    allowed(&mut cole, "SELECT leadguard.request_role('ADMIN', 'for a year', now() + interval '365 days')");
    cannot_work(&mut cole, "SELECT leadguard.request_role('system', 'x')");
    cannot_work(&mut cole, "SELECT leadguard.request_role('no such role', 'x')");
    for who in ["cole", "cara", "gus"] {
        refused(&mut db.connect(who), &format!("SELECT leadguard.decide_approval({id}, true)"), "42501");
    }
    assert_eq!(
        rows(&mut db.connect("ada"), "SELECT kind, member, wanted FROM leadguard.access_requests()"),
        [["role", "cole", "CREATOR"]]
    );
    accepted(&mut db.connect("ada"), &format!("SELECT leadguard.decide_approval({id}, true, 'yes')"));
    assert!(creates(&mut cole, "crm.site"));
    // Within the rank: an office of rank 60 gives CREATOR, not ADMIN.
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.role (name, org_id, rank, capabilities) VALUES ('office', 1, 60, '{manage_members}')",
    );
    people(&db, "otis office");
    let mut otis = db.connect("otis");
    let high = scalar(&mut db.connect("cora"), "SELECT leadguard.request_role('ADMIN', 'why not')");
    let low = scalar(&mut db.connect("bob"), "SELECT leadguard.request_role('CREATOR', 'new')");
    refused(&mut otis, &format!("SELECT leadguard.decide_approval({high}, true)"), "42501");
    accepted(&mut otis, &format!("SELECT leadguard.decide_approval({low}, true)"));
    // Nobody decides his own.
    let own = scalar(&mut db.connect("ada"), "SELECT leadguard.request_role('CREATOR', 'for tests')");
    refused(&mut db.connect("ada"), &format!("SELECT leadguard.decide_approval({own}, true)"), "42501");
    accepted(&mut db.connect("arno"), &format!("SELECT leadguard.decide_approval({own}, true)"));
}

#[test]
fn d37_two_decide_at_once_and_one_does() {
    let db = decision_site("ask_race");
    let id = scalar(&mut db.connect("cole"), &ask("1"));
    let decide = format!("SELECT leadguard.decide_approval({id}, true)");
    let (mut cara, mut ada) = (db.connect("cara"), db.connect("ada"));
    accepted(&mut cara, "BEGIN");
    accepted(&mut cara, &decide);
    let (mut admin, pid) = (db.admin(), pid(&mut ada));
    let waiting = std::thread::spawn(move || code(&mut ada, &decide));
    assert!(blocked(&mut admin, pid));
    accepted(&mut cara, "COMMIT");
    assert_eq!(waiting.join().expect("decided"), "55000");
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM leadguard.record_grant WHERE approval_id IS NOT NULL"), "1");
}

#[test]
fn d37_of_one_organization_only() {
    let db = decision_site("ask_orgs");
    accepted(&mut db.admin(), "INSERT INTO leadguard.organization (key) VALUES ('globex')");
    people(&db, "zoe");
    accepted(
        &mut db.admin(),
        "UPDATE leadguard.member SET org_id = (SELECT id FROM leadguard.organization WHERE key = 'globex') WHERE key = 'zoe';
         INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'ADMIN' FROM leadguard.member WHERE key = 'zoe'",
    );
    let id = scalar(&mut db.connect("cole"), &ask("1"));
    let own = scalar(&mut db.connect("zoe"), &ask("1"));
    let e = refused(&mut db.connect("zoe"), &format!("SELECT leadguard.decide_approval({id}, true)"), "42501");
    let nothing = refused(&mut db.connect("zoe"), "SELECT leadguard.decide_approval(999999, true)", "42501");
    assert_eq!(e.message().replace(&id, "?"), nothing.message().replace("999999", "?"));
    assert!(rows(&mut db.connect("zoe"), "SELECT * FROM leadguard.access_requests()").is_empty());
    refused(&mut db.connect("cara"), &format!("SELECT leadguard.decide_approval({own}, true)"), "42501");
}

#[test]
fn d37_a_refusal_says_how_to_ask_for_more() {
    let db = decision_site("requests_hints");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'view_only' FROM leadguard.member WHERE key = 'cora'",
    );
    let hint = |who: &str, sql: &str| refused(&mut db.connect(who), sql, "42501").hint().unwrap_or_default().to_owned();
    // The same for a record that is hidden and one that is not there.
    for record in ["1", "999"] {
        let found = hint("cole", &format!("SELECT leadguard.share('crm.site', '{record}', 'vera')"));
        assert_eq!(found, format!("leadguard.request_access('crm.site', '{record}', 'read', why) asks for it."));
    }
    let denied = hint("gus", "UPDATE crm.site SET name = 'x' WHERE id = 6");
    assert!(denied.contains("leadguard.request_access('crm.site', '6', 'edit', why)"), "{denied}");
    let lacking = hint("cole", "SELECT leadguard.reassign('crm.site', '3', 'cole')");
    assert!(lacking.contains("leadguard.request_access('crm.site', '3', 'full', why)"), "{lacking}");
    for (who, sql) in
        [("cora", "UPDATE crm.site SET name = 'x' WHERE id = 3"), ("bob", "INSERT INTO crm.site (name) VALUES ('x')")]
    {
        let found = hint(who, sql);
        assert!(found.contains("leadguard.request_role(role, why)"), "{who}: {found}");
    }
    // Who follows the hint gets it.
    let id = scalar(&mut db.connect("cole"), "SELECT leadguard.request_access('crm.site', '1', 'read', 'to share it')");
    accepted(&mut db.connect("cara"), &format!("SELECT leadguard.decide_approval({id}, true)"));
    let found = hint("cole", "SELECT leadguard.share('crm.site', '1', 'vera')");
    assert!(found.contains("'full', why)"), "{found}");
}
