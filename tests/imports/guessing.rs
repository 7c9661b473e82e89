//! Members who guess values that they do not read, and look what a check says about them.

use crate::lab::*;
use leadguard_tests::{Client, Db, accepted, rows};

const GUESS: &str = "name,email\nguess,ann@lead.example\n";

/// What a member learns by a guess.
fn learns(db: &Db, who: &str) -> Vec<String> {
    let mut c: Client = db.connect(who);
    let (import, problems) = checked(&mut c, GUESS);
    let report = rows(&mut c, &format!("SELECT line, field, problem, detail FROM leadguard.import_report({import})"));
    assert_eq!(report.iter().map(|row| row.join(" ")).collect::<Vec<_>>(), problems);
    accepted(&mut c, &format!("SELECT leadguard.import_cancel({import})"));
    problems
}

#[test]
fn k43_a_masked_value_does_not_lead_to_its_record() {
    let db = lab("guess_masked");
    assert_eq!(learns(&db, "cody"), ["1 email exists record 1"]);
    accepted(&mut db.admin(), "SELECT leadguard.mask('crm.lead', 'email', 'full', '{own}')");
    assert_eq!(learns(&db, "cody"), ["1 email exists ∅"]);
    accepted(&mut db.admin(), "SELECT leadguard.unmask('crm.lead', 'email')");
    assert_eq!(learns(&db, "cody"), ["1 email exists record 1"]);
}

#[test]
fn k43_a_closed_column_is_not_compared_for_whom_it_is_closed() {
    let db = lab("guess_closed");
    assert_eq!(learns(&db, "cody"), ["1 email exists record 1"]);
    accepted(
        &mut db.admin(),
        "SELECT leadguard.conceal('crm.lead');
         SELECT leadguard.set_field('crm.lead', 'email', 'lead_creator', 'no access'),
                leadguard.set_field('crm.lead', 'email', 'data_owner', 'owner');
         SELECT leadguard.propose_fields('crm.lead', '{olga}')",
    );
    accepted(&mut db.connect("olga"), "SELECT leadguard.sign_fields('crm.lead', 1)");
    assert_eq!(learns(&db, "cody"), ["1 email closed your roles do not write this column"]);
    assert_eq!(learns(&db, "olga"), ["1 email exists record 1"]);
}
