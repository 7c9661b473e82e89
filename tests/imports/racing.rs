//! Two sessions at once.

use crate::lab::*;
use leadguard_tests::{accepted, blocked, pid, rows, scalar};
use std::thread;

#[test]
fn k43_two_commits_of_the_same_file_insert_it_once() {
    let db = lab("race");
    let (mut cleo, mut cody) = (db.connect("cleo"), db.connect("cody"));
    let (first, _) = checked(&mut cleo, &leads(60));
    let (second, problems) = checked(&mut cody, &leads(60));
    assert_eq!(problems.len(), 0, "nobody has committed yet");
    accepted(&mut cleo, &submit(&first));
    accepted(&mut cody, &submit(&second));
    accepted(&mut cleo, "BEGIN");
    assert_eq!(committed(&mut cleo, &first), "60 60 0 0 0");
    let waiting = pid(&mut cody);
    let other = thread::spawn({
        let second = second.clone();
        move || committed(&mut cody, &second)
    });
    blocked(&mut db.admin(), waiting);
    accepted(&mut cleo, "COMMIT");
    assert_eq!(other.join().expect("the second commit ends"), "60 0 60 0 0");
    assert_eq!(count(&db), "63");
    assert_eq!(
        rows(&mut db.connect("cody"), &format!("SELECT DISTINCT problem FROM leadguard.import_report({second})")),
        [["exists"]]
    );
}

#[test]
fn k31_an_import_is_committed_once() {
    let db = lab("twice");
    let (mut one, mut two) = (db.connect("cleo"), db.connect("cleo"));
    let (import, _) = checked(&mut one, &leads(10));
    accepted(&mut one, &submit(&import));
    accepted(&mut one, "BEGIN");
    assert_eq!(committed(&mut one, &import), "10 10 0 0 0");
    let waiting = pid(&mut two);
    let other = thread::spawn({
        let import = import.clone();
        move || leadguard_tests::code(&mut two, &commit(&import))
    });
    blocked(&mut db.admin(), waiting);
    accepted(&mut one, "COMMIT");
    assert_eq!(other.join().expect("the second commit ends"), "55000");
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm.lead"), "13");
}

// A session that ends in the middle of a commit leaves nothing behind, and the log says what the data say.
#[test]
fn k33_a_commit_that_is_cut_off_is_all_or_nothing() {
    let db = lab("cut");
    let mut expected = 3;
    for (round, delay) in [0, 40, 90, 150, 220, 300].into_iter().enumerate() {
        let mut olga = db.connect("olga");
        let (import, problems) = checked(&mut olga, &leads(1500).replace("@lead", &format!("@round{round}")));
        assert_eq!(problems.len(), 0);
        accepted(&mut olga, &submit(&import));
        let victim = pid(&mut olga);
        let running = thread::spawn({
            let sql = commit(&import);
            move || olga.simple_query(&sql).is_ok()
        });
        thread::sleep(std::time::Duration::from_millis(delay));
        accepted(&mut db.admin(), &format!("SELECT pg_terminate_backend({victim}, 5000)"));
        let answered = running.join().expect("the session ends");
        let is_committed = state(&db, &import) == "committed";
        assert!(!answered || is_committed);
        expected += if is_committed { 1500 } else { 0 };
        assert_eq!(count(&db), expected.to_string(), "after {delay} ms");
        assert_eq!(staged(&db, &import), if is_committed { "0" } else { "1500" });
        if !is_committed {
            assert_eq!(state(&db, &import), "approved");
            assert_eq!(committed(&mut db.connect("olga"), &import), "1500 1500 0 0 0");
            expected += 1500;
        }
    }
    assert_eq!(audit(&db).iter().filter(|line| line.starts_with("import_commit")).count(), 6);
    assert_eq!(count(&db), "9003");
}
