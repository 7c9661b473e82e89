//! Ways around the view: partitions with privileges of their own, generated columns, rules without a view.

use super::masked;
use leadguard_tests::*;

#[test]
fn lists_of_names_hold_no_null() {
    let db = masked("mask_nulls");
    let (mut admin, mut alice) = (db.admin(), db.connect("alice"));
    for call in ["mask('crm.lead', 'name', 'full', '{own,NULL}')", "set_archive('crm.lead', attribution => '{NULL}')"] {
        for client in [&mut admin, &mut alice] {
            let error = refused(client, &format!("SELECT leadguard.{call}"), "22023");
            assert!(error.message().contains("must not contain NULL"), "{error:?}");
        }
        refused(&mut alice, &format!("SELECT leadguard.{}", call.replace("NULL", "own")), "42501");
    }
    accepted(
        &mut admin,
        "SELECT leadguard.mask('crm.lead', 'name', 'full', '{own}'), leadguard.set_archive('crm.lead', attribution => '{name}')",
    );
}
