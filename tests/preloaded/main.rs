//! A server that preloads the library counts what members read, and is no different otherwise.

mod counters;
mod elsewhere;
mod windows;

use leadguard_tests::*;
use std::sync::OnceLock;

/// The tests' databases are on the preloading server; false, and a line that says so, where there is none.
pub fn is_there() -> bool {
    static THERE: OnceLock<bool> = OnceLock::new();
    let there = *THERE.get_or_init(|| {
        if let Some(socket) = std::env::var_os("LEADGUARD_TEST_PRELOADED") {
            // Before anything of this process has looked at it.
            std::env::set_var("LEADGUARD_TEST_SOCKET", socket);
        }
        let mut postgres = server().connect("postgres", "postgres");
        scalar(&mut postgres, "SHOW shared_preload_libraries") == "leadguard"
    });
    if !there {
        println!("skipped: LEADGUARD_TEST_PRELOADED names no server that preloads leadguard");
    }
    there
}

/// `org`, where tina reads the audit.
pub fn company(name: &str) -> Db {
    let db = Db::new(name);
    org(&db);
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.role (name, org_id, capabilities) VALUES ('auditor', 1, '{audit}');
         INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'auditor' FROM leadguard.member WHERE key = 'tina'",
    );
    db
}
