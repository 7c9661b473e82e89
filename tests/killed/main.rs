//! What is left when sessions, or the whole server, are killed in the middle of writing.

mod private;

use leadguard_tests::*;
use private::Private;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const ROUNDS: u64 = 4;
const WRITERS: usize = 3;

/// What happened to a writer until his session broke.
#[derive(Default)]
struct Told {
    /// Committed, as far as the client knows.
    done: [AtomicU64; WRITERS],
    /// Sent, with or without an answer.
    begun: [AtomicU64; WRITERS],
}

/// One change of a lead of his own in each transaction, with a detour that is taken back.
fn write(db: &Db, told: &Told, writer: usize, stop: &AtomicBool) {
    let Some(mut client) = private::connect(db) else { return };
    let id = writer + 1;
    while !stop.load(Ordering::Relaxed) {
        told.begun[writer].fetch_add(1, Ordering::SeqCst);
        let sql = format!(
            "BEGIN; UPDATE crm.lead SET amount = amount + 1 WHERE id = {id}; SAVEPOINT s;
             UPDATE crm.lead SET amount = amount + 100 WHERE id = {id}; ROLLBACK TO s; COMMIT"
        );
        if client.batch_execute(&sql).is_err() {
            return;
        }
        told.done[writer].fetch_add(1, Ordering::SeqCst);
    }
}

/// Many rows in one statement: all of them or none.
fn write_many(db: &Db, stop: &AtomicBool) {
    let Some(mut client) = private::connect(db) else { return };
    while !stop.load(Ordering::Relaxed) {
        if client.batch_execute("UPDATE crm.lead SET amount = amount + 1 WHERE id BETWEEN 100 AND 119").is_err() {
            return;
        }
    }
}

/// Reorganisations, and leads that go from hand to hand.
fn reorganise(db: &Db, stop: &AtomicBool) {
    let Some(mut client) = private::connect(db) else { return };
    let managers = ["mona", "vp", "vp2"];
    for manager in managers.iter().cycle() {
        let sql = format!(
            "UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = '{manager}') WHERE key IN ('alice', 'anton');
             SELECT leadguard.reassign('crm.lead', '300', CASE (SELECT owner_id FROM crm.lead WHERE id = 300)
                 WHEN (SELECT id FROM leadguard.member WHERE key = 'alice') THEN 'anton' ELSE 'alice' END, NULL, 'turn')"
        );
        if stop.load(Ordering::Relaxed) || client.batch_execute(&sql).is_err() {
            return;
        }
    }
}

fn seal(db: &Db, stop: &AtomicBool) {
    let Some(mut client) = private::connect(db) else { return };
    while !stop.load(Ordering::Relaxed) {
        if client.batch_execute("SELECT * FROM leadguard.seal_audit()").is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn k53_killed_in_the_middle_the_log_agrees_with_the_data() {
    let Some(server) = Private::start() else { return };
    let db = Db::new("killed");
    org(&db);
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "UPDATE crm.lead SET amount = 0;
         INSERT INTO crm.lead (id, name, amount, owner_id) SELECT v.g, 'lead ' || v.g, 0, m.id
         FROM (SELECT generate_series(100, 119) UNION SELECT 300) AS v (g), leadguard.member AS m WHERE m.key = 'alice';
         SELECT leadguard.seal_audit()",
    );
    let start = scalar(&mut admin, "SELECT max(id) FROM leadguard.audit_log");
    let told = Told::default();
    for round in 0..ROUNDS {
        drop(admin);
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (db, told, stop) = (&db, &told, &stop);
                scope.spawn(move || write(db, told, writer, stop));
            }
            scope.spawn(|| write_many(&db, &stop));
            scope.spawn(|| reorganise(&db, &stop));
            scope.spawn(|| seal(&db, &stop));
            std::thread::sleep(Duration::from_millis(250 + 110 * round));
            if round % 2 == 0 {
                server.kill_a_session(&db)
            } else {
                server.kill()
            }
            stop.store(true, Ordering::Relaxed);
        });
        server.comes_back();
        admin = db.admin();
        agrees(&mut admin, &told, &start);
    }
    let sealed = scalar(&mut admin, "SELECT count(*) FROM leadguard.audit_seal");
    assert!(sealed.parse::<u64>().unwrap() > ROUNDS, "{sealed} seals");
    accepted(&mut admin, "SELECT leadguard.seal_audit()");
    let all = "SELECT (SELECT sum(\"rows\") FROM leadguard.audit_seal) = (SELECT count(*) FROM leadguard.audit_log)";
    assert_eq!(scalar(&mut admin, all), "t");
    assert_eq!(rows(&mut admin, "SELECT * FROM leadguard.verify_audit()"), Vec::<Vec<String>>::new());
    println!("{sealed} seals, {} changes", told.done.iter().map(|n| n.load(Ordering::SeqCst)).sum::<u64>());
}

#[track_caller]
fn agrees(admin: &mut Client, told: &Told, start: &str) {
    // Every change has its row, every row its change.
    let differing = format!(
        "SELECT l.id, l.amount, count(a.id) FROM crm.lead l
         LEFT JOIN leadguard.audit_log a ON a.target = 'crm.lead'::regclass AND a.record = l.id::text AND a.action = 'update' AND a.id > {start}
         GROUP BY l.id, l.amount HAVING l.amount <> count(a.id)"
    );
    assert_eq!(rows(admin, &differing), Vec::<Vec<String>>::new());
    // What was told to be done is done.
    for writer in 0..WRITERS {
        let amount = scalar(admin, &format!("SELECT amount::bigint FROM crm.lead WHERE id = {}", writer + 1));
        let amount: u64 = amount.parse().unwrap();
        let (done, begun) = (told.done[writer].load(Ordering::SeqCst), told.begun[writer].load(Ordering::SeqCst));
        assert!((done..=begun).contains(&amount), "{amount} of {done} to {begun}");
    }
    assert_eq!(scalar(admin, "SELECT count(DISTINCT amount) FROM crm.lead WHERE id BETWEEN 100 AND 119"), "1");
    // The owner is the one of the last row that says so.
    let turns = "SELECT m.key FROM crm.lead l JOIN leadguard.member m ON m.id = l.owner_id WHERE l.id = 300";
    let said = "SELECT v.\"values\" -> 'owner_id' ->> 'new' = l.owner_id::text FROM leadguard.audit_value v, crm.lead l
                WHERE l.id = 300 AND v.target = 'crm.lead'::regclass AND v.record = '300' AND v.\"values\" ? 'owner_id' ORDER BY v.at DESC, v.audit_id DESC LIMIT 1";
    assert_eq!(scalar(admin, said), "t", "{:?}", rows(admin, turns));
    for sound in ["verify_closure()", "verify_audit()"] {
        assert_eq!(rows(admin, &format!("SELECT * FROM leadguard.{sound}")), Vec::<Vec<String>>::new());
    }
}
