//! Without preloading there are no counters.

use crate::audited;
use leadguard_tests::*;

#[test]
fn without_preloading_nothing_is_counted() {
    let db = audited("au_activity");
    let mut admin = db.admin();
    if scalar(&mut admin, "SELECT leadguard.is_preloaded()") == "t" {
        println!("skipped: this server preloads the library");
        return;
    }
    rows(&mut db.connect("alice"), "SELECT id FROM crm.lead");
    assert_eq!(rows(&mut admin, "SELECT * FROM leadguard.member_activity()"), Vec::<Vec<String>>::new());
    assert_eq!(rows(&mut db.connect("tina"), "SELECT * FROM leadguard.member_activity()"), Vec::<Vec<String>>::new());
    accepted(&mut admin, "SELECT leadguard.activity_reset()");
    refused(&mut db.connect("alice"), "SELECT * FROM leadguard.member_activity()", "42501");
}
