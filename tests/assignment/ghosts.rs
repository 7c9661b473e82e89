//! K54: who works on records that somebody else owns.

use crate::lab::*;
use leadguard_tests::*;

fn ghosts_lab(name: &str) -> Db {
    let db = lab(name);
    accepted(
        &mut db.admin(),
        "SELECT leadguard.valid_values('crm.lead', 'region', '{north,south}');
         CREATE TABLE crm.note (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, lead_id bigint NOT NULL REFERENCES crm.lead, body text,
             author_id bigint, at timestamptz);
         SELECT leadguard.protect_notes('crm.note', 'crm.lead', 'lead_id', 'body', author => 'author_id', created_at => 'at')",
    );
    accepted(
        &mut db.connect("dora"),
        "SELECT leadguard.team_add('crm.lead', '3', 'rita'); SELECT leadguard.team_add('crm.lead', '3', 'rob'); SELECT leadguard.team_add('crm.lead', '3', 'ron')",
    );
    accepted(&mut db.connect("rita"), "UPDATE crm.lead SET region = 'north' WHERE id = 3");
    accepted(&mut db.connect("sid"), "UPDATE crm.lead SET region = 'south' WHERE id = 3");
    accepted(&mut db.connect("rob"), "SELECT leadguard.claim('crm.lead', '3', 'mine')");
    accepted(&mut db.connect("ron"), "INSERT INTO crm.note (lead_id, body) VALUES (3, 'called')");
    db
}

#[test]
fn k54_who_worked_on_a_lead() {
    let db = ghosts_lab("ghosts_worked");
    let asked = "SELECT member, what, times, owner FROM leadguard.worked_on('crm.lead', '3') ORDER BY 1, 2";
    let all = [
        ["rita", "change", "1", "f"],
        ["rob", "claim", "1", "f"],
        ["ron", "note", "1", "f"],
        ["sid", "change", "1", "t"],
    ];
    for who in ["sid", "rita", "dora"] {
        assert_eq!(rows(&mut db.connect(who), asked), all, "{who}");
    }
    assert_eq!(rows(&mut db.admin(), asked), all);
    for who in ["ivy", "zed", "alma"] {
        assert!(rows(&mut db.connect(who), asked).is_empty(), "{who} does not read it");
    }
    accepted(&mut db.connect("dora"), "SELECT leadguard.share('crm.lead', '3', 'gus', 'read')");
    assert!(rows(&mut db.connect("gus"), asked).is_empty(), "a guest lists nobody else");
    refused(&mut db.connect("sid"), "SELECT * FROM leadguard.worked_on('crm.lead', '3', 0)", "22023");
}

#[test]
fn k54_a_job_makes_no_ghosts() {
    let db = ghosts_lab("ghosts_jobs");
    join(&db, "robo", "system", "administrator", "default", "");
    let mut robo = db.connect("robo");
    accepted(&mut robo, "UPDATE crm.lead SET region = 'north'");
    accepted(&mut robo, "UPDATE crm.lead SET region = 'south' WHERE id = 1");
    let asked = "SELECT record, array_to_string(members, ' ') FROM leadguard.ghost_leads('crm.lead') ORDER BY 1";
    assert_eq!(rows(&mut db.connect("dora"), asked), [["3", "rita rob ron"]]);
    let worked = "SELECT member FROM leadguard.worked_on('crm.lead', '3') WHERE what = 'change' ORDER BY 1";
    assert_eq!(rows(&mut db.connect("dora"), worked), [["rita"], ["sid"]]);
}

#[test]
fn k54_ghost_leads_are_those_that_one_reads() {
    let db = ghosts_lab("ghosts_list");
    let asked = "SELECT record, owner, array_to_string(members, ' ') FROM leadguard.ghost_leads('crm.lead')";
    assert_eq!(rows(&mut db.connect("sid"), asked), [["3", "sid", "rita rob ron"]]);
    assert!(rows(&mut db.connect("alma"), asked).is_empty());
    assert!(rows(&mut db.connect("zed"), asked).is_empty());
    // A guest, who may know no names, is not told that there is no owner.
    accepted(&mut db.connect("dora"), "SELECT leadguard.share('crm.lead', '3', 'gus', 'read')");
    assert!(rows(&mut db.connect("gus"), asked).iter().all(|row| row[0] != "3"));
    // A lead without an owner is one at once.
    accepted(&mut db.admin(), "UPDATE crm.lead SET owner_id = NULL WHERE id = 2");
    assert_eq!(
        rows(&mut db.connect("dora"), &format!("{asked} ORDER BY 1")),
        [["2", "∅", ""], ["3", "sid", "rita rob ron"]]
    );
    // What is archived is nobody's work any more.
    accepted(&mut db.connect("dora"), "DELETE FROM crm.lead WHERE id = 3");
    assert_eq!(rows(&mut db.connect("dora"), asked), [["2", "∅", ""]]);
}
