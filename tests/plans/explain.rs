//! Which indexes a policy uses: every arm alone and together, and every type and kind of index that a mapped column may
//! have. What an index does not help is found all the same.

use leadguard_tests::{Client, Db, accepted, rows, scalar};

use crate::lab::{assert_plan, book, plan, reached};

const ROWS: &str = "SELECT count(*) FROM crm.v";

/// `crm.v`: the leads of the book with some of their columns.
fn table(admin: &mut Client, columns: &str, mapped: &str) {
    accepted(
        admin,
        &format!(
            "DROP TABLE IF EXISTS crm.v;
             CREATE TABLE crm.v AS SELECT {columns} FROM crm.lead AS l LEFT JOIN leadguard.member AS m ON m.id = l.owner_id;
             ALTER TABLE crm.v ADD PRIMARY KEY (id);
             SELECT leadguard.protect('crm.v', id => 'id', {mapped})"
        ),
    );
    accepted(admin, "VACUUM ANALYZE crm.v");
}

#[test]
fn each_arm_uses_the_index_on_its_column() {
    let db = book("arms");
    let mut admin = db.admin();
    let (mut rep, mut scout) = (db.connect("rep1"), db.connect("scout"));
    let owner = "Index Cond: (owner_id = ANY (leadguard.visible_owners('crm.v'::regclass, NULL::bigint)))";
    let territory = "Index Cond: (territory_id = ANY (leadguard.visible_territories('crm.v'::regclass, NULL::bigint)))";
    let record = "Index Cond: (id = ANY (leadguard.visible_records('crm.v'::regclass, NULL::bigint)))";
    let admin_arm = "Index Cond: (id >= leadguard.visible_from('crm.v'::regclass, NULL::bigint))";

    table(&mut admin, "l.*", "owner => 'owner_id'");
    assert_plan(&mut rep, ROWS, &["BitmapOr", owner, record, admin_arm], &["territor", "Seq Scan"]);
    assert_eq!(scalar(&mut rep, ROWS), reached(&db, "rep1", "crm.v"));
    assert_eq!(scalar(&mut scout, ROWS), "0", "the territory does not count here");

    table(&mut admin, "l.*", "territory => 'territory_id'");
    assert_plan(&mut scout, ROWS, &["BitmapOr", territory, record, admin_arm], &["owner", "Seq Scan"]);
    assert_eq!(scalar(&mut scout, ROWS), reached(&db, "scout", "crm.v"));
    assert_eq!(scalar(&mut rep, ROWS), "0", "the owner does not count here");

    table(&mut admin, "l.*", "owner => 'owner_id', territory => 'territory_id'");
    for (c, key) in [(&mut rep, "rep1"), (&mut scout, "scout")] {
        assert_plan(c, ROWS, &["BitmapOr", owner, territory, record, admin_arm], &["Seq Scan"]);
        assert_eq!(scalar(c, ROWS), reached(&db, key, "crm.v"), "{key}");
        assert_ne!(scalar(c, ROWS), "0", "{key}");
    }

    table(
        &mut admin,
        "l.*, CASE WHEN l.id % 2 = 0 THEN 1::bigint END AS org_id",
        "owner => 'owner_id', territory => 'territory_id', organization => 'org_id'",
    );
    for (c, key) in [(&mut rep, "rep1"), (&mut scout, "scout")] {
        let organization = "leadguard.visible_organization('crm.v'::regclass, org_id)";
        assert_plan(c, ROWS, &["BitmapOr", owner, territory, record, admin_arm, organization], &["Seq Scan"]);
        let ours =
            scalar(&mut admin, &format!("SELECT count(*) FROM crm.v WHERE org_id = 1 AND {}", crate::lab::reach(key)));
        assert_eq!(scalar(c, ROWS), ours, "{key}");
    }
}

// Whoever sees nearly everything through his people reads the table, and every row once.
#[test]
fn wide_members_read_the_table_or_the_index_of_the_question() {
    let db = book("wide");
    let mut top = db.connect("top");
    let all = "SELECT count(*) FROM crm.lead";
    assert_plan(&mut top, all, &["Seq Scan on lead"], &["Bitmap", "visible_all"]);
    assert_eq!(scalar(&mut top, all), reached(&db, "top", "crm.lead"));
    let newest = "SELECT id FROM crm.lead ORDER BY created_at DESC LIMIT 50";
    assert_plan(&mut top, newest, &["Index Scan Backward using lead_created_at_idx"], &["Sort", "Bitmap"]);
    assert_plan(&mut db.connect("rep1"), newest, &["BitmapOr", "Sort"], &["lead_created_at_idx"]);
    for key in ["top", "rep1", "dir1"] {
        let by_hand =
            format!("SELECT id FROM crm.lead WHERE {} ORDER BY created_at DESC LIMIT 50", crate::lab::reach(key));
        assert_eq!(rows(&mut db.connect(key), newest), rows(&mut db.admin(), &by_hand), "{key}");
    }
}

/// Has `crm.v` with an owner column of this type and this index, and asks rep2 in every way.
fn owner_column(db: &Db, kind: &str, column: &str, index: &str, condition: &str) {
    let label = format!("{kind}, {column}, {index}");
    let mut admin = db.admin();
    table(
        &mut admin,
        &format!("l.id, l.owner_id, ({column}) AS owner, l.created_at, l.status"),
        "owner => 'owner', indexes => 'skip'",
    );
    accepted(&mut admin, index);
    accepted(&mut admin, "VACUUM ANALYZE crm.v");
    let expected = scalar(
        &mut admin,
        "SELECT count(*) FROM crm.v AS v JOIN leadguard.member AS m ON m.id = v.owner_id WHERE m.db_role LIKE '%rep2'",
    );
    assert_ne!(expected, "0", "{label}");
    let mut rep = db.connect("rep2");
    if condition.is_empty() {
        assert_plan(&mut rep, ROWS, &["Seq Scan on v"], &["Index"]);
    } else {
        assert_plan(&mut rep, ROWS, &["BitmapOr", condition, "Filter: (leadguard.visible_owner("], &["Seq Scan"]);
    }
    for setting in ["", "SET enable_bitmapscan = off", "SET enable_seqscan = off; SET enable_bitmapscan = on"] {
        accepted(&mut rep, setting);
        assert_eq!(scalar(&mut rep, ROWS), expected, "{label}; {setting}\n{}", plan(&mut rep, ROWS));
    }
}

/// Reps whose keys are UUIDs, so that one book serves every type.
fn keyed(name: &str) -> Db {
    let db = book(name);
    accepted(&mut db.admin(), "UPDATE leadguard.member SET key = md5(key)::uuid::text WHERE key LIKE 'rep%'");
    db
}

#[test]
fn every_type_of_owner_column_has_its_index_condition() {
    let db = keyed("owner_types");
    let index = "CREATE INDEX ON crm.v (owner)";
    let ids = "leadguard.visible_owners('crm.v'::regclass, NULL::bigint))";
    let texts = "leadguard.visible_owners('crm.v'::regclass, NULL::text))";
    let uuids = "leadguard.visible_owners('crm.v'::regclass, NULL::uuid))";
    for kind in ["int2", "int4", "int8"] {
        owner_column(&db, kind, &format!("m.id::{kind}"), index, &format!("(owner = ANY ({ids}"));
    }
    owner_column(&db, "text", "m.key", index, &format!("(owner = ANY ({texts}"));
    owner_column(&db, "varchar", "m.key::varchar", index, &format!("((owner)::text = ANY ({texts}"));
    owner_column(&db, "varchar(40)", "m.key::varchar(40)", index, &format!("((owner)::text = ANY ({texts}"));
    owner_column(&db, "uuid", "m.key::uuid", index, &format!("(owner = ANY ({uuids}"));
    accepted(
        &mut db.admin(),
        "CREATE DOMAIN crm.member_number AS bigint CHECK (VALUE > 0); CREATE DOMAIN crm.member_key AS varchar(60);
         CREATE DOMAIN crm.small AS crm.member_number",
    );
    for (domain, value) in [("crm.member_number", "m.id"), ("crm.member_key", "m.key"), ("crm.small", "m.id")] {
        let elements = if value == "m.id" { ids } else { texts };
        owner_column(&db, domain, &format!("{value}::{domain}"), index, elements);
    }
}

#[test]
fn collations_and_operator_classes_change_no_answer() {
    let db = keyed("collations");
    let texts = "= ANY (leadguard.visible_owners('crm.v'::regclass, NULL::text)))";
    owner_column(&db, "text C", "m.key COLLATE \"C\"", "CREATE INDEX ON crm.v (owner)", texts);
    owner_column(&db, "text", "m.key", "CREATE INDEX ON crm.v (owner text_pattern_ops)", texts);
    owner_column(&db, "varchar", "m.key::varchar", "CREATE INDEX ON crm.v (owner varchar_pattern_ops)", texts);
    owner_column(&db, "text", "m.key", "CREATE INDEX ON crm.v (owner DESC NULLS LAST)", texts);
    if rows(&mut db.admin(), "SELECT FROM pg_collation WHERE collname = 'und-x-icu'").is_empty() {
        println!("skipped: a server without ICU has no nondeterministic collations");
        return;
    }
    accepted(
        &mut db.admin(),
        "CREATE COLLATION crm.anycase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
    );
    // Half of the owners are written in capitals: equal to the collation, but nobody's key.
    let capitals = "CASE WHEN l.id % 2 = 0 THEN upper(m.key) ELSE m.key END COLLATE crm.anycase";
    let mut admin = db.admin();
    let mut rep = db.connect("rep2");
    table(&mut admin, &format!("l.id, l.owner_id, {capitals} AS owner"), "owner => 'owner'");
    let by_hand = "SELECT count(*) FROM crm.v AS v JOIN leadguard.member AS m ON m.id = v.owner_id
                   WHERE m.db_role LIKE '%rep2' AND v.owner COLLATE \"C\" = m.key";
    let expected = scalar(&mut admin, by_hand);
    assert_ne!(expected, scalar(&mut admin, &by_hand.replace(" COLLATE \"C\"", "")), "the capitals are there");
    assert_plan(&mut rep, ROWS, &[texts], &["Seq Scan"]);
    for setting in ["", "SET enable_bitmapscan = off", "SET enable_seqscan = off; SET enable_bitmapscan = on"] {
        accepted(&mut rep, setting);
        assert_eq!(scalar(&mut rep, ROWS), expected, "{setting}\n{}", plan(&mut rep, ROWS));
    }
}

#[test]
fn indexes_that_cannot_help_do_no_harm() {
    let db = keyed("odd_indexes");
    let ids = "= ANY (leadguard.visible_owners('crm.v'::regclass, NULL::bigint)))";
    for (index, condition) in [
        ("SELECT", ""),
        ("CREATE INDEX ON crm.v USING hash (owner)", ""),
        ("CREATE INDEX ON crm.v USING brin (owner)", ""),
        ("CREATE INDEX ON crm.v ((owner + 0))", ""),
        ("CREATE INDEX ON crm.v ((owner::text))", ""),
        ("CREATE INDEX ON crm.v (owner) WHERE status = 1", ""),
        ("CREATE INDEX ON crm.v (status, owner)", ids),
        ("CREATE INDEX ON crm.v (owner) WHERE owner IS NOT NULL", ""),
        ("CREATE INDEX ON crm.v (owner DESC)", ids),
        ("CREATE INDEX ON crm.v (owner NULLS FIRST)", ids),
        ("CREATE INDEX ON crm.v (owner) INCLUDE (status)", ids),
        ("CREATE INDEX ON crm.v (owner, created_at)", ids),
        ("CREATE INDEX ON crm.v USING hash (owner); CREATE INDEX ON crm.v (owner)", ids),
    ] {
        if index == "CREATE INDEX ON crm.v (status, owner)" {
            continue; // its use depends on costs, see below
        }
        owner_column(&db, "bigint", "m.id", index, condition);
    }
}

#[test]
fn composite_and_partial_indexes_serve_questions_about_them() {
    let db = book("composite");
    let mut admin = db.admin();
    let mut rep = db.connect("rep1");
    let cases = [
        ("(owner_id, created_at)", "created_at > timestamptz '2026-08-01'", "v_owner_id_created_at_idx"),
        (
            "(created_at, owner_id)",
            "created_at BETWEEN timestamptz '2026-08-01' AND timestamptz '2026-08-11'",
            "v_created_at_owner_id_idx",
        ),
        ("(status, owner_id)", "status = 3", "v_status_owner_id_idx"),
        ("(owner_id) WHERE status = 3", "status = 3", "v_owner_id_idx"),
        ("(owner_id DESC, id) INCLUDE (status)", "status = 3", "v_owner_id_id_status_idx"),
    ];
    for (index, filter, name) in cases {
        accepted(&mut admin, "DROP TABLE IF EXISTS crm.v");
        table(&mut admin, "l.*", "owner => 'owner_id', indexes => 'skip'");
        accepted(&mut admin, &format!("CREATE INDEX ON crm.v {index}"));
        accepted(&mut admin, "VACUUM ANALYZE crm.v");
        let question = format!("SELECT count(*) FROM crm.v WHERE {filter}");
        let by_hand = format!("{question} AND {}", crate::lab::reach("rep1").replace("territory_id", "NULL"));
        let expected = scalar(&mut admin, &by_hand);
        assert_ne!(expected, "0", "{index}");
        assert_plan(&mut rep, &question, &[name], &["Seq Scan"]);
        assert_eq!(scalar(&mut rep, &question), expected, "{index}\n{}", plan(&mut rep, &question));
        accepted(&mut rep, "SET enable_indexscan = off; SET enable_bitmapscan = off");
        assert_eq!(scalar(&mut rep, &question), expected, "{index}, by reading the table");
        accepted(&mut rep, "RESET ALL");
    }
}

// Where the condition of an index decides alone, it must be exact: the filter is gone from the plan.
#[test]
fn an_exact_condition_needs_no_filter() {
    let db = book("exact");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "INSERT INTO leadguard.organization (key, name) VALUES ('globex', 'Globex');
         CREATE TABLE crm.v AS
         SELECT l.id, l.owner_id, (CASE WHEN l.id % 100 = 0 THEN 1 WHEN l.id % 100 = 1 THEN NULL ELSE o.id END)::int AS org_id
         FROM crm.lead AS l, leadguard.organization AS o WHERE o.key = 'globex';
         CREATE INDEX v_org_idx ON crm.v (org_id) INCLUDE (id, owner_id);
         ALTER TABLE crm.v ADD PRIMARY KEY (id);
         SELECT leadguard.protect('crm.v', id => 'id', owner => 'owner_id', organization => 'org_id', indexes => 'skip')",
    );
    accepted(&mut admin, "VACUUM ANALYZE crm.v");
    let mut root = db.connect("root");
    assert_plan(
        &mut root,
        ROWS,
        &["Index Only Scan using v_org_idx", "Index Cond: (org_id = ANY (leadguard.visible_organizations("],
        &["visible_organization(", "Seq Scan"],
    );
    assert_eq!(scalar(&mut root, ROWS), "600");
    accepted(&mut root, "SET enable_indexonlyscan = off; SET enable_indexscan = off; SET enable_bitmapscan = off");
    assert_plan(&mut root, ROWS, &["Seq Scan", "visible_organization("], &["Index"]);
    assert_eq!(scalar(&mut root, ROWS), "600");
    let mut top = db.connect("top");
    let expected = scalar(
        &mut admin,
        &format!("SELECT count(*) FROM crm.v WHERE org_id = 1 AND owner_id IN ({})", crate::lab::below("top")),
    );
    assert_eq!(scalar(&mut top, ROWS), expected);
}
