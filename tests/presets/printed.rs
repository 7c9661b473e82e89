//! What is printed about the rules is what happens.

use std::collections::BTreeSet;

use leadguard_tests::*;

use crate::lab::{decision_site, four_role, organization, rights, rule, switch};

const SWITCHES: [&str; 20] = [
    "visibility",
    "edit",
    "delete_mode",
    "edit_implies_read",
    "status_binds_owner",
    "exempt_owner",
    "hierarchy",
    "manager_level",
    "manager_depth",
    "admin",
    "hiding_binds_analysts",
    "colleagues",
    "creator_keeps_edit",
    "principals",
    "view_modes",
    "organization_view",
    "team_access",
    "stages",
    "sensitive_rank",
    "reason_required",
];

#[test]
fn the_view_lists_every_switch_with_value_default_and_contradiction() {
    let db = organization("switches");
    let mut adam = db.connect("adam");
    for object in ["campaign", "lead", "deal", "segment"] {
        let found = ids(
            &mut adam,
            &format!("SELECT DISTINCT switch FROM leadguard.switches WHERE target = 'crm.{object}'::regclass"),
        );
        for name in SWITCHES {
            assert!(found.contains(name), "{name} of {object} in {found:?}");
        }
        assert!(found.contains("preset"));
    }
    let contradictions: BTreeSet<String> = rows(&mut adam, "SELECT DISTINCT contradiction FROM leadguard.switches")
        .into_iter()
        .flat_map(|r| r[0].split(", ").map(str::to_string).collect::<Vec<_>>())
        .collect();
    for x in ["X1", "X2", "X3", "X5", "X6", "X7", "X8", "X10", "X11", "X12", "X13", "X15", "X17", "X21", "X22", "X23"] {
        assert!(contradictions.contains(x), "{x} in {contradictions:?}");
    }
    let visibility = "SELECT role, value, preset_default FROM leadguard.switches WHERE target = 'crm.lead'::regclass AND switch = 'visibility'
                      AND role IN ('Owner', 'Admin', 'Member') ORDER BY role";
    assert_eq!(
        rows(&mut adam, visibility),
        [["Admin", "all", "all"], ["Member", "own", "own"], ["Owner", "all", "all"]]
    );
    switch(&db, "crm.lead", "visibility", "paths", "Member");
    assert_eq!(rows(&mut adam, visibility)[1], ["Member", "paths", "own"]);
    assert_eq!(
        rows(&mut adam, &visibility.replace("crm.lead", "crm.deal"))[1],
        ["Member", "own", "own"],
        "another table"
    );
    assert_eq!(
        rows(
            &mut adam,
            "SELECT value, preset_default, contradiction FROM leadguard.switches WHERE target = 'crm.lead'::regclass AND switch = 'view_modes'"
        ),
        [["on", "on", "X23"]]
    );
    assert_eq!(
        accepted(
            &mut adam,
            "SELECT FROM leadguard.switches WHERE meaning IS NULL OR meaning = '' OR value IS NULL OR preset_default IS NULL OR contradiction IS NULL"
        ),
        0
    );
    let keys = accepted(&mut adam, "SELECT DISTINCT target, switch, role FROM leadguard.switches");
    assert_eq!(accepted(&mut adam, "SELECT FROM leadguard.switches"), keys, "each once");
}

/// "yes" of a printed cell for a row with this status.
fn says(cell: &str, status: &str) -> bool {
    match cell {
        "yes" => true,
        "no" => false,
        statuses => statuses.split(|c: char| !c.is_alphanumeric() && c != '_').any(|s| s == status),
    }
}

/// What the printed lines of some paths come to: "ruasm" as `rights` has it.
fn printed(lines: &[Vec<String>], paths: &[&str], status: &str) -> String {
    (0..5)
        .map(|i| {
            if lines.iter().any(|l| paths.contains(&l[0].as_str()) && says(&l[i + 1], status)) {
                "ruasm".as_bytes()[i] as char
            } else {
                '-'
            }
        })
        .collect()
}

// P26: the matrix of roles, actions and paths, compared with what members of one role can do with records that they reach by known paths.
#[test]
fn p26_the_matrix_is_what_happens() {
    let db = organization("p26");
    for view in [false, true] {
        accepted(&mut db.admin(), &format!("UPDATE leadguard.organization SET organization_view = {view}"));
        for object in ["crm.campaign", "crm.lead", "crm.deal", "crm.segment"] {
            for (who, role) in [("owen", "Owner"), ("adam", "Admin"), ("mel", "Member")] {
                let mut c = db.connect(who);
                let matrix = rows(
                    &mut c,
                    &format!(
                        "SELECT path, read, \"update\", archive, share, reassign FROM leadguard.access_matrix('{object}') WHERE role = '{role}'"
                    ),
                );
                assert!(!matrix.is_empty(), "{object} {role}");
                let mine = rows(
                    &mut c,
                    &format!(
                        "SELECT path, read, \"update\", archive, share, reassign FROM leadguard.member_rights() WHERE target = '{object}'::regclass"
                    ),
                );
                for id in ["1", "2", "3", "4", "5", "6"] {
                    let row = &rows(
                        &mut db.admin(),
                        &format!(
                            "SELECT o.key, c.key, l.status FROM {object} l JOIN leadguard.member o ON o.id = l.owner_id
                             JOIN leadguard.member c ON c.id = l.creator_id WHERE l.id = {id}"
                        ),
                    )[0];
                    let mut paths = vec!["organization"];
                    if row[0] == who {
                        paths.push("own");
                    }
                    if row[1] == who {
                        paths.push("created");
                    }
                    let happens = rights(&mut c, object, id);
                    assert_eq!(
                        printed(&mine, &paths, &row[2]),
                        happens,
                        "member_rights: {object} {who} {id} view {view}\n{mine:?}"
                    );
                    if role != "Member" || !view {
                        assert_eq!(
                            printed(&matrix, &paths, &row[2]),
                            happens,
                            "access_matrix: {object} {who} {id}\n{matrix:?}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn the_matrix_follows_rules_and_switches() {
    let db = four_role("matrix");
    let mut olga = db.connect("olga");
    let line = |c: &mut Client, role: &str, path: &str| {
        rows(
            c,
            &format!(
                "SELECT read, \"update\", archive, share, reassign FROM leadguard.access_matrix('crm.lead') WHERE role = '{role}' AND path = '{path}'"
            ),
        )
    };
    assert_eq!(line(&mut olga, "lead_manager", "scope"), [["yes", "yes", "yes", "no", "no"]]);
    assert_eq!(line(&mut olga, "lead_creator", "created"), [["yes", "yes", "no", "no", "no"]]);
    switch(&db, "crm.lead", "creator_keeps_edit", "off", "");
    assert_eq!(line(&mut olga, "lead_creator", "created"), [["yes", "no", "no", "no", "no"]]);
    switch(&db, "crm.lead", "delete_mode", "none", "lead_manager");
    assert_eq!(line(&mut olga, "lead_manager", "scope"), [["yes", "yes", "no", "no", "no"]]);
    rule(&db, "crm.lead", "lead_manager scope share allow {open}");
    let cells = line(&mut olga, "lead_manager", "scope");
    assert!(cells[0][3].contains("open"), "{cells:?}");
    let creates: Vec<String> = rows(
        &mut olga,
        "SELECT DISTINCT role FROM leadguard.access_matrix('crm.lead') WHERE \"create\" = 'yes' ORDER BY role",
    )
    .into_iter()
    .map(|r| r[0].clone())
    .collect();
    for role in ["data_owner", "lead_creator", "lead_manager"] {
        assert!(creates.iter().any(|r| r == role), "{role} in {creates:?}");
    }
    for role in ["analyst", "sdr", "account_executive"] {
        assert!(!creates.iter().any(|r| r == role), "{role} in {creates:?}");
    }
    refused(&mut olga, "SELECT * FROM leadguard.access_matrix('pg_class')", "22023");
}

#[test]
fn a_members_rights_are_one_query() {
    let db = four_role("rights");
    let mut sid = db.connect("sid");
    let mine = rows(
        &mut sid,
        "SELECT target::text, path, read, \"update\", archive, hidden FROM leadguard.member_rights() ORDER BY target::text, path",
    );
    let line = |path: &str| {
        mine.iter().find(|r| r[0] == "crm.lead" && r[1] == path).unwrap_or_else(|| panic!("{path} in {mine:?}"))
    };
    assert_eq!(line("territory")[2..5], ["yes", "yes", "no"]);
    assert_eq!(line("own")[2..5], ["yes", "yes", "no"]);
    assert!(!mine.iter().any(|r| r[1] == "organization" && r[2] != "no"), "{mine:?}");
    let hidden = line("own")[5].clone();
    assert!(hidden.contains("prospecting") && hidden.contains("qualified"), "the stages: {hidden}");
    assert!(hidden.contains("sensitive"), "{hidden}");
    assert!(
        rows(&mut db.connect("nob"), "SELECT path FROM leadguard.member_rights() WHERE read <> 'no'").is_empty(),
        "nothing"
    );
    // About others: administrators and those above; everybody else gets one answer.
    let told = rows(
        &mut db.connect("olga"),
        "SELECT target::text, path, read, \"update\", archive, hidden FROM leadguard.member_rights('sid') ORDER BY target::text, path",
    );
    assert_eq!(told, mine);
    for key in ["olga", "nobody-at-all"] {
        refused(&mut sid, &format!("SELECT * FROM leadguard.member_rights('{key}')"), "42501");
    }
}

#[test]
fn rules_and_switches_are_shown_to_those_who_may_read_the_table() {
    let db = decision_site("shown");
    let stranger = db.create_role("stranger");
    accepted(&mut db.admin(), &format!("GRANT USAGE ON SCHEMA leadguard TO \"{stranger}\""));
    for what in ["leadguard.rules", "leadguard.switches"] {
        assert_eq!(accepted(&mut db.connect("stranger"), &format!("SELECT FROM {what}")), 0, "{what}");
        assert!(accepted(&mut db.connect("cole"), &format!("SELECT FROM {what}")) > 0, "{what}");
    }
    refused(&mut db.connect("stranger"), "SELECT * FROM leadguard.access_matrix('crm.site')", "42501");
    rule(&db, "crm.site", "GUEST share access read");
    assert_eq!(
        rows(
            &mut db.connect("cole"),
            "SELECT path, action, effect, origin FROM leadguard.rules WHERE target = 'crm.site'::regclass AND role = 'GUEST' ORDER BY path"
        ),
        [["contact", "access", "read", "preset"], ["share", "access", "read", "table"]]
    );
}

// Sets, paths and questions agree under every value of every switch.
#[test]
fn every_switch_value_agrees_with_the_paths() {
    for (name, table, db) in [
        ("four_role", "crm.lead", four_role("agree4")),
        ("decision_site", "crm.site", decision_site("agree1")),
        ("organization", "crm.campaign", organization("agree2")),
    ] {
        let mut admin = db.admin();
        let flips = rows(
            &mut admin,
            &format!(
                "SELECT s.switch, s.role, v FROM leadguard.switches s, unnest(s.choices) v
                 WHERE s.target = '{table}'::regclass AND s.switch <> 'preset' AND v <> s.value"
            ),
        );
        assert!(flips.len() > 20, "{name}");
        let mut found = 0;
        for flip in &flips {
            // A value that cannot work with the rules is refused, which is another test's subject.
            let set = format!(
                "SELECT leadguard.set_switch('{table}', '{}', '{}', nullif('{}', ''))",
                flip[0], flip[2], flip[1]
            );
            accepted(&mut admin, "BEGIN");
            if code(&mut admin, &set) == "ok" {
                let differences = rows(&mut admin, &format!("SELECT * FROM leadguard.verify('{table}', 10)"));
                assert!(differences.is_empty(), "{name} {flip:?}: {differences:?}");
                found += 1;
            }
            accepted(&mut admin, "ROLLBACK");
        }
        assert!(found > 15, "{name}: {found} of {}", flips.len());
    }
}
