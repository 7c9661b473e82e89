//! Columns that some may see and others only masked.

mod beside;
mod dump;
mod forms;
mod lost;
mod reading;
mod rules;
mod telling;
mod writing;

use leadguard_tests::*;

/// crm.lead with e-mail addresses masked but for owners and those above, concealed.
fn masked(name: &str) -> Db {
    let db = Db::new(name);
    org(&db);
    accepted(&mut db.admin(), "SELECT leadguard.mask('crm.lead', 'email', 'partial', keep => 4)");
    db
}
