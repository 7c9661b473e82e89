//! Refusals leave a line in the server log, which survives the rollback.

use crate::audited;
use leadguard_tests::*;

/// The denials of this database in the server log.
fn denials(db: &Db) -> Vec<String> {
    let log = std::fs::read_to_string(server().socket.join("log")).expect("the server log can be read");
    let mark = format!("@{} ", db.name());
    log.lines().filter(|l| l.contains(&mark) && l.contains("leadguard: denied ")).map(str::to_string).collect()
}

#[test]
fn k53_a_refusal_leaves_one_line() {
    let db = audited("au_log");
    let mut admin = db.admin();
    accepted(&mut db.connect("alice"), "SELECT leadguard.share('crm.lead', '1', 'carl', 'read')");
    assert_eq!(denials(&db), Vec::<String>::new());
    let mut carl = db.connect("carl");
    refused(&mut carl, "UPDATE crm.lead SET name = 'CANARY' WHERE id = 1", "42501");
    let lines = denials(&db);
    assert_eq!(lines.len(), 1, "{lines:?}");
    for part in [
        r#""sqlstate":"42501""#.to_string(),
        format!(r#""session_role":"{}""#, db.role("carl")),
        r#""member":"carl""#.to_string(),
        r#""table":"crm.lead""#.to_string(),
        r#""operation":"UPDATE""#.to_string(),
        r#""record":"1""#.to_string(),
        r#""message":"UPDATE of record 1 of crm.lead refused"#.to_string(),
    ] {
        assert!(lines[0].contains(&part), "{part} in {}", lines[0]);
    }
    // Also one that is caught and leaves no error behind, and those of functions and of nobody.
    accepted(
        &mut carl,
        "DO $$ BEGIN UPDATE crm.lead SET name = 'CANARY' WHERE id = 1; EXCEPTION WHEN OTHERS THEN NULL; END $$",
    );
    assert_eq!(denials(&db).len(), 2);
    refused(&mut carl, "SELECT leadguard.share('crm.lead', '1', 'anton')", "42501");
    assert_eq!(denials(&db).len(), 3);
    db.create_role("stranger");
    let stranger = db.role("stranger");
    accepted(&mut admin, &format!("GRANT USAGE ON SCHEMA crm TO {stranger}; GRANT ALL ON crm.lead TO {stranger}"));
    refused(&mut db.connect("stranger"), "DELETE FROM crm.lead", "42501");
    let lines = denials(&db);
    assert_eq!(lines.len(), 4);
    assert!(!lines[3].contains("member\":"), "{}", lines[3]);
    assert!(lines.iter().all(|line| !line.contains("CANARY")), "{lines:?}");
    // The statement is not appended to the line, as it is to an error.
    let log = std::fs::read_to_string(server().socket.join("log")).expect("the server log can be read");
    let mark = format!("@{} ", db.name());
    let of: Vec<&str> = log.lines().filter(|l| l.contains(&mark)).collect();
    let after = of.iter().position(|l| l.contains("leadguard: denied")).expect("there is one") + 1;
    assert!(!of[after].contains("STATEMENT"), "{}", of[after]);
    // Another error is no denial.
    refused(&mut carl, "SELECT leadguard.share('crm.lead', '9', 'nobody')", "22023");
    assert_eq!(denials(&db).len(), 4);
}
