//! Adding, changing and removing contacts: who may, and what it says.

use crate::lab::*;
use leadguard_tests::*;

const SIDES: &str = "SELECT side, member, name, email FROM leadguard.contacts('crm.site', '1')";

#[test]
fn d29_an_external_contact_is_a_buyer_at_once_and_an_internal_one_a_seller() {
    let db = lab("contact_sides");
    add(&db, 1, "name => 'Pia Partner', email => 'pia@partner.com'");
    add(&db, 1, "member => 'gus'");
    add(&db, 1, "member => 'cora'");
    assert_eq!(
        rows(&mut db.connect("cleo"), SIDES),
        [
            ["BUYER", "∅", "Pia Partner", "pia@partner.com"],
            ["BUYER", "gus", "Gus", "∅"],
            ["SELLER", "cora", "Cora", "∅"]
        ]
    );
    let column = "UPDATE leadguard.record_contact SET side = NULL";
    refused(&mut db.admin(), column, "23502");
}

#[test]
fn d29_the_side_can_be_said_and_changed() {
    let db = lab("contact_said");
    let partner = add(&db, 1, "'SELLER', name => 'Our reseller'");
    let mut cleo = db.connect("cleo");
    assert_eq!(rows(&mut cleo, SIDES)[0][0], "SELLER");
    accepted(&mut cleo, &format!("SELECT leadguard.contact_side({partner}, 'BUYER')"));
    assert_eq!(rows(&mut cleo, SIDES)[0][0], "BUYER");
    for side in ["'buyer'", "'PARTNER'", "NULL"] {
        refused(&mut cleo, &format!("SELECT leadguard.contact_side({partner}, {side})"), "22023");
    }
    refused(&mut cleo, "SELECT leadguard.contact_add('crm.site', '1', 'OTHER', name => 'x')", "22023");
}

#[test]
fn d36_a_contact_is_somebody() {
    let db = lab("contact_somebody");
    let mut cleo = db.connect("cleo");
    for nobody in ["", ", name => ' '", ", email => ''", ", member => NULL"] {
        refused(&mut cleo, &format!("SELECT leadguard.contact_add('crm.site', '1'{nobody})"), "22023");
    }
    let long = "x".repeat(1001);
    refused(&mut cleo, &format!("SELECT leadguard.contact_add('crm.site', '1', name => '{long}')"), "22023");
    accepted(&mut cleo, &format!("SELECT leadguard.contact_add('crm.site', '1', name => '{}')", &long[1..]));
}

#[test]
fn d36_a_member_is_a_contact_of_a_record_once() {
    let db = lab("contact_once");
    let first = add(&db, 1, "member => 'cora'");
    let again = "SELECT leadguard.contact_add('crm.site', '1', member => 'cora')";
    refused(&mut db.connect("cleo"), again, "23505");
    accepted(&mut db.connect("cleo"), "SELECT leadguard.contact_add('crm.site', '2', member => 'cora')");
    accepted(&mut db.connect("cleo"), &format!("SELECT leadguard.contact_remove({first})"));
    accepted(&mut db.connect("cleo"), again);
    assert_eq!(granted(&db, 1), [["cora", "edit"]]);
}

// One answer for a member of another organization, one who left, and one that never was.
#[test]
fn p25_only_active_members_of_the_organization_are_linked() {
    let db = lab("contact_org");
    accepted(&mut db.admin(), "UPDATE leadguard.member SET active = false WHERE key = 'cody'");
    let mut cleo = db.connect("cleo");
    let mut answers: Vec<String> = Vec::new();
    for key in ["xena", "cody", "nobody"] {
        let error =
            refused(&mut cleo, &format!("SELECT leadguard.contact_add('crm.site', '1', member => '{key}')"), "22023");
        answers.push(error.message().replace(key, "?"));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    accepted(&mut cleo, "SELECT leadguard.contact_add('crm.site', '1', member => 'cora')");
}

// Twin: the same calls by whoever may update the item.
#[test]
fn d36_changing_contacts_takes_the_right_to_update_the_record() {
    let db = lab("contact_right");
    let contact = add(&db, 1, "name => 'Pia'");
    accepted(&mut db.connect("cleo"), "SELECT leadguard.share('crm.site', '1', 'cora', 'read')");
    let calls = [
        "SELECT leadguard.contact_add('crm.site', '1', name => 'x')".to_string(),
        format!("SELECT leadguard.contact_mark({contact}, 'CHAMPION')"),
        format!("SELECT leadguard.contact_unmark({contact}, 'CHAMPION')"),
        format!("SELECT leadguard.contact_side({contact}, 'SELLER')"),
        format!("SELECT leadguard.contact_remove({contact})"),
    ];
    for call in &calls {
        let error = refused(&mut db.connect("cora"), call, "42501");
        assert!(error.detail().unwrap_or("").contains("edit"), "{error}");
    }
    accepted(&mut db.connect("cleo"), "SELECT leadguard.share('crm.site', '1', 'cora', 'edit')");
    for call in &calls {
        accepted(&mut db.connect("cora"), call);
    }
}

// carl and a guest cannot read item 1; the answers are those for an item and a contact that do not exist.
#[test]
fn d5_contacts_of_an_unreadable_record_are_like_those_of_none() {
    let db = lab("contact_absent");
    let contact = add(&db, 1, "name => 'Pia'");
    for who in ["carl", "gus", "zoe"] {
        let mut session = db.connect(who);
        let hidden = refused(&mut session, "SELECT leadguard.contact_add('crm.site', '1', name => 'x')", "42501");
        let absent = refused(&mut session, "SELECT leadguard.contact_add('crm.site', '777', name => 'x')", "42501");
        assert_eq!(hidden.message().replace(" 1 ", " ? "), absent.message().replace(" 777 ", " ? "));
        let hint = |text: Option<&str>, record: &str| text.map(|text| text.replace(&format!("'{record}'"), "'?'"));
        assert_eq!(hint(hidden.hint(), "1"), hint(absent.hint(), "777"));
        assert_eq!(hidden.detail(), absent.detail());
        for call in ["contact_mark(#, 'CHAMPION')", "contact_side(#, 'SELLER')", "contact_remove(#)"] {
            let ask = |session: &mut Client, number: &str| {
                let error = refused(session, &format!("SELECT leadguard.{}", call.replace('#', number)), "42501");
                (error.message().replace(number, "#"), error.detail().map(String::from), error.hint().map(String::from))
            };
            assert_eq!(ask(&mut session, &contact), ask(&mut session, "4711"), "{who} {call}");
        }
    }
    accepted(&mut db.connect("cleo"), &format!("SELECT leadguard.contact_mark({contact}, 'CHAMPION')"));
}

#[test]
fn k19_logins_that_only_read_and_nobody_change_no_contacts() {
    let db = lab("contact_analyst");
    let report = db.create_role("report");
    accepted(&mut db.admin(), &format!("SELECT leadguard.analyst('{report}', 'cleo')"));
    let call = "SELECT leadguard.contact_add('crm.site', '1', name => 'x')";
    refused(&mut db.connect("report"), call, "42501");
    give(&db, "cody", "view_only");
    accepted(&mut db.connect("cleo"), "SELECT leadguard.share('crm.site', '1', 'cody', 'edit')");
    refused(&mut db.connect("cody"), call, "42501");
    let app = db.create_role("app");
    accepted(&mut db.admin(), &format!("SELECT leadguard.connector('{app}')"));
    refused(&mut db.connect("app"), call, "42501");
    accepted(&mut db.connect("app"), &format!("BEGIN; SELECT leadguard.act_as('cleo'); {call}; COMMIT"));
    accepted(&mut db.admin(), call);
}

#[test]
fn d28_a_guest_does_not_say_which_members_are_contacts() {
    let db = lab("contact_guest");
    accepted(&mut db.connect("cleo"), "SELECT leadguard.share('crm.site', '1', 'gus', 'edit')");
    let linked = add(&db, 1, "member => 'cora'");
    let mut gus = db.connect("gus");
    for key in ["cody", "nobody", "gwen"] {
        refused(&mut gus, &format!("SELECT leadguard.contact_add('crm.site', '1', member => '{key}')"), "42501");
    }
    refused(&mut gus, &format!("SELECT leadguard.contact_remove({linked})"), "42501");
    refused(&mut gus, &format!("SELECT leadguard.contact_side({linked}, 'BUYER')"), "42501");
    let free = scalar(&mut gus, "SELECT leadguard.contact_add('crm.site', '1', name => 'A colleague')");
    accepted(&mut gus, &format!("SELECT leadguard.contact_side({free}, 'SELLER')"));
    accepted(&mut gus, &format!("SELECT leadguard.contact_remove({free}, 'left')"));
}

#[test]
fn a_removed_contact_stays_removed() {
    let db = lab("contact_removed");
    let contact = add(&db, 1, "name => 'Pia'");
    let mut cleo = db.connect("cleo");
    accepted(&mut cleo, &format!("SELECT leadguard.contact_remove({contact}, 'left the company')"));
    for call in [
        "contact_remove(#)",
        "contact_side(#, 'SELLER')",
        "contact_mark(#, 'CHAMPION')",
        "contact_unmark(#, 'CHAMPION')",
    ] {
        refused(&mut cleo, &format!("SELECT leadguard.{}", call.replace('#', &contact)), "55000");
    }
    assert_eq!(
        rows(&mut cleo, "SELECT name, removed_by, reason FROM leadguard.contact_history('crm.site', '1')"),
        [["Pia", "cleo", "left the company"]]
    );
    assert_eq!(rows(&mut cleo, SIDES), Vec::<Vec<String>>::new());
}

#[test]
fn contacts_are_of_protected_tables_only() {
    let db = lab("contact_tables");
    accepted(
        &mut db.admin(),
        "CREATE TABLE crm.plain (id bigint PRIMARY KEY); GRANT SELECT ON crm.plain TO PUBLIC; INSERT INTO crm.plain VALUES (1)",
    );
    refused(&mut db.connect("cleo"), "SELECT leadguard.contact_add('crm.plain', '1', name => 'x')", "22023");
    refused(&mut db.connect("cleo"), "SELECT * FROM leadguard.contacts('crm.plain', '1')", "22023");
}

#[test]
fn the_tables_of_contacts_are_closed() {
    let db = lab("contact_closed");
    let contact = add(&db, 1, "name => 'Pia'");
    accepted(&mut db.connect("cleo"), &format!("SELECT leadguard.contact_mark({contact}, 'CHAMPION')"));
    for who in ["cleo", "ann", "gus"] {
        for table in ["record_contact", "contact_type", "record_grant"] {
            for sql in ["SELECT * FROM leadguard.#", "DELETE FROM leadguard.#", "TRUNCATE leadguard.#"] {
                refused(&mut db.connect(who), &sql.replace('#', table), "42501");
            }
        }
        refused(&mut db.connect(who), "UPDATE leadguard.contact_type SET since = now()", "42501");
        refused(&mut db.connect(who), "SELECT leadguard.grant_contacts(ARRAY[1])", "42501");
    }
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.contact_type"), "1");
}

#[test]
fn k53_the_audit_tells_who_changed_contacts_and_not_who_they_are() {
    let db = lab("contact_audit");
    let contact = add(&db, 1, "name => 'Pia Partner', email => 'pia@partner.com'");
    let mut cleo = db.connect("cleo");
    for call in [
        "contact_mark(#, 'CHAMPION')",
        "contact_unmark(#, 'CHAMPION')",
        "contact_unmark(#, 'CHAMPION')",
        "contact_side(#, 'SELLER')",
        "contact_side(#, 'SELLER')",
        "contact_remove(#, 'gone')",
    ] {
        accepted(&mut cleo, &format!("SELECT leadguard.{}", call.replace('#', &contact)));
    }
    let found = rows(
        &mut db.connect("ann"),
        "SELECT action, member_key, record, reason, detail FROM leadguard.audit_log WHERE action LIKE 'contact%' ORDER BY id",
    );
    let expected = [
        ("contact_add", "∅", "BUYER"),
        ("contact_mark", "∅", "CHAMPION"),
        ("contact_unmark", "∅", "CHAMPION"),
        ("contact_side", "∅", "SELLER"),
        ("contact_remove", "gone", "SELLER"),
    ]
    .map(|(action, reason, what)| {
        [action, "cleo", "1", reason, &format!("contact {contact}, {what}")].map(str::to_string).to_vec()
    });
    assert_eq!(found, expected);
}
