//! Values that were erased are gone; nothing else is.

use crate::{audited, sound};
use leadguard_tests::*;

fn leads(name: &str) -> Db {
    let db = audited(name);
    accepted(
        &mut db.admin(),
        "SELECT leadguard.set_archive('crm.lead'); SELECT leadguard.set_switch('crm.lead', 'batch_update', 'none');
         INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'data_owner' FROM leadguard.member WHERE key = 'tina';
         SELECT leadguard.valid_values('crm.lead', 'name', NULL)",
    );
    db
}

fn kept(db: &Db, id: u32) -> Vec<Vec<String>> {
    rows(
        &mut db.admin(),
        &format!("SELECT v.\"values\" -> 'name' ->> 'new' FROM leadguard.audit_value v WHERE v.record = '{id}' AND v.target = 'crm.lead'::regclass
                  AND v.\"values\" ? 'name' ORDER BY v.audit_id"),
    )
}

// Who could take back that he erased something would hide what he writes afterwards.
#[test]
fn k53_an_erasure_that_is_taken_back_erases_nothing() {
    let db = leads("au_erased_back");
    let mut admin = db.admin();
    accepted(&mut admin, "DELETE FROM crm.lead WHERE id = 1; UPDATE crm.lead SET name = 'kept' WHERE id = 2");
    accepted(
        &mut admin,
        "BEGIN; SAVEPOINT a; SELECT leadguard.purge('crm.lead', '1', 'oops'); ROLLBACK TO a;
         SELECT leadguard.restore('crm.lead', '1', 'x'); UPDATE crm.lead SET name = 'shown' WHERE id = 1; COMMIT",
    );
    assert_eq!(kept(&db, 1), [["shown"]]);
    accepted(
        &mut admin,
        "DELETE FROM crm.lead WHERE id = 1;
         DO $$ BEGIN
             BEGIN PERFORM leadguard.purge('crm.lead', '1', 'oops'); RAISE 'no'; EXCEPTION WHEN raise_exception THEN NULL; END;
             PERFORM leadguard.restore('crm.lead', '1', 'x'); UPDATE crm.lead SET name = 'shown too' WHERE id = 1;
         END $$",
    );
    assert_eq!(kept(&db, 1), [["shown"], ["shown too"]]);
    // Once it stands, released savepoints or not, what was before is gone, and what comes after is another story.
    for id in [1, 2] {
        accepted(&mut admin, &format!("DELETE FROM crm.lead WHERE id = {id}"));
        accepted(
            &mut admin,
            &format!(
                "BEGIN; SAVEPOINT a; SELECT leadguard.purge('crm.lead', '{id}', 'asked'); RELEASE a; INSERT INTO crm.lead (id, name) VALUES ({id}, 'new'); UPDATE crm.lead SET name = 'newer' WHERE id = {id}; COMMIT"
            ),
        );
        assert_eq!(kept(&db, id).last(), Some(&vec!["newer".to_owned()]), "{id}");
        assert!(!kept(&db, id).iter().any(|row| row[0].starts_with("shown") || row[0] == "kept"), "{id}");
    }
    sound(&mut admin);
}
