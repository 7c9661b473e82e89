//! The files on the server are new, the database is not updated yet: the rules are the same, to the row.

use crate::company::{found, life_goes_on, picture, rules_hold};
use crate::released::{old, update, versions};
use leadguard_tests::*;

#[test]
fn an_old_database_works_under_the_new_library() {
    let fresh = Db::new("upgrade_fresh");
    found(&fresh);
    rules_hold(&fresh);
    let expected = picture(&fresh);
    for version in versions() {
        let db = old("upgrade_library", version);
        found(&db);
        rules_hold(&db);
        assert_eq!(picture(&db), expected, "{version} before the update");
        let delete = "DELETE FROM crm.lead WHERE id = 1";
        if version < "0.3.0" {
            assert_eq!(allowed(&mut db.connect("alice"), delete), 1, "{version}: level full was enough");
        }
        update(&mut db.admin());
        // A table without an archive loses the row for good, which now takes a capability.
        refused(&mut db.connect("alice"), delete, "42501");
        accepted(&mut db.admin(), "SELECT leadguard.set_archive('crm.lead')");
        assert_eq!(allowed(&mut db.connect("alice"), delete), 1, "{version}: into the archive");
        rules_hold(&db);
        assert_eq!(picture(&db), expected, "{version} after the update");
        life_goes_on(&db);
    }
}

#[test]
fn an_old_database_lives_on_under_the_new_library() {
    for version in versions() {
        let db = old("upgrade_late", version);
        found(&db);
        life_goes_on(&db);
    }
}

// The same life in a new database, so that what is expected above is not the work of the update.
#[test]
fn a_new_database_lives_the_same() {
    let db = Db::new("upgrade_new");
    found(&db);
    rules_hold(&db);
    life_goes_on(&db);
}
