//! What contacts give: a person who is SELLER edits, a guest who is BUYER reads, nobody else anything.

use crate::lab::*;
use leadguard_tests::*;

#[test]
fn d29_a_seller_who_is_a_person_edits() {
    let db = lab("access_seller");
    assert_eq!(reaches(&db, "cora", 1), "none");
    add(&db, 1, "member => 'cora'");
    assert_eq!(reaches(&db, "cora", 1), "edit");
    assert_eq!(reaches(&db, "cora", 2), "none");
    let share = "SELECT leadguard.share('crm.site', '1', 'cody')";
    refused(&mut db.connect("cora"), share, "42501");
    accepted(&mut db.connect("cleo"), share);
}

#[test]
fn d28_a_buyer_who_is_a_guest_reads() {
    let db = lab("access_buyer");
    assert_eq!(reaches(&db, "gus", 1), "none");
    add(&db, 1, "member => 'gus'");
    assert_eq!(reaches(&db, "gus", 1), "read");
    assert_eq!(reaches(&db, "gus", 2), "none");
    assert_eq!(reaches(&db, "gwen", 1), "none");
}

#[test]
fn d29_other_contacts_give_nothing() {
    let db = lab("access_others");
    join(&db, "bot", "system", "COLLABORATOR", "default");
    add(&db, 1, "'BUYER', member => 'cora'");
    add(&db, 1, "'SELLER', member => 'gus'");
    add(&db, 1, "member => 'bot'");
    add(&db, 1, "name => 'Pia'");
    assert_eq!(granted(&db, 1), Vec::<Vec<String>>::new());
    for who in ["cora", "gus", "bot"] {
        assert_eq!(reaches(&db, who, 1), "none", "{who}");
    }
}

#[test]
fn d29_access_follows_the_side() {
    let db = lab("access_side");
    let (cora, gus) = (add(&db, 1, "member => 'cora'"), add(&db, 1, "member => 'gus'"));
    let mut cleo = db.connect("cleo");
    let mut side = |contact: &str, side: &str| {
        accepted(&mut cleo, &format!("SELECT leadguard.contact_side({contact}, '{side}')"));
    };
    side(&cora, "BUYER");
    side(&gus, "SELLER");
    assert_eq!((reaches(&db, "cora", 1), reaches(&db, "gus", 1)), ("none", "none"));
    side(&cora, "SELLER");
    side(&gus, "BUYER");
    assert_eq!((reaches(&db, "cora", 1), reaches(&db, "gus", 1)), ("edit", "read"));
    assert_eq!(granted(&db, 1), [["cora", "edit"], ["gus", "read"]]);
}

#[test]
fn d28_access_ends_when_the_contact_is_removed() {
    let db = lab("access_removed");
    let (cora, gus) = (add(&db, 1, "member => 'cora'"), add(&db, 1, "member => 'gus'"));
    // An open session: with its next statement.
    let mut open = db.connect("cora");
    assert_eq!(scalar(&mut open, "SELECT count(*) FROM crm.site"), "1");
    accepted(&mut db.connect("cleo"), &format!("SELECT leadguard.contact_remove({cora})"));
    assert_eq!(scalar(&mut open, "SELECT count(*) FROM crm.site"), "0");
    assert_eq!(reaches(&db, "gus", 1), "read", "the other one stays");
    accepted(&mut db.connect("cleo"), &format!("SELECT leadguard.contact_remove({gus})"));
    assert_eq!(reaches(&db, "gus", 1), "none");
}

#[test]
fn d28_access_follows_the_kind_of_the_member() {
    let db = lab("access_kind");
    add(&db, 1, "member => 'cora'");
    add(&db, 1, "member => 'gus'");
    let mut admin = db.admin();
    accepted(&mut admin, "UPDATE leadguard.member SET kind = 'guest' WHERE key = 'cora'");
    accepted(&mut admin, "UPDATE leadguard.member SET kind = 'person' WHERE key = 'gus'");
    assert_eq!(granted(&db, 1), Vec::<Vec<String>>::new());
    assert_eq!((reaches(&db, "cora", 1), reaches(&db, "gus", 1)), ("none", "none"));
    accepted(
        &mut admin,
        "UPDATE leadguard.member SET kind = CASE kind WHEN 'guest' THEN 'person' ELSE 'guest' END WHERE key IN ('cora', 'gus')",
    );
    assert_eq!(granted(&db, 1), [["cora", "edit"], ["gus", "read"]]);
    assert_eq!((reaches(&db, "cora", 1), reaches(&db, "gus", 1)), ("edit", "read"));
}

#[test]
fn d23_an_inactive_member_has_nothing_by_contacts() {
    let db = lab("access_inactive");
    let cora = add(&db, 1, "member => 'cora'");
    let mut admin = db.admin();
    accepted(&mut admin, "UPDATE leadguard.member SET active = false WHERE key = 'cora'");
    assert_eq!(granted(&db, 1), Vec::<Vec<String>>::new());
    accepted(&mut db.connect("cleo"), &format!("SELECT leadguard.contact_remove({cora})"));
    accepted(&mut admin, "UPDATE leadguard.member SET active = true WHERE key = 'cora'");
    assert_eq!(granted(&db, 1), Vec::<Vec<String>>::new(), "removed meanwhile");
    add(&db, 1, "member => 'cora'");
    accepted(&mut admin, "UPDATE leadguard.member SET active = false WHERE key = 'cora'");
    accepted(&mut admin, "UPDATE leadguard.member SET active = true WHERE key = 'cora'");
    assert_eq!(reaches(&db, "cora", 1), "edit");
}

// A member who is deleted stays in the history by name.
#[test]
fn a_deleted_member_leaves_a_contact_without_access() {
    let db = lab("access_deleted");
    add(&db, 1, "member => 'gus'");
    accepted(&mut db.admin(), "DELETE FROM leadguard.member WHERE key = 'gus'");
    assert_eq!(
        rows(&mut db.connect("cleo"), "SELECT side, member, name FROM leadguard.contacts('crm.site', '1')"),
        [["BUYER", "∅", "Gus"]]
    );
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.record_grant WHERE kind = 'contact'"), "0");
}

#[test]
fn d27_a_contact_keeps_its_member_in_the_organization() {
    let db = lab("access_moves");
    let contact = add(&db, 1, "'BUYER', member => 'cora'");
    let moves = "UPDATE leadguard.member SET org_id = (SELECT id FROM leadguard.organization WHERE key = 'globex') WHERE key = 'cora'";
    refused(&mut db.admin(), moves, "23514");
    accepted(&mut db.connect("cleo"), &format!("SELECT leadguard.contact_remove({contact})"));
    accepted(&mut db.admin(), moves);
    let member = "SELECT member FROM leadguard.contact_history('crm.site', '1')";
    assert_eq!(scalar(&mut db.connect("cleo"), member), "∅", "nobody learns who is where now");
}

// Twin: shares and the record team go, what the contact gives stays; and the other way round.
#[test]
fn d29_unshare_and_team_remove_leave_contacts_alone() {
    let db = lab("access_unshare");
    let cora = add(&db, 1, "member => 'cora'");
    let mut cleo = db.connect("cleo");
    assert_eq!(scalar(&mut cleo, "SELECT leadguard.unshare('crm.site', '1', 'cora')"), "f");
    assert_eq!(scalar(&mut cleo, "SELECT leadguard.team_remove('crm.site', '1', 'cora')"), "f");
    accepted(
        &mut cleo,
        "SELECT leadguard.share('crm.site', '1', 'cora', 'read'), leadguard.team_add('crm.site', '1', 'cora', 'read')",
    );
    assert_eq!(scalar(&mut cleo, "SELECT leadguard.unshare('crm.site', '1', 'cora')"), "t");
    assert_eq!(scalar(&mut cleo, "SELECT leadguard.team_remove('crm.site', '1', 'cora')"), "t");
    assert_eq!(granted(&db, 1), [["cora", "edit"]]);
    accepted(&mut cleo, "SELECT leadguard.share('crm.site', '1', 'cora', 'read')");
    accepted(&mut cleo, &format!("SELECT leadguard.contact_remove({cora})"));
    assert_eq!(reaches(&db, "cora", 1), "read", "the share is left");
}

#[test]
fn a_purge_takes_contacts_along_and_an_archive_does_not() {
    let db = lab("access_purge");
    let contact = add(&db, 1, "member => 'cora'");
    add(&db, 2, "member => 'cora'");
    accepted(
        &mut db.connect("cleo"),
        &format!("SELECT leadguard.contact_mark({}, 'CHAMPION')", add(&db, 1, "name => 'Pia'")),
    );
    let mut admin = db.admin();
    accepted(&mut admin, "DELETE FROM crm.site WHERE id IN (1, 2)");
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM leadguard.record_contact"), "3");
    refused(&mut db.connect("cleo"), &format!("SELECT leadguard.contact_remove({contact})"), "42501");
    accepted(&mut admin, "SELECT leadguard.purge('crm.site', '1', 'asked')");
    assert_eq!(rows(&mut admin, "SELECT record FROM leadguard.record_contact"), [["2"]]);
    assert_eq!(rows(&mut admin, "SELECT record FROM leadguard.record_grant"), [["2"]]);
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM leadguard.contact_type"), "0");
}

#[test]
fn contacts_go_with_the_protection_and_with_the_table() {
    let db = lab("access_unprotect");
    add(&db, 1, "member => 'cora'");
    let mut admin = db.admin();
    let steps =
        "SELECT reason FROM leadguard.unprotect('crm.site', dry_run => true) WHERE statement LIKE '%record_contact%'";
    assert_eq!(scalar(&mut admin, steps), "Forgets 1 contacts of its records.");
    accepted(&mut admin, "SELECT leadguard.unprotect('crm.site')");
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM leadguard.record_contact"), "0");
    let db = lab("access_drop");
    add(&db, 1, "member => 'cora'");
    accepted(&mut db.admin(), "DROP TABLE crm.site");
    assert_eq!(
        scalar(
            &mut db.admin(),
            "SELECT (SELECT count(*) FROM leadguard.record_contact) + (SELECT count(*) FROM leadguard.record_grant)"
        ),
        "0"
    );
}

// The kind changes while somebody adds the member: whoever comes second waits.
#[test]
fn a_contact_and_a_change_of_kind_do_not_pass_each_other() {
    let db = lab("access_race");
    let mut admin = db.admin();
    let (mut cleo, mut waits) = (db.connect("cleo"), db.admin());
    let number = pid(&mut cleo);
    accepted(&mut admin, "BEGIN; UPDATE leadguard.member SET kind = 'guest' WHERE key = 'cora'");
    std::thread::scope(|s| {
        let adding = s.spawn(move || {
            accepted(&mut cleo, "SELECT leadguard.contact_add('crm.site', '1', 'SELLER', member => 'cora')")
        });
        blocked(&mut waits, number);
        accepted(&mut admin, "COMMIT");
        adding.join().expect("the contact is added");
    });
    assert_eq!(granted(&db, 1), Vec::<Vec<String>>::new(), "a guest who is SELLER has nothing");
}
