//! What the check finds.

use crate::lab::*;
use leadguard_tests::{accepted, refused, rows, scalar};

#[test]
fn k33_each_row_says_what_is_wrong_with_it() {
    let db = lab("wrong");
    let mut cleo = db.connect("cleo");
    let (import, problems) = checked(
        &mut cleo,
        "name,email,score,born,phone\n\
         Dora,dora@lead.example,7,2001-02-03,1\n\
         ,emil@lead.example,8,,2\n\
         Fay,fay@lead.example,eight,2001-02-30,3\n\
         Gil,gil@lead.example,99999999999,,0123456789012345678901234567890\n",
    );
    assert_eq!(
        problems,
        [
            "2 name missing a value is required",
            "3 born invalid no value of type date",
            "3 score invalid no value of type integer",
            "4 phone invalid no value of type character varying(20)",
            "4 score invalid no value of type integer",
        ]
    );
    let report = format!("SELECT count(*) FROM leadguard.import_report({import})");
    assert_eq!(scalar(&mut cleo, &report), "5");
    assert_eq!(scalar(&mut db.connect("cody"), &report), "0");
    refused(&mut db.connect("cody"), &format!("SELECT leadguard.import_check({import})"), "42501");
    let absent = refused(&mut db.connect("cody"), "SELECT leadguard.import_check(777)", "42501");
    assert_eq!(absent.message(), "import 777 does not exist or is not visible");
    accepted(&mut cleo, &submit(&import));
    assert_eq!(committed(&mut cleo, &import), "4 1 0 3 0");
    assert_eq!(scalar(&mut cleo, &report), "5", "the reasons stay");
    assert_eq!(
        rows(&mut cleo, "SELECT name, score, born, status FROM crm.lead WHERE id > 100"),
        [["Dora", "7", "2001-02-03", "open"]],
        "an empty column has its default"
    );
    assert_eq!(
        audit(&db),
        [
            format!("import_check cleo import {import}, 4 rows, 3 with problems"),
            format!("import_submit cleo import {import}, 1 rows, within the limit"),
            format!("import_commit cleo import {import}, 4 rows, 1 inserted, 0 duplicates, 3 invalid, 0 skipped"),
        ]
    );
}

#[test]
fn k51_values_and_tags_are_those_that_are_valid() {
    let db = lab("valid");
    accepted(
        &mut db.admin(),
        "SELECT leadguard.valid_values('crm.lead', 'city', '{Bonn,Kiel}');
         SELECT leadguard.valid_values('crm.lead', 'extra.source', '{fair,web}');
         SELECT leadguard.tag_column('crm.lead', 'tags');
         SELECT leadguard.tag_namespace('crm.lead', 'topic', 'lead_creator');
         SELECT leadguard.tag_namespace('crm.lead', 'legal', 'data_owner');",
    );
    let mut cleo = db.connect("cleo");
    let (import, problems) = checked(
        &mut cleo,
        "name,city,tags,extra\n\
         a,Bonn,{topic:x},\"{\"\"source\"\": \"\"web\"\"}\"\n\
         b,Bon,{legal:x},\"{\"\"source\"\": \"\"tv\"\"}\"\n\
         c,,{loose},\n",
    );
    assert_eq!(
        problems,
        [
            "2 city not valid valid values: Bonn, Kiel",
            "2 extra.source not valid valid values: fair, web",
            "2 tags tag a tag has the form namespace:tag, in a namespace of one of your roles",
            "3 tags tag a tag has the form namespace:tag, in a namespace of one of your roles",
        ]
    );
    accepted(&mut cleo, &submit(&import));
    assert_eq!(committed(&mut cleo, &import), "3 1 0 2 0");
}

#[test]
fn k33_a_column_that_the_member_does_not_write_is_closed() {
    let db = lab("closed");
    accepted(
        &mut db.admin(),
        "SELECT leadguard.set_field('crm.lead', 'score', 'lead_creator', 'read-only');
         SELECT leadguard.propose_fields('crm.lead', '{olga}', 'test')",
    );
    accepted(&mut db.connect("olga"), "SELECT leadguard.sign_fields('crm.lead', 1)");
    let mut cleo = db.connect("cleo");
    let (import, problems) = checked(&mut cleo, "name,score\na,1\nb,\n");
    assert_eq!(problems, ["1 score closed your roles do not write this column"]);
    accepted(&mut cleo, &submit(&import));
    assert_eq!(committed(&mut cleo, &import), "2 1 0 1 0");
}

#[test]
fn k43_a_lead_that_is_there_does_not_come_again_archived_or_disqualified() {
    let db = lab("dedup");
    let mut cleo = db.connect("cleo");
    let file = "name,email,phone,company,city\n\
         Ann,  ANN@lead.example ,,,\n\
         Bob,bob@Lead.example,,,\n\
         Cid,cid@lead.example,,,\n\
         New,new@lead.example,+49 (30) 12,Acme,Bonn\n\
         New again,NEW@lead.example,,,\n\
         Other,other@lead.example,0049/3012,,\n\
         Third,third@lead.example,, acme ,BONN\n\
         Fourth,fourth@lead.example,,Acme,\n";
    let (import, problems) = checked(&mut cleo, file);
    assert_eq!(
        problems,
        [
            "1 email exists record 1",
            "2 email exists (disqualified) record 2",
            "3 email exists (archived) ∅",
            "5 email duplicate as line 4",
            "6 phone duplicate as line 4",
            "7 company,city duplicate as line 4",
        ],
        "who does not see archived leads is not told which one it is"
    );
    accepted(&mut cleo, &submit(&import));
    assert_eq!(committed(&mut cleo, &import), "8 2 6 0 0");
    let (import, problems) = checked(&mut cleo, file);
    let lines: std::collections::BTreeSet<&str> = problems.iter().map(|problem| &problem[..1]).collect();
    assert_eq!(lines.len(), 8, "{problems:?}");
    refused(&mut cleo, &submit(&import), "55000");
}

// Mark reads leads of emea only; none of the three is one. The check tells that they exist, and no more.
#[test]
fn k43_leads_that_the_member_does_not_see_count() {
    let db = lab("unseen");
    let mut mark = db.connect("mark");
    assert_eq!(scalar(&mut mark, "SELECT count(*) FROM crm.lead"), "0");
    let place = scalar(&mut db.admin(), "SELECT id FROM leadguard.territory");
    let file = format!(
        "name,email,territory_id\na,ann@lead.example,{place}\nb,bob@lead.example,{place}\nc,cid@lead.example,{place}\nd,d@lead.example,\n"
    );
    let (_, problems) = checked(&mut mark, &file);
    assert_eq!(
        problems,
        [
            "1 email exists ∅",
            "2 email exists (disqualified) ∅",
            "3 email exists (archived) ∅",
            "4 ∅ refused you may not insert a row with this owner, creator, territory, team, parent, organization or stage"
        ]
    );
    accepted(&mut db.admin(), "UPDATE crm.lead SET territory_id = (SELECT id FROM leadguard.territory) WHERE id = 1");
    assert_eq!(scalar(&mut mark, "SELECT count(*) FROM crm.lead"), "1");
    let import = scalar(&mut mark, "SELECT import FROM leadguard.imports()");
    assert_eq!(check(&mut mark, &import)[0], "1 email exists record 1", "that one he reads now");
}

#[test]
fn k33_rows_that_the_member_may_not_give_away_are_refused() {
    let db = lab("rights");
    let id = |key: &str| scalar(&mut db.admin(), &format!("SELECT id FROM leadguard.member WHERE key = '{key}'"));
    let file = format!(
        "name,owner_id,territory_id\nown,{},\nother,{},\nnobody,999999,\nplace,,999999\n",
        id("cleo"),
        id("cody")
    );
    let mut cleo = db.connect("cleo");
    let (import, problems) = checked(&mut cleo, &file);
    let lines: Vec<&str> = problems.iter().map(|problem| &problem[..9]).collect();
    assert_eq!(lines, ["2 ∅ refu", "3 ∅ refu", "4 ∅ refu"].map(|line| &line[..9.min(line.len())]), "{problems:?}");
    accepted(&mut cleo, &submit(&import));
    assert_eq!(committed(&mut cleo, &import), "4 1 0 3 0");
    // Who assigns may give leads to others of the organization.
    let (import, problems) = checked(&mut db.connect("olga"), &file);
    assert_eq!(problems.iter().map(|p| &p[..1]).collect::<Vec<_>>(), ["3", "4"], "{problems:?}");
    accepted(&mut db.connect("olga"), &submit(&import));
    assert_eq!(committed(&mut db.connect("olga"), &import), "4 2 0 2 0");
}

#[test]
fn k33_rows_of_an_organization_whose_key_differs_in_case_are_not_looked_at() {
    let db = lab("case");
    accepted(
        &mut db.admin(),
        "INSERT INTO leadguard.organization (key) VALUES ('Default');
         CREATE TABLE crm.firm (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, owner_id bigint, org text, email text);
         INSERT INTO crm.firm (org, email) VALUES ('Default', 'theirs@firm.example'), ('default', 'ours@firm.example');
         SELECT leadguard.protect('crm.firm', owner => 'owner_id', organization => 'org', preset => 'four_role');
         SELECT leadguard.prepare_imports('crm.firm', match_keys => '{\"email\": \"email\"}')",
    );
    let mut cleo = db.connect("cleo");
    let id = scalar(&mut cleo, "SELECT leadguard.import_begin('crm.firm')");
    accepted(&mut cleo, "INSERT INTO crm.firm_import (email) VALUES ('theirs@firm.example'), ('ours@firm.example')");
    let found = format!("SELECT line, problem FROM leadguard.import_check({id})");
    assert_eq!(rows(&mut cleo, &found), [["2", "exists"]]);
}
