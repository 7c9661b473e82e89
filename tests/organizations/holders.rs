//! The last Owner, data owner and ADMIN of an organization stay.

use crate::lab::{companies, give, id, organization, take};
use leadguard_tests::{accepted, allowed, blocked, pid, refused, scalar};
use std::thread;

const ROLES: [&str; 3] = ["Owner", "data_owner", "ADMIN"];

#[test]
fn k7_p4_the_last_holder_cannot_be_removed_in_any_way() {
    let db = companies("holders_last");
    let mut admin = db.admin();
    accepted(&mut admin, "DELETE FROM leadguard.member WHERE key = 'root'");
    accepted(&mut admin, "INSERT INTO leadguard.organization (key) VALUES ('third')");
    let third = organization(&mut admin, "third");
    for role in ROLES {
        if role != "Owner" {
            accepted(&mut admin, &give(&mut db.admin(), "owner", role));
        }
        let ways = [
            take(&mut admin, "owner", role),
            "UPDATE leadguard.member SET active = false WHERE key = 'owner'".to_string(),
            "DELETE FROM leadguard.member WHERE key = 'owner'".to_string(),
            format!("UPDATE leadguard.member SET org_id = {third} WHERE key = 'owner'"),
            format!(
                "UPDATE leadguard.member_role SET role = 'lead_manager' WHERE member_id = {} AND role = '{role}'",
                id(&mut admin, "owner")
            ),
            // Both halves in one statement, in either table's shadow.
            format!(
                "WITH t AS (DELETE FROM leadguard.member_role WHERE member_id = {0} RETURNING 1)
                 DELETE FROM leadguard.member WHERE id = {0} AND (SELECT count(*) FROM t) > 0",
                id(&mut admin, "owner")
            ),
            format!(
                "WITH t AS (DELETE FROM leadguard.member_role WHERE member_id = {0} RETURNING 1)
                 UPDATE leadguard.member SET active = false WHERE id = {0} AND (SELECT count(*) FROM t) > 0",
                id(&mut admin, "owner")
            ),
        ];
        for way in &ways {
            let error = refused(&mut admin, way, "23514");
            assert!(error.message().contains("cannot be removed") && error.hint().is_some(), "{}", error.message());
        }
        // A member of the organization is refused as well, and an inactive holder is no help.
        refused(&mut db.connect("owner"), &ways[0], "23514");
        accepted(&mut admin, &give(&mut db.admin(), "mem", role));
        accepted(&mut admin, "UPDATE leadguard.member SET active = false WHERE key = 'mem'");
        refused(&mut admin, &ways[0], "23514");
        accepted(&mut admin, "UPDATE leadguard.member SET active = true WHERE key = 'mem'");
        // With a second one each is accepted.
        assert_eq!(allowed(&mut db.connect("owner"), &ways[0]), 1);
        for (number, way) in ways.iter().enumerate().filter(|(number, _)| *number != 3) {
            if role == "Owner" || [0, 4].contains(&number) {
                assert_eq!(allowed(&mut admin, way), 1, "{role}: {way}");
            }
        }
        accepted(&mut admin, &take(&mut db.admin(), "mem", role));
    }
    refused(&mut admin, "TRUNCATE leadguard.member CASCADE", "23514");
    refused(&mut admin, "TRUNCATE leadguard.member_role", "23514");
    // Other roles come and go.
    assert_eq!(allowed(&mut admin, &take(&mut db.admin(), "giver", "giver")), 1);
}

#[test]
fn k7_one_statement_hands_the_role_over() {
    let db = companies("holders_swap");
    let mut admin = db.admin();
    accepted(&mut admin, &give(&mut db.admin(), "mem", "Owner"));
    accepted(&mut admin, "UPDATE leadguard.member SET active = false WHERE key = 'mem'");
    let swap = "UPDATE leadguard.member SET active = NOT active WHERE key IN ('owner', 'mem')";
    assert_eq!(accepted(&mut admin, swap), 2);
    refused(&mut admin, "UPDATE leadguard.member SET active = false WHERE key IN ('owner', 'mem')", "23514");
    let (owner, adm) = (id(&mut admin, "owner"), id(&mut admin, "adm"));
    accepted(&mut admin, &format!("DELETE FROM leadguard.member_role WHERE member_id = {owner} AND role = 'Owner'"));
    let mem = id(&mut admin, "mem");
    accepted(
        &mut admin,
        &format!(
            "WITH g AS (INSERT INTO leadguard.member_role (member_id, role) VALUES ({adm}, 'Owner'))
             DELETE FROM leadguard.member_role WHERE member_id = {mem} AND role = 'Owner'"
        ),
    );
    accepted(
        &mut admin,
        &format!("UPDATE leadguard.member_role SET member_id = {mem} WHERE member_id = {adm} AND role = 'Owner'"),
    );
    assert_eq!(
        scalar(
            &mut admin,
            "SELECT string_agg(m.key, ',') FROM leadguard.member_role r JOIN leadguard.member m ON m.id = r.member_id WHERE r.role = 'Owner' AND m.org_id = 1"
        ),
        "mem"
    );
}

#[test]
fn p2_with_the_organization_its_owner_goes() {
    let db = companies("holders_gone");
    let mut admin = db.admin();
    let globex = organization(&mut admin, "globex");
    let members = format!("DELETE FROM leadguard.member WHERE org_id = {globex}");
    refused(&mut admin, &members, "23514");
    accepted(&mut admin, "BEGIN; SET CONSTRAINTS ALL DEFERRED");
    accepted(&mut admin, "SELECT leadguard.unprotect('crm.theirs')");
    accepted(&mut admin, "DELETE FROM leadguard.organization WHERE key = 'globex'");
    assert_eq!(accepted(&mut admin, &members), 3);
    accepted(&mut admin, "ROLLBACK");
    accepted(&mut admin, "UPDATE leadguard.organization SET archived_at = now() WHERE key = 'globex'");
    assert_eq!(accepted(&mut admin, &members), 3);
}

// Two who leave at the same moment: each sees the other still there.
#[test]
fn k7_two_owners_cannot_leave_at_once() {
    let db = companies("holders_race");
    let mut admin = db.admin();
    accepted(&mut admin, &give(&mut db.admin(), "mem", "Owner"));
    for (first, second) in [
        (
            take(&mut admin, "owner", "Owner"),
            "UPDATE leadguard.member SET active = false WHERE key = 'mem'".to_string(),
        ),
        ("DELETE FROM leadguard.member WHERE key = 'owner'".to_string(), take(&mut admin, "mem", "Owner")),
    ] {
        accepted(&mut admin, &format!("{} ON CONFLICT DO NOTHING", give(&mut db.admin(), "owner", "Owner")));
        let mut one = db.admin();
        accepted(&mut one, "BEGIN");
        accepted(&mut one, &first);
        let mut two = db.admin();
        let waiting = pid(&mut two);
        let runs = thread::spawn(move || refused(&mut two, &second, "23514"));
        assert!(blocked(&mut admin, waiting));
        accepted(&mut one, "COMMIT");
        runs.join().expect("the second is refused");
    }
}
