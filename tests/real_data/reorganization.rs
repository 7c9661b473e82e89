//! The East region of a real company is reorganised, by an administrator over an ordinary connection: two teams become
//! one, no opportunity is written, and what everybody reaches is what the files say. The review afterwards is printed.

use crate::{load, written};
use leadguard_tests::*;

const KEPT: &str = "Cara Losch";
const LEAVES_THE_TEAM: &str = "Rocco Neubert";

#[test]
fn d26_o19_the_east_region_is_reorganised() {
    let Some(data) = shared_data() else { return };
    let db = Db::new("reorganization");
    let people = load::load(&db, &data);
    let mut admin = db.admin();
    for (key, role) in [("ops", "administrator"), ("hal", "view_only")] {
        accepted(
            &mut admin,
            &format!(
                "INSERT INTO leadguard.member (org_id, key, name, db_role)
                 SELECT id, '{key}', '{key}', '{}' FROM leadguard.organization WHERE key = 'maven';
                 INSERT INTO leadguard.member_role (member_id, role) SELECT id, '{role}' FROM leadguard.member WHERE key = '{key}'",
                db.create_role(key)
            ),
        );
    }
    let login = |key: &str| people.iter().find(|p| p.key == key).expect("a person of the files").login.clone();
    let sees = |key: &str| scalar(&mut db.connect(&login(key)), "SELECT count(*) FROM maven.opportunity");
    let filed = |admin: &mut Client, condition: &str| {
        scalar(
            admin,
            &format!(
                "SELECT count(*) FROM raw.sales_pipeline p JOIN raw.sales_teams t USING (sales_agent) WHERE {condition}"
            ),
        )
    };
    let region = filed(&mut admin, "t.regional_office = 'East'");
    assert_eq!((sees(KEPT), sees(LEAVES_THE_TEAM)), (region.clone(), region.clone()), "both look after the office");
    let before = written(&mut admin);
    let agents = rows(
        &mut admin,
        &format!(
            "SELECT string_agg(quote_literal(sales_agent), ', ') FROM raw.sales_teams WHERE manager = '{LEAVES_THE_TEAM}'"
        ),
    );
    let reorganise = format!(
        "BEGIN;
         UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = '{KEPT}') WHERE key IN ({});
         DELETE FROM leadguard.territory_member WHERE territory_id = (SELECT id FROM leadguard.territory WHERE key = 'East')
             AND member_id = (SELECT id FROM leadguard.member WHERE key = '{LEAVES_THE_TEAM}');
         COMMIT",
        agents[0][0]
    );
    refused(&mut db.connect("hal"), reorganise.split_inclusive(';').nth(1).expect("the first change"), "42501");
    // A session that is open meanwhile sees what holds now, statement by statement.
    let mut open = db.connect(&login(LEAVES_THE_TEAM));
    assert_eq!(scalar(&mut open, "SELECT count(*) FROM maven.opportunity"), region);
    accepted(&mut db.connect("ops"), &reorganise);
    assert_eq!(scalar(&mut open, "SELECT count(*) FROM maven.opportunity"), "0", "no longer his");
    assert_eq!(sees(KEPT), region);
    let full = rows(
        &mut db.connect(&login(KEPT)),
        &format!("SELECT DISTINCT level FROM leadguard.what_can('{KEPT}', 'maven.opportunity')"),
    );
    assert_eq!(full, [["full"]], "all of them are of people below");
    assert_eq!(sees("Dustin Brinkmann"), filed(&mut admin, "t.regional_office = 'Central'"), "others keep theirs");
    assert_eq!(before, written(&mut admin), "a reorganisation wrote records");

    let mut ops = db.connect("ops");
    let found = rows(
        &mut ops,
        "SELECT finding, severity, subject, evidence FROM leadguard.audit_run('quarterly') ORDER BY 1, 3",
    );
    for row in &found {
        println!("review: {}", row.join(" | "));
    }
    assert!(found.iter().all(|row| !row[3].contains("close_value")), "evidence has no values of records");
    let audit = rows(&mut ops, "SELECT action, count(*) FROM leadguard.audit_log GROUP BY 1 ORDER BY 1");
    for row in &audit {
        println!("audit: {}", row.join(" | "));
    }
    assert!(audit.iter().any(|row| row[0] == "review"), "{audit:?}");
    let said = scalar(
        &mut ops,
        "SELECT string_agg(detail, ' / ' ORDER BY at, id) FROM leadguard.audit_log WHERE action = 'directory' AND member_key = 'ops'",
    );
    println!("audit: {said}");
    assert!(said.contains(&format!("manager {LEAVES_THE_TEAM} -> {KEPT}")), "{said}");
    assert!(said.contains(&format!("territory East: no longer member {LEAVES_THE_TEAM}")), "{said}");
}
