//! What refusals and results tell of columns that are hidden from the writer.

use super::masked;
use leadguard_tests::*;

/// A lab in which tom reaches 11 and 12, and loner owns them. Both have the role.
fn hidden(name: &str, role: &str, ddl: &str) -> Db {
    let db = masked(name);
    accepted(
        &mut db.admin(),
        &format!(
            "INSERT INTO leadguard.member_role (member_id, role) SELECT id, '{role}' FROM leadguard.member WHERE key IN ('tom', 'loner');
             {ddl}"
        ),
    );
    db
}

/// Everything that a client is told.
fn told(error: &DbError) -> String {
    format!("{} {:?} {:?}", error.message(), error.detail(), error.hint())
}

fn tagged(name: &str, role: &str) -> Db {
    hidden(
        name,
        role,
        "ALTER TABLE crm_base.lead ADD COLUMN tags text[];
         UPDATE crm_base.lead SET tags = '{persona:cto}' WHERE id = 11;
         SELECT leadguard.mask('crm.lead', 'tags', 'null');
         SELECT leadguard.tag_column('crm.lead', 'tags'), leadguard.tag_namespace('crm.lead', 'persona', 'marketing')",
    )
}

#[test]
fn x13_tags_that_are_masked_are_neither_named_nor_replaced() {
    // Whether the namespace is his or not.
    for (name, role) in [("mask_tags_sales", "sales"), ("mask_tags_mkt", "marketing")] {
        let db = tagged(name, role);
        let (mut tom, mut loner) = (db.connect("tom"), db.connect("loner"));
        let mut messages: Vec<String> = Vec::new();
        for schema in ["crm", "crm_base"] {
            for tags in ["'{}'", "'{persona:cto}'", "'{persona:ceo}'", "'{junk}'", "'{{a,b}}'"] {
                for id in [11, 12] {
                    let update = format!("UPDATE {schema}.lead SET tags = {tags} WHERE id = {id}");
                    messages.push(told(&refused(&mut tom, &update, "42501")));
                }
            }
        }
        assert!(messages.iter().all(|message| *message == messages[0]), "{messages:?}");
        assert!(!messages[0].contains("persona"), "{messages:?}");
        // What he sees written back, and the other columns.
        accepted(&mut tom, "UPDATE crm.lead SET tags = tags, name = 'x' WHERE id = 11");
        // Who sees them meets the namespaces.
        let update = "UPDATE crm.lead SET tags = '{}' WHERE id = 11";
        if role == "marketing" {
            assert_eq!(accepted(&mut loner, update), 1);
        } else {
            assert!(told(&refused(&mut loner, update, "42501")).contains("persona:cto"));
        }
    }
}

#[test]
fn x13_tags_that_triggers_change_are_not_named() {
    let db = tagged("mask_tags_trigger", "sales");
    accepted(
        &mut db.admin(),
        "CREATE FUNCTION crm.strip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.tags := '{}'; RETURN NEW; END $$;
         CREATE TRIGGER zzz BEFORE UPDATE OF name ON crm_base.lead FOR EACH ROW EXECUTE FUNCTION crm.strip()",
    );
    let update = "UPDATE crm.lead SET name = 'x' WHERE id = 11";
    let tom = told(&refused(&mut db.connect("tom"), update, "42501"));
    assert!(!tom.contains("persona"), "{tom}");
    assert!(told(&refused(&mut db.connect("loner"), update, "42501")).contains("persona:cto"));
    accepted(&mut db.admin(), "SELECT leadguard.tag_namespace('crm.lead', 'persona', 'sales')");
    assert_eq!(accepted(&mut db.connect("tom"), update), 1);
}

#[test]
fn x13_transitions_from_a_masked_value_are_not_listed() {
    let db = hidden(
        "mask_stage",
        "sales",
        "ALTER TABLE crm_base.lead ADD COLUMN stage text;
         UPDATE crm_base.lead SET stage = CASE id WHEN 11 THEN 'open' ELSE 'closed' END, amount = NULL;
         SELECT leadguard.mask('crm.lead', 'stage', 'hash'),
                leadguard.set_transition('crm.lead', 'stage', 'open', 'won', 'sales', '{\"amount\": \"present\"}'),
                leadguard.set_transition('crm.lead', 'stage', 'open', 'lost', 'sales'),
                leadguard.set_transition('crm.lead', 'stage', 'closed', 'open', 'sales')",
    );
    let mut tom = db.connect("tom");
    let messages: Vec<String> = [("zz", 11), ("zz", 12), ("won", 11), ("won", 12)]
        .iter()
        .map(|(stage, id)| {
            told(&refused(&mut tom, &format!("UPDATE crm.lead SET stage = '{stage}' WHERE id = {id}"), "42501"))
        })
        .collect();
    assert!(messages.iter().all(|message| *message == messages[0]), "{messages:?}");
    assert!(!messages[0].contains("lost") && !messages[0].contains("amount"), "{messages:?}");
    let mut loner = db.connect("loner");
    let seen = told(&refused(&mut loner, "UPDATE crm.lead SET stage = 'zz' WHERE id = 11", "42501"));
    assert!(seen.contains("lost") && seen.contains("won"), "{seen}");
    let seen = told(&refused(&mut loner, "UPDATE crm.lead SET stage = 'won' WHERE id = 11", "42501"));
    assert!(seen.contains("a value in column \\\"amount\\\""), "{seen}");
    assert_eq!(accepted(&mut tom, "UPDATE crm.lead SET stage = 'lost' WHERE id = 11"), 1);
}

#[test]
fn x13_a_condition_on_a_hidden_column_names_no_values() {
    let db = hidden(
        "mask_condition",
        "sales",
        "ALTER TABLE crm_base.lead ADD COLUMN stage text DEFAULT 'open', ADD COLUMN attrs jsonb;
         SELECT leadguard.mask('crm.lead', 'amount', 'null'),
                leadguard.set_transition('crm.lead', 'stage', 'open', 'won', 'sales', '{\"amount\": [\"4711\"]}'),
                leadguard.set_transition('crm.lead', 'stage', 'open', 'lost', 'sales', '{\"name\": [\"4711\"]}')",
    );
    let mut tom = db.connect("tom");
    let won = "UPDATE crm.lead SET stage = 'won' WHERE id = 11";
    let error = refused(&mut tom, won, "42501");
    assert!(error.detail().unwrap().contains("\"amount\"") && !told(&error).contains("4711"), "{error:?}");
    assert!(told(&refused(&mut db.connect("loner"), won, "42501")).contains("4711"));
    // A column that he sees.
    let lost = "UPDATE crm.lead SET stage = 'lost' WHERE id = 11";
    assert!(told(&refused(&mut tom, lost, "42501")).contains("4711"));
    // Closed by the matrix, as a whole or by a key.
    accepted(
        &mut db.admin(),
        "SELECT leadguard.set_fields('crm.lead', '{\"name\": {\"sales\": \"no access\"}, \"attrs.size\": {\"sales\": \"no access\"}}');
         SELECT leadguard.propose_fields('crm.lead', '{mona}'),
                leadguard.set_transition('crm.lead', 'stage', 'open', 'wide', 'sales', '{\"attrs\": [\"4711\"]}')",
    );
    accepted(&mut db.connect("mona"), "SELECT leadguard.sign_fields('crm.lead', 1)");
    for stage in ["lost", "wide"] {
        let error = refused(&mut tom, &format!("UPDATE crm.lead SET stage = '{stage}' WHERE id = 11"), "42501");
        assert!(!told(&error).contains("4711"), "{error:?}");
    }
}

#[test]
fn x13_nobody_learns_whether_a_hidden_key_is_there() {
    let db = hidden(
        "mask_key_there",
        "sales",
        "ALTER TABLE crm_base.lead ADD COLUMN attrs jsonb;
         UPDATE crm_base.lead SET owner_id = (SELECT id FROM leadguard.member WHERE key = 'loner'),
             attrs = (ARRAY[NULL, '{}', '{\"size\": 1}', '{\"pub\": 2}', '{\"pub\": 2, \"size\": 1}'])[id]::jsonb WHERE id <= 5;
         SELECT leadguard.set_fields('crm.lead', '{\"attrs.size\": {\"sales\": \"no access\"}}');
         SELECT leadguard.propose_fields('crm.lead', '{mona}')",
    );
    let stored = |db: &Db| rows(&mut db.admin(), "SELECT attrs FROM crm_base.lead WHERE id <= 5 ORDER BY id").concat();
    accepted(&mut db.connect("mona"), "SELECT leadguard.sign_fields('crm.lead', 1)");
    let mut loner = db.connect("loner");
    let shown = "SELECT attrs FROM crm.lead WHERE id <= 5 ORDER BY id";
    let pub_2 = r#"{"pub": 2}"#;
    assert_eq!(rows(&mut loner, shown).concat(), ["{}", "{}", "{}", pub_2, pub_2]);
    assert_eq!(rows(&mut db.connect("vp"), "SELECT count(attrs) FROM crm.lead").concat(), ["0"]);
    for schema in ["crm", "crm_base"] {
        for value in ["NULL", "'{}'"] {
            accepted(&mut loner, "BEGIN");
            assert_eq!(accepted(&mut loner, &format!("UPDATE {schema}.lead SET attrs = {value} WHERE id <= 5")), 5);
            assert_eq!(rows(&mut loner, shown).concat(), ["{}"; 5], "{schema} {value}");
            accepted(&mut loner, "COMMIT");
            let kept = ["∅", "{}", r#"{"size": 1}"#, "{}", r#"{"size": 1}"#];
            assert_eq!(stored(&db), kept, "{schema} {value}");
            accepted(
                &mut db.admin(),
                "UPDATE crm_base.lead SET attrs = coalesce(attrs, '{}') || '{\"pub\": 2}' WHERE id IN (4, 5)",
            );
        }
    }
    let returned = rows(&mut loner, "UPDATE crm.lead SET attrs = NULL WHERE id <= 5 RETURNING attrs");
    assert_eq!(returned.concat(), ["{}"; 5]);
    assert_eq!(accepted(&mut loner, "UPDATE crm.lead SET attrs = attrs || '{\"pub\": 3}' WHERE id <= 5"), 5);
    assert_eq!(rows(&mut loner, shown).concat(), [r#"{"pub": 3}"#; 5]);
    assert_eq!(scalar(&mut db.admin(), "SELECT count(*) FROM crm_base.lead WHERE attrs ? 'size'"), "2");
    // To whom nothing is hidden, NULL is NULL, also when he writes it.
    accepted(
        &mut db.admin(),
        "UPDATE crm_base.lead SET attrs = NULL WHERE id = 1; UPDATE leadguard.member SET manager_id = (SELECT id FROM leadguard.member WHERE key = 'vp') WHERE key = 'loner'",
    );
    assert_eq!(
        rows(&mut db.connect("vp"), "SELECT attrs FROM crm.lead WHERE id IN (1, 3) ORDER BY id").concat(),
        ["∅", r#"{"pub": 3, "size": 1}"#]
    );
    let write = "UPDATE crm.lead SET attrs = NULL WHERE id = 2 RETURNING attrs";
    assert_eq!(rows(&mut db.connect("vp"), write).concat(), ["∅"]);
}
