//! prepare_imports: what a table says about imports, and the view that rows are loaded into.

use super::secret;
use super::target::{self, MatchKey};
use crate::audit::{self, Event};
use crate::errors::{bad_argument, failure};
use crate::ffi::raise;
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::names::{self, literal, quote};
use crate::questions::record::as_caller;
use crate::rulebook::right::Editor;
use crate::visibility::Table;
use pgrx::pg_extern;
use pgrx::pg_sys::Oid;

const MOST_NAME: usize = 63;

/// Lets members import rows into a table; returns the name of the staging view. For the table's owner, superusers and,
/// without making the view, members with manage_rules (42501). 22023, 42710.
#[pg_extern(sql = false)]
fn prepare_imports(
    target: Option<Oid>,
    match_keys: Option<pgrx::JsonB>,
    view: Option<&str>,
    required: Option<Vec<Option<String>>>,
    disqualified: Option<Vec<Option<String>>>,
) -> Option<String> {
    let editor = Editor::with("prepare_imports", target, "manage_rules");
    editor.lock();
    let table = &editor.table;
    let Some(pgrx::JsonB(keys)) = match_keys else { bad_argument("the match keys are missing").raise() };
    let fields = target::fields(table);
    let keyed = require_keys(&keys, &fields, &table.shown());
    for column in secret::secret_columns(table, keyed.iter()) {
        raise::notice(&format!(
            "match keys with \"{column}\" tell no ids of records: the column is masked, or closed to some; for those the \
             check compares no such key"
        ));
    }
    let list = |given: Option<Vec<Option<String>>>| given.unwrap_or_default().into_iter().flatten().collect::<Vec<_>>();
    let (required, disqualified) = (list(required), list(disqualified));
    for column in &required {
        require_column(column, &fields, &table.shown());
    }
    if !disqualified.is_empty() && table.status_column.is_none() && table.stage_column.is_none() {
        bad_argument(format!("{} maps neither a status nor a stage", table.shown()))
            .hint("disqualified lists values of one of the two; leadguard.protect maps them.")
            .raise();
    }
    let caller = session::current_role();
    let owns = session::is_superuser(caller) || session::owns_relation(table.target, caller);
    let held = held_view(table.target);
    let made = if owns {
        Some(make(table, &fields, view, held))
    } else {
        held.and_then(|held| Some((held, names::relation(held)?)))
    };
    if made.is_none() {
        raise::notice("the table's owner has to call leadguard.prepare_imports once, which makes the staging view");
    }
    let params = [
        Param::Oid(table.target),
        Param::Int(made.as_ref().map(|(oid, _)| i64::from(oid.to_u32()))),
        Param::Text(Some(&keys.to_string())),
        Param::Texts(&required),
        Param::Texts(&disqualified),
        Param::Int(editor.member),
    ];
    as_extension(|| {
        sql::query(
            "INSERT INTO leadguard.import_target (target, view, match_keys, required, disqualified, prepared_by) \
             VALUES ($1, $2::oid::regclass, $3::jsonb, $4, $5, $6) ON CONFLICT (target) DO UPDATE \
             SET (view, match_keys, required, disqualified, prepared_by, prepared_at) \
                 = (excluded.view, excluded.match_keys, excluded.required, excluded.disqualified, excluded.prepared_by, now())",
            &params,
            Sees::Now,
            &mut |_| {},
        )
    });
    audit::event_of(
        &Event {
            target: Some(table.target),
            record: None,
            action: "prepare_imports",
            reason: None,
            approval: None,
            detail: Some(format!("match keys {keys}")),
        },
        table.organization_column.is_none().then_some(table.org_id),
    );
    made.map(|(_, name)| name)
}

fn require_column(column: &str, fields: &[target::Field], shown: &str) {
    if !fields.iter().any(|field| field.name == column) {
        bad_argument(format!("{shown} has no column \"{column}\" that rows may be loaded for"))
            .hint("Columns that Postgres generates, and those that say when and by whom a row was archived, are none.")
            .raise();
    }
}

/// The columns of the keys.
fn require_keys(keys: &serde_json::Value, fields: &[target::Field], shown: &str) -> Vec<String> {
    let form = || -> ! {
        bad_argument("the match keys are no object of texts")
            .hint(r#"Give {"columns": "normalisation"}, for example {"email": "email", "company,city": "trim|lower"}."#)
            .raise()
    };
    let Some(keys) = keys.as_object() else { form() };
    let mut columns = Vec::new();
    for (name, steps) in keys {
        let Some(steps) = steps.as_str() else { form() };
        columns.extend(MatchKey::parse(name, steps).columns);
    }
    for column in &columns {
        require_column(column, fields, shown);
    }
    columns
}

/// The staging view that the table has.
fn held_view(target: Oid) -> Option<Oid> {
    let mut found = None;
    as_extension(|| {
        sql::query(
            "SELECT c.oid FROM leadguard.import_target i JOIN pg_class c ON c.oid = i.view AND c.relkind = 'v' \
             WHERE i.target = $1",
            &[Param::Oid(target)],
            Sees::Now,
            &mut |row| found = row.oid(0),
        )
    });
    found
}

/// Makes the view as the caller; it belongs to the owner of the table.
fn make(table: &Table, fields: &[target::Field], view: Option<&str>, held: Option<Oid>) -> (Oid, String) {
    let public = table.concealed_by.unwrap_or(table.target);
    let (schema, plain, owner) = place(public, table.target);
    let name = view.map_or_else(|| format!("{plain}_import"), str::to_owned);
    if name.is_empty() || name.len() > MOST_NAME {
        bad_argument(format!("\"{name}\" cannot be the name of a view"))
            .hint("Name it with the argument view.")
            .raise();
    }
    let shown = format!("{schema}.{}", quote(&name));
    let columns: Vec<String> =
        fields.iter().map(|field| format!("NULL::pg_catalog.text AS {}", quote(&field.name))).collect();
    let mut found = None;
    as_caller(|| {
        let run = |text: &str| {
            sql::query_once(text, &[], Sees::Now, &mut |_| {});
        };
        if let Some(old) = held.and_then(names::relation) {
            run(&format!("DROP VIEW {old}"));
        }
        if exists(&shown) {
            failure("42710", format!("{shown} exists")).hint("Name the staging view with the argument view.").raise();
        }
        run(&format!("CREATE VIEW {shown} AS SELECT {} WHERE false", columns.join(", ")));
        run(&format!(
            "CREATE TRIGGER leadguard_stage INSTEAD OF INSERT ON {shown} FOR EACH ROW EXECUTE FUNCTION leadguard.import_stage()"
        ));
        run(&format!(
            "CREATE TRIGGER leadguard_staged AFTER INSERT ON {shown} FOR EACH STATEMENT EXECUTE FUNCTION leadguard.import_staged()"
        ));
        let comment =
            format!("Loads rows for an import into {}, see leadguard.import_begin. Shows none.", table.shown());
        run(&format!("COMMENT ON VIEW {shown} IS {}", literal(&comment)));
        // Who is not a member, or has no open import, loads nothing: the trigger says so.
        run(&format!("GRANT SELECT, INSERT ON {shown} TO PUBLIC"));
        run(&format!("ALTER VIEW {shown} OWNER TO {owner}"));
        sql::query(
            "SELECT pg_catalog.to_regclass($1)::pg_catalog.oid",
            &[Param::Text(Some(&shown))],
            Sees::Now,
            &mut |row| found = row.oid(0),
        );
    });
    (found.unwrap_or_else(|| crate::errors::bug("a view that was not made")), shown)
}

fn exists(shown: &str) -> bool {
    let mut found = None;
    sql::query(
        "SELECT pg_catalog.to_regclass($1)::pg_catalog.oid",
        &[Param::Text(Some(shown))],
        Sees::Now,
        &mut |row| found = row.oid(0),
    );
    found.is_some()
}

/// Schema and plain name of the relation that everybody uses, and the owner of the table, as SQL names schema and owner.
fn place(public: Oid, target: Oid) -> (String, String, String) {
    let mut found = None;
    as_extension(|| {
        sql::query(
            "SELECT quote_ident(n.nspname), c.relname::text, quote_ident(pg_get_userbyid(t.relowner)) \
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_class t ON t.oid = $2 WHERE c.oid = $1",
            &[Param::Oid(public), Param::Oid(target)],
            Sees::Now,
            &mut |row| {
                if let (Some(schema), Some(name), Some(owner)) = (row.text(0), row.text(1), row.text(2)) {
                    found = Some((schema, name, owner));
                }
            },
        )
    });
    found.unwrap_or_else(|| crate::errors::bug("a table without a place"))
}
