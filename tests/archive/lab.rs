//! The cast of all tests, with a data owner.

use leadguard_tests::*;

/// crm.lead with its archive; dora is data owner, lena a lead manager like mona (above alice and anton).
pub fn lab(name: &str) -> Db {
    let db = Db::new(name);
    org(&db);
    for (key, manager) in [("dora", ""), ("lena", "vp")] {
        enlist(&db, key, manager);
    }
    give(&db, "dora", "data_owner");
    give(&db, "lena", "lead_manager");
    place(&mut db.admin(), "mona", "lena");
    db
}

pub fn give(db: &Db, key: &str, role: &str) {
    accepted(
        &mut db.admin(),
        &format!(
            "INSERT INTO leadguard.member_role (member_id, role) SELECT id, '{role}' FROM leadguard.member WHERE key = '{key}'"
        ),
    );
}

/// Ids of the archived leads as they are stored.
pub fn archived(db: &Db) -> std::collections::BTreeSet<String> {
    ids(&mut db.admin(), "SELECT id FROM crm.lead WHERE archived_at IS NOT NULL")
}

/// Actions in the audit about a lead, in order.
pub fn audit(db: &Db, lead: &str) -> Vec<Vec<String>> {
    rows(
        &mut db.admin(),
        &format!("SELECT action, member_key, reason FROM leadguard.audit_log WHERE record = '{lead}' ORDER BY id"),
    )
}
