//! Partitioned tables: the index of every partition, pruning as without a policy, and the same answer through every
//! partition.

use leadguard_tests::{Client, Db, accepted, rows, scalar};

use crate::lab::{assert_plan, book, lines, plan, reach, reached};

const ROWS: &str = "SELECT count(*) FROM crm.p";

const LAYOUTS: [(&str, &str, &str); 4] = [
    (
        "hash",
        "PRIMARY KEY (id)) PARTITION BY HASH (id)",
        "SELECT format('CREATE TABLE crm.p%s PARTITION OF crm.p FOR VALUES WITH (MODULUS 8, REMAINDER %s)', g, g) FROM generate_series(0, 7) AS g",
    ),
    (
        "list",
        "PRIMARY KEY (id, status)) PARTITION BY LIST (status)",
        "SELECT format('CREATE TABLE crm.p%s PARTITION OF crm.p FOR VALUES IN (%s)', g, g) FROM generate_series(0, 3) AS g
         UNION ALL SELECT 'CREATE TABLE crm.p_rest PARTITION OF crm.p DEFAULT'",
    ),
    (
        "range",
        "PRIMARY KEY (id, created_at)) PARTITION BY RANGE (created_at)",
        "SELECT format('CREATE TABLE crm.p%s PARTITION OF crm.p FOR VALUES FROM (%L) TO (%L)', g,
                       '2026-01-01'::date + 60 * g, '2026-01-01'::date + 60 * (g + 1)) FROM generate_series(0, 4) AS g",
    ),
    (
        "two levels",
        "PRIMARY KEY (id, created_at)) PARTITION BY RANGE (created_at)",
        "SELECT format('CREATE TABLE crm.p%s PARTITION OF crm.p FOR VALUES FROM (%L) TO (%L) PARTITION BY HASH (id)', g,
                       '2026-01-01'::date + 100 * g, '2026-01-01'::date + 100 * (g + 1)) FROM generate_series(0, 2) AS g
         UNION ALL
         SELECT format('CREATE TABLE crm.p%s_%s PARTITION OF crm.p%s FOR VALUES WITH (MODULUS 3, REMAINDER %s)', g, h, g, h)
         FROM generate_series(0, 2) AS g, generate_series(0, 2) AS h",
    ),
];

fn partitioned(db: &Db, layout: (&str, &str, &str)) {
    let mut admin = db.admin();
    let (_, end, partitions) = layout;
    accepted(
        &mut admin,
        &format!(
            "DROP TABLE IF EXISTS crm.p;
             CREATE TABLE crm.p (id bigint, owner_id bigint, territory_id bigint, email text NOT NULL, status int NOT NULL,
                                 created_at timestamptz NOT NULL, name text, {end}"
        ),
    );
    for statement in rows(&mut admin, partitions) {
        accepted(&mut admin, &statement[0]);
    }
    accepted(
        &mut admin,
        "INSERT INTO crm.p SELECT * FROM crm.lead;
         CREATE INDEX p_created_at_idx ON crm.p (created_at);
         SELECT leadguard.protect('crm.p', id => 'id', owner => 'owner_id', territory => 'territory_id')",
    );
    accepted(&mut admin, "VACUUM ANALYZE crm.p");
}

fn leaves(c: &mut Client) -> Vec<String> {
    rows(c, "SELECT relid::regclass FROM pg_partition_tree('crm.p') WHERE isleaf ORDER BY 1")
        .into_iter()
        .map(|r| r[0].clone())
        .collect()
}

#[test]
fn every_partition_is_read_through_its_indexes() {
    let db = book("partitions");
    let mut admin = db.admin();
    for layout in LAYOUTS {
        let name = layout.0;
        partitioned(&db, layout);
        let leaves = leaves(&mut admin);
        for key in ["rep1", "scout"] {
            let mut c = db.connect(key);
            let shape = plan(&mut c, ROWS);
            assert_eq!(shape.matches("BitmapOr").count(), leaves.len(), "{name}, {key}\n{shape}");
            assert!(!shape.contains("Seq Scan"), "{name}, {key}\n{shape}");
            assert_eq!(scalar(&mut c, ROWS), reached(&db, key, "crm.p"), "{name}, {key}");
        }
        for key in ["mgr1", "dir1", "top", "guest1"] {
            assert_eq!(scalar(&mut db.connect(key), ROWS), reached(&db, key, "crm.p"), "{name}, {key}");
        }
        let mut root = db.connect("root");
        assert_plan(&mut root, ROWS, &["visible_all("], &["visible_owner(", "Bitmap"]);
        assert_eq!(scalar(&mut root, ROWS), "60000", "{name}");
        assert_eq!(scalar(&mut db.connect("app"), ROWS), "0", "{name}, nobody");
        // Directly: the partitions together are the table, for everybody.
        let union = leaves.iter().map(|l| format!("SELECT id FROM {l}")).collect::<Vec<_>>().join(" UNION ALL ");
        accepted(&mut admin, &format!("GRANT SELECT ON {} TO PUBLIC", leaves.join(", ")));
        for (key, count) in
            [("rep1", reached(&db, "rep1", "crm.p")), ("top", reached(&db, "top", "crm.p")), ("root", "60000".into())]
        {
            let sum = scalar(&mut db.connect(key), &format!("SELECT count(*) FROM ({union}) AS x"));
            assert_eq!(sum, count, "{name}, {key}, partition by partition");
        }
        assert_eq!(scalar(&mut db.connect("app"), &format!("SELECT count(*) FROM ({union}) AS x")), "0");
    }
}

#[test]
fn pruning_stays() {
    let db = book("pruning");
    let question = |name: &str| match name {
        "hash" => ("id = 4243", 1),
        "list" => ("status = 2", 1),
        "range" => ("created_at >= timestamptz '2026-03-05' AND created_at < timestamptz '2026-05-05'", 2),
        _ => ("created_at < timestamptz '2026-03-01' AND id = 4243", 1),
    };
    for layout in LAYOUTS {
        let name = layout.0;
        partitioned(&db, layout);
        let (filter, partitions) = question(name);
        let sql = format!("{ROWS} WHERE {filter}");
        for key in ["rep1", "mgr1", "top", "root"] {
            let mut c = db.connect(key);
            let shape = plan(&mut c, &sql);
            let scanned = shape.lines().filter(|l| l.contains(" on p") && !l.contains("Bitmap Index Scan")).count();
            assert_eq!(scanned, partitions, "{name}, {key}\n{shape}");
            let by_hand = if key == "root" { sql.clone() } else { format!("{sql} AND {}", reach(key)) };
            assert_eq!(scalar(&mut c, &sql), scalar(&mut db.admin(), &by_hand), "{name}, {key}");
        }
        // At execution, from a parameter.
        let mut rep = db.connect("mgr1");
        accepted(&mut rep, "SET plan_cache_mode = force_generic_plan");
        if name == "list" {
            accepted(&mut rep, &format!("PREPARE q(int) AS {ROWS} WHERE status = $1"));
            let shape = lines(&mut rep, "EXPLAIN (COSTS OFF) EXECUTE q(2)");
            assert!(shape.contains("Subplans Removed: 4"), "{shape}");
            let by_hand = format!("{ROWS} WHERE status = 2 AND {}", reach("mgr1"));
            assert_eq!(scalar(&mut rep, "EXECUTE q(2)"), scalar(&mut db.admin(), &by_hand));
        }
    }
}

#[test]
fn the_newest_come_from_ordered_partitions() {
    let db = book("ordered");
    partitioned(&db, LAYOUTS[2]);
    let newest = "SELECT id FROM crm.p ORDER BY created_at DESC LIMIT 50";
    for key in ["top", "root", "mgr1", "rep1"] {
        let mut c = db.connect(key);
        if key == "top" || key == "root" {
            assert_plan(&mut c, newest, &["Append", "Index Scan Backward"], &["Sort", "Bitmap"]);
        }
        let rule = if key == "root" { "true".into() } else { reach(key) };
        let by_hand = format!("SELECT id FROM crm.p WHERE {rule} ORDER BY created_at DESC LIMIT 50");
        assert_eq!(rows(&mut c, newest), rows(&mut db.admin(), &by_hand), "{key}");
    }
}

// A partition that comes later is like the others, in plans that were made before it too.
#[test]
fn partitions_attached_later_are_part_of_kept_plans() {
    let db = book("attached");
    partitioned(&db, LAYOUTS[2]);
    let mut admin = db.admin();
    let mut people: Vec<(&str, Client)> =
        ["rep1", "mgr1", "top", "root"].into_iter().map(|key| (key, db.connect(key))).collect();
    for (key, c) in &mut people {
        accepted(c, &format!("SET plan_cache_mode = force_generic_plan; PREPARE q AS {ROWS}"));
        let expected = if *key == "root" { "60000".into() } else { reached(&db, key, "crm.p") };
        assert_eq!(scalar(c, "EXECUTE q"), expected, "{key}");
    }
    accepted(
        &mut admin,
        "CREATE TABLE crm.later (LIKE crm.p INCLUDING ALL);
         INSERT INTO crm.later SELECT id + 100000, owner_id, territory_id, email, status, created_at + interval '400 days', name FROM crm.lead;
         ALTER TABLE crm.p ATTACH PARTITION crm.later FOR VALUES FROM ('2027-01-01') TO ('2029-01-01');
         GRANT SELECT ON crm.later TO PUBLIC",
    );
    for (key, c) in &mut people {
        let expected = if *key == "root" { "120000".into() } else { reached(&db, key, "crm.p") };
        assert_eq!(scalar(c, "EXECUTE q"), expected, "{key}, prepared before");
        assert_eq!(scalar(c, ROWS), expected, "{key}");
        assert_ne!(scalar(c, "SELECT count(*) FROM crm.later"), "0", "{key}");
    }
    assert_eq!(scalar(&mut db.connect("app"), "SELECT count(*) FROM crm.later"), "0", "nobody");
}
