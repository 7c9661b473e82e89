//! Every change leaves one row, and refusals a line in the log.

mod activity;
mod bulk;
mod directory;
mod erased;
mod forged;
mod large;
mod log;
mod partitions;
mod retired;
mod rows;
mod seals;
mod seals_held;
mod seals_restored;
mod settings;
mod transactions;
mod values;
mod who;

use leadguard_tests::{Client, Db, accepted, org, rows, scalar};

/// `org` with an auditor: tina has a role with the capability audit.
pub fn audited(name: &str) -> Db {
    audited_by_months(name, 0)
}

/// The same with partitions for so many months, made before anything is written down.
pub fn audited_by_months(name: &str, months: u32) -> Db {
    let db = Db::new(name);
    if months > 0 {
        let made = rows(&mut db.admin(), &format!("SELECT made FROM leadguard.audit_partitions({})", months - 1));
        assert!(made.iter().all(|made| made[0] == "t"), "{made:?}");
    }
    org(&db);
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.role (name, org_id, capabilities) VALUES ('auditor', 1, '{audit}');
         INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'auditor' FROM leadguard.member WHERE key = 'tina'",
    );
    db
}

/// Rows of the audit since `after`, oldest first: member or login, action, record, changed fields.
pub fn trail(admin: &mut Client, after: &str) -> Vec<String> {
    let text = format!(
        "SELECT coalesce(member_key, '-'), action, coalesce(record, '-'),
                coalesce((SELECT string_agg(k, ',' ORDER BY k) FROM jsonb_object_keys(changes) AS k), '')
         FROM leadguard.audit_log WHERE id > {after} ORDER BY id"
    );
    rows(admin, &text).iter().map(|row| row.join(" ").trim_end().to_string()).collect()
}

/// The number of the last audit row.
pub fn mark(admin: &mut Client) -> String {
    scalar(admin, "SELECT coalesce(max(id), 0) FROM leadguard.audit_log")
}

/// The audit agrees with its digests.
#[track_caller]
pub fn sound(admin: &mut Client) {
    assert_eq!(rows(admin, "SELECT * FROM leadguard.audit_verify()"), Vec::<Vec<String>>::new());
}
