//! What a delegate gives by a delegation, and delegations whose transactions see an older state.

use crate::lab::{decision_site, seen};
use leadguard_tests::{Client, Db, accepted, blocked, code, pid, refused, rows, scalar};

const FULL: &str = "SELECT leadguard.delegate('curt', now() + interval '7 days', 'full', 'holiday')";

fn share(with: &str, level: &str, end: &str) -> String {
    format!("SELECT leadguard.share('crm.site', '1', '{with}', '{level}', 'to help', {end})")
}

const SIX_DAYS: &str = "now() + interval '6 days'";

/// Grants by delegations that have ended or are not the owner's; records of crm.site that are delegated and lack a grant.
fn wrong(db: &Db) -> Vec<Vec<String>> {
    rows(
        &mut db.admin(),
        "SELECT 'held', g.record, g.kind FROM leadguard.record_grant g
         JOIN leadguard.delegation d ON d.id = g.delegation_id
         LEFT JOIN crm.site s ON s.id::text = g.record AND s.owner_id = d.member_id
         WHERE d.ended_at IS NOT NULL OR s.id IS NULL
         UNION ALL
         SELECT 'lacking', s.id::text, d.id::text FROM leadguard.delegation d JOIN crm.site s ON s.owner_id = d.member_id
         WHERE d.ended_at IS NULL AND NOT EXISTS (SELECT FROM leadguard.record_grant g
             WHERE g.delegation_id = d.id AND g.record = s.id::text AND g.kind = 'delegated') ORDER BY 1, 2",
    )
}

#[test]
fn k20_what_a_delegate_shares_goes_with_the_delegation() {
    for ends in ["cara", "curt"] {
        let db = decision_site("delegate_shares");
        let (mut cara, mut curt, mut cole) = (db.connect("cara"), db.connect("curt"), db.connect("cole"));
        let before = seen(&mut db.connect("cora"), "crm.site");
        let id = scalar(&mut cara, FULL);
        // The owner's own share stays, whoever else shares.
        accepted(&mut cara, &share("vera", "full", SIX_DAYS));
        accepted(&mut curt, &share("cole", "full", SIX_DAYS));
        // The helper passes on no more than the delegate could.
        for sql in [
            share("curt", "full", "NULL").as_str(),
            share("cora", "read", "NULL").as_str(),
            share("cora", "read", "now() + interval '8 days'").as_str(),
            share("cole", "full", SIX_DAYS).as_str(),
            "SELECT leadguard.reassign('crm.site', '1', 'curt', reason => 'his')",
            "SELECT leadguard.reassign('crm.site', '1', 'cole', reason => 'mine')",
            "UPDATE crm.site SET owner_id = leadguard.current_member() WHERE id = 1",
            "SELECT leadguard.team_add('crm.site', '1', 'cora', 'read', 'to help')",
        ] {
            refused(&mut cole, sql, "42501");
        }
        accepted(&mut cole, &share("cora", "read", "now() + interval '5 days'"));
        accepted(
            &mut curt,
            "SELECT leadguard.share('crm.site', '2', team => 'strategic', level => 'read', reason => 'all', until => now() + interval '6 days')",
        );
        assert_ne!(seen(&mut db.connect("cora"), "crm.site"), before);
        let given = "SELECT count(*) FROM leadguard.record_grant WHERE delegation_id IS NOT NULL AND kind = 'share'";
        assert_eq!(scalar(&mut db.admin(), given), "3");
        accepted(&mut db.connect(ends), &format!("SELECT leadguard.undelegate({id})"));
        assert_eq!(scalar(&mut db.admin(), given), "0", "{ends}");
        assert_eq!(seen(&mut db.connect("cora"), "crm.site"), before);
        refused(&mut cole, "SELECT leadguard.reassign('crm.site', '1', 'curt', reason => 'his')", "42501");
        // The same by who had it from the owner.
        accepted(&mut db.connect("vera"), &share("cora", "read", "NULL"));
        assert!(wrong(&db).is_empty());
    }
}

#[test]
fn k20_what_a_delegate_shares_goes_with_the_record() {
    let db = decision_site("delegate_moves");
    let (mut cara, mut curt) = (db.connect("cara"), db.connect("curt"));
    scalar(&mut cara, FULL);
    accepted(&mut curt, &share("cole", "full", SIX_DAYS));
    accepted(&mut cara, &share("cora", "full", SIX_DAYS));
    accepted(&mut cara, "SELECT leadguard.reassign('crm.site', '1', 'vera', reason => 'hers')");
    let held = "SELECT m.key, g.kind FROM leadguard.record_grant g JOIN leadguard.member m ON m.id = g.member_id
                WHERE g.target = 'crm.site'::regclass AND g.record = '1' ORDER BY 1";
    assert_eq!(rows(&mut db.admin(), held), [["cora", "share"]]);
    // Given again by who has it himself, it is his.
    accepted(&mut cara, "SELECT leadguard.share('crm.site', '2', 'vera', 'full', 'for good')");
    let two = |who: &str| share(who, "read", SIX_DAYS).replace("'1'", "'2'");
    accepted(&mut curt, &two("cole"));
    accepted(&mut db.connect("vera"), &two("cole"));
    accepted(&mut cara, "SELECT leadguard.undelegate(max(id)) FROM leadguard.delegation");
    assert!(seen(&mut db.connect("cole"), "crm.site").contains('2'));
}

#[test]
fn a_delegate_gives_no_retained_share() {
    let db = decision_site("delegate_retains");
    let mut cara = db.connect("cara");
    scalar(&mut cara, FULL);
    let retained = "SELECT leadguard.share('crm.site', '1', 'cole', 'read', 'deal', now() + interval '6 days', true)";
    refused(&mut db.connect("curt"), retained, "42501");
    accepted(&mut cara, retained);
}

#[test]
fn d5_a_delegate_who_becomes_a_guest_is_none() {
    for (kind, lasting) in [("guest", "0"), ("person", "1")] {
        let db = decision_site("delegate_guest");
        scalar(&mut db.connect("cara"), &FULL.replace("curt", "cole"));
        accepted(&mut db.admin(), &format!("UPDATE leadguard.member SET kind = '{kind}' WHERE key = 'cole'"));
        assert_eq!(
            scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.delegation WHERE ended_at IS NULL"),
            lasting
        );
        assert!(wrong(&db).is_empty());
    }
}

/// What becomes of `second`, which waits until `first` has committed.
fn after(db: &Db, first: &mut Client, mut second: Client, sql: &str) -> String {
    let (waiting, sql) = (pid(&mut second), sql.to_owned());
    let thread = std::thread::spawn(move || {
        let done = code(&mut second, &sql);
        if done == "ok" { code(&mut second, "COMMIT") } else { done }
    });
    assert!(blocked(&mut db.admin(), waiting), "it waits");
    accepted(first, "COMMIT");
    thread.join().expect("the session ended")
}

fn begun(db: &Db, who: &str, level: &str) -> Client {
    let mut session = db.connect(who);
    accepted(&mut session, &format!("BEGIN ISOLATION LEVEL {level}"));
    scalar(&mut session, "SELECT count(*) FROM leadguard.protected");
    session
}

#[test]
fn two_delegations_to_one_member_at_one_moment_are_one() {
    for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        let db = decision_site("delegate_at_once");
        let mut first = begun(&db, "cara", level);
        let second = begun(&db, "cara", level);
        accepted(&mut first, FULL);
        assert_ne!(after(&db, &mut first, second, FULL), "ok", "{level}");
        assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.delegation"), "1");
        // Of another member they are two.
        accepted(&mut db.connect("vera"), FULL);
        assert!(wrong(&db).is_empty());
    }
}

#[test]
fn a_share_and_the_end_of_the_delegation_wait_for_each_other() {
    let share = share("cole", "full", SIX_DAYS);
    let undelegate = "SELECT leadguard.undelegate(max(id)) FROM leadguard.delegation";
    let reassign = "SELECT leadguard.reassign('crm.site', '1', 'vera', reason => 'hers')";
    for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        for ending in [undelegate, reassign] {
            let db = decision_site("delegate_share_race");
            scalar(&mut db.connect("cara"), FULL);
            let mut first = begun(&db, "curt", level);
            let second = begun(&db, "cara", level);
            accepted(&mut first, &share);
            let end = after(&db, &mut first, second, ending);
            assert!(end == "ok" || level != "READ COMMITTED" && end == "40001", "{level} {ending}: {end}");
            assert!(wrong(&db).is_empty(), "{level} {ending}: {:?}", wrong(&db));

            let db = decision_site("delegate_share_race2");
            scalar(&mut db.connect("cara"), FULL);
            let mut first = begun(&db, "cara", level);
            let second = begun(&db, "curt", level);
            accepted(&mut first, ending);
            assert_ne!(after(&db, &mut first, second, &share), "ok", "{level} {ending}");
            assert!(wrong(&db).is_empty(), "{level} {ending}: {:?}", wrong(&db));
        }
    }
}

// Whatever a transaction has read before: what is delegated in the end is what is owned in the end.
#[test]
fn delegations_are_those_of_the_newest_state() {
    let take = "SELECT leadguard.reassign('crm.site', '1', 'vera', reason => 'hers')";
    let give = "SELECT leadguard.reassign('crm.site', '5', 'cara', reason => 'hers')";
    let undelegate = "SELECT leadguard.undelegate(max(id)) FROM leadguard.delegation";
    let delegate = FULL;
    let gone = "UPDATE leadguard.member SET active = false WHERE key = 'cole'";
    let to_cole = "SELECT leadguard.delegate('cole', now() + interval '7 days', 'full', 'holiday', member => 'cara')";
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        // What was there; what somebody does meanwhile; what the older transaction does.
        for (setup, by, meanwhile, who, then) in [
            ("", "ada", take, "cara", delegate),
            ("", "ada", give, "cara", delegate),
            ("", "cara", delegate, "ada", take),
            ("", "cara", delegate, "ada", give),
            (delegate, "ada", give, "cara", undelegate),
            (delegate, "curt", undelegate, "ada", give),
            (delegate, "curt", undelegate, "ada", take),
            ("", "ada", to_cole, "postgres", gone),
            (to_cole, "ada", give, "postgres", gone),
            (to_cole, "postgres", gone, "ada", give),
            ("", "cara", delegate, "cara", delegate),
        ] {
            let db = decision_site("delegate_old_state");
            if !setup.is_empty() {
                accepted(&mut db.connect("ada"), &setup.replace("'holiday')", "'holiday', member => 'cara')"));
            }
            let connect = |who: &str| if who == "postgres" { db.admin() } else { db.connect(who) };
            let mut old = connect(who);
            accepted(&mut old, &format!("BEGIN ISOLATION LEVEL {level}"));
            scalar(&mut old, "SELECT count(*) FROM crm.site");
            accepted(&mut connect(by), meanwhile);
            let done = code(&mut old, then);
            let case = format!("{level}: {meanwhile}, then {then}: {done}");
            let end = if done == "ok" { code(&mut old, "COMMIT") } else { code(&mut old, "ROLLBACK") };
            assert!(matches!(end.as_str(), "ok" | "40001"), "{case}: {end}");
            assert!(wrong(&db).is_empty(), "{case}: {:?}", wrong(&db));
            let lasting = "SELECT count(*) FROM leadguard.delegation d JOIN leadguard.member m ON m.id = d.delegate_id
                           WHERE d.ended_at IS NULL AND NOT m.active";
            assert_eq!(scalar(&mut db.admin(), lasting), "0", "{case}");
            assert!(matches!(done.as_str(), "ok" | "40001" | "55000"), "{case}");
        }
    }
}

#[test]
fn a_share_of_the_owner_is_not_replaced_by_one_that_goes() {
    let db = decision_site("delegate_replaces");
    let (mut cara, mut curt) = (db.connect("cara"), db.connect("curt"));
    accepted(&mut cara, "SELECT leadguard.share('crm.site', '1', 'cole', 'full', 'for good')");
    let id = scalar(&mut cara, FULL);
    let e = refused(&mut curt, &share("cole", "read", SIX_DAYS), "55000");
    assert!(e.message().contains("shared with them already"), "{e}");
    // His own he may change.
    accepted(&mut curt, &share("cora", "read", SIX_DAYS));
    accepted(&mut curt, &share("cora", "edit", SIX_DAYS));
    accepted(&mut cara, &format!("SELECT leadguard.undelegate({id})"));
    assert!(seen(&mut db.connect("cole"), "crm.site").contains('1'));
}

#[test]
fn d27_a_delegation_ends_when_its_giver_goes_to_another_organization() {
    for (goes, lasting) in [("vera", "0"), ("cole", "0"), ("bob", "1")] {
        let db = decision_site("delegate_moves_away");
        accepted(&mut db.admin(), "INSERT INTO leadguard.organization (key) VALUES ('globex')");
        accepted(
            &mut db.connect("ada"),
            "SELECT leadguard.delegate('cole', now() + interval '7 days', 'full', 'holiday', member => 'vera')",
        );
        accepted(
            &mut db.admin(),
            &format!(
                "DELETE FROM leadguard.member_role WHERE member_id = (SELECT id FROM leadguard.member WHERE key = '{goes}');
                 DELETE FROM leadguard.team_member WHERE member_id = (SELECT id FROM leadguard.member WHERE key = '{goes}');
                 UPDATE leadguard.member SET manager_id = NULL WHERE manager_id = (SELECT id FROM leadguard.member WHERE key = '{goes}');
                 UPDATE leadguard.member SET org_id = (SELECT id FROM leadguard.organization WHERE key = 'globex') WHERE key = '{goes}'"
            ),
        );
        let open = "SELECT count(*) FROM leadguard.delegation WHERE ended_at IS NULL";
        assert_eq!(scalar(&mut db.admin(), open), lasting, "{goes}");
    }
    // In a merger they go together.
    let db = decision_site("delegate_merges");
    scalar(&mut db.connect("cara"), FULL);
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.organization (key) VALUES ('globex'); SELECT leadguard.merge_organization('default', 'globex', 'sold')",
    );
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.delegation WHERE ended_at IS NULL"), "1");
    assert!(wrong(&db).is_empty());
}

// Who reaches a record by the one that it belongs to, and that by a delegation, has neither for good.
#[test]
fn k20_a_delegate_of_the_parent_keeps_nothing_of_what_belongs_to_it() {
    let db = decision_site("delegate_parent");
    accepted(
        &mut db.admin(),
        "CREATE TABLE crm.room (id bigint PRIMARY KEY, owner_id bigint, site_id bigint, name text);
         INSERT INTO crm.room SELECT n, m.id, 1, 'room' FROM leadguard.member m, generate_series(1, 3) n WHERE m.key = 'vera';
         SELECT leadguard.protect('crm.room', preset => 'decision_site', id => 'id', owner => 'owner_id', object => 'deal',
             parent => 'crm.site', parent_column => 'site_id');
         SELECT leadguard.set_rule('crm.room', '*', 'parent', 'access', 'full')",
    );
    let id = scalar(&mut db.connect("cara"), FULL);
    let mut curt = db.connect("curt");
    let room = |sql: &str| sql.replace("crm.site", "crm.room");
    for sql in [
        "SELECT leadguard.reassign('crm.room', '1', 'curt', reason => 'mine')",
        "UPDATE crm.room SET owner_id = leadguard.current_member() WHERE id = 1",
        room(&share("curt", "full", "NULL")).as_str(),
        room(&share("cora", "read", "NULL")).as_str(),
        "SELECT leadguard.team_add('crm.room', '1', 'cora', 'read', 'to help')",
    ] {
        refused(&mut curt, sql, "42501");
    }
    accepted(&mut curt, &room(&share("cora", "read", SIX_DAYS)));
    assert_eq!(seen(&mut db.connect("cora"), "crm.room"), "1");
    accepted(&mut db.connect("cara"), &format!("SELECT leadguard.undelegate({id})"));
    assert_eq!(seen(&mut db.connect("cora"), "crm.room"), "");
    // Who reads the parent himself, by a share of its owner, may.
    scalar(&mut db.connect("cara"), FULL);
    accepted(&mut db.connect("cara"), "SELECT leadguard.share('crm.site', '1', 'cole', 'read', 'to look')");
    accepted(&mut db.connect("cole"), &room(&share("cora", "read", "NULL")));
    accepted(&mut db.connect("cole"), "SELECT leadguard.reassign('crm.room', '2', 'cara', reason => 'hers')");
}
