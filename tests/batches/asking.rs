//! Approvals and templates.

use crate::lab::{approve, lab, log, needs_approval, switch, update, used};
use leadguard_tests::{accepted, blocked, pid, refused, rows, scalar};

#[test]
fn k31_an_approval_covers_one_batch_of_at_most_so_many() {
    let db = lab("approval");
    let mut cleo = db.connect("cleo");
    let id = approve(&db, "cleo", "update", 150);
    needs_approval(&mut cleo, &update(151));
    assert!(!used(&db, &id), "a refused batch uses nothing");
    accepted(&mut cleo, "BEGIN");
    accepted(&mut cleo, &update(150));
    assert_eq!(accepted(&mut cleo, "ROLLBACK"), 0);
    assert!(!used(&db, &id));
    accepted(&mut cleo, &update(150));
    assert!(used(&db, &id));
    needs_approval(&mut cleo, &update(101));
    assert_eq!(log(&db), ["cleo update 150 approval"]);
    let told = rows(&mut db.connect("cleo"), "SELECT kind, detail ->> 'granted' FROM leadguard.notification");
    assert_eq!(told, [["approval_decided", "true"]]);
    let told = rows(&mut db.connect("otto"), "SELECT kind FROM leadguard.notification");
    assert_eq!(told, [["approval_requested"]]);
}

#[test]
fn k31_an_approval_is_for_its_member_operation_and_time() {
    let db = lab("whose");
    let mut cleo = db.connect("cleo");
    approve(&db, "mark", "update", 500);
    approve(&db, "cleo", "insert", 500);
    needs_approval(&mut cleo, &update(101));
    let id = approve(&db, "cleo", "update", 500);
    accepted(
        &mut db.admin(),
        &format!("UPDATE leadguard.approval SET until = now() - interval '1 second' WHERE id = {id}"),
    );
    needs_approval(&mut cleo, &update(101));
    let id = scalar(&mut cleo, "SELECT leadguard.request_batch('crm.lead', 'update', 500, 'why')");
    needs_approval(&mut cleo, &update(101));
    accepted(&mut db.connect("otto"), &format!("SELECT leadguard.decide_approval({id}, false, 'no')"));
    needs_approval(&mut cleo, &update(101));
    refused(&mut db.connect("otto"), &format!("SELECT leadguard.decide_approval({id}, true)"), "55000");
}

#[test]
fn k31_who_decides_is_another_data_owner_of_the_organization() {
    let db = lab("decides");
    let id = scalar(&mut db.connect("cleo"), "SELECT leadguard.request_batch('crm.lead', 'update', 500, 'why')");
    let decide = format!("SELECT leadguard.decide_approval({id}, true)");
    for who in ["cleo", "cody", "mark", "ana", "robo", "gus", "stan"] {
        refused(&mut db.connect(who), &decide, "42501");
    }
    let own = scalar(&mut db.connect("olga"), "SELECT leadguard.request_batch('crm.lead', 'update', 500, 'why')");
    refused(&mut db.connect("olga"), &format!("SELECT leadguard.decide_approval({own}, true)"), "42501");
    accepted(&mut db.connect("olga"), &decide);
    accepted(&mut db.connect("otto"), &format!("SELECT leadguard.decide_approval({own}, true)"));
}

#[test]
fn k31_who_asks_is_a_member_who_writes() {
    let db = lab("asks");
    let ask = "SELECT leadguard.request_batch('crm.lead', 'update', 500, 'why')";
    db.create_role("nobody");
    accepted(&mut db.admin(), &format!("GRANT USAGE ON SCHEMA leadguard TO {}", db.role("nobody")));
    for who in ["gus", "nobody"] {
        refused(&mut db.connect(who), ask, "42501");
    }
    accepted(&mut db.connect("robo"), ask);
    refused(&mut db.connect("stan"), ask, "22023");
    let mut cleo = db.connect("cleo");
    for arguments in [
        "'crm.lead', 'update', 0, 'why'",
        "'crm.lead', 'update', -5, 'why'",
        "'crm.lead', 'update', NULL, 'why'",
        "'crm.lead', 'drop', 500, 'why'",
        "'crm.lead', NULL, 500, 'why'",
        "'crm.lead', 'update', 500, ' '",
        "'crm.lead', 'update', 500, NULL",
        "'crm.lead', 'update', 500, 'why', now() - interval '1 day'",
        "'crm.lead', 'update', 500, 'why', NULL",
        "NULL, 'update', 500, 'why'",
        "'pg_class', 'update', 500, 'why'",
    ] {
        refused(&mut cleo, &format!("SELECT leadguard.request_batch({arguments})"), "22023");
    }
}

#[test]
fn k31_two_clients_race_for_the_last_approval_and_one_gets_it() {
    let db = lab("race");
    approve(&db, "cleo", "update", 150);
    accepted(
        &mut db.admin(),
        "INSERT INTO crm.lead (id, owner_id, creator_id, name) SELECT id + 1000, owner_id, creator_id, name FROM crm.lead",
    );
    let (mut first, mut second) = (db.connect("cleo"), db.connect("cleo"));
    let waiting = pid(&mut second);
    accepted(&mut first, "BEGIN");
    accepted(&mut first, &update(150));
    let racer = std::thread::spawn(move || {
        leadguard_tests::code(&mut second, "UPDATE crm.lead SET name = 'second' WHERE id BETWEEN 1001 AND 1150")
    });
    blocked(&mut db.admin(), waiting);
    accepted(&mut first, "COMMIT");
    assert_eq!(racer.join().expect("the racer ends"), "LG004");
    approve(&db, "cleo", "update", 150);
    accepted(&mut first, "BEGIN");
    accepted(&mut first, &update(150));
    let mut second = db.connect("cleo");
    let waiting = pid(&mut second);
    let racer = std::thread::spawn(move || {
        leadguard_tests::code(&mut second, "UPDATE crm.lead SET name = 'second' WHERE id BETWEEN 1001 AND 1150")
    });
    blocked(&mut db.admin(), waiting);
    accepted(&mut first, "ROLLBACK");
    assert_eq!(racer.join().expect("the racer ends"), "ok", "what the first one gave back");
}

#[test]
fn k31_two_clients_with_two_approvals_get_one_each() {
    let db = lab("race_two");
    let ids = [approve(&db, "cleo", "update", 150), approve(&db, "cleo", "update", 150)];
    accepted(
        &mut db.admin(),
        "INSERT INTO crm.lead (id, owner_id, creator_id, name) SELECT id + 1000, owner_id, creator_id, name FROM crm.lead",
    );
    let (mut first, mut second) = (db.connect("cleo"), db.connect("cleo"));
    let waiting = pid(&mut second);
    accepted(&mut first, "BEGIN");
    accepted(&mut first, &update(150));
    let racer = std::thread::spawn(move || {
        leadguard_tests::code(&mut second, "UPDATE crm.lead SET name = 'second' WHERE id BETWEEN 1001 AND 1150")
    });
    blocked(&mut db.admin(), waiting);
    accepted(&mut first, "COMMIT");
    assert_eq!(racer.join().expect("the racer ends"), "ok");
    assert!(ids.iter().all(|id| used(&db, id)));
}

#[test]
fn k31_a_template_covers_batches_of_a_role_until_it_is_withdrawn() {
    let db = lab("template");
    let (mut cleo, mut olga) = (db.connect("cleo"), db.connect("olga"));
    let make = |role: &str, records: &str| {
        format!(
            "SELECT leadguard.set_batch_template('weekly', 'crm.lead', 'update', {records}, {role}, reason => 'score')"
        )
    };
    accepted(&mut olga, &make("'lead_manager'", "200"));
    needs_approval(&mut cleo, &update(101));
    accepted(&mut db.connect("mark"), &update(200));
    needs_approval(&mut db.connect("mark"), &update(201));
    accepted(&mut olga, &make("NULL", "150"));
    accepted(&mut cleo, &update(150));
    accepted(&mut cleo, &update(150));
    needs_approval(&mut cleo, &update(151));
    accepted(&mut olga, &make("NULL", "NULL"));
    accepted(&mut cleo, &update(500));
    let listed =
        "SELECT name, operation, records, made_by, withdrawn_at IS NULL FROM leadguard.batch_templates ORDER BY id";
    assert_eq!(rows(&mut cleo, listed).len(), 3);
    accepted(&mut olga, "SELECT leadguard.drop_batch_template('weekly')");
    needs_approval(&mut cleo, &update(101));
    assert_eq!(scalar(&mut olga, "SELECT leadguard.drop_batch_template('weekly')"), "f");
    assert_eq!(
        log(&db),
        [
            "mark update 200 template",
            "cleo update 150 template",
            "cleo update 150 template",
            "cleo update 500 template"
        ]
    );
}

#[test]
fn k31_templates_are_made_by_data_owners() {
    let db = lab("makers");
    let make = "SELECT leadguard.set_batch_template('t', 'crm.lead', 'update', 200)";
    for who in ["cleo", "mark", "ana", "robo", "gus"] {
        refused(&mut db.connect(who), make, "42501");
        refused(&mut db.connect(who), "SELECT leadguard.drop_batch_template('t')", "42501");
    }
    refused(&mut db.connect("stan"), make, "22023");
    let mut olga = db.connect("olga");
    for arguments in [
        "'', 'crm.lead', 'update', 200",
        "NULL, 'crm.lead', 'update', 200",
        "'t', 'crm.lead', 'update', 0",
        "'t', 'crm.lead', 'delete', 200",
        "'t', 'crm.lead', 'update', 200, 'no such role'",
        "'t', 'crm.lead', 'update', 200, until => now()",
        "'t', 'crm.lead', 'update', 200, reason => ''",
    ] {
        refused(&mut olga, &format!("SELECT leadguard.set_batch_template({arguments})"), "22023");
    }
    accepted(&mut olga, make);
    assert_eq!(
        scalar(&mut db.connect("stan"), "SELECT leadguard.drop_batch_template('t')"),
        "f",
        "none of his organization"
    );
    assert!(rows(&mut db.connect("stan"), "SELECT FROM leadguard.batch_templates").is_empty());
    refused(&mut olga, "SELECT * FROM leadguard.batch_template", "42501");
    accepted(&mut db.admin(), "SELECT leadguard.drop_batch_template('t')");
    needs_approval(&mut db.connect("cleo"), &update(101));
}

#[test]
fn k49_requests_that_name_no_record_are_decided_by_data_owners() {
    let db = lab("kinds");
    let ask = "INSERT INTO leadguard.approval (org_id, kind, target, justification, requested_by, until)
               SELECT 1, 'schema', t, 'why', id, now() + interval '1 day' FROM leadguard.member, (VALUES ('crm.lead'::regclass), (NULL)) v (t)
               WHERE key = 'cleo' RETURNING id";
    let ids: Vec<String> = rows(&mut db.admin(), ask).into_iter().map(|row| row[0].clone()).collect();
    for id in &ids {
        let decide = format!("SELECT leadguard.decide_approval({id}, true)");
        for who in ["cleo", "mark", "robo", "stan"] {
            refused(&mut db.connect(who), &decide, "42501");
        }
        accepted(&mut db.connect("olga"), &decide);
        refused(&mut db.connect("otto"), &decide, "55000");
    }
    assert_eq!(
        scalar(&mut db.connect("cleo"), "SELECT count(*) FROM leadguard.notification WHERE kind = 'approval_decided'"),
        "2"
    );
}

#[test]
fn k31_a_savepoint_gives_the_approval_back_and_not_the_count() {
    let db = lab("savepoint");
    let id = approve(&db, "cleo", "update", 120);
    let mut cleo = db.connect("cleo");
    accepted(&mut cleo, "BEGIN");
    accepted(&mut cleo, &update(90));
    accepted(&mut cleo, "SAVEPOINT a");
    accepted(&mut cleo, &update(20));
    accepted(&mut cleo, "ROLLBACK TO a");
    assert!(!used(&db, &id));
    accepted(&mut cleo, &update(10));
    needs_approval(&mut cleo, "UPDATE crm.lead SET name = 'x' WHERE id = 1");
    accepted(&mut cleo, "ROLLBACK TO a");
    accepted(&mut cleo, "COMMIT");
    assert!(!used(&db, &id));
    assert_eq!(log(&db), ["cleo update 90"], "what was really written");
    switch(&db, "batch_from", "91", "");
    accepted(&mut cleo, &update(90));
    assert_eq!(log(&db).len(), 1);
}

#[test]
fn k31_a_request_does_not_hold_for_ever() {
    let db = lab("for_ever");
    let mut cleo = db.connect("cleo");
    let ask = |until: &str| format!("SELECT leadguard.request_batch('crm.lead', 'update', 500, 'why', {until})");
    refused(&mut cleo, &ask("'infinity'"), "22023");
    let error = refused(&mut cleo, &ask("NULL"), "22023");
    assert!(error.hint().is_some_and(|hint| hint.contains("interval")), "{error:?}");
    refused(&mut cleo, &ask("now() + interval '367 days'"), "22023");
    accepted(&mut cleo, &ask("now() + interval '365 days'"));
}
