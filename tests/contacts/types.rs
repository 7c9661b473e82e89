//! Stakeholder types of buyers, and their history.

use crate::lab::*;
use leadguard_tests::*;

const TYPES: &str = "SELECT types FROM leadguard.contacts('crm.site', '1')";
const HISTORY: &str =
    "SELECT type, until IS NULL FROM leadguard.contact_history('crm.site', '1') WHERE type IS NOT NULL ORDER BY since";

fn mark(db: &Db, contact: &str, kind: &str) -> String {
    scalar(&mut db.connect("cleo"), &format!("SELECT leadguard.contact_mark({contact}, '{kind}')"))
}

fn unmark(db: &Db, contact: &str, kind: &str) -> String {
    scalar(&mut db.connect("cleo"), &format!("SELECT leadguard.contact_unmark({contact}, '{kind}')"))
}

// The progression of the source: week 1 to week 8.
#[test]
fn d30_types_come_and_go_and_nothing_is_overwritten() {
    let db = lab("types_history");
    let contact = add(&db, 1, "name => 'Pia'");
    let mut cleo = db.connect("cleo");
    assert_eq!(scalar(&mut cleo, TYPES), "{}");
    assert_eq!(mark(&db, &contact, "INFLUENCER"), "t");
    assert_eq!(mark(&db, &contact, "CHAMPION"), "t");
    assert_eq!(mark(&db, &contact, "CHAMPION"), "f", "it is one already");
    assert_eq!(scalar(&mut cleo, TYPES), "{CHAMPION,INFLUENCER}", "several at once");
    assert_eq!(unmark(&db, &contact, "INFLUENCER"), "t");
    assert_eq!(unmark(&db, &contact, "INFLUENCER"), "f");
    assert_eq!(mark(&db, &contact, "DECISION_MAKER"), "t");
    assert_eq!(mark(&db, &contact, "INFLUENCER"), "t");
    assert_eq!(scalar(&mut cleo, TYPES), "{CHAMPION,DECISION_MAKER,INFLUENCER}");
    assert_eq!(
        rows(&mut cleo, HISTORY),
        [["INFLUENCER", "f"], ["CHAMPION", "t"], ["DECISION_MAKER", "t"], ["INFLUENCER", "t"]]
    );
    for unknown in ["'champion'", "'BLOCKER'", "NULL"] {
        refused(&mut cleo, &format!("SELECT leadguard.contact_mark({contact}, {unknown})"), "22023");
    }
}

#[test]
fn d30_several_changes_in_one_transaction_keep_their_history() {
    let db = lab("types_transaction");
    let contact = add(&db, 1, "name => 'Pia'");
    let mut cleo = db.connect("cleo");
    accepted(
        &mut cleo,
        &format!(
            "BEGIN; SELECT leadguard.contact_mark({contact}, 'CHAMPION'); SELECT leadguard.contact_unmark({contact}, 'CHAMPION');
             SELECT leadguard.contact_mark({contact}, 'CHAMPION'); COMMIT"
        ),
    );
    assert_eq!(rows(&mut cleo, HISTORY), [["CHAMPION", "f"], ["CHAMPION", "t"]]);
}

#[test]
fn d30_a_seller_has_no_types() {
    let db = lab("types_seller");
    let seller = add(&db, 1, "'SELLER', name => 'Sam'");
    let mut cleo = db.connect("cleo");
    refused(&mut cleo, &format!("SELECT leadguard.contact_mark({seller}, 'CHAMPION')"), "22023");
    accepted(&mut cleo, &format!("SELECT leadguard.contact_side({seller}, 'BUYER')"));
    assert_eq!(mark(&db, &seller, "CHAMPION"), "t");
    accepted(&mut cleo, &format!("SELECT leadguard.contact_side({seller}, 'SELLER')"));
    assert_eq!(scalar(&mut cleo, TYPES), "{}", "they end with the side");
    assert_eq!(rows(&mut cleo, HISTORY), [["CHAMPION", "f"]]);
}

#[test]
fn d30_types_give_no_access() {
    let db = lab("types_access");
    // A person on the side of the buyer: the side gives nothing to him either.
    let contact = add(&db, 1, "'BUYER', member => 'cora'");
    for kind in ["CHAMPION", "DECISION_MAKER", "INFLUENCER"] {
        assert_eq!(mark(&db, &contact, kind), "t");
    }
    assert_eq!(reaches(&db, "cora", 1), "none");
    let guest = add(&db, 1, "member => 'gus'");
    let before = granted(&db, 1);
    mark(&db, &guest, "DECISION_MAKER");
    assert_eq!(granted(&db, 1), before);
    assert_eq!(before, [["gus", "read"]]);
}
