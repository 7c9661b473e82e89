//! O16 and O18: grants that stay, and the union of paths.

use leadguard_tests::*;

const DEAL: &str =
    "leadguard.share('crm.lead', '1', 'carl', 'edit', reason => 'deal registration 7', retained => true)";

/// Alice's lead 1 with carl on a retained grant; bob inherits it.
fn deal(name: &str) -> Db {
    let db = Db::new(name);
    org(&db);
    accepted(&mut db.connect("alice"), &format!("SELECT {DEAL}"));
    assert_eq!(level(&db, "carl", "1"), "edit");
    assert_eq!(level(&db, "bob", "1"), "edit");
    db
}

#[test]
fn o16_survives_removal_from_the_sales_team() {
    let db = deal("o16_team");
    let mut alice = db.connect("alice");
    accepted(&mut alice, "SELECT leadguard.team_add('crm.lead', '1', 'carl', 'full')");
    assert_eq!(level(&db, "carl", "1"), "full");
    accepted(&mut alice, "SELECT leadguard.team_remove('crm.lead', '1', 'carl')");
    assert_eq!(level(&db, "carl", "1"), "edit");
    // The twin without `retained` ends with the team.
    accepted(&mut alice, "SELECT leadguard.team_add('crm.lead', '2', 'carl', 'full')");
    accepted(&mut alice, "SELECT leadguard.team_remove('crm.lead', '2', 'carl')");
    assert_eq!(level(&db, "carl", "2"), "none");
}

#[test]
fn o16_survives_reassignment_and_owner_change() {
    let db = deal("o16_owner");
    let mut admin = db.admin();
    accepted(&mut db.connect("alice"), "SELECT leadguard.reassign('crm.lead', '1', owner => 'anton')");
    assert_eq!(level(&db, "alice", "1"), "none");
    assert_eq!(level(&db, "carl", "1"), "edit");
    accepted(&mut db.connect("anton"), "SELECT leadguard.reassign('crm.lead', '1', territory => 'amer')");
    assert_eq!(level(&db, "carl", "1"), "edit");
    let loner = member(&mut admin, "loner");
    accepted(&mut admin, &format!("UPDATE crm.lead SET owner_id = {loner} WHERE id = 1"));
    assert_eq!(level(&db, "carl", "1"), "edit");
    assert_eq!(level(&db, "bob", "1"), "edit");
    place(&mut admin, "carl", "tina");
    assert_eq!(level(&db, "carl", "1"), "edit", "a move of the member changes nothing for him");
    assert_eq!(level(&db, "bob", "1"), "none");
    assert_eq!(level(&db, "tina", "1"), "edit");
}

#[test]
fn o16_survives_a_move_to_another_registration() {
    let db = deal("o16_other");
    let other = DEAL.replace("'1'", "'2'").replace("registration 7", "registration 8");
    accepted(&mut db.connect("alice"), &format!("SELECT {other}"));
    assert_eq!(leads(&db, "carl"), set("1 2 9 10"));
    accepted(&mut db.connect("admin"), "SELECT leadguard.unshare('crm.lead', '2', 'carl')");
    assert_eq!(leads(&db, "carl"), set("1 9 10"));
}

#[test]
fn o16_only_an_administrator_removes_it() {
    let db = deal("o16_admin");
    accepted(&mut db.connect("alice"), "SELECT leadguard.share('crm.lead', '2', 'carl', 'edit')");
    for who in ["alice", "mona", "ceo"] {
        for id in ["1", "2"] {
            // Whether the refusal is an error or "nothing removed", the retained grant stays.
            let _ = code(&mut db.connect(who), &format!("SELECT leadguard.unshare('crm.lead', '{id}', 'carl')"));
        }
        assert_eq!(leads(&db, "carl"), set("1 9 10"), "after {who}");
    }
    refused(&mut db.connect("alice"), "SELECT leadguard.unshare('crm.lead', '1', 'carl')", "42501");
    accepted(&mut db.connect("admin"), "SELECT leadguard.unshare('crm.lead', '1', 'carl')");
    assert_eq!(leads(&db, "carl"), set("9 10"));
}

#[test]
fn o16_a_plain_share_does_not_replace_a_retained_grant() {
    let db = deal("o16_weaker");
    let mut alice = db.connect("alice");
    // Sharing again, weaker and for a moment, must not be a way to take a deal registration away.
    let _ = code(
        &mut alice,
        "SELECT leadguard.share('crm.lead', '1', 'carl', 'read', until => clock_timestamp() + interval '1 second')",
    );
    let _ = code(&mut alice, "SELECT leadguard.share('crm.lead', '1', 'carl', 'read')");
    let _ = code(&mut alice, "SELECT leadguard.unshare('crm.lead', '1', 'carl')");
    accepted(&mut alice, "SELECT pg_sleep(1.1)");
    assert_eq!(level(&db, "carl", "1"), "edit");
}

#[test]
fn o18_losing_one_path_leaves_the_others() {
    let db = Db::new("o18");
    org(&db);
    let mut admin = db.admin();
    let (carl, loner) = (member(&mut admin, "carl"), member(&mut admin, "loner"));
    accepted(
        &mut admin,
        &format!(
            "INSERT INTO leadguard.territory_member (territory_id, member_id) SELECT id, {carl} FROM leadguard.territory WHERE key = 'dach';
             UPDATE crm.lead SET owner_id = {carl} WHERE id = 11;
             SELECT leadguard.team_add('crm.lead', '11', 'carl', 'edit');
             SELECT leadguard.share('crm.lead', '11', 'carl', 'read')"
        ),
    );
    // One path after another goes; what is left decides.
    let steps = [
        ("SELECT 1".to_string(), "full"),
        (format!("UPDATE crm.lead SET owner_id = {loner} WHERE id = 11"), "edit"),
        (format!("DELETE FROM leadguard.territory_member WHERE member_id = {carl}"), "edit"),
        ("SELECT leadguard.team_remove('crm.lead', '11', 'carl')".to_string(), "read"),
        ("SELECT leadguard.unshare('crm.lead', '11', 'carl')".to_string(), "none"),
    ];
    for (step, expected) in &steps {
        accepted(&mut admin, step);
        for who in ["carl", "bob", "vp2"] {
            assert_eq!(level(&db, who, "11"), *expected, "{who} after {step}");
        }
    }
    assert_eq!(level(&db, "tess", "11"), "edit", "others keep their own paths");
}

#[test]
fn o18_the_highest_level_wins_in_any_order() {
    let db = Db::new("o18_highest");
    org(&db);
    let mut alice = db.connect("alice");
    for (id, team, share, expected) in [
        ("1", "read", "edit", "edit"),
        ("2", "edit", "read", "edit"),
        ("3", "full", "read", "full"),
        ("4", "read", "full", "full"),
    ] {
        accepted(&mut alice, &format!("SELECT leadguard.team_add('crm.lead', '{id}', 'carl', '{team}')"));
        accepted(&mut alice, &format!("SELECT leadguard.share('crm.lead', '{id}', 'carl', '{share}')"));
        assert_eq!(level(&db, "carl", id), expected);
        assert_eq!(level(&db, "bob", id), expected);
    }
}

#[test]
fn o18_a_row_reached_by_many_paths_appears_once() {
    let db = Db::new("o18_once");
    org(&db);
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "SELECT leadguard.team_add('crm.lead', '1', k), leadguard.share('crm.lead', '1', k)
         FROM unnest(ARRAY['alice', 'mona', 'vp', 'ceo']) AS k",
    );
    for who in ["alice", "mona", "vp", "ceo"] {
        assert_eq!(scalar(&mut db.connect(who), "SELECT count(*) FROM crm.lead WHERE id = 1"), "1", "{who}");
        assert!(leads(&db, who).contains("1"));
    }
}
