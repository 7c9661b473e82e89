//! Who reads the contacts of an item, and what of them.

use crate::lab::*;
use leadguard_tests::*;

const CONTACTS: &str = "SELECT name FROM leadguard.contacts('crm.site', '1')";
const HISTORY: &str = "SELECT name FROM leadguard.contact_history('crm.site', '1')";

#[test]
fn d36_whoever_reads_the_record_reads_its_contacts() {
    let db = lab("reading");
    add(&db, 1, "name => 'Pia'");
    accepted(&mut db.connect("cleo"), "SELECT leadguard.share('crm.site', '1', 'cora', 'read')");
    for sql in [CONTACTS, HISTORY] {
        for who in ["cleo", "cora", "ann"] {
            assert_eq!(rows(&mut db.connect(who), sql), [["Pia"]], "{who}");
        }
        for who in ["carl", "cody", "gus", "zoe"] {
            assert_eq!(rows(&mut db.connect(who), sql), Vec::<Vec<String>>::new(), "{who}");
        }
        assert_eq!(rows(&mut db.connect("cleo"), &sql.replace("'1'", "'777'")), Vec::<Vec<String>>::new());
        assert_eq!(rows(&mut db.admin(), sql), [["Pia"]]);
    }
    accepted(&mut db.connect("cleo"), "SELECT leadguard.unshare('crm.site', '1', 'cora')");
    assert_eq!(rows(&mut db.connect("cora"), CONTACTS), Vec::<Vec<String>>::new());
    let app = db.create_role("app");
    accepted(&mut db.admin(), &format!("SELECT leadguard.connector('{app}')"));
    refused(&mut db.connect("app"), CONTACTS, "42501");
}

#[test]
fn d5_a_guest_lists_no_members_by_contacts() {
    let db = lab("reading_guest");
    for contact in ["member => 'gus'", "member => 'gwen'", "member => 'cora'"] {
        add(&db, 1, contact);
    }
    let sql = "SELECT member FROM leadguard.contacts('crm.site', '1')";
    assert_eq!(rows(&mut db.connect("gus"), sql), [["gus"], ["∅"], ["∅"]]);
    assert_eq!(rows(&mut db.connect("cleo"), sql), [["gus"], ["gwen"], ["cora"]]);
    let added = "SELECT DISTINCT added_by FROM leadguard.contact_history('crm.site', '1')";
    assert_eq!(scalar(&mut db.connect("gus"), added), "∅");
    assert_eq!(scalar(&mut db.connect("cleo"), added), "cleo");
}

#[test]
fn d30_the_history_shows_what_was() {
    let db = lab("reading_history");
    let pia = add(&db, 1, "name => 'Pia'");
    add(&db, 1, "name => 'Quinn'");
    let mut cleo = db.connect("cleo");
    for call in [
        "contact_mark(#, 'INFLUENCER')",
        "contact_unmark(#, 'INFLUENCER')",
        "contact_mark(#, 'CHAMPION')",
        "contact_remove(#, 'left')",
    ] {
        accepted(&mut cleo, &format!("SELECT leadguard.{}", call.replace('#', &pia)));
    }
    assert_eq!(
        rows(
            &mut cleo,
            "SELECT name, type, since <= until, removed_at IS NOT NULL, reason FROM leadguard.contact_history('crm.site', '1')"
        ),
        [["Pia", "INFLUENCER", "t", "t", "left"], ["Pia", "CHAMPION", "t", "t", "left"], ["Quinn", "∅", "∅", "f", "∅"]]
    );
    assert_eq!(rows(&mut cleo, CONTACTS), [["Quinn"]]);
}
