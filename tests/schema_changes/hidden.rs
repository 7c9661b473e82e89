//! Changes that hide: behind leadguard's own work, behind a type, an index, a partition, a table of notes.

use crate::lab::*;
use leadguard_tests::*;

fn events(db: &Db, what: &str) {
    accepted(
        &mut db.admin(),
        &format!(
            "ALTER EVENT TRIGGER leadguard_watch_schema {what}; ALTER EVENT TRIGGER leadguard_notice_drop {what}; \
             ALTER EVENT TRIGGER leadguard_know_schema {what}"
        ),
    );
}

fn deals(db: &Db) {
    accepted(
        &mut db.connect("dba"),
        "CREATE TABLE crm.deal (id bigint, owner_id bigint, region text, n integer DEFAULT 1, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
         CREATE TABLE crm.deal_east PARTITION OF crm.deal FOR VALUES IN ('east');
         CREATE TABLE crm.deal_west PARTITION OF crm.deal FOR VALUES IN ('west');
         SELECT leadguard.protect('crm.deal', owner => 'owner_id', id => 'id', archived_at => 'archived_at', archived_by => 'archived_by')",
    );
    assert_eq!(log(db), [""; 0]);
}

#[test]
fn k48c_leadguards_own_work_does_not_cover_what_changed_before_it() {
    for (name, work) in [
        ("behind_conceal", "SELECT leadguard.conceal('crm.lead')"),
        ("behind_mask", "SELECT leadguard.mask('crm.lead', 'status', 'full')"),
        ("behind_archive", "SELECT leadguard.set_archive('crm.lead', 'archived_at', 'archived_by')"),
    ] {
        let db = lab(name);
        events(&db, "DISABLE");
        accepted(&mut db.connect("dba"), "ALTER TABLE crm.lead ADD COLUMN hidden text");
        events(&db, "ENABLE");
        accepted(&mut db.admin(), work);
        assert_eq!(log(&db), ["violation add column hidden"], "{work}");
        assert_eq!(scalar(&mut db.admin(), "SELECT detail ? 'unnoticed' FROM leadguard.schema_change"), "t");
        accepted(&mut db.admin(), "SELECT leadguard.check_schema()");
        assert_eq!(log(&db).len(), 1, "what leadguard did is known");
    }
}

#[test]
fn k48c_a_new_partition_does_not_cover_what_changed_before_it() {
    let db = lab("behind_partition");
    deals(&db);
    events(&db, "DISABLE");
    accepted(&mut db.connect("dba"), "ALTER TABLE crm.deal_east DISABLE TRIGGER leadguard_90_row");
    events(&db, "ENABLE");
    assert_eq!(
        adds(&db, "CREATE TABLE crm.deal_north PARTITION OF crm.deal FOR VALUES IN ('north')"),
        ["violation disable trigger crm.deal_east.leadguard_90_row", "violation attach partition crm.deal_north"]
    );
}

#[test]
fn k49_a_type_changes_the_tables_that_are_of_it() {
    let db = lab("typed");
    accepted(
        &mut db.connect("dba"),
        "CREATE TYPE crm.lead_form AS (id bigint, owner_id bigint, status text, tags text[], custom jsonb, archived_at timestamptz, archived_by bigint)",
    );
    let columns = rows(
        &mut db.admin(),
        "SELECT string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum) FROM pg_attribute
         WHERE attrelid = 'crm.lead'::regclass AND attnum > 0 AND NOT attisdropped",
    );
    accepted(
        &mut db.connect("dba"),
        &format!("DROP TYPE crm.lead_form; CREATE TYPE crm.lead_form AS ({})", columns[0][0]),
    );
    assert_eq!(adds(&db, "ALTER TABLE crm.lead OF crm.lead_form"), ["violation of type"]);
    assert_eq!(adds(&db, "ALTER TYPE crm.lead_form ADD ATTRIBUTE extra text CASCADE"), ["violation add column extra"]);
    assert_eq!(
        adds(&db, "ALTER TYPE crm.lead_form RENAME ATTRIBUTE extra TO more CASCADE"),
        ["violation rename column extra"]
    );
    assert_eq!(adds(&db, "ALTER TYPE crm.lead_form DROP ATTRIBUTE more CASCADE"), ["violation drop column more"]);
    agreed(&db, "of type");
    assert_eq!(adds(&db, "ALTER TABLE crm.lead NOT OF"), ["approved of type"]);
    assert_eq!(adds(&db, "ALTER TYPE crm.lead_form ADD ATTRIBUTE extra text CASCADE"), [""; 0], "it is of it no more");
}

#[test]
fn k49_an_index_carries_the_name_of_a_constraint() {
    let db = lab("index");
    let mut added = adds(&db, "ALTER INDEX crm.lead_pkey RENAME TO lead_key");
    added.sort();
    assert_eq!(added, ["violation add constraint lead_key", "violation drop constraint lead_pkey"]);
}

#[test]
fn k49_partitions_have_constraints_defaults_and_owners_of_their_own() {
    let db = lab("own_partitions");
    deals(&db);
    for (sql, expected) in [
        (
            "ALTER TABLE crm.deal_west ADD CONSTRAINT small CHECK (n < 5)",
            "violation add constraint crm.deal_west.small",
        ),
        ("ALTER TABLE crm.deal_west DROP CONSTRAINT small", "violation drop constraint crm.deal_west.small"),
        ("ALTER TABLE crm.deal_west ALTER COLUMN n SET DEFAULT 2", "violation change default crm.deal_west.n"),
        ("ALTER TABLE crm.deal_west ALTER COLUMN n SET NOT NULL", "violation change not null crm.deal_west.n"),
        ("ALTER TABLE crm.deal ADD CONSTRAINT big CHECK (n > 0)", "violation add constraint big"),
        ("ALTER TABLE crm.deal ADD COLUMN m integer NOT NULL DEFAULT 3", "violation add column m"),
        ("ALTER TABLE crm.deal ALTER COLUMN m SET DEFAULT 4", "violation change default m"),
        ("ALTER TABLE crm.deal_west RENAME TO deal_far", "violation rename table crm.deal_west"),
    ] {
        assert_eq!(adds(&db, sql), [expected], "{sql}");
    }
    let owner = db.role("rep");
    accepted(&mut db.admin(), &format!("ALTER TABLE crm.deal_far OWNER TO \"{owner}\""));
    assert_eq!(log(&db).pop().unwrap_or_default(), "violation owner crm.deal_far");
}

#[test]
fn k48c_a_partition_that_is_being_detached_still_counts() {
    let db = lab("pending");
    deals(&db);
    accepted(
        &mut db.admin(),
        "INSERT INTO crm.deal (id, owner_id, region) SELECT 1, id, 'west' FROM leadguard.member WHERE key = 'vic'",
    );
    accepted(&mut db.connect("dba"), "SELECT leadguard.set_switch('crm.deal', 'schema_changes', 'refuse')");
    refused(&mut db.connect("dba"), "ALTER TABLE crm.deal DETACH PARTITION crm.deal_west CONCURRENTLY", "LG004");
    let pending = "SELECT count(*) FROM pg_inherits WHERE inhdetachpending";
    assert_eq!(scalar(&mut db.admin(), pending), "1", "Postgres has begun");
    let admin = &mut db.admin();
    assert_eq!(
        scalar(admin, "SELECT sum(records) FROM leadguard.owned_records('vic') WHERE target = 'crm.deal'::regclass"),
        "1",
        "what is in it has an owner still"
    );
    assert_eq!(
        rows(&mut db.connect("olga"), "SELECT kind, object FROM leadguard.check_schema()"),
        [["detach partition", "crm.deal_west"]]
    );
}

#[test]
fn k48c_what_nobody_is_known_to_have_done_is_not_accepted_by_who_may_have() {
    let db = lab("unknown_hand");
    events(&db, "DISABLE");
    accepted(&mut db.connect("dba"), "ALTER TABLE crm.lead ADD COLUMN hidden text");
    events(&db, "ENABLE");
    accepted(&mut db.admin(), &format!("GRANT \"{}\" TO \"{}\"", db.role("dba"), db.role("olga")));
    accepted(&mut db.connect("olga"), "SELECT leadguard.check_schema()");
    let accept = "SELECT leadguard.accept_schema_change(1, 'fine')";
    assert_eq!(code(&mut db.connect("olga"), accept), "42501", "she may be who did it");
    accepted(&mut db.connect("otto"), accept);
}

#[test]
fn k48c_looking_does_not_let_changes_wait() {
    let db = lab("looking");
    let mut olga = db.connect("olga");
    accepted(&mut olga, "BEGIN");
    accepted(&mut olga, "SELECT leadguard.check_schema()");
    let mut dba = db.connect("dba");
    accepted(&mut dba, "SET lock_timeout = '2s'");
    accepted(&mut dba, "ALTER TABLE crm.lead ADD COLUMN a integer");
    accepted(&mut olga, "COMMIT");
    assert_eq!(log(&db), ["violation add column a"]);
}

#[test]
fn k49_an_approval_for_a_table_is_none_for_its_notes() {
    let db = lab("notes_apart");
    accepted(
        &mut db.connect("dba"),
        "CREATE TABLE crm.note (id bigint PRIMARY KEY, lead_id bigint REFERENCES crm.lead, body text, author_id bigint, created_at timestamptz);
         SELECT leadguard.protect_notes('crm.note', 'crm.lead', 'lead_id', 'body', author => 'author_id', created_at => 'created_at')",
    );
    agreed(&db, "row security");
    assert_eq!(adds(&db, "ALTER TABLE crm.note DISABLE ROW LEVEL SECURITY"), ["violation row security"]);
    let ask = "SELECT leadguard.request_schema_change('crm.note', 'row security', 'why', 'who', 'what')";
    accepted(&mut db.admin(), &format!("GRANT SELECT ON crm.note TO \"{}\"", db.role("rep")));
    let id = scalar(&mut db.connect("rep"), ask);
    accepted(&mut db.connect("olga"), &format!("SELECT leadguard.decide_approval({id}, true, 'fine')"));
    assert_eq!(adds(&db, "ALTER TABLE crm.note ENABLE ROW LEVEL SECURITY"), ["approved row security"]);
    assert_eq!(
        adds(&db, "ALTER TABLE crm.lead NO FORCE ROW LEVEL SECURITY"),
        ["approved row security"],
        "that of the lead is left"
    );
}

#[test]
fn k49_a_new_type_covers_what_follows_from_it_and_no_more() {
    let db = lab("type_alone");
    accepted(
        &mut db.connect("dba"),
        "ALTER TABLE crm.lead ADD COLUMN amt integer DEFAULT 7 CONSTRAINT amt_fits CHECK (amt > 5 AND amt < 100), ALTER COLUMN status SET DEFAULT 'new'",
    );
    refuse(&db);
    let mut dba = db.connect("dba");
    agreed(&db, "change type amt");
    refused(
        &mut dba,
        "ALTER TABLE crm.lead ALTER COLUMN amt TYPE numeric(20,2), ALTER COLUMN amt SET DEFAULT 9",
        "LG004",
    );
    refused(
        &mut dba,
        "ALTER TABLE crm.lead DROP CONSTRAINT amt_fits, ADD CONSTRAINT amt_fits CHECK (amt > 5 OR amt < 100), ALTER COLUMN amt TYPE numeric(20,2)",
        "LG004",
    );
    assert_eq!(adds(&db, "ALTER TABLE crm.lead ALTER COLUMN amt TYPE numeric(20,2)"), ["approved change type amt"]);
    agreed(&db, "change type status");
    assert_eq!(
        adds(&db, "ALTER TABLE crm.lead ALTER COLUMN status TYPE character varying(30)"),
        ["approved change type status"]
    );
}

#[test]
fn k49_temporary_objects_are_looked_at_only_where_a_table_may_be_of_them() {
    let db = lab("temporary");
    let mut dba = db.connect("dba");
    let columns = rows(
        &mut db.admin(),
        "SELECT string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum) FROM pg_attribute
         WHERE attrelid = 'crm.lead'::regclass AND attnum > 0 AND NOT attisdropped",
    );
    accepted(&mut dba, &format!("CREATE TYPE pg_temp.form AS ({})", columns[0][0]));
    accepted(&mut dba, "ALTER TABLE crm.lead OF pg_temp.form");
    accepted(&mut dba, "ALTER TYPE pg_temp.form ADD ATTRIBUTE extra text CASCADE");
    assert_eq!(log(&db), ["violation of type", "violation add column extra"]);
    accepted(&mut dba, "CREATE TEMP TABLE mine (LIKE crm.lead INCLUDING ALL); ALTER TABLE mine ADD COLUMN n integer");
    assert_eq!(log(&db).len(), 2);
}

// Commands of all applications of the database pass by here.
#[test]
fn k49_a_command_about_something_else_reads_no_catalog_from_end_to_end() {
    let db = lab("elsewhere");
    for sql in ["CREATE TEMP TABLE scratch (n integer)", "CREATE TABLE crm.other (n integer)", "DROP TABLE crm.other"] {
        let mut dba = db.connect("dba");
        accepted(&mut dba, "BEGIN");
        accepted(&mut dba, sql);
        let scans = "SELECT seq_scan FROM pg_stat_xact_sys_tables WHERE relname = 'pg_class'";
        assert_eq!(scalar(&mut dba, scans), "0", "{sql}");
        accepted(&mut dba, "COMMIT");
    }
}

// Who owns the schema may drop the view that masks columns, and put one of his own in its place.
#[test]
fn k49_the_view_that_masks_a_table_is_watched() {
    let db = lab("masked");
    let dba = db.role("dba");
    accepted(&mut db.admin(), &format!("GRANT CREATE ON DATABASE {} TO \"{dba}\"", db.name()));
    accepted(&mut db.connect("dba"), "SELECT leadguard.mask('crm.lead', 'status', 'full')");
    assert_eq!(log(&db), [""; 0], "leadguard's own work is no change");
    accepted(&mut db.connect("dba"), "ALTER TABLE crm_base.lead ADD COLUMN score integer");
    assert_eq!(log(&db), ["violation add column score"], "the view follows the table");
    let open = "DROP VIEW crm.lead; CREATE VIEW crm.lead AS SELECT * FROM crm_base.lead";
    accepted(&mut db.connect("dba"), "SELECT leadguard.set_switch('crm.lead', 'schema_changes', 'refuse')");
    refused(&mut db.connect("dba"), open, "LG004");
    accepted(&mut db.connect("dba"), "SELECT leadguard.set_switch('crm.lead', 'schema_changes', 'record')");
    accepted(&mut db.connect("dba"), open);
    assert_eq!(log(&db), ["violation add column score", "violation drop view crm.lead"]);
    // What nobody saw happen is found later.
    let db = lab("masked_unseen");
    let dba = db.role("dba");
    accepted(&mut db.admin(), &format!("GRANT CREATE ON DATABASE {} TO \"{dba}\"", db.name()));
    accepted(
        &mut db.connect("dba"),
        "SELECT leadguard.mask('crm.lead', 'status', 'full'); SELECT leadguard.unmask('crm.lead', 'status')",
    );
    accepted(&mut db.connect("dba"), "SELECT leadguard.mask('crm.lead', 'status', 'full')");
    accepted(
        &mut db.admin(),
        "ALTER EVENT TRIGGER leadguard_notice_drop DISABLE; DROP VIEW crm.lead; ALTER EVENT TRIGGER leadguard_notice_drop ENABLE",
    );
    assert_eq!(scalar(&mut db.admin(), "SELECT kind FROM leadguard.check_schema()"), "drop view");
    assert_eq!(log(&db), ["violation drop view crm.lead"]);
}
