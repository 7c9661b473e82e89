//! Guests come by invitation to one item and reach nothing else.

use crate::lab::*;
use leadguard_tests::*;

fn invite(key: &str, rest: &str) -> String {
    format!("SELECT leadguard.invite('crm.site', '1', '{key}'{rest})")
}

#[test]
fn d28_an_invitation_makes_the_guest_and_shares_the_record() {
    let db = lab("guests");
    let id = scalar(&mut db.connect("cleo"), &invite("pia", ", 'Pia', 'pia@partner.com', reason => 'evaluation'"));
    assert_eq!(
        rows(
            &mut db.admin(),
            &format!(
                "SELECT m.key, m.name, m.email, m.kind, o.key, (SELECT string_agg(role, ',') FROM leadguard.member_role WHERE member_id = m.id)
                 FROM leadguard.member AS m JOIN leadguard.organization AS o ON o.id = m.org_id WHERE m.id = {id}"
            )
        ),
        [["pia", "Pia", "pia@partner.com", "guest", "default", "GUEST"]]
    );
    let login = db.create_role("pia");
    accepted(&mut db.admin(), &format!("UPDATE leadguard.member SET db_role = '{login}' WHERE key = 'pia'"));
    assert_eq!(reaches(&db, "pia", 1), "read");
    assert_eq!(ids(&mut db.connect("pia"), "SELECT id FROM crm.site"), set("1"));
    assert_eq!(ids(&mut db.connect("pia"), "SELECT key FROM leadguard.member"), set("pia"), "lists nobody else");
    let log = "SELECT action, reason, detail FROM leadguard.audit_log WHERE action IN ('invite', 'share') ORDER BY id";
    assert_eq!(
        rows(&mut db.connect("ann"), log),
        [["invite", "evaluation", "new guest pia"], ["share", "evaluation", "member pia, level read"]]
    );
}

#[test]
fn d28_a_guest_is_invited_again() {
    let db = lab("guests_again");
    let mut cleo = db.connect("cleo");
    let id = scalar(&mut cleo, &invite("gus", ", 'Somebody else', 'else@where.org', 'edit'"));
    assert_eq!(id, scalar(&mut cleo, &invite("gus", ", level => 'edit'")));
    assert_eq!(reaches(&db, "gus", 1), "edit");
    assert_eq!(
        rows(&mut db.admin(), "SELECT name, email FROM leadguard.member WHERE key = 'gus'"),
        [["Gus", "∅"]],
        "what is there stays"
    );
    accepted(&mut cleo, "SELECT leadguard.unshare('crm.site', '1', 'gus')");
    assert_eq!(reaches(&db, "gus", 1), "none");
    refused(&mut cleo, &invite("gus", ", until => now() - interval '1 day'"), "22023");
    refused(&mut cleo, &invite("gus", ", level => 'all'"), "22023");
    refused(&mut cleo, "SELECT leadguard.invite('crm.site', '1', ' ')", "22023");
    accepted(&mut cleo, &invite("gus", ", until => now() + interval '1 second'"));
    assert_eq!(reaches(&db, "gus", 1), "read");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_eq!(reaches(&db, "gus", 1), "none", "an invitation ends by itself");
}

// One answer for a colleague, a member of another organization, and a guest who left.
#[test]
fn d28_nobody_but_guests_is_invited() {
    let db = lab("guests_others");
    accepted(&mut db.admin(), "UPDATE leadguard.member SET active = false WHERE key = 'gwen'");
    let mut cleo = db.connect("cleo");
    let answers: Vec<_> = ["cora", "zoe", "gwen"]
        .map(|key| {
            let error = refused(&mut cleo, &invite(key, ""), "22023");
            (error.message().replace(key, "?"), error.detail().map(String::from), error.hint().map(String::from))
        })
        .to_vec();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    accepted(&mut db.admin(), "UPDATE leadguard.member SET active = true WHERE key = 'gwen'");
    accepted(&mut cleo, &invite("gwen", ""));
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.member"), "9");
}

#[test]
fn d28_inviting_takes_the_right_to_share() {
    let db = lab("guests_right");
    accepted(&mut db.connect("cleo"), "SELECT leadguard.share('crm.site', '1', 'cora', 'edit')");
    refused(&mut db.connect("cora"), &invite("pia", ""), "42501");
    let hidden = refused(&mut db.connect("carl"), &invite("pia", ""), "42501");
    let absent = refused(&mut db.connect("carl"), "SELECT leadguard.invite('crm.site', '777', 'pia')", "42501");
    assert_eq!(hidden.message().replace(" 1 ", " ? "), absent.message().replace(" 777 ", " ? "));
    refused(&mut db.connect("gus"), &invite("pia", ""), "42501");
    accepted(&mut db.connect("cleo"), "SELECT leadguard.share('crm.site', '1', 'gus', 'full')");
    refused(&mut db.connect("gus"), &invite("pia", ""), "42501");
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.member WHERE key = 'pia'"), "0");
    accepted(&mut db.connect("cleo"), &invite("pia", ""));
    accepted(&mut db.admin(), &invite("quinn", ""));
}

// A key that rows of a table may still hold is not given to a guest.
#[test]
fn d28_a_retired_key_is_not_invited() {
    let db = lab("guests_retired");
    accepted(
        &mut db.admin(),
        "CREATE TABLE crm.deal (id bigint PRIMARY KEY, owner text); SELECT leadguard.protect('crm.deal', owner => 'owner');
         DELETE FROM leadguard.member WHERE key = 'gwen'",
    );
    let mut cleo = db.connect("cleo");
    let gone = refused(&mut cleo, &invite("gwen", ""), "22023");
    let colleague = refused(&mut cleo, &invite("cora", ""), "22023");
    assert_eq!(gone.message().replace("gwen", "?"), colleague.message().replace("cora", "?"));
    accepted(&mut cleo, &invite("gwen2", ""));
}

#[test]
fn d28_invitations_are_reviewed() {
    let db = lab("guests_review");
    let mut cleo = db.connect("cleo");
    accepted(&mut cleo, &invite("gus", ""));
    accepted(&mut cleo, "SELECT leadguard.invite('crm.site', '2', 'gus', until => now() + interval '1 day')");
    add(&db, 3, "member => 'gus'");
    let sql = "SELECT member, invitations, last_given IS NOT NULL, next_end > now() FROM leadguard.invitations()";
    assert_eq!(rows(&mut db.connect("ann"), sql), [["gus", "3", "t", "t"], ["gwen", "0", "f", "∅"]]);
    for who in ["cleo", "cora", "gus"] {
        refused(&mut db.connect(who), sql, "42501");
    }
    join(&db, "zara", "person", "ADMIN", "globex");
    assert_eq!(rows(&mut db.connect("zara"), sql), Vec::<Vec<String>>::new());
}
