//! i01, i09: a manager waits for a row; meanwhile the access is taken away and the row is edited. READ COMMITTED fetches the
//! new version of the row under the old snapshot of everything else: without a re-check the revoked manager gets, or changes,
//! content that was never meant for them.

use leadguard_tests::{Client, Db, accepted, org, place, rows, scalar};

use crate::session::{Outcome, Waiting, run};

/// One way to lose access: who loses it, to which lead, and how it goes and comes back.
struct Access {
    name: &'static str,
    who: &'static str,
    lead: &'static str,
    level: &'static str,
    give: &'static str,
    take: &'static str,
}

const MANAGEMENT: Access = Access {
    name: "lr_management",
    who: "mona",
    lead: "1",
    level: "full",
    give: "UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = 'mona') WHERE key = 'alice'",
    take: "UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = 'bob') WHERE key = 'alice'",
};
/// The edge that goes is not the manager's own, but one further up.
const UPPER_MANAGEMENT: Access = Access {
    name: "lr_upper",
    who: "ceo",
    lead: "1",
    level: "full",
    give: "UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = 'ceo') WHERE key = 'vp'",
    take: "UPDATE leadguard.member SET manager_id = NULL WHERE key = 'vp'",
};
const INACTIVE: Access = Access {
    name: "lr_inactive",
    who: "mona",
    lead: "1",
    level: "full",
    give: "UPDATE leadguard.member SET active = true WHERE key = 'mona'",
    take: "UPDATE leadguard.member SET active = false WHERE key = 'mona'",
};
const ADMINISTRATOR: Access = Access {
    name: "lr_administrator",
    who: "admin",
    lead: "13",
    level: "full",
    give: "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'administrator' FROM leadguard.member WHERE key = 'admin' ON CONFLICT DO NOTHING",
    take: "DELETE FROM leadguard.member_role WHERE role = 'administrator'",
};
const TERRITORY_MEMBER: Access = Access {
    name: "lr_territory_member",
    who: "tess",
    lead: "11",
    level: "edit",
    give: "INSERT INTO leadguard.territory_member (territory_id, member_id) SELECT t.id, m.id FROM leadguard.territory t, leadguard.member m
           WHERE t.key = 'dach' AND m.key = 'tess' ON CONFLICT DO NOTHING",
    take: "DELETE FROM leadguard.territory_member",
};
const TERRITORY_OWNER_MANAGER: Access = Access {
    name: "lr_territory_owner",
    who: "tina",
    lead: "12",
    level: "edit",
    give: "UPDATE leadguard.territory SET owner_id = (SELECT id FROM leadguard.member WHERE key = 'tom') WHERE key = 'dach';
           INSERT INTO leadguard.territory_member (territory_id, member_id) SELECT t.id, m.id FROM leadguard.territory t, leadguard.member m
           WHERE t.key = 'dach' AND m.key = 'tess' ON CONFLICT DO NOTHING",
    take: "UPDATE leadguard.territory SET owner_id = NULL WHERE key = 'dach'; DELETE FROM leadguard.territory_member",
};
const TERRITORY_MOVED: Access = Access {
    name: "lr_territory_moved",
    who: "tess",
    lead: "12",
    level: "edit",
    give: "UPDATE leadguard.territory SET parent_id = (SELECT id FROM leadguard.territory WHERE key = 'dach') WHERE key = 'bern'",
    take: "UPDATE leadguard.territory SET parent_id = (SELECT id FROM leadguard.territory WHERE key = 'amer') WHERE key = 'bern'",
};
const RECORD_TEAM: Access = Access {
    name: "lr_record_team",
    who: "carl",
    lead: "1",
    level: "full",
    give: "SELECT leadguard.team_add('crm.lead', '1', 'carl', 'full')",
    take: "SELECT leadguard.team_remove('crm.lead', '1', 'carl')",
};
/// Through a share of somebody below.
const SHARE: Access = Access {
    name: "lr_share",
    who: "bob",
    lead: "1",
    level: "edit",
    give: "SELECT leadguard.share('crm.lead', '1', 'carl', 'edit', 'together')",
    take: "SELECT leadguard.unshare('crm.lead', '1', 'carl')",
};

/// The forms in which a row version is locked or changed; %id is the lead. The last word is the least level.
const FORMS: [(&str, &str); 13] = [
    ("SELECT name FROM crm.lead WHERE id = %id FOR UPDATE", "edit"),
    ("SELECT name FROM crm.lead WHERE id = %id FOR NO KEY UPDATE", "edit"),
    ("SELECT name FROM crm.lead WHERE id = %id FOR SHARE", "edit"),
    ("SELECT l.name FROM generate_series(%id, %id) g JOIN crm.lead l ON l.id = g FOR UPDATE OF l", "edit"),
    ("SELECT name FROM (SELECT * FROM crm.lead WHERE id = %id OFFSET 0) x FOR UPDATE", "edit"),
    ("UPDATE crm.lead SET amount = -7 WHERE id = %id RETURNING name", "edit"),
    ("UPDATE crm.lead SET amount = -7", "edit"),
    ("UPDATE crm.lead l SET amount = -7 FROM generate_series(%id, %id) g WHERE g = l.id RETURNING l.name", "edit"),
    (
        "MERGE INTO crm.lead t USING (VALUES (%id)) s(id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET amount = -7",
        "edit",
    ),
    ("INSERT INTO crm.lead (id, name) VALUES (%id, 'x') ON CONFLICT (id) DO UPDATE SET amount = -7", "edit"),
    ("DELETE FROM crm.lead WHERE id = %id RETURNING name", "full"),
    ("DELETE FROM crm.lead", "full"),
    ("MERGE INTO crm.lead t USING (VALUES (%id)) s(id) ON t.id = s.id WHEN MATCHED THEN DELETE", "full"),
];

/// The leads as they were, and the access given.
fn reset(admin: &mut Client, access: &Access) {
    admin
        .batch_execute(&format!(
            "UPDATE crm.lead SET archived_at = now(); SELECT leadguard.purge('crm.lead', id::text, 'again') FROM crm.lead;
             INSERT INTO crm.lead SELECT * FROM public.leads_before ORDER BY id; {}",
            access.give
        ))
        .expect("the picture can be put back");
}

fn race(access: &Access) {
    let db = Db::new(access.name);
    org(&db);
    let mut admin = db.admin();
    let mut monitor = db.admin();
    accepted(&mut admin, "CREATE TABLE public.leads_before AS TABLE crm.lead");
    let edit = format!("UPDATE crm.lead SET name = 'SECRET' WHERE id = {}", access.lead);
    let untouched =
        format!("SELECT count(*) FROM crm.lead WHERE id = {} AND amount <> -7 AND archived_at IS NULL", access.lead);
    for (form, least) in FORMS {
        if least == "full" && access.level != "full" {
            continue;
        }
        let sql = form.replace("%id", access.lead);
        let context = format!("{}: {sql}", access.name);

        // Twin: the same edit without the revocation. The statement waits, and then has the new version.
        reset(&mut admin, access);
        admin.batch_execute(&format!("BEGIN; {edit}")).unwrap();
        let waiting = Waiting::start_blocked(db.connect(access.who), &sql, &mut monitor);
        admin.batch_execute("COMMIT").unwrap();
        let (_, outcome) = waiting.finish();
        assert!(outcome.count() >= 1, "{context}: without a revocation the row is there, got {outcome:?}");
        assert!(
            !sql.contains("name FROM") && !sql.contains("RETURNING") || outcome.text() == "SECRET",
            "{context}: {outcome:?}"
        );
        let kept = scalar(&mut admin, &untouched);
        assert_eq!(kept, if sql.starts_with("SELECT") { "1" } else { "0" }, "{context}: the twin does what it says");

        // Revoked and edited in one transaction.
        reset(&mut admin, access);
        admin.batch_execute(&format!("BEGIN; {}; {edit}", access.take)).unwrap();
        let waiting = Waiting::start_blocked(db.connect(access.who), &sql, &mut monitor);
        admin.batch_execute("COMMIT").unwrap();
        denied(&mut admin, &untouched, &waiting.finish().1, &format!("{context} (revoked with the edit)"));

        // Revoked by somebody else while the statement is already waiting: its snapshot is older than the revocation.
        reset(&mut admin, access);
        admin.batch_execute(&format!("BEGIN; {edit}")).unwrap();
        let waiting = Waiting::start_blocked(db.connect(access.who), &sql, &mut monitor);
        db.admin().batch_execute(access.take).expect("a revocation waits for no lead");
        admin.batch_execute("COMMIT").unwrap();
        denied(&mut admin, &untouched, &waiting.finish().1, &format!("{context} (revoked while waiting)"));

        // Both undone: the row is there, unedited.
        reset(&mut admin, access);
        admin.batch_execute(&format!("BEGIN; {}; {edit}", access.take)).unwrap();
        let waiting = Waiting::start_blocked(db.connect(access.who), &sql, &mut monitor);
        admin.batch_execute("ROLLBACK").unwrap();
        let (_, outcome) = waiting.finish();
        assert!(outcome.count() >= 1 && !outcome.text().contains("SECRET"), "{context}: rolled back, got {outcome:?}");
    }
    repeatable_read(&db, access);
}

/// Nothing of the row came out, and nothing went in. A refusal is as good as no row, if it names no content.
#[track_caller]
fn denied(admin: &mut Client, untouched: &str, outcome: &Outcome, context: &str) {
    assert!(!outcome.text().contains("SECRET"), "{context}: the new content came out: {outcome:?}");
    assert!(["ok", "42501"].contains(&outcome.code()), "{context}: {outcome:?}");
    assert_eq!(scalar(admin, untouched), "1", "{context}: the row was changed: {outcome:?}");
}

/// The same with a snapshot that is older than revocation and edit: 40001 or no row, and without both the row.
fn repeatable_read(db: &Db, access: &Access) {
    let mut admin = db.admin();
    let mut monitor = db.admin();
    let edit = format!("UPDATE crm.lead SET name = 'SECRET' WHERE id = {}", access.lead);
    let untouched =
        format!("SELECT count(*) FROM crm.lead WHERE id = {} AND amount <> -7 AND archived_at IS NULL", access.lead);
    for (form, least) in FORMS {
        if least == "full" && access.level != "full" {
            continue;
        }
        let sql = form.replace("%id", access.lead);
        for level in ["REPEATABLE READ", "SERIALIZABLE"] {
            let context = format!("{} {level}: {sql}", access.name);
            let begin = |db: &Db| {
                let mut c = db.connect(access.who);
                c.batch_execute(&format!("BEGIN ISOLATION LEVEL {level}")).unwrap();
                assert!(
                    !rows(&mut c, &format!("SELECT 1 FROM crm.lead WHERE id = {}", access.lead)).is_empty(),
                    "{context}"
                );
                c
            };
            reset(&mut admin, access);
            let session = begin(db);
            admin.batch_execute(&format!("BEGIN; {}; {edit}", access.take)).unwrap();
            let waiting = Waiting::start_blocked(session, &sql, &mut monitor);
            admin.batch_execute("COMMIT").unwrap();
            let (mut session, outcome) = waiting.finish();
            assert!(!outcome.text().contains("SECRET"), "{context}: {outcome:?}");
            assert!(["ok", "42501", "40001"].contains(&outcome.code()), "{context}: {outcome:?}");
            let _ = run(&mut session, "COMMIT");
            assert_eq!(scalar(&mut admin, &untouched), "1", "{context}: {outcome:?}");

            // Twin: revocation and edit undone.
            reset(&mut admin, access);
            let session = begin(db);
            admin.batch_execute(&format!("BEGIN; {}; {edit}", access.take)).unwrap();
            let waiting = Waiting::start_blocked(session, &sql, &mut monitor);
            admin.batch_execute("ROLLBACK").unwrap();
            let (mut session, outcome) = waiting.finish();
            assert!(outcome.count() >= 1, "{context}: undone, got {outcome:?}");
            run(&mut session, "ROLLBACK");
        }
    }
}

/// Every way to lose access.
const ALL: [&Access; 9] = [
    &MANAGEMENT,
    &UPPER_MANAGEMENT,
    &INACTIVE,
    &ADMINISTRATOR,
    &TERRITORY_MEMBER,
    &TERRITORY_OWNER_MANAGER,
    &TERRITORY_MOVED,
    &RECORD_TEAM,
    &SHARE,
];

// A transaction that keeps its old snapshot open must not go on locking and writing rows after the access was revoked, even
// though no row changed and nothing waits. Reads keep the age of the snapshot.
#[test]
fn i09_repeatable_read_does_not_write_after_a_revocation() {
    let db = Db::new("lr_only_revoked");
    org(&db);
    let mut admin = db.admin();
    accepted(&mut admin, "CREATE TABLE public.leads_before AS TABLE crm.lead");
    let mut written = Vec::new();
    for access in ALL {
        for (form, least) in FORMS {
            if least == "full" && access.level != "full" {
                continue;
            }
            let sql = form.replace("%id", access.lead);
            for level in ["REPEATABLE READ", "SERIALIZABLE"] {
                for revoked in [false, true] {
                    reset(&mut admin, access);
                    let mut c = db.connect(access.who);
                    c.batch_execute(&format!("BEGIN ISOLATION LEVEL {level}; SELECT count(*) FROM crm.lead")).unwrap();
                    if revoked {
                        accepted(&mut admin, access.take);
                    }
                    let outcome = run(&mut c, &sql);
                    let _ = run(&mut c, "COMMIT");
                    let got = if sql.starts_with("SELECT") {
                        outcome.count() > 0
                    } else {
                        scalar(
                            &mut admin,
                            &format!(
                                "SELECT count(*) FROM crm.lead WHERE id = {} AND amount <> -7 AND archived_at IS NULL",
                                access.lead
                            ),
                        ) == "0"
                    };
                    if got == revoked {
                        written.push(format!("{} {level} revoked={revoked}: {sql}: {outcome:?}", access.name));
                    }
                }
            }
        }
        // The next one starts from the cast again: what belongs to it is given, a grant on a record is not.
        let grant = access.give.starts_with("SELECT leadguard.");
        accepted(&mut admin, if grant { access.take } else { access.give });
    }
    assert!(written.is_empty(), "{} of them:\n{}", written.len(), written.join("\n"));
}

#[test]
fn i01_management_revoked_under_a_waiting_statement() {
    race(&MANAGEMENT);
}

#[test]
fn i01_upper_edge_revoked_under_a_waiting_statement() {
    race(&UPPER_MANAGEMENT);
}

#[test]
fn i01_member_switched_off_under_a_waiting_statement() {
    race(&INACTIVE);
}

#[test]
fn i01_administrator_role_taken_under_a_waiting_statement() {
    race(&ADMINISTRATOR);
}

#[test]
fn i01_territory_membership_revoked_under_a_waiting_statement() {
    race(&TERRITORY_MEMBER);
}

#[test]
fn i01_territory_owner_revoked_under_a_waiting_statement() {
    race(&TERRITORY_OWNER_MANAGER);
}

#[test]
fn i01_territory_moved_under_a_waiting_statement() {
    race(&TERRITORY_MOVED);
}

#[test]
fn i09_record_team_revoked_under_a_waiting_statement() {
    race(&RECORD_TEAM);
}

#[test]
fn i09_share_revoked_under_a_waiting_statement() {
    race(&SHARE);
}

// The level goes down instead of away: who waits with a write must not finish it as a reader.
#[test]
fn i09_level_capped_under_a_waiting_statement() {
    let db = Db::new("lr_capped");
    org(&db);
    let mut admin = db.admin();
    let mut monitor = db.admin();
    for capped in [false, true] {
        admin.batch_execute("BEGIN; UPDATE crm.lead SET name = 'edited' WHERE id = 1").unwrap();
        if capped {
            accepted(
                &mut admin,
                "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'view_only' FROM leadguard.member WHERE key = 'mona'",
            );
        }
        let waiting =
            Waiting::start_blocked(db.connect("mona"), "UPDATE crm.lead SET amount = -7 WHERE id = 1", &mut monitor);
        admin.batch_execute("COMMIT").unwrap();
        let (_, outcome) = waiting.finish();
        let changed = scalar(&mut admin, "SELECT count(*) FROM crm.lead WHERE id = 1 AND amount = -7");
        assert_eq!(changed, if capped { "0" } else { "1" }, "capped {capped}: {outcome:?}");
        accepted(&mut admin, "UPDATE crm.lead SET amount = 100 WHERE id = 1");
    }
    // A share lowered from edit to read, a record team from full to edit, while bob's and carl's writes wait.
    accepted(&mut admin, "DELETE FROM leadguard.member_role WHERE role = 'view_only'");
    let lowered: [(&str, &str, &str, &str); 2] = [
        (
            "bob",
            "UPDATE crm.lead SET amount = -7 WHERE id = 2",
            "SELECT leadguard.share('crm.lead', '2', 'carl', 'edit')",
            "SELECT leadguard.share('crm.lead', '2', 'carl', 'read')",
        ),
        (
            "carl",
            "DELETE FROM crm.lead WHERE id = 3",
            "SELECT leadguard.team_add('crm.lead', '3', 'carl', 'full')",
            "SELECT leadguard.team_add('crm.lead', '3', 'carl', 'edit')",
        ),
    ];
    for (who, write, high, low) in lowered {
        for lower in [true, false] {
            accepted(&mut admin, high);
            admin.batch_execute("BEGIN; UPDATE crm.lead SET name = 'edited' WHERE id IN (2, 3)").unwrap();
            if lower {
                accepted(&mut admin, low);
            }
            let waiting = Waiting::start_blocked(db.connect(who), write, &mut monitor);
            admin.batch_execute("COMMIT").unwrap();
            let (_, outcome) = waiting.finish();
            assert_eq!(outcome.count(), u64::from(!lower), "{write}: lowered {lower}: {outcome:?}");
        }
    }
    // And the owner of the row changes hands: the row itself says so, and the waiting manager is out.
    place(&mut admin, "anton", "bob");
    admin.batch_execute("BEGIN; UPDATE crm.lead SET name = 'SECRET', owner_id = (SELECT id FROM leadguard.member WHERE key = 'anton') WHERE id = 1").unwrap();
    let waiting =
        Waiting::start_blocked(db.connect("mona"), "SELECT name FROM crm.lead WHERE id = 1 FOR UPDATE", &mut monitor);
    admin.batch_execute("COMMIT").unwrap();
    assert_eq!(waiting.finish().1.count(), 0);
}
