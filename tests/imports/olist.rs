//! The story of an import on real data: Olist's 8,000 marketing-qualified leads, twice, with edits in between.

use crate::lab::*;
use leadguard_tests::{accepted, rows, scalar, shared_data};

#[test]
fn k43_olist_leads_come_twice_and_edits_survive() {
    let Some(data) = shared_data() else { return };
    let file = data.join("olist-funnel/olist_marketing_qualified_leads_dataset.csv");
    let csv = std::fs::read_to_string(&file).expect("the file can be read");
    let lines = csv.lines().count() - 1;
    let db = lab("olist");
    accepted(
        &mut db.admin(),
        r#"CREATE SCHEMA olist;
         CREATE TABLE olist.lead (mql_id uuid PRIMARY KEY, first_contact_date date, origin text, owner_id bigint, creator_id bigint,
             stage text DEFAULT 'prospecting', status text DEFAULT 'open');
         SELECT leadguard.protect('olist.lead', preset => 'four_role', id => 'mql_id', owner => 'owner_id', creator => 'creator_id',
             stage => 'stage', status => 'status', archived_at => 'archived_at', archived_by => 'archived_by', object => 'lead');
         SELECT leadguard.prepare_imports('olist.lead', '{"mql_id": "exact"}', disqualified => '{disqualified}');"#,
    );
    let mut cleo = db.connect("cleo");
    let import_file = |c: &mut leadguard_tests::Client| {
        let import = scalar(c, "SELECT leadguard.import_begin('olist.lead', 'marketing-qualified leads')");
        accepted(c, "SET datestyle = 'ISO, MDY'");
        copy(
            c,
            "COPY olist.lead_import (mql_id, first_contact_date, origin) FROM STDIN WITH (FORMAT csv, HEADER)",
            &csv,
        );
        let problems = check(c, &import);
        (import, problems)
    };
    let (first, problems) = import_file(&mut cleo);
    assert_eq!(problems.len(), 0, "{:?}", &problems[..problems.len().min(5)]);
    let approval = scalar(&mut cleo, &submit(&first));
    decide(&db, "olga", &approval, true);
    assert_eq!(committed(&mut cleo, &first), format!("{lines} {lines} 0 0 0"));

    // Sales works: one is renamed, one disqualified, one archived, one goes to a colleague.
    let ids: Vec<String> = rows(&mut cleo, "SELECT mql_id FROM olist.lead ORDER BY mql_id LIMIT 4")
        .into_iter()
        .map(|row| row[0].clone())
        .collect();
    accepted(&mut cleo, &format!("UPDATE olist.lead SET origin = 'a fair in Bonn' WHERE mql_id = '{}'", ids[0]));
    accepted(&mut cleo, &format!("UPDATE olist.lead SET status = 'disqualified' WHERE mql_id = '{}'", ids[1]));
    let mut olga = db.connect("olga");
    accepted(&mut olga, &format!("SELECT leadguard.archive('olist.lead', '{}', 'no answer')", ids[2]));
    accepted(&mut olga, &format!("SELECT leadguard.reassign('olist.lead', '{}', 'cody', reason => 'moved')", ids[3]));
    let before = scalar(&mut db.admin(), "SELECT md5(string_agg(l::text, ',' ORDER BY mql_id)) FROM olist.lead l");

    let (second, problems) = import_file(&mut db.connect("cody"));
    assert_eq!(problems.len(), lines, "every one of them is there");
    for (id, how) in [(&ids[1], "exists (disqualified)"), (&ids[2], "exists (archived)"), (&ids[3], "exists")] {
        let found = scalar(
            &mut db.connect("cody"),
            &format!(
                "SELECT p.problem FROM leadguard.import_rows({second}) r JOIN leadguard.import_report({second}) p USING (line)
                 WHERE (r.data ->> 'mql_id')::uuid = '{id}'"
            ),
        );
        assert_eq!(found, how);
    }
    leadguard_tests::refused(&mut db.connect("cody"), &submit(&second), "55000");
    accepted(&mut db.connect("cody"), &format!("SELECT leadguard.import_cancel({second})"));
    let after = scalar(&mut db.admin(), "SELECT md5(string_agg(l::text, ',' ORDER BY mql_id)) FROM olist.lead l");
    assert_eq!(before, after, "what sales wrote stays");

    println!("The audit of two imports of {lines} leads, with edits in between:");
    for row in rows(
        &mut db.admin(),
        "SELECT action, member_key, count(*), min(left(detail, 100)) FROM leadguard.audit_log WHERE target_name = 'olist.lead'
         GROUP BY action, member_key ORDER BY min(id)",
    ) {
        println!("  {:<18} {:<5} {:>5}  {}", row[0], row[1], row[2], row[3]);
    }
}
