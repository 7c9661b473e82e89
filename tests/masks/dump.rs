//! A dump brings masked tables back as they were.

use super::masked;
use leadguard_tests::*;

#[test]
fn a_masked_table_comes_back_from_a_dump() {
    let db = masked("mask_dump");
    accepted(&mut db.admin(), "SELECT leadguard.mask('crm.lead', 'name', 'hash')");
    let sees = |who: &str, database: &str| {
        rows(&mut server().connect(&db.role(who), database), "SELECT id, name, email FROM crm.lead ORDER BY id")
    };
    let file = std::env::temp_dir().join(format!("{}.dump", db.name()));
    let copy = Db::bare("mask_dump_copy");
    let dumped = db.tool("pg_dump", "postgres").args(["-d", db.name(), "-F", "c", "-f"]).arg(&file).output().expect("runs");
    let restored = copy
        .tool("pg_restore", "postgres")
        .args(["--exit-on-error", "-d", copy.name()])
        .arg(&file)
        .output()
        .expect("runs");
    let _ = std::fs::remove_file(&file);
    assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    for who in ["tom", "loner", "mona", "alice"] {
        assert_eq!(sees(who, db.name()), sees(who, copy.name()), "{who}");
    }
    let mut tom = server().connect(&db.role("tom"), copy.name());
    refused(&mut tom, "SELECT email FROM crm_base.lead", "42501");
    accepted(&mut tom, "UPDATE crm.lead SET amount = 1 WHERE id = 11");
    let mut admin = copy.admin();
    accepted(&mut admin, "ALTER TABLE crm_base.lead ADD COLUMN note text");
    assert_eq!(scalar(&mut tom, "SELECT note FROM crm.lead WHERE id = 11"), "∅");
    accepted(&mut admin, "SELECT leadguard.unprotect('crm.lead')");
    assert_eq!(scalar(&mut admin, "SELECT count(*) FROM crm.lead"), "15");
}
