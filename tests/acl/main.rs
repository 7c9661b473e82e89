//! Every right on every object of the extension, as a list that a person has read (expected.txt), and every function's
//! attributes (functions.txt), and what becomes of NULL arguments (nulls). A right nobody decided on, or one more function that everybody may call, fails here.
//!
//! `LEADGUARD_UPDATE_EXPECTED=1` writes the files anew; read the difference before committing it.

mod nulls;
mod nulls_calls;

use std::path::PathBuf;

use leadguard_tests::{Client, Db, accepted, rows, scalar};

/// Kind, object, grantee, privilege. A list that was never touched is spelled out as what Postgres gives by default.
const GRANTS: &str = "
    WITH extension AS (SELECT oid, extowner FROM pg_extension WHERE extname = 'leadguard'),
    namespace AS (SELECT oid FROM pg_namespace WHERE nspname = 'leadguard'),
    object (kind, name, owner, acl) AS (
        SELECT 'schema', nspname::text, nspowner, coalesce(nspacl, acldefault('n', nspowner))
        FROM pg_namespace WHERE oid = (SELECT oid FROM namespace)
        UNION ALL
        SELECT CASE relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' ELSE 'table' END, relname::text, relowner,
               coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's'::\"char\" ELSE 'r' END, relowner))
        FROM pg_class WHERE relnamespace = (SELECT oid FROM namespace) AND relkind NOT IN ('i', 'I', 'c', 't')
        UNION ALL
        SELECT 'column', format('%s.%s', relname, attname), relowner, attacl
        FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
        WHERE relnamespace = (SELECT oid FROM namespace) AND attacl IS NOT NULL
        UNION ALL
        SELECT 'function', format('%s(%s)', proname, pg_get_function_identity_arguments(oid)), proowner,
               coalesce(proacl, acldefault('f', proowner))
        FROM pg_proc WHERE pronamespace = (SELECT oid FROM namespace)
        UNION ALL
        SELECT 'type', typname::text, typowner, coalesce(typacl, acldefault('T', typowner))
        FROM pg_type WHERE typnamespace = (SELECT oid FROM namespace) AND typrelid = 0 AND typelem = 0
        UNION ALL
        SELECT 'event trigger', evtname::text, evtowner, NULL
        FROM pg_event_trigger
        UNION ALL
        SELECT 'default privileges', coalesce(n.nspname::text, 'everywhere') || ' ' || d.defaclobjtype::text, d.defaclrole, d.defaclacl
        FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
        WHERE d.defaclnamespace = (SELECT oid FROM namespace)
    )
    SELECT kind || ' ' || name,
           CASE WHEN a.grantee IS NULL THEN '' WHEN a.grantee = 0 THEN 'PUBLIC' WHEN a.grantee = o.owner THEN 'owner'
                ELSE a.grantee::regrole::text END,
           coalesce(string_agg(a.privilege_type || CASE WHEN a.is_grantable THEN '*' ELSE '' END, ' ' ORDER BY a.privilege_type), '')
    FROM object o LEFT JOIN LATERAL aclexplode(o.acl) a ON true
    WHERE a.grantee IS DISTINCT FROM o.owner
    GROUP BY 1, 2
    UNION ALL
    SELECT 'rows of ' || relname, CASE WHEN relrowsecurity THEN 'row security' ELSE 'open' END, CASE WHEN relforcerowsecurity THEN 'forced' ELSE '' END
    FROM pg_class WHERE relnamespace = (SELECT oid FROM namespace) AND relkind IN ('r', 'p')
    UNION ALL
    SELECT 'owner of ' || kind || ' ' || name, owner::regrole::text, 'is not the extension''s owner'
    FROM object WHERE owner <> (SELECT extowner FROM extension)
    ORDER BY 1, 2";

const FUNCTIONS: &str = "
    SELECT format('%s(%s)', proname, pg_get_function_identity_arguments(p.oid)), 'returns ' || pg_get_function_result(p.oid), lanname,
           CASE provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END,
           CASE WHEN proisstrict THEN 'strict' ELSE 'called on null' END,
           CASE proparallel WHEN 's' THEN 'parallel safe' WHEN 'r' THEN 'parallel restricted' ELSE 'parallel unsafe' END,
           CASE WHEN prosecdef THEN 'definer' ELSE 'invoker' END,
           CASE WHEN proleakproof THEN 'LEAKPROOF' ELSE 'leaky' END,
           coalesce(array_to_string(proconfig, '; '), '')
    FROM pg_proc p JOIN pg_language l ON l.oid = prolang
    WHERE pronamespace = 'leadguard'::regnamespace ORDER BY 1";

fn listing(c: &mut Client, sql: &str) -> String {
    rows(c, sql).iter().map(|row| row.join(" | ").trim_end_matches([' ', '|']).to_string() + "\n").collect()
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("acl").join(name)
}

#[track_caller]
fn same(found: &str, expected: &str, what: &str) {
    let missing: Vec<&str> = expected.lines().filter(|l| !found.lines().any(|f| f == *l)).collect();
    let added: Vec<&str> = found.lines().filter(|l| !expected.lines().any(|e| e == *l)).collect();
    assert!(
        missing.is_empty() && added.is_empty(),
        "{what} differ (LEADGUARD_UPDATE_EXPECTED=1 accepts them)\nnot any more:\n  {}\nnew:\n  {}",
        missing.join("\n  "),
        added.join("\n  ")
    );
}

#[track_caller]
fn compare(found: &str, name: &str) {
    if std::env::var_os("LEADGUARD_UPDATE_EXPECTED").is_some() {
        std::fs::write(file(name), found).expect("the expected list can be written");
    }
    let expected = std::fs::read_to_string(file(name)).expect("the expected list exists");
    same(found, &expected, name);
}

#[test]
fn grants_are_the_expected_ones() {
    let db = Db::new("acl_grants");
    compare(&listing(&mut db.admin(), GRANTS), "expected.txt");
}

#[test]
fn functions_are_declared_as_expected() {
    let db = Db::new("acl_functions");
    compare(&listing(&mut db.admin(), FUNCTIONS), "functions.txt");
}

// The installer's own default privileges would hand every new table and function to whoever they name.
#[test]
fn default_privileges_of_the_installer_add_nothing() {
    let db = Db::bare("acl_default");
    let installer = db.create_role("installer");
    let nosy = db.create_role("nosy");
    let mut admin = db.admin();
    accepted(&mut admin, &format!("ALTER ROLE {installer} SUPERUSER"));
    let mut c = db.connect("installer");
    for (kind, what) in
        [("TABLES", "ALL"), ("SEQUENCES", "ALL"), ("FUNCTIONS", "EXECUTE"), ("TYPES", "USAGE"), ("SCHEMAS", "ALL")]
    {
        for grantee in ["PUBLIC", nosy.as_str()] {
            for role in ["", &format!("FOR ROLE {installer}")] {
                accepted(&mut c, &format!("ALTER DEFAULT PRIVILEGES {role} GRANT {what} ON {kind} TO {grantee}"));
            }
        }
    }
    accepted(&mut c, "CREATE TABLE public.witness (x int)");
    assert_eq!(
        scalar(&mut c, &format!("SELECT has_table_privilege('{nosy}', 'public.witness', 'TRUNCATE')")),
        "t",
        "twin: the defaults do work"
    );
    accepted(&mut c, "CREATE EXTENSION leadguard");
    let expected = std::fs::read_to_string(file("expected.txt")).expect("the expected list exists");
    same(
        &listing(&mut c, GRANTS).replace(&installer, "postgres"),
        &expected,
        "grants after the installer's default privileges",
    );
}

// What the list may never contain, whoever accepts a new one.
#[test]
fn nothing_is_given_that_row_security_cannot_hold() {
    let db = Db::new("acl_floor");
    let mut admin = db.admin();
    let found = listing(&mut admin, GRANTS);
    let mut wrong = Vec::new();
    for line in found.lines() {
        let mut part = line.split(" | ");
        let (object, grantee, privileges) =
            (part.next().unwrap_or(""), part.next().unwrap_or(""), part.next().unwrap_or(""));
        let has = |p: &str| privileges.split(' ').any(|x| x.trim_end_matches('*') == p);
        let inner = [
            "_closure",
            "role_binding",
            "hierarchy_revision",
            "login_role",
            "protected_table",
            "record_grant",
            "table_grant",
        ];
        let owners_only = ["schema ", "default privileges ", "owner of "].iter().any(|kind| object.starts_with(kind));
        let relation = object.starts_with("table ") || object.starts_with("column ");
        if privileges.contains('*')
            || ["TRUNCATE", "REFERENCES", "TRIGGER", "CREATE"].into_iter().any(has)
            || owners_only
            || (relation && inner.iter().any(|t| object.contains(t)))
            || (object == "table member" && has("SELECT"))
            || (object.starts_with("rows of ") && grantee == "open")
        {
            wrong.push(line);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for column in ["email", "db_role", "manager_id"] {
        assert!(!found.contains(&format!("column member.{column} | PUBLIC | SELECT")), "{column}");
    }
}

#[test]
fn definer_functions_pin_their_search_path() {
    let db = Db::new("acl_definer");
    let mut admin = db.admin();
    let loose = rows(
        &mut admin,
        "SELECT oid::regprocedure, proconfig FROM pg_proc WHERE pronamespace = 'leadguard'::regnamespace AND prosecdef
         AND NOT EXISTS (SELECT FROM unnest(proconfig) s WHERE s ~ '^search_path=(\"?pg_catalog\"?)(, *\"?leadguard\"?)?, *\"?pg_temp\"?$')",
    );
    assert_eq!(loose, Vec::<Vec<String>>::new());
    let leakproof = rows(
        &mut admin,
        "SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = 'leadguard'::regnamespace AND proleakproof",
    );
    assert_eq!(leakproof, Vec::<Vec<String>>::new());
    // Twin: the same question finds a loose one.
    accepted(
        &mut admin,
        "CREATE FUNCTION leadguard.loose() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = public AS 'SELECT 1'",
    );
    let found = scalar(
        &mut admin,
        "SELECT count(*) FROM pg_proc WHERE pronamespace = 'leadguard'::regnamespace AND prosecdef
         AND NOT EXISTS (SELECT FROM unnest(proconfig) s WHERE s ~ '^search_path=(\"?pg_catalog\"?)(, *\"?leadguard\"?)?, *\"?pg_temp\"?$')",
    );
    assert_eq!(found, "1");
}

// Operators, casts and aggregates of an extension are found by name in other people's statements; leadguard needs none.
#[test]
fn no_operators_casts_or_aggregates() {
    let db = Db::new("acl_operators");
    let kinds = rows(
        &mut db.admin(),
        "SELECT DISTINCT d.classid::regclass::text FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'leadguard'
         WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' ORDER BY 1",
    );
    for kind in kinds {
        assert!(
            ["pg_class", "pg_proc", "pg_event_trigger", "pg_type", "pg_namespace"].contains(&kind[0].as_str()),
            "{kind:?}"
        );
    }
    let aggregates = scalar(
        &mut db.admin(),
        "SELECT count(*) FROM pg_proc WHERE pronamespace = 'leadguard'::regnamespace AND prokind <> 'f'",
    );
    assert_eq!(aggregates, "0");
}

#[test]
fn every_object_has_a_comment() {
    let db = Db::new("acl_comments");
    let bare = rows(
        &mut db.admin(),
        "SELECT pg_describe_object(d.classid, d.objid, 0)
         FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'leadguard'
         WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
           AND coalesce(btrim(obj_description(d.objid, d.classid::regclass::name)), '') = ''
           -- Sequences of identity columns belong to their columns.
           AND NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = d.classid AND i.objid = d.objid AND i.deptype = 'i')
         ORDER BY 1",
    );
    assert_eq!(bare, Vec::<Vec<String>>::new());
    assert_ne!(
        scalar(
            &mut db.admin(),
            "SELECT coalesce(obj_description(oid, 'pg_extension'), '') FROM pg_extension WHERE extname = 'leadguard'"
        ),
        ""
    );
}
