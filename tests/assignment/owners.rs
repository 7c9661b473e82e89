//! X20: by what owners change.

use crate::lab::*;
use leadguard_tests::*;

const REASSIGN: &str = "SELECT leadguard.reassign('crm.lead', '3', 'rita')";
const PLAIN: &str = "UPDATE crm.lead SET owner_id = (SELECT id FROM leadguard.member WHERE key = 'rita') WHERE id = 3";
const ROUTE: &str = "SELECT * FROM leadguard.route('crm.lead', '3')";
const HANDOFF: &str = "SELECT * FROM leadguard.handoff('crm.lead', '3', 'give', 'rita')";

fn owners_lab(name: &str) -> Db {
    let db = lab(name);
    accepted(&mut db.connect("dora"), "SELECT leadguard.set_handoff_step('crm.lead', 'give')");
    rule(&db, "rita", 1, "[]", r#"{"owner": "rita"}"#);
    // sid sees the record whoever owns it.
    accepted(&mut db.connect("dora"), "SELECT leadguard.share('crm.lead', '3', 'sid', 'full')");
    db
}

/// Which of the four ways are open to somebody.
#[track_caller]
fn ways(db: &Db, who: &str) -> String {
    let mut c = db.connect(who);
    let mut found = Vec::new();
    for (name, sql) in [("reassign", REASSIGN), ("update", PLAIN), ("route", ROUTE), ("handoff", HANDOFF)] {
        accepted(&mut c, "BEGIN");
        match code(&mut c, sql).as_str() {
            "ok" => found.push(name),
            "42501" => {}
            other => panic!("{who} {name}: {other}"),
        }
        accepted(&mut c, "ROLLBACK");
    }
    found.join(" ")
}

#[test]
fn x20_owners_change_freely_by_handoff_or_by_data_owners() {
    let db = owners_lab("owners_x20");
    let all = "reassign update route handoff";
    for (value, sid) in [("free", all), ("handoff", "handoff"), ("admin", "")] {
        switch(&db, "owner_change", value);
        assert_eq!(ways(&db, "sid"), sid, "{value}");
        assert_eq!(ways(&db, "dora"), all, "{value}: the data owner");
        // Other columns and the territory are not concerned.
        accepted(&mut db.connect("sid"), "UPDATE crm.lead SET name = 'still' WHERE id = 3");
        accepted(&mut db.connect("sid"), "UPDATE crm.lead SET owner_id = owner_id WHERE id = 3");
    }
    let e = refused(&mut db.connect("sid"), PLAIN, "42501");
    assert!(e.detail().unwrap_or_default().contains("owner_change"), "{e:?}");
    switch(&db, "owner_change", "handoff");
    for sql in [PLAIN, REASSIGN] {
        let e = refused(&mut db.connect("sid"), sql, "42501");
        assert!(e.hint().unwrap_or_default().contains("leadguard.handoff"), "{e:?}");
    }
    assert_eq!(owner(&db, 3), "sid");
    accepted(&mut db.connect("sid"), HANDOFF);
    assert_eq!(owner(&db, 3), "rita");
}

#[test]
fn x20_new_rows_are_no_change_of_owners() {
    let db = owners_lab("owners_new");
    switch(&db, "owner_change", "admin");
    accepted(&mut db.connect("ivy"), "INSERT INTO crm.lead (name) VALUES ('mine')");
    accepted(
        &mut db.connect("mona"),
        "INSERT INTO crm.lead (name, owner_id) SELECT 'hers', id FROM leadguard.member WHERE key = 'rita'",
    );
    assert_eq!(owners(&db), "ivy rita");
}
