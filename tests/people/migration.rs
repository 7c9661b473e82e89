//! From a system that has only admins and users.

use crate::lab::{cannot_work, creates, leads, people, protect_leads, seen};
use leadguard_tests::{Db, accepted, refused, rows, scalar};

fn lab(name: &str) -> Db {
    let db = Db::new(name);
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.role (name, org_id, rank, capabilities) VALUES ('admin', 1, 100, '{all_records,administer,manage_members,manage_roles}'), ('user', 1, 10, '{}')",
    );
    people(&db, "root admin, ann admin, uma user, udo user, guy");
    leads(
        &db,
        "(1, 'uma', 'uma', NULL, 'smb', 1, 'prospecting', false), (2, 'udo', 'udo', NULL, 'smb', 1, 'prospecting', false)",
    );
    protect_leads(&db, "four_role");
    db
}

#[test]
fn k57_who_gains_and_loses_what_before_it_is_done() {
    let db = lab("migrate");
    let mut root = db.connect("root");
    let migrate = |dry: &str| {
        format!(
            "SELECT * FROM leadguard.migrate_roles('{{\"admin\": \"data_owner\", \"user\": \"lead_creator\"}}'{dry})"
        )
    };
    let found = rows(&mut root, &migrate(""));
    let uma: Vec<&Vec<String>> = found.iter().filter(|row| row[0] == "uma" && row[3] == "crm.lead").collect();
    assert_eq!(uma.len(), 1, "{found:?}");
    assert_eq!(uma[0][1..3], ["user", "lead_creator"]);
    assert!(uma[0][4].contains("create") && uma[0][4].contains("read (organization)"), "{uma:?}");
    let ann: Vec<&Vec<String>> = found.iter().filter(|row| row[0] == "ann" && row[3] == "crm.lead").collect();
    assert!(ann[0][4].contains("create"), "{ann:?}");
    assert!(!found.iter().any(|row| row[0] == "guy"));
    // It only listed.
    assert_eq!(
        scalar(&mut db.admin(), "SELECT count(*) FROM leadguard.member_role WHERE role IN ('admin', 'user')"),
        "4"
    );
    assert_eq!(seen(&mut db.connect("uma"), "crm.lead"), "");
    // And then it is done, with the same result.
    assert_eq!(rows(&mut root, &migrate(", dry_run => false")), found);
    assert_eq!(scalar(&mut db.admin(), "SELECT string_agg(m.key || ' ' || r.role, ', ' ORDER BY 1) FROM leadguard.member_role r JOIN leadguard.member m ON m.id = r.member_id".replace("ORDER BY 1", "ORDER BY m.key").as_str()),
        "ann data_owner, root data_owner, udo lead_creator, uma lead_creator");
    assert_eq!(seen(&mut db.connect("uma"), "crm.lead"), "1 2");
    assert!(creates(&mut db.connect("uma"), "crm.lead"));
}

#[test]
fn k57_only_administrators_and_only_roles_that_exist() {
    let db = lab("migrate_who");
    refused(
        &mut db.connect("uma"),
        "SELECT * FROM leadguard.migrate_roles('{\"user\": \"data_owner\"}', false)",
        "42501",
    );
    let mut root = db.connect("root");
    for mapping in [
        "{}",
        "[]",
        "{\"user\": 1}",
        "{\"user\": \"no such\"}",
        "{\"nothing\": \"data_owner\"}",
        "{\"user\": \"admin\", \"admin\": \"data_owner\"}",
    ] {
        cannot_work(&mut root, &format!("SELECT * FROM leadguard.migrate_roles('{mapping}')"));
    }
}
