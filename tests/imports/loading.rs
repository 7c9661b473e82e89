//! Loading: who may, where rows go, and what becomes of them.

use crate::lab::*;
use leadguard_tests::{accepted, code, refused, rows, scalar};

#[test]
fn k33_copy_loads_rows_that_only_the_member_and_approvers_see() {
    let db = lab("load");
    let mut cleo = db.connect("cleo");
    let import = begin(&mut cleo);
    assert_eq!(load(&mut cleo, "name,email\nDora,dora@lead.example\n,\"\"\n"), 2);
    accepted(&mut cleo, "INSERT INTO crm.lead_import (name, score) VALUES ('Emil', 'seven')");
    let staged = format!("SELECT line, data FROM leadguard.import_rows({import})");
    assert_eq!(
        rows(&mut cleo, &staged),
        [
            ["1", r#"{"name": "Dora", "email": "dora@lead.example"}"#],
            ["2", "{}"],
            ["3", r#"{"name": "Emil", "score": "seven"}"#]
        ]
    );
    assert_eq!(count(&db), "3", "nothing is in the table yet");
    assert_eq!(rows(&mut cleo, "SELECT * FROM crm.lead_import").len(), 0);
    for who in ["olga", "cody", "zara", "ana", "gus"] {
        assert_eq!(rows(&mut db.connect(who), &staged).len(), 0, "{who}");
        assert_eq!(rows(&mut db.connect(who), "SELECT import FROM leadguard.imports()").len(), 0, "{who}");
    }
    check(&mut cleo, &import);
    accepted(&mut cleo, &submit(&import));
    assert_eq!(rows(&mut db.connect("olga"), &staged).len(), 3, "whoever approves sees what was submitted");
    for who in ["cody", "zara", "ana", "gus"] {
        assert_eq!(rows(&mut db.connect(who), &staged).len(), 0, "{who}");
        refused(&mut db.connect(who), "SELECT FROM leadguard.import_row", "42501");
    }
    assert_eq!(committed(&mut cleo, &import), "3 1 0 2 0");
    assert_eq!(staged_of(&db, &import), "0");
}

fn staged_of(db: &leadguard_tests::Db, import: &str) -> String {
    staged(db, import)
}

#[test]
fn k33_who_creates_nothing_imports_nothing() {
    let db = lab("who");
    for who in ["sid", "ana", "gus", "zara"] {
        refused(&mut db.connect(who), "SELECT leadguard.import_begin('crm.lead')", "42501");
        assert_ne!(code(&mut db.connect(who), "INSERT INTO crm.lead_import (name) VALUES ('x')"), "ok", "{who}");
    }
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'view_only' FROM leadguard.member WHERE key = 'cody'",
    );
    refused(&mut db.connect("cody"), "SELECT leadguard.import_begin('crm.lead')", "42501");
    for who in ["cleo", "mark", "robo", "olga"] {
        begin(&mut db.connect(who));
    }
}

#[test]
fn k33_rows_need_an_open_import_of_the_member() {
    let db = lab("open");
    let insert = "INSERT INTO crm.lead_import (name) VALUES ('x')";
    let mut cleo = db.connect("cleo");
    let error = refused(&mut cleo, insert, "55000");
    assert!(error.hint().is_some_and(|hint| hint.contains("import_begin")), "{error:?}");
    let import = begin(&mut cleo);
    refused(&mut cleo, "SELECT leadguard.import_begin('crm.lead')", "55000");
    refused(&mut db.connect("cody"), insert, "55000");
    accepted(&mut cleo, insert);
    accepted(&mut cleo, &format!("SELECT leadguard.import_cancel({import})"));
    assert_eq!(staged(&db, &import), "0");
    refused(&mut cleo, insert, "55000");
    for late in [format!("SELECT leadguard.import_cancel({import})"), submit(&import), commit(&import)] {
        let error = refused(&mut cleo, &late, "55000");
        assert!(error.hint().is_some_and(|hint| hint.contains("import_report")), "{error:?}");
    }
    begin(&mut cleo);
    accepted(&mut cleo, insert);
}

#[test]
fn k33_rows_go_with_what_is_rolled_back() {
    let db = lab("rollback");
    let mut cleo = db.connect("cleo");
    let import = begin(&mut cleo);
    accepted(&mut cleo, "BEGIN");
    load(&mut cleo, &leads(3));
    accepted(&mut cleo, "SAVEPOINT s");
    load(&mut cleo, &leads(5000));
    accepted(&mut cleo, "ROLLBACK TO s");
    accepted(&mut cleo, "INSERT INTO crm.lead_import (name) VALUES ('last')");
    accepted(&mut cleo, "COMMIT");
    assert_eq!(
        rows(&mut cleo, &format!("SELECT line, data ->> 'name' FROM leadguard.import_rows({import}) WHERE line > 2")),
        [["3", "lead 3"], ["4", "last"]]
    );
    accepted(&mut cleo, "BEGIN");
    load(&mut cleo, &leads(3));
    accepted(&mut cleo, "ROLLBACK");
    assert_eq!(staged(&db, &import), "4");
}

#[test]
fn k33_a_pooled_login_loads_and_commits_in_transactions_of_their_own() {
    let db = lab("pooled");
    let mut app = app(&db);
    refused(&mut app, "SELECT leadguard.import_begin('crm.lead')", "42501");
    let act = "BEGIN; SELECT leadguard.act_as('cleo')";
    accepted(&mut app, act);
    let import = begin(&mut app);
    accepted(&mut app, "COMMIT");
    accepted(&mut app, act);
    load(&mut app, &leads(50));
    accepted(&mut app, "COMMIT");
    accepted(&mut app, "BEGIN; SELECT leadguard.act_as('cody')");
    refused(&mut app, &format!("SELECT * FROM leadguard.import_check({import})"), "42501");
    accepted(&mut app, "ROLLBACK");
    refused(&mut app, "INSERT INTO crm.lead_import (name) VALUES ('nobody')", "42501");
    accepted(&mut app, act);
    assert_eq!(check(&mut app, &import), Vec::<String>::new());
    accepted(&mut app, &submit(&import));
    accepted(&mut app, "COMMIT");
    let mut other = db.connect("app");
    accepted(&mut other, act);
    assert_eq!(committed(&mut other, &import), "50 50 0 0 0");
    accepted(&mut other, "COMMIT");
    assert_eq!(
        rows(
            &mut db.admin(),
            "SELECT DISTINCT o.key, c.key FROM crm.lead l JOIN leadguard.member o ON o.id = owner_id \
             JOIN leadguard.member c ON c.id = creator_id WHERE l.id > 100"
        ),
        [["cleo", "cleo"]],
        "K37: the creator owns"
    );
}

#[test]
fn k33_twenty_thousand_rows_are_quick() {
    let db = lab("quick");
    let mut olga = db.connect("olga");
    let file = leads(20_000);
    let start = std::time::Instant::now();
    let (import, problems) = checked(&mut olga, &file);
    assert_eq!(problems.len(), 0);
    println!("loaded and checked after {:?}", start.elapsed());
    accepted(&mut olga, &submit(&import));
    assert_eq!(committed(&mut olga, &import), "20000 20000 0 0 0");
    println!("committed after {:?}", start.elapsed());
    assert!(start.elapsed().as_secs() < 40, "{:?}", start.elapsed());
    assert_eq!(scalar(&mut olga, "SELECT state FROM leadguard.imports()"), "committed");
}

#[test]
fn k33_progress_is_told_while_it_runs() {
    let db = lab("progress");
    let said = db.psql(
        "olga",
        "SELECT leadguard.import_begin('crm.lead') AS i \\gset
         INSERT INTO crm.lead_import (name) SELECT 'lead ' || n FROM generate_series(1, 10001) n;
         SELECT count(*) FROM leadguard.import_check(:i);
         SELECT leadguard.import_submit(:i);
         SELECT inserted FROM leadguard.import_commit(:i);",
    );
    for line in ["NOTICE:  10000 rows checked", "NOTICE:  10000 rows inserted", "INSERT 0 10001", "\n10001\n"] {
        assert!(said.contains(line), "{line}: {said}");
    }
}

#[test]
fn k33_what_nobody_ended_is_cleaned_up() {
    let db = lab("cleanup");
    let mut cleo = db.connect("cleo");
    let (import, _) = checked(&mut cleo, &leads(101));
    let approval = scalar(&mut cleo, &submit(&import));
    for who in ["cleo", "zara", "gus"] {
        refused(&mut db.connect(who), "SELECT leadguard.import_cleanup('0')", "42501");
    }
    let mut olga = db.connect("olga");
    refused(&mut olga, "SELECT leadguard.import_cleanup('-10 days')", "22023");
    assert_eq!(scalar(&mut olga, "SELECT leadguard.import_cleanup()"), "0");
    assert_eq!(scalar(&mut olga, "SELECT leadguard.import_cleanup('0')"), "1");
    assert_eq!((state(&db, &import), staged(&db, &import)), ("cancelled".to_owned(), "0".to_owned()));
    assert_eq!(
        scalar(
            &mut db.admin(),
            &format!("SELECT until <= clock_timestamp() FROM leadguard.approval WHERE id = {approval}")
        ),
        "t",
        "nobody grants what is over"
    );
}
