//! Rows are inserted under the member's search path: what lies on it, his own or another's, must not be met.

use crate::lab::*;
use leadguard_tests::{Db, accepted, rows, scalar};

/// A file of one column, checked and submitted.
fn submitted(db: &Db) -> (leadguard_tests::Client, String) {
    let mut cleo = db.connect("cleo");
    let (import, problems) = checked(&mut cleo, "name\nDora\n");
    assert_eq!(problems, Vec::<String>::new());
    accepted(&mut cleo, &submit(&import));
    (cleo, import)
}

fn newest(db: &Db) -> String {
    scalar(&mut db.admin(), "SELECT string_agg(name, ', ') FROM crm.lead WHERE id > 100")
}

// One filled column made the list of values an ordinary call, which public.unnest(text[]) answers better than
// pg_catalog.unnest(anyarray).
#[test]
fn k33_a_function_of_another_user_does_not_run_in_an_import() {
    let db = lab("unnest");
    let mallory = db.create_role("mallory");
    accepted(&mut db.admin(), &format!("GRANT CREATE ON SCHEMA public TO {mallory}"));
    accepted(
        &mut db.connect("mallory"),
        "CREATE TABLE public.trap (who text); GRANT INSERT ON public.trap TO PUBLIC;
         CREATE FUNCTION public.unnest(text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
             BEGIN INSERT INTO public.trap VALUES (current_user); RETURN QUERY SELECT 'swapped'; END $$",
    );
    let (mut cleo, import) = submitted(&db);
    assert_eq!(scalar(&mut cleo, "SELECT string_agg(u, '') FROM unnest(ARRAY['x']) u"), "swapped", "the trap works");
    accepted(&mut db.admin(), "TRUNCATE public.trap");
    assert_eq!(committed(&mut cleo, &import), "1 1 0 0 0");
    assert_eq!(newest(&db), "Dora");
    assert_eq!(rows(&mut db.admin(), "SELECT who FROM public.trap").len(), 0);
}

#[test]
fn k33_a_type_of_the_importer_does_not_change_what_was_submitted() {
    let db = lab("types");
    let cleo = db.role("cleo");
    accepted(&mut db.admin(), &format!("CREATE SCHEMA mine AUTHORIZATION {cleo}"));
    let (mut cleo, import) = submitted(&db);
    accepted(
        &mut cleo,
        "CREATE TYPE mine.text AS ENUM ('swapped');
         CREATE FUNCTION mine.swap(pg_catalog.text) RETURNS mine.text LANGUAGE sql AS $$ SELECT 'swapped'::mine.text $$;
         CREATE CAST (pg_catalog.text AS mine.text) WITH FUNCTION mine.swap(pg_catalog.text);
         SET search_path = mine, pg_catalog",
    );
    assert_eq!(
        scalar(&mut cleo, "SELECT ('Dora'::pg_catalog.text::text)::pg_catalog.text"),
        "swapped",
        "the trap works"
    );
    assert_eq!(committed(&mut cleo, &import), "1 1 0 0 0");
    assert_eq!(newest(&db), "Dora");
}
