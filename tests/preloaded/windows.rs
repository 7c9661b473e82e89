//! Limits of batches over several transactions, which need memory that sessions share.

use crate::{company, is_there};
use leadguard_tests::*;

fn insert(c: &mut Client, rows: u32) -> Result<(), String> {
    c.batch_execute(&format!("INSERT INTO crm.deal (name) SELECT 'lead' FROM generate_series(1, {rows})"))
        .map_err(|e| e.code().map_or_else(String::new, |code| code.code().to_string()))
}

#[test]
fn k31_rows_of_several_transactions_count_together_within_a_window() {
    if !is_there() {
        return;
    }
    let db = company("window");
    accepted(
        &mut db.admin(),
        "CREATE TABLE crm.deal (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner_id bigint, name text);
         SELECT leadguard.protect('crm.deal', id => 'id', owner => 'owner_id')",
    );
    let (mut alice, mut again) = (db.connect("alice"), db.connect("alice"));
    assert_eq!((insert(&mut alice, 60), insert(&mut alice, 60)), (Ok(()), Ok(())), "each transaction for itself");
    accepted(&mut db.admin(), "SELECT leadguard.set_switch('crm.deal', 'batch_window', '3600')");
    assert_eq!(insert(&mut alice, 60), Ok(()));
    // Another session of the member, and one that takes back what it wrote.
    accepted(&mut again, "BEGIN");
    assert_eq!(insert(&mut again, 40), Ok(()));
    accepted(&mut again, "ROLLBACK");
    assert_eq!(insert(&mut alice, 1), Err("LG004".into()));
    assert_eq!(insert(&mut again, 1), Err("LG004".into()));
    let e = refused(&mut again, "INSERT INTO crm.deal (name) VALUES ('lead')", "LG004");
    assert!(e.message().contains("within 3600 seconds"), "{}", e.message());
    assert_eq!(insert(&mut db.connect("bob"), 60), Ok(()), "others have a window of their own");
    accepted(&mut db.admin(), "SELECT leadguard.set_switch('crm.deal', 'batch_window', '0')");
    assert_eq!(insert(&mut alice, 60), Ok(()));
}
