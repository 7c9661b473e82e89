//! A dump brings back what a table says about imports, the staging view, and imports that are over; no loaded rows.

use crate::lab::*;
use leadguard_tests::{Db, accepted, rows, scalar, server};

#[test]
fn k33_imports_come_back_from_a_dump_without_rows() {
    let db = lab("dump");
    let mut cleo = db.connect("cleo");
    let (over, _) = checked(&mut cleo, "name,score\nDora,1\nEmil,x\n");
    accepted(&mut cleo, &submit(&over));
    committed(&mut cleo, &over);
    let (open, _) = checked(&mut cleo, &leads(5));
    let file = std::env::temp_dir().join(format!("{}.dump", db.name()));
    let path = file.to_str().expect("a plain path");
    let dumped =
        db.tool("pg_dump", "postgres").args(["-d", db.name(), "-F", "c", "-f", path]).output().expect("pg_dump");
    assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
    let copy = Db::bare("dump_copy");
    let restored = copy
        .tool("pg_restore", "postgres")
        .args(["--exit-on-error", "-d", copy.name(), path])
        .output()
        .expect("pg_restore");
    let _ = std::fs::remove_file(&file);
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    assert_eq!(scalar(&mut copy.admin(), "SELECT count(*) FROM leadguard.import_row"), "0");
    let mut login = server().connect(&db.role("cleo"), copy.name());
    assert_eq!(
        rows(&mut login, "SELECT import, state, inserted FROM leadguard.imports()"),
        [[over.as_str(), "committed", "1"]]
    );
    assert_eq!(
        rows(&mut login, &format!("SELECT * FROM leadguard.import_report({over})")),
        rows(&mut cleo, &format!("SELECT * FROM leadguard.import_report({over})"))
    );
    let (next, problems) = checked(&mut login, "name,email\nDora,dora@lead.example\nAnn,ann@lead.example\n");
    assert!(next.parse::<i64>().expect("a number") > open.parse().expect("a number"), "numbers go on");
    assert_eq!(problems, ["2 email exists record 1"]);
    accepted(&mut login, &submit(&next));
    assert_eq!(committed(&mut login, &next), "2 1 1 0 0");
}
