//! leadguard.search: the rows that the caller sees anyway, whoever he is, and nothing that outlives the call.

use leadguard_tests::{accepted, code, refused, rows, scalar};

use crate::lab::{LOGINS, begin_as, book};

#[test]
fn finds_what_the_plain_query_finds() {
    let db = book("search_same");
    for key in LOGINS {
        let mut c = db.connect(key);
        for (column, operator, value) in
            [("email", "~~*", "%7@%"), ("id", "=", "77"), ("id", "<", "500"), ("status", "=", "3")]
        {
            let found = "SELECT count(*), coalesce(sum(id), 0), coalesce(max(email), '') FROM";
            let by_search =
                rows(&mut c, &format!("{found} leadguard.search(NULL::crm.lead, '{column}', '{operator}', '{value}')"));
            let plain = rows(&mut c, &format!("{found} crm.lead WHERE {column} {operator} '{value}'"));
            assert_eq!(by_search, plain, "{key}: {column} {operator} {value}");
        }
    }
    let mut nobody = db.connect("app");
    assert_eq!(scalar(&mut nobody, "SELECT count(*) FROM leadguard.search(NULL::crm.lead, 'id', '>', '0')"), "0");
}

#[test]
fn takes_a_column_an_operator_and_a_value_and_nothing_else() {
    let db = book("search_arguments");
    let mut c = db.connect("root");
    let ask = |column: &str, operator: &str| {
        format!("SELECT * FROM leadguard.search(NULL::crm.lead, '{column}', '{operator}', '1')")
    };
    assert_eq!(scalar(&mut c, &format!("SELECT count(*) FROM ({}) AS found", ask("id", "="))), "1");
    for operator in ["", "= 1 OR id =", "=--", "/*", "IS NOT", "; DROP TABLE crm.lead;"] {
        refused(&mut c, &ask("id", operator), "22023");
    }
    refused(&mut c, &ask("id = 1 OR id", "="), "42703");
    refused(&mut c, "SELECT * FROM leadguard.search(NULL::pg_class, 'oid', '=', '1')", "22023");
    refused(&mut c, "SELECT * FROM leadguard.search(NULL::bigint, 'oid', '=', '1')", "22023");
}

/// Names that could be taken for the row itself, columns that are gone, and ids beside the first column.
#[test]
fn a_row_is_the_row_whatever_its_columns_are_called() {
    let db = book("search_names");
    let mut admin = db.admin();
    accepted(
        &mut admin,
        "CREATE TABLE crm.odd (gone text, id bigint PRIMARY KEY, t bigint, found text, owner_id bigint, long text);
         INSERT INTO crm.odd SELECT 'x', i, 42, 'row', 1, repeat(md5(i::text), 300) FROM generate_series(1, 20) AS i;
         ALTER TABLE crm.odd DROP COLUMN gone;
         SELECT count(*) FROM leadguard.protect('crm.odd', id => 'id', owner => 'owner_id')",
    );
    let mut c = db.connect("root");
    let sql = "SELECT id, t, found, length(long) FROM leadguard.search(NULL::crm.odd, 'id', '=', '7')";
    assert_eq!(rows(&mut c, sql), [["7", "42", "row", "9600"]]);
    assert_eq!(scalar(&mut db.connect("rep1"), &format!("SELECT count(*) FROM ({sql}) AS found")), "0");
}

/// Code of somebody else that runs while the query is being planned is planned as ever, and may search itself.
#[test]
fn what_runs_meanwhile_keeps_no_plan_of_it() {
    let db = book("search_meanwhile");
    let mut admin = db.admin();
    let app = db.role("app");
    accepted(&mut admin, &format!("CREATE SCHEMA lab AUTHORIZATION {app}"));
    let mut c = db.connect("app");
    accepted(
        &mut c,
        "SET search_path = lab, public;
         CREATE TABLE lab.told (n bigint);
         CREATE FUNCTION lab.chk(text) RETURNS boolean LANGUAGE plpgsql AS
            'DECLARE n bigint; BEGIN SELECT count(*) INTO n FROM crm.lead; INSERT INTO lab.told VALUES (n); RETURN true; END';
         CREATE FUNCTION lab.deep(text) RETURNS boolean LANGUAGE plpgsql AS
            'DECLARE n bigint; BEGIN SELECT count(*) INTO n FROM leadguard.search(NULL::crm.lead, ''id'', ''='', ''1''); RETURN true; END';
         CREATE DOMAIN lab.dom AS text CHECK (lab.chk(VALUE));
         CREATE DOMAIN lab.deep_dom AS text CHECK (lab.deep(VALUE));
         CREATE FUNCTION lab.opf(bigint, lab.dom[]) RETURNS boolean LANGUAGE sql AS 'SELECT true';
         CREATE FUNCTION lab.opf2(bigint, lab.deep_dom[]) RETURNS boolean LANGUAGE sql AS 'SELECT true';
         CREATE OPERATOR lab.=%= (LEFTARG = bigint, RIGHTARG = lab.dom[], FUNCTION = lab.opf);
         CREATE OPERATOR lab.=%%= (LEFTARG = bigint, RIGHTARG = lab.deep_dom[], FUNCTION = lab.opf2)",
    );
    begin_as(&mut c, "root");
    let all = scalar(&mut c, "SELECT count(*) FROM crm.lead");
    assert_eq!(scalar(&mut c, "SELECT count(*) FROM leadguard.search(NULL::crm.lead, 'id', '=%=', '{a}')"), all);
    accepted(&mut c, "COMMIT; TRUNCATE lab.told");
    for (key, hidden) in [("rep1", true), ("root", false)] {
        begin_as(&mut c, key);
        let own = scalar(&mut c, "SELECT count(*) FROM crm.lead");
        accepted(&mut c, "SELECT lab.chk('x')");
        assert_eq!(scalar(&mut c, "SELECT n FROM lab.told"), own, "{key}");
        assert_eq!(own != all, hidden, "{key}");
        accepted(&mut c, "COMMIT; TRUNCATE lab.told");
    }
    accepted(&mut c, "SELECT lab.chk('nobody')");
    assert_eq!(scalar(&mut c, "SELECT n FROM lab.told"), "0", "nobody");
    for _ in 0..3 {
        begin_as(&mut c, "root");
        let deep = "SELECT count(*) FROM leadguard.search(NULL::crm.lead, 'id', '=%%=', '{a}')";
        assert_eq!(scalar(&mut c, deep), all);
        accepted(&mut c, "COMMIT");
    }
}

#[test]
fn an_error_on_the_way_leaves_nothing_behind() {
    let db = book("search_errors");
    let mut c = db.connect("root");
    for _ in 0..3 {
        assert_eq!(code(&mut c, "SELECT * FROM leadguard.search(NULL::crm.lead, 'id', '=', 'seven')"), "22P02");
        assert_eq!(code(&mut c, "SELECT * FROM leadguard.search(NULL::crm.lead, 'nothing', '=', '7')"), "42703");
    }
    accepted(&mut c, "PREPARE q AS SELECT count(*) FROM crm.lead");
    let all = scalar(&mut c, "EXECUTE q");
    let plan = rows(&mut c, "EXPLAIN (COSTS OFF) EXECUTE q");
    assert!(plan.iter().any(|line| line[0].contains("visible_all")), "{plan:?}");
    assert_eq!(scalar(&mut c, "SELECT count(*) FROM leadguard.search(NULL::crm.lead, 'id', '>', '0')"), all);
}
