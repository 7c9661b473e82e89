//! What is noticed.

use crate::lab::*;
use leadguard_tests::*;

#[test]
fn k49_k50_every_change_of_a_protected_table_is_in_the_changelog() {
    let db = lab("noticed");
    assert_eq!(log(&db), [""; 0], "protect itself is no change");
    for (sql, expected) in [
        (
            "ALTER TABLE crm.lead ADD COLUMN score integer NOT NULL DEFAULT 1 CHECK (score > 0)",
            "violation add column score",
        ),
        ("ALTER TABLE crm.lead RENAME COLUMN score TO points", "violation rename column score"),
        ("ALTER TABLE crm.lead ALTER COLUMN points TYPE bigint", "violation change type points"),
        ("ALTER TABLE crm.lead ALTER COLUMN points SET DEFAULT 2", "violation change default points"),
        ("ALTER TABLE crm.lead ALTER COLUMN points DROP NOT NULL", "violation change not null points"),
        ("ALTER TABLE crm.lead ADD CONSTRAINT small CHECK (points < 100)", "violation add constraint small"),
        ("ALTER TABLE crm.lead DROP CONSTRAINT small", "violation drop constraint small"),
        ("CREATE POLICY open ON crm.lead USING (true)", "violation add policy open"),
        ("ALTER POLICY open ON crm.lead USING (false)", "violation change policy open"),
        ("DROP POLICY open ON crm.lead", "violation drop policy open"),
        ("ALTER TABLE crm.lead DISABLE TRIGGER leadguard_90_row", "violation disable trigger leadguard_90_row"),
        ("ALTER TABLE crm.lead ENABLE ALWAYS TRIGGER leadguard_90_row", "violation change trigger leadguard_90_row"),
        (
            "CREATE TRIGGER mine BEFORE UPDATE ON crm.lead FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "violation add trigger mine",
        ),
        ("DROP TRIGGER mine ON crm.lead", "violation drop trigger mine"),
        ("CREATE RULE quiet AS ON DELETE TO crm.lead DO INSTEAD NOTHING", "violation add rule quiet"),
        ("DROP RULE quiet ON crm.lead", "violation drop rule quiet"),
        ("ALTER TABLE crm.lead NO FORCE ROW LEVEL SECURITY", "violation row security"),
        ("ALTER TABLE crm.lead DISABLE ROW LEVEL SECURITY", "violation row security"),
        ("ALTER TABLE crm.lead DROP COLUMN points", "violation drop column points"),
        ("DROP POLICY leadguard_select ON crm.lead", "violation drop policy leadguard_select"),
        ("ALTER TABLE crm.lead RENAME TO leads", "violation rename table"),
        ("DO $$ BEGIN EXECUTE 'ALTER TABLE crm.leads ADD COLUMN hidden text'; END $$", "violation add column hidden"),
    ] {
        assert_eq!(adds(&db, sql), [expected], "{sql}");
    }
    let admin = &mut db.admin();
    accepted(admin, &format!("ALTER TABLE crm.leads OWNER TO \"{}\"", db.role("rep")));
    accepted(admin, "DROP TABLE crm.leads");
    assert_eq!(log(&db).split_off(log(&db).len() - 2), ["violation owner", "violation drop table"]);
    assert_eq!(scalar(admin, "SELECT count(*) FROM leadguard.schema_shape"), "0", "nothing of it is left");
}

#[test]
fn k49_what_is_not_about_a_protected_table_is_not_in_the_changelog() {
    let db = lab("unrelated");
    let quiet = adds(
        &db,
        "CREATE TABLE crm.other (id bigint PRIMARY KEY, n integer);
         ALTER TABLE crm.other ADD COLUMN lead_id bigint REFERENCES crm.lead;
         CREATE POLICY p ON crm.other USING (true);
         DROP TABLE crm.other;
         CREATE INDEX ON crm.lead (status);
         COMMENT ON TABLE crm.lead IS 'leads';
         ALTER TABLE crm.lead ALTER COLUMN status SET STATISTICS 500;
         CREATE TEMP TABLE lead (id bigint);
         DROP TABLE pg_temp.lead;
         ALTER TABLE crm.lead ALTER COLUMN status SET DEFAULT 'new'",
    );
    assert_eq!(quiet, [""; 0]);
}

#[test]
fn k49_the_work_of_leadguard_is_no_violation() {
    let db = lab("own_work");
    let quiet = adds(
        &db,
        "SELECT leadguard.set_switch('crm.lead', 'stages', 'a,b', '*');
         SELECT leadguard.set_rule('crm.lead', '*', 'own', 'access', 'edit');
         SELECT leadguard.on_denied('crm.lead', 'skip')",
    );
    assert_eq!(quiet, [""; 0]);
    accepted(
        &mut db.admin(),
        "SELECT leadguard.mask('crm.lead', 'status', 'full'); SELECT leadguard.unmask('crm.lead', 'status')",
    );
    accepted(&mut db.admin(), "SELECT leadguard.reveal('crm.lead')");
    assert_eq!(log(&db), [""; 0]);
    assert_eq!(
        adds(&db, "ALTER TABLE crm.lead ADD COLUMN a integer"),
        ["violation add column a"],
        "what leadguard did is known, what the owner does stands out"
    );
    accepted(&mut db.connect("dba"), "SELECT leadguard.unprotect('crm.lead')");
    assert_eq!(adds(&db, "ALTER TABLE crm.lead ADD COLUMN b integer"), [""; 0], "it is watched no more");
    accepted(&mut db.connect("dba"), "SELECT leadguard.protect('crm.lead', owner => 'owner_id')");
    assert_eq!(adds(&db, "ALTER TABLE crm.lead DROP COLUMN b"), ["violation drop column b"]);
}

#[test]
fn k49_the_flag_of_leadguards_own_work_ends_with_its_statement() {
    let db = lab("flag");
    let mut dba = db.connect("dba");
    // The steps of protect fail in the middle: the session is at work no more.
    accepted(&mut dba, "CREATE TABLE crm.second (id bigint PRIMARY KEY, owner_id bigint, archived_at text)");
    for _ in 0..2 {
        let failed =
            code(&mut dba, "SELECT leadguard.protect('crm.second', owner => 'owner_id', archived_at => 'archived_at')");
        assert_ne!(failed, "ok");
    }
    accepted(&mut dba, "CREATE INDEX lead_owner ON crm.second (owner_id)");
    assert_ne!(code(&mut dba, "SELECT leadguard.set_archive('crm.lead', 'status')"), "ok");
    accepted(&mut dba, "ALTER TABLE crm.lead ADD COLUMN a integer");
    assert_eq!(log(&db), ["violation add column a"]);
    assert_eq!(code(&mut dba, "SELECT leadguard.is_at_work()"), "42501", "it is nobody's business");
}

#[test]
fn k49_partitions_that_come_and_go_are_noticed() {
    let db = lab("partitions");
    accepted(
        &mut db.connect("dba"),
        "CREATE TABLE crm.deal (id bigint, owner_id bigint, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
         CREATE TABLE crm.deal_east PARTITION OF crm.deal FOR VALUES IN ('east');
         SELECT leadguard.protect('crm.deal', owner => 'owner_id', id => 'id')",
    );
    assert_eq!(log(&db), [""; 0]);
    assert_eq!(
        adds(&db, "CREATE TABLE crm.deal_west PARTITION OF crm.deal FOR VALUES IN ('west')"),
        ["violation attach partition crm.deal_west"]
    );
    assert_eq!(
        adds(&db, "ALTER TABLE crm.deal_west DISABLE TRIGGER leadguard_90_row"),
        ["violation disable trigger crm.deal_west.leadguard_90_row"]
    );
    assert_eq!(
        adds(&db, "ALTER TABLE crm.deal DETACH PARTITION crm.deal_west"),
        ["violation detach partition crm.deal_west"]
    );
    assert_eq!(
        adds(&db, "ALTER TABLE crm.deal ATTACH PARTITION crm.deal_west FOR VALUES IN ('west')"),
        ["violation attach partition crm.deal_west"]
    );
    assert_eq!(adds(&db, "DROP TABLE crm.deal_west"), ["violation detach partition crm.deal_west"]);
}

#[test]
fn k49_tables_of_notes_are_watched_with_their_parent() {
    let db = lab("notes");
    accepted(
        &mut db.connect("dba"),
        "CREATE TABLE crm.note (id bigint PRIMARY KEY, lead_id bigint REFERENCES crm.lead, body text, author_id bigint, created_at timestamptz);
         SELECT leadguard.protect_notes('crm.note', 'crm.lead', 'lead_id', 'body', author => 'author_id', created_at => 'created_at')",
    );
    assert_eq!(adds(&db, "ALTER TABLE crm.note DISABLE ROW LEVEL SECURITY"), ["violation row security"]);
    assert_eq!(
        scalar(&mut db.admin(), "SELECT target_name || ' ' || org_id FROM leadguard.schema_change"),
        "crm.note 1"
    );
}

#[test]
fn k48c_what_happened_while_event_triggers_were_off_is_found_later() {
    let db = lab("unnoticed");
    let admin = &mut db.admin();
    accepted(
        admin,
        "ALTER EVENT TRIGGER leadguard_watch_schema DISABLE; ALTER EVENT TRIGGER leadguard_notice_drop DISABLE",
    );
    assert_eq!(
        adds(&db, "ALTER TABLE crm.lead ADD COLUMN hidden text; DROP POLICY leadguard_update ON crm.lead"),
        [""; 0]
    );
    accepted(
        admin,
        "ALTER EVENT TRIGGER leadguard_watch_schema ENABLE; ALTER EVENT TRIGGER leadguard_notice_drop ENABLE",
    );
    let olga = &mut db.connect("olga");
    let found = rows(olga, "SELECT kind, object FROM leadguard.check_schema() ORDER BY 1");
    assert_eq!(found, [["add column", "hidden"], ["drop policy", "leadguard_update"]]);
    assert_eq!(rows(olga, "SELECT kind FROM leadguard.check_schema()").len(), 0, "once");
    assert_eq!(
        scalar(olga, "SELECT bool_and(session_role IS NULL AND detail ? 'unnoticed') FROM leadguard.schema_change"),
        "t",
        "nobody is blamed for it"
    );
}

#[test]
fn k49_a_change_that_is_rolled_back_leaves_nothing() {
    let db = lab("rolled_back");
    let mut dba = db.connect("dba");
    accepted(&mut dba, "BEGIN; ALTER TABLE crm.lead ADD COLUMN a integer; ROLLBACK");
    accepted(
        &mut dba,
        "BEGIN; SAVEPOINT s; ALTER TABLE crm.lead ADD COLUMN a integer; ROLLBACK TO s; ALTER TABLE crm.lead ADD COLUMN b integer; COMMIT",
    );
    assert_eq!(log(&db), ["violation add column b"]);
}

#[test]
fn k49_a_new_column_stays_closed_until_the_matrix_covers_it_if_so_configured() {
    let db = lab("closed");
    let admin = &mut db.admin();
    accepted(
        admin,
        "INSERT INTO leadguard.member_role (member_id, role) SELECT id, 'sales' FROM leadguard.member WHERE key = 'rep'",
    );
    accepted(
        admin,
        "SELECT leadguard.conceal('crm.lead'); SELECT leadguard.set_field_default('crm.lead', 'no access')",
    );
    for column in ["status", "tags", "custom"] {
        accepted(admin, &format!("SELECT leadguard.set_field('crm.lead', '{column}', 'sales', 'editor')"));
    }
    accepted(admin, "SELECT leadguard.propose_fields('crm.lead', '{olga}')");
    accepted(&mut db.connect("olga"), "SELECT leadguard.sign_fields('crm.lead', 1)");
    let base = scalar(admin, "SELECT target::text FROM leadguard.protected_table");
    accepted(admin, &format!("ALTER TABLE {base} ADD COLUMN score integer DEFAULT 7"));
    let mut rep = db.connect("rep");
    assert_eq!(scalar(&mut rep, "SELECT status FROM crm.lead WHERE id = 1"), "new");
    assert_eq!(scalar(&mut rep, "SELECT score FROM crm.lead WHERE id = 1"), "∅", "closed");
    accepted(
        admin,
        "SELECT leadguard.set_field('crm.lead', 'score', 'sales', 'editor'); SELECT leadguard.propose_fields('crm.lead', '{olga}')",
    );
    accepted(&mut db.connect("olga"), "SELECT leadguard.sign_fields('crm.lead', 2)");
    assert_eq!(scalar(&mut rep, "SELECT score FROM crm.lead WHERE id = 1"), "7", "covered");
}

#[test]
fn k49_a_view_that_conceal_made_again_is_known() {
    let db = lab("view_again");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "SELECT leadguard.conceal('crm.lead'); DROP VIEW crm.lead; SELECT leadguard.conceal('crm_base.lead')",
    );
    let before = log(&db).len();
    accepted(&mut admin, "SELECT leadguard.set_switch('crm_base.lead', 'schema_changes', 'refuse')");
    refused(&mut admin, "DROP VIEW crm.lead", "LG004");
    accepted(
        &mut admin,
        "SELECT leadguard.set_switch('crm_base.lead', 'schema_changes', 'record'); ALTER TABLE crm_base.lead ADD COLUMN later int",
    );
    assert_eq!(log(&db)[before..], ["violation add column later"]);
}
