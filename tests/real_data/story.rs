//! What goes wrong where three teams share one table of leads and nobody has agreed on who writes what, tried on the real
//! leads of Olist with pg_test_config/story.sql: each ends refused, or archived with a row in the audit.

use crate::load;
use leadguard_tests::*;
use std::path::Path;

/// The sessions of the story, and the records that it is about.
struct Story {
    db: Db,
    admin: Client,
    marta: Client,
    dora: Client,
    scorer: Client,
    head: Client,
    /// The representative with the most leads, and one of them.
    rep: Client,
    won: String,
    /// A development representative who works on leads without a deal.
    sdr: Client,
}

impl Story {
    fn begin(data: &Path) -> Story {
        let db = Db::new("story");
        load::load(&db, data);
        load::run(&db, data, "story.sql");
        let mut admin = db.admin();
        let login = |admin: &mut Client, sql: &str| -> String {
            let role = scalar(admin, sql);
            role.strip_prefix(&db.role("")).expect("a role of this database").to_string()
        };
        let rep = login(
            &mut admin,
            "SELECT m.db_role FROM leadguard.member m JOIN olist.lead l ON l.owner_id = m.id
             WHERE m.key NOT IN (SELECT sdr_id FROM olist.closed_deal) GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
        );
        let sdr =
            login(&mut admin, "SELECT db_role FROM leadguard.member WHERE name LIKE 'SDR %' ORDER BY key LIMIT 1");
        let mut rep = db.connect(&rep);
        let won = scalar(&mut rep, "SELECT mql_id FROM story.lead WHERE stage = 'won' ORDER BY 1 LIMIT 1");
        let (marta, dora, scorer) = (db.connect("marta"), db.connect("dora"), db.connect("scorer"));
        let (head, sdr) = (db.connect("olist_sr_head"), db.connect(&sdr));
        let mut story = Story { admin, marta, dora, scorer, head, rep, won, sdr, db };
        accepted(&mut story.marta, "SELECT leadguard.sign_fields('story.lead', 1)");
        accepted(&mut story.db.connect("olist_head"), "SELECT leadguard.sign_fields('story.lead', 1)");
        story
    }

    /// A lead that nobody has closed.
    fn open_lead(&mut self, number: usize) -> String {
        let sql = format!("SELECT mql_id FROM story.lead WHERE stage = 'qualified' ORDER BY 1 OFFSET {number} LIMIT 1");
        scalar(&mut self.sdr, &sql)
    }

    /// Actions in the audit about a lead, and who did them.
    fn audit(&mut self, lead: &str) -> Vec<Vec<String>> {
        rows(
            &mut self.dora,
            &format!(
                "SELECT action, member_key FROM leadguard.audit_log WHERE record = '{lead}' AND target_name = 'story.lead' ORDER BY at, id"
            ),
        )
    }

    fn stored(&mut self, lead: &str, column: &str) -> String {
        scalar(&mut self.admin, &format!("SELECT {column} FROM story_base.lead WHERE mql_id = '{lead}'"))
    }
}

#[test]
fn story_of_three_teams_on_one_table() {
    let Some(data) = shared_data() else { return };
    let mut story = Story::begin(&data);
    sales_overrides_marketing(&mut story);
    marketing_imports_what_sales_has_lost(&mut story);
    stages_are_not_skipped(&mut story);
    tags_have_namespaces(&mut story);
    scores_are_not_written_by_hand(&mut story);
    notes_are_not_rewritten(&mut story);
    revenue_is_not_for_everybody(&mut story);
    a_clean_up_archives(&mut story);
}

fn sales_overrides_marketing(story: &mut Story) {
    let won = story.won.clone();
    let before = story.stored(&won, "origin");
    refused(&mut story.rep, &format!("UPDATE story.lead SET origin = 'my own' WHERE mql_id = '{won}'"), "42501");
    assert_eq!(story.stored(&won, "origin"), before);
    accepted(&mut story.marta, &format!("UPDATE story.lead SET origin = 'referral' WHERE mql_id = '{won}'"));
    assert_eq!(story.stored(&won, "origin"), "referral");
    assert_eq!(story.audit(&won), [["update", "marta"]]);
}

fn marketing_imports_what_sales_has_lost(story: &mut Story) {
    let lead = story.open_lead(0);
    accepted(&mut story.sdr, &format!("UPDATE story.lead SET stage = 'lost' WHERE mql_id = '{lead}'"));
    refused(
        &mut story.marta,
        &format!("INSERT INTO story.lead (mql_id, origin, stage) VALUES ('{lead}', 'paid_search', 'qualified')"),
        "23505",
    );
    refused(&mut story.marta, &format!("UPDATE story.lead SET stage = 'qualified' WHERE mql_id = '{lead}'"), "42501");
    assert_eq!(story.stored(&lead, "stage"), "lost");
    let fresh = "00000000-0000-0000-0000-000000000001";
    accepted(
        &mut story.marta,
        &format!("INSERT INTO story.lead (mql_id, origin, stage) VALUES ('{fresh}', 'paid_search', 'qualified')"),
    );
    assert_eq!(story.audit(fresh), [["create", "marta"]]);
}

fn stages_are_not_skipped(story: &mut Story) {
    let lead = story.open_lead(0);
    refused(&mut story.sdr, &format!("UPDATE story.lead SET stage = 'won' WHERE mql_id = '{lead}'"), "42501");
    // Accepting needs a representative.
    refused(&mut story.sdr, &format!("UPDATE story.lead SET stage = 'accepted' WHERE mql_id = '{lead}'"), "42501");
    accepted(
        &mut story.sdr,
        &format!("UPDATE story.lead SET stage = 'accepted', sr_id = 'somebody' WHERE mql_id = '{lead}'"),
    );
    accepted(&mut story.sdr, &format!("UPDATE story.lead SET stage = 'won' WHERE mql_id = '{lead}'"));
    assert_eq!(story.audit(&lead).len(), 2);
}

fn tags_have_namespaces(story: &mut Story) {
    let lead = story.open_lead(1);
    for tag in ["source:fair", "hot", "unknown:x"] {
        refused(
            &mut story.sdr,
            &format!("UPDATE story.lead SET tags = tags || '{{{tag}}}' WHERE mql_id = '{lead}'"),
            "42501",
        );
    }
    accepted(
        &mut story.marta,
        &format!("UPDATE story.lead SET tags = tags || '{{source:fair}}' WHERE mql_id = '{lead}'"),
    );
    refused(
        &mut story.sdr,
        &format!("UPDATE story.lead SET tags = '{{persona:founder}}' WHERE mql_id = '{lead}'"),
        "42501",
    );
    accepted(
        &mut story.sdr,
        &format!("UPDATE story.lead SET tags = tags || '{{persona:founder}}' WHERE mql_id = '{lead}'"),
    );
    assert_eq!(story.stored(&lead, "tags"), "{source:fair,persona:founder}");
}

fn scores_are_not_written_by_hand(story: &mut Story) {
    let won = story.won.clone();
    let score = |value: i32| format!("UPDATE story.lead SET score = {value} WHERE mql_id = '{won}'");
    accepted(&mut story.scorer, &score(40));
    refused(&mut story.rep, &score(99), "42501");
    refused(&mut story.dora, &score(99), "42501");
    let request = format!(
        "SELECT leadguard.request_approval('field', 'story.lead', '{won}', 'score', 'the customer signed today')"
    );
    let id = scalar(&mut story.rep, &request);
    refused(&mut story.rep, &score(99), "42501");
    refused(&mut story.rep, &format!("SELECT leadguard.decide_approval({id}, true, 'me')"), "42501");
    accepted(&mut story.dora, &format!("SELECT leadguard.decide_approval({id}, true, 'seen the contract')"));
    accepted(&mut story.rep, &score(99));
    refused(&mut story.rep, &score(100), "42501");
    assert_eq!(story.stored(&won, "score"), "99");
}

fn notes_are_not_rewritten(story: &mut Story) {
    let won = story.won.clone();
    let me = scalar(&mut story.rep, "SELECT key FROM leadguard.whoami()");
    let written = rows(
        &mut story.rep,
        &format!(
            "INSERT INTO story.note (mql_id, author, written_at, body) VALUES ('{won}', 'marta', '2001-01-01', 'called twice')
             RETURNING author, written_at > now() - interval '1 day', id"
        ),
    );
    assert_eq!(written[0][..2], [me, "t".to_string()]);
    let note = &written[0][2];
    for who in [&mut story.rep, &mut story.head, &mut story.dora, &mut story.admin] {
        refused(who, &format!("UPDATE story.note SET body = 'never called' WHERE id = {note}"), "42501");
        refused(who, &format!("DELETE FROM story.note WHERE id = {note}"), "42501");
    }
    let erase = format!("SELECT leadguard.erase_note('story.note', '{note}', 'the customer asked for it')");
    refused(&mut story.rep, &erase, "42501");
    accepted(&mut story.dora, &erase);
    assert_eq!(scalar(&mut story.admin, &format!("SELECT coalesce(body, '') FROM story.note WHERE id = {note}")), "");
}

fn revenue_is_not_for_everybody(story: &mut Story) {
    let sql = "SELECT mql_id FROM story.lead WHERE declared_revenue IS NOT NULL ORDER BY 1 LIMIT 1";
    let lead = scalar(&mut story.rep, sql);
    let stored = story.stored(&lead, "declared_revenue");
    let shown = format!("SELECT coalesce(declared_revenue, 'nothing') FROM story.lead WHERE mql_id = '{lead}'");
    assert_eq!(scalar(&mut story.rep, &shown), stored);
    assert_eq!(scalar(&mut story.marta, &shown), "nothing");
    assert_eq!(scalar(&mut story.dora, &shown), "***");
    let guess = format!("SELECT count(*) FROM story.lead WHERE declared_revenue = '{stored}'");
    assert_eq!(scalar(&mut story.marta, &guess), "0");
    assert_eq!(scalar(&mut story.dora, &guess), "0");
}

fn a_clean_up_archives(story: &mut Story) {
    let old = "first_contact_date < '2017-08-01' AND stage = 'won'";
    let count = format!("SELECT count(*) FROM story.lead WHERE {old}");
    let all: i64 = scalar(&mut story.head, &count).parse().expect("a number");
    assert!(all > 0, "nothing to clean up");
    refused(&mut story.marta, &format!("DELETE FROM story.lead WHERE {old}"), "42501");
    assert_eq!(scalar(&mut story.head, &count), all.to_string());

    // Whoever heads sales cleans up as many as there are, worked on or not.
    accepted(
        &mut story.admin,
        "SELECT leadguard.set_switch('story.lead', 'batch_archive', 'none', role => 'sales');
         SELECT leadguard.set_switch('story.lead', 'active_days', '0')",
    );
    let gone = story.head.execute(format!("DELETE FROM story.lead WHERE {old}").as_str(), &[]).expect("DELETE");
    assert_eq!(gone as i64, all, "DELETE tells how many");
    assert_eq!(scalar(&mut story.head, &count), "0");
    let stored = count.replace("story.lead", "story_base.lead");
    assert_eq!(scalar(&mut story.admin, &stored), all.to_string(), "nothing is lost");
    assert_eq!(
        scalar(
            &mut story.dora,
            "SELECT count(*) FROM leadguard.audit_log WHERE action = 'archive' AND member_key = 'olist-sr-head'"
        ),
        all.to_string()
    );

    let mut archived = rows(&mut story.dora, &format!("SELECT mql_id FROM story.lead WHERE {old} ORDER BY 1 LIMIT 2"));
    let (back, away) = (archived.remove(0).remove(0), archived.remove(0).remove(0));
    refused(&mut story.head, &format!("SELECT leadguard.restore('story.lead', '{back}', 'still ours')"), "42501");
    accepted(&mut story.dora, &format!("SELECT leadguard.restore('story.lead', '{back}', 'still ours')"));
    assert_eq!(scalar(&mut story.head, &count), "1");
    refused(&mut story.head, &format!("SELECT leadguard.purge('story.lead', '{away}', 'erasure request')"), "42501");
    accepted(&mut story.dora, &format!("SELECT leadguard.purge('story.lead', '{away}', 'erasure request')"));
    assert_eq!(scalar(&mut story.admin, &stored), (all - 1).to_string());
    let actions: Vec<String> = story.audit(&away).into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(actions.last().map(String::as_str), Some("purge"));
}
