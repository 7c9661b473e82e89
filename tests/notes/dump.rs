//! A dump brings notes, tags and proofs back, closed as they were.

use crate::lab::*;
use leadguard_tests::*;

#[test]
fn k27_notes_come_back_from_a_dump() {
    let db = lab("notes_dump");
    accepted(&mut db.connect("alice"), "INSERT INTO crm.note (id, lead_id, body) VALUES (500, 1, 'mine')");
    accepted(&mut db.connect("dora"), "SELECT leadguard.erase_note('crm.note', '2', 'asked')");
    accepted(&mut db.admin(), &format!("SELECT leadguard.analyst('{}', 'mona')", db.create_role("report")));
    let file = std::env::temp_dir().join(format!("{}.dump", db.name()));
    let copy = Db::bare("notes_dump_copy");
    let dumped =
        db.tool("pg_dump", "postgres").args(["-d", db.name(), "-F", "c", "-f"]).arg(&file).output().expect("runs");
    let restored = copy
        .tool("pg_restore", "postgres")
        .args(["--exit-on-error", "-d", copy.name()])
        .arg(&file)
        .output()
        .expect("runs");
    let _ = std::fs::remove_file(&file);
    assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    for sql in [
        "SELECT * FROM crm.note ORDER BY id",
        "SELECT * FROM crm.tag ORDER BY 1, 2",
        "SELECT * FROM leadguard.erasure ORDER BY id",
        "SELECT target::text, parent::text, kind, columns FROM leadguard.protected_children ORDER BY 1",
    ] {
        assert_eq!(rows(&mut copy.admin(), sql), rows(&mut db.admin(), sql), "{sql}");
    }
    let login = |who: &str| server().connect(&db.role(who), copy.name());
    for who in ["alice", "mona", "carl", "tess", "dora", "report"] {
        let sql = "SELECT id FROM crm.note";
        assert_eq!(ids(&mut login(who), sql), ids(&mut db.connect(who), sql), "{who}");
    }
    refused(&mut copy.admin(), "UPDATE crm.note SET body = 'x' WHERE id = 500", "42501");
    refused(&mut login("alice"), "DELETE FROM crm.note", "42501");
    refused(&mut login("report"), "INSERT INTO crm.note (lead_id, body) VALUES (1, 'x')", "42501");
    accepted(&mut login("alice"), "INSERT INTO crm.note (lead_id, body) VALUES (1, 'again')");
    accepted(&mut login("dora"), "SELECT leadguard.erase_note('crm.note', '3', 'asked')");
    accepted(
        &mut copy.admin(),
        "SELECT leadguard.unprotect('crm.note'), leadguard.unprotect('crm.tag'); SELECT leadguard.unprotect('crm.lead')",
    );
}
