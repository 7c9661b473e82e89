//! What becomes of members as they are inserted.

use crate::domains::rule;
use crate::lab::*;
use leadguard_tests::*;

/// Kind and roles of a member.
fn is(db: &Db, key: &str) -> String {
    scalar(
        &mut db.admin(),
        &format!(
            "SELECT concat_ws(' ', m.kind, (SELECT string_agg(mr.role, ',' ORDER BY mr.role) FROM leadguard.member_role AS mr WHERE mr.member_id = m.id))
             FROM leadguard.member AS m WHERE m.key = '{key}'"
        ),
    )
}

/// ann adds a member as an administrator does.
fn insert(key: &str, columns: &str, values: &str) -> String {
    format!("INSERT INTO leadguard.member (key, name{columns}) VALUES ('{key}', '{key}'{values})")
}

fn rules(name: &str) -> Db {
    let db = lab(name);
    rule(&db, "acme.com", "own", "CREATOR");
    rule(&db, "partner.com", "partner", "GUEST");
    db
}

#[test]
fn d24_new_members_get_the_role_of_their_domain() {
    let db = rules("joining");
    let mut ann = db.connect("ann");
    for (key, email) in [("own", "a@acme.com"), ("ext", "a@Partner.com"), ("other", "a@elsewhere.org")] {
        accepted(&mut ann, &insert(key, ", email", &format!(", '{email}'")));
    }
    accepted(&mut ann, &insert("none", "", ""));
    assert_eq!(is(&db, "own"), "person CREATOR");
    assert_eq!(is(&db, "ext"), "guest GUEST");
    assert_eq!(is(&db, "other"), "person", "least privilege: no rule, no role");
    assert_eq!(is(&db, "none"), "person");
    rule(&db, "*", "own", "COLLABORATOR");
    accepted(&mut ann, &insert("later", ", email", ", 'b@elsewhere.org'"));
    assert_eq!(is(&db, "later"), "person COLLABORATOR", "the default of the organization");
    assert_eq!(is(&db, "other"), "person", "who joined before stays what he is");
}

#[test]
fn d24_a_role_given_in_the_same_transaction_stays_the_only_one() {
    let db = rules("joining_given");
    let mut ann = db.connect("ann");
    accepted(&mut ann, "BEGIN");
    accepted(&mut ann, &insert("one", ", email", ", 'a@acme.com'"));
    accepted(
        &mut ann,
        "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'COLLABORATOR' FROM leadguard.member WHERE key = 'one'",
    );
    accepted(&mut ann, "COMMIT");
    assert_eq!(is(&db, "one"), "person COLLABORATOR");
    let both =
        "WITH m AS (INSERT INTO leadguard.member (key, name, email) VALUES ('two', 'two', 'b@acme.com') RETURNING id)
                INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'CREATOR' FROM m";
    accepted(&mut db.admin(), both);
    assert_eq!(is(&db, "two"), "person CREATOR");
    accepted(&mut ann, "BEGIN");
    accepted(&mut ann, &insert("three", ", email", ", 'c@acme.com'"));
    accepted(&mut ann, "ROLLBACK");
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.member WHERE key = 'three'"), "0");
}

#[test]
fn d6_an_external_member_is_never_a_person_for_a_moment() {
    let db = rules("joining_moment");
    let mut admin = db.admin();
    accepted(&mut admin, "BEGIN");
    accepted(&mut admin, &insert("ext", ", email", ", 'a@partner.com'"));
    assert_eq!(scalar(&mut admin, "SELECT kind FROM leadguard.member WHERE key = 'ext'"), "guest");
    accepted(&mut admin, "COMMIT");
    // An administrator who knows better says so afterwards.
    accepted(&mut db.connect("ann"), "UPDATE leadguard.member SET kind = 'person' WHERE key = 'ext'");
    assert_eq!(is(&db, "ext"), "person GUEST");
}

#[test]
fn x22_systems_and_guests_of_the_own_domain_get_no_role_of_persons() {
    let db = rules("joining_kinds");
    let mut ann = db.connect("ann");
    accepted(&mut ann, &insert("bot", ", email, kind", ", 'bot@acme.com', 'system'"));
    accepted(&mut ann, &insert("guest", ", email, kind", ", 'temp@acme.com', 'guest'"));
    accepted(&mut ann, &insert("bot2", ", email, kind", ", 'bot@partner.com', 'system'"));
    accepted(&mut ann, &insert("guest2", ", email, kind", ", 'temp@partner.com', 'guest'"));
    assert_eq!(is(&db, "bot"), "system");
    assert_eq!(is(&db, "guest"), "guest");
    assert_eq!(is(&db, "bot2"), "system");
    assert_eq!(is(&db, "guest2"), "guest GUEST");
}

#[test]
fn d24_many_at_once_and_members_of_others() {
    let db = rules("joining_many");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "INSERT INTO leadguard.member (key, email)
         SELECT 'm' || n, 'm' || n || CASE n % 3 WHEN 0 THEN '@acme.com' WHEN 1 THEN '@partner.com' ELSE '@elsewhere.org' END
         FROM generate_series(1, 300) AS n",
    );
    assert_eq!(
        rows(
            &mut admin,
            "SELECT m.kind, mr.role, count(*) FROM leadguard.member AS m LEFT JOIN leadguard.member_role AS mr ON mr.member_id = m.id WHERE m.email IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2"
        ),
        [["guest", "GUEST", "100"], ["person", "CREATOR", "100"], ["person", "∅", "100"]]
    );
    accepted(
        &mut admin,
        "INSERT INTO leadguard.member (org_id, key, email) SELECT id, 'foreign', 'a@acme.com' FROM leadguard.organization WHERE key = 'globex'",
    );
    assert_eq!(is(&db, "foreign"), "person", "the rules of another organization");
}

#[test]
fn d16_the_role_counts_with_the_next_statement() {
    let db = rules("joining_counts");
    let login = db.create_role("nora");
    accepted(&mut db.connect("ann"), &insert("nora", ", email", ", 'nora@acme.com'"));
    accepted(&mut db.admin(), &format!("UPDATE leadguard.member SET db_role = '{login}' WHERE key = 'nora'"));
    accepted(&mut db.connect("nora"), "INSERT INTO crm.site (name, org_id) VALUES ('mine', 1)");
}
