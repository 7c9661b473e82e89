//! The quarterly review of guests.

use crate::lab::{cannot_work, decision_site, seen};
use leadguard_tests::{accepted, code, refused, rows, scalar};

#[test]
fn d28_guests_are_looked_at_every_quarter() {
    let db = decision_site("guest_review");
    let mut ada = db.connect("ada");
    assert_eq!(
        rows(&mut ada, "SELECT member, last_reviewed, invitations FROM leadguard.guests_due()"),
        [["gus", "∅", "1"]]
    );
    accepted(&mut ada, "SELECT leadguard.review_guest('gus', 'keep', 'the project goes on')");
    assert!(rows(&mut ada, "SELECT * FROM leadguard.guests_due()").is_empty());
    accepted(&mut db.admin(), "UPDATE leadguard.guest_review SET reviewed_at = now() - interval '4 months'");
    assert_eq!(scalar(&mut ada, "SELECT count(*) FROM leadguard.guests_due()"), "1");
    assert_eq!(scalar(&mut ada, "SELECT count(*) FROM leadguard.guests_due('6 months')"), "0");
    let mut gus = db.connect("gus");
    assert_eq!(seen(&mut gus, "crm.site"), "6");
    assert_eq!(scalar(&mut ada, "SELECT leadguard.review_guest('gus', 'end', 'the project is over')"), "1");
    assert_ne!(code(&mut gus, "SELECT 1 / count(*) FROM crm.site"), "ok");
    assert!(rows(&mut ada, "SELECT * FROM leadguard.guests_due()").is_empty());
    assert_eq!(
        rows(&mut ada, "SELECT decision, note FROM leadguard.guest_review ORDER BY id"),
        [["keep", "the project goes on"], ["end", "the project is over"]]
    );
}

#[test]
fn d28_only_those_who_manage_members() {
    let db = decision_site("guest_review_who");
    for who in ["cara", "cole", "gus"] {
        refused(&mut db.connect(who), "SELECT * FROM leadguard.guests_due()", "42501");
        refused(&mut db.connect(who), "SELECT leadguard.review_guest('gus', 'keep', 'x')", "42501");
        assert!(rows(&mut db.connect(who), "SELECT * FROM leadguard.guest_review").is_empty());
        refused(
            &mut db.connect(who),
            "INSERT INTO leadguard.guest_review (org_id, member_id, decision, note) VALUES (1, 1, 'keep', 'x')",
            "42501",
        );
    }
    let mut ada = db.connect("ada");
    cannot_work(&mut ada, "SELECT leadguard.review_guest('cole', 'end', 'no guest')");
    cannot_work(&mut ada, "SELECT leadguard.review_guest('gus', 'perhaps', 'x')");
    cannot_work(&mut ada, "SELECT leadguard.review_guest('gus', 'keep', NULL)");
    cannot_work(&mut ada, "SELECT leadguard.review_guest('nobody', 'keep', 'x')");
}
