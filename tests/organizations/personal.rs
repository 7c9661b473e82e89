//! Display settings belong to the member.

use crate::lab::{companies, id};
use leadguard_tests::{accepted, allowed, code, refused, rows, scalar};

#[test]
fn p22_everybody_has_settings_of_his_own() {
    let db = companies("personal");
    let mut admin = db.admin();
    for who in ["mem", "guest", "adm", "gus"] {
        let mut c = db.connect(who);
        accepted(&mut c, &format!("INSERT INTO leadguard.member_setting (name, value) VALUES ('theme', '{who}')"));
        assert_eq!(rows(&mut c, "SELECT name, value FROM leadguard.member_setting"), [["theme", who]], "{who}");
        assert_eq!(accepted(&mut c, "UPDATE leadguard.member_setting SET value = 'dark'"), 1);
        assert_eq!(allowed(&mut c, "DELETE FROM leadguard.member_setting"), 1);
    }
    let mem = id(&mut admin, "mem");
    for who in ["adm", "guest", "mem2", "gus", "root"] {
        let mut c = db.connect(who);
        let foreign = format!("INSERT INTO leadguard.member_setting VALUES ({mem}, 'x', 'y')");
        refused(&mut c, &foreign, "42501");
        let count =
            allowed(&mut c, &format!("UPDATE leadguard.member_setting SET value = 'z' WHERE member_id = {mem}"));
        assert_eq!(count, 0, "{who}");
    }
    assert_eq!(
        allowed(&mut db.connect("mem"), &format!("INSERT INTO leadguard.member_setting VALUES ({mem}, 'x', 'y')")),
        1
    );
    // Nor given away.
    let give = format!("UPDATE leadguard.member_setting SET member_id = {}", id(&mut admin, "mem2"));
    refused(&mut db.connect("mem"), &give, "42501");
}

#[test]
fn p22_an_administrator_reads_and_deletes_those_of_the_organization() {
    let db = companies("personal_admin");
    for who in ["mem", "gus"] {
        accepted(&mut db.connect(who), "INSERT INTO leadguard.member_setting (name, value) VALUES ('theme', 'dark')");
    }
    let reads = "SELECT count(*) FROM leadguard.member_setting";
    for (who, count) in [("root", "1"), ("owner", "1"), ("gabi", "1"), ("adm", "0"), ("mem2", "0")] {
        assert_eq!(scalar(&mut db.connect(who), reads), count, "{who}");
        assert_eq!(allowed(&mut db.connect(who), "DELETE FROM leadguard.member_setting").to_string(), count, "{who}");
    }
}

#[test]
fn k19_an_analyst_and_nobody_write_none() {
    let db = companies("personal_analyst");
    let (report, app) = (db.create_role("report"), db.create_role("app"));
    accepted(&mut db.admin(), &format!("SELECT leadguard.analyst('{report}', 'mem'), leadguard.connector('{app}')"));
    let write = "INSERT INTO leadguard.member_setting (name, value) VALUES ('theme', 'dark')";
    refused(&mut db.connect("report"), write, "42501");
    refused(&mut db.connect("app"), write, "42501");
    let acting = format!("BEGIN; SELECT leadguard.act_as('mem'); {write}; COMMIT");
    assert_eq!(code(&mut db.connect("app"), &acting), "ok");
    assert_eq!(scalar(&mut db.connect("report"), "SELECT value FROM leadguard.member_setting"), "dark");
}
