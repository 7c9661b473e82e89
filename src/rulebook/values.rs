//! Valid values, transitions and tags. They count at once: no version, no signature.

use super::field::{Columns, Field};
use super::right::{self, Editor};
use super::{NOT_IN_THIS_STATE, changed};
use crate::arguments::{given, limited, required};
use crate::errors::{self, bad_argument, failure};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::masks;
use crate::names;
use pgrx::pg_extern;
use pgrx::pg_sys::Oid;
use serde_json::Value;

const MOST_VALUES: usize = 10_000;

fn write(text: &'static str, params: &[Param]) -> u64 {
    as_extension(|| sql::query(text, params, Sees::Now, &mut |_| {}))
}

/// The field of a rule that concerns a whole column.
fn column(editor: &Editor, name: Option<&str>) -> Field {
    let field = Columns::of(&editor.table).field(required(name, "the field"));
    if !field.key.is_empty() {
        bad_argument(format!("field \"{}\" is a key", field.name())).hint("This rule is for whole columns.").raise();
    }
    field
}

/// Says which values a field takes; NULL or an empty list: every value. Who may: Editor. Errors: 42501, 22023, 42703.
#[pg_extern(sql = false)]
fn valid_values(target: Option<Oid>, field: Option<&str>, values: Option<Vec<Option<String>>>) {
    let editor = Editor::find("valid_values", target);
    let field = Columns::of(&editor.table).field(required(field, "the field"));
    let mut list: Vec<String> = Vec::new();
    for value in values.unwrap_or_default() {
        let Some(value) = value else { bad_argument("NULL needs not be listed: it is always valid").raise() };
        let value = field.canonical(&value);
        if !list.contains(&value) {
            list.push(value);
        }
        if list.len() > MOST_VALUES {
            bad_argument(format!("a field has no more than {MOST_VALUES} valid values")).raise();
        }
    }
    editor.lock();
    let of = [
        Param::Oid(editor.table.target),
        Param::Text(Some(&field.column)),
        Param::Text(Some(&field.key)),
        Param::Texts(&list),
    ];
    // What stays is not written again: only values that are new are a change of the schema.
    write(
        "INSERT INTO leadguard.field_value (target, column_name, key, value) SELECT $1, $2, $3, unnest($4::text[]) \
         ON CONFLICT ON CONSTRAINT field_value_pkey DO UPDATE SET column_name = excluded.column_name, attnum = NULL",
        &of,
    );
    write(
        "DELETE FROM leadguard.field_value \
         WHERE target = $1 AND column_name = $2 AND key = $3 AND value <> ALL ($4::text[])",
        &of,
    );
    changed(editor.table.target, "valid_values", format!("{}: {} values", field.name(), list.len()));
}

/// Defines a change of a field; a field with any takes no other. Who may: Editor. Errors: 42501, 22023, 42703.
#[pg_extern(sql = false)]
fn set_transition(
    target: Option<Oid>,
    field: Option<&str>,
    from_value: Option<&str>,
    to_value: Option<&str>,
    role: Option<&str>,
    condition: Option<pgrx::JsonB>,
) {
    let editor = Editor::find("set_transition", target);
    let field = column(&editor, field);
    let (from, to) = ends(&field, from_value, to_value);
    let role = role.map(|role| editor.role(role));
    let condition = condition.map_or_else(|| "{}".to_owned(), |c| checked(&editor, c.0));
    editor.lock();
    let of = [
        Param::Oid(editor.table.target),
        Param::Text(Some(&field.column)),
        Param::Text(from.as_deref()),
        Param::Text(Some(&to)),
        Param::Text(role),
        Param::Text(Some(&condition)),
    ];
    write(DROP, &of[..5]);
    write(
        "INSERT INTO leadguard.field_transition (target, column_name, from_value, to_value, role, condition) \
         VALUES ($1, $2, $3, $4, $5, $6::jsonb)",
        &of,
    );
    changed(editor.table.target, "set_transition", arrow(&field, from.as_deref(), &to, role));
}

const DROP: &str = "DELETE FROM leadguard.field_transition WHERE target = $1 AND column_name = $2 \
     AND from_value IS NOT DISTINCT FROM $3 AND to_value = $4 AND role IS NOT DISTINCT FROM $5";

/// Takes a defined change back; false when there is none. Who may: Editor. Errors: 42501, 22023, 42703.
#[pg_extern(sql = false)]
fn drop_transition(
    target: Option<Oid>,
    field: Option<&str>,
    from_value: Option<&str>,
    to_value: Option<&str>,
    role: Option<&str>,
) -> bool {
    let editor = Editor::find("drop_transition", target);
    let field = column(&editor, field);
    let (from, to) = ends(&field, from_value, to_value);
    editor.lock();
    let of = [
        Param::Oid(editor.table.target),
        Param::Text(Some(&field.column)),
        Param::Text(from.as_deref()),
        Param::Text(Some(&to)),
        Param::Text(role),
    ];
    let dropped = write(DROP, &of) > 0;
    if dropped {
        changed(editor.table.target, "drop_transition", arrow(&field, from.as_deref(), &to, role));
    }
    dropped
}

fn ends(field: &Field, from: Option<&str>, to: Option<&str>) -> (Option<String>, String) {
    (from.map(|value| field.canonical(value)), field.canonical(required(to, "the value to change to")))
}

fn arrow(field: &Field, from: Option<&str>, to: &str, role: Option<&str>) -> String {
    format!("{}: {} -> {to} by {}", field.name(), from.unwrap_or("(none)"), role.unwrap_or("every role"))
}

/// A condition names columns of the table: "present", "absent", or the list of values that count.
fn checked(editor: &Editor, condition: Value) -> String {
    let columns = Columns::of(&editor.table);
    let Value::Object(members) = &condition else { bad_condition("it is no object") };
    for (column, wanted) in members {
        if !columns.has(column) {
            bad_condition(&format!("{} has no column \"{column}\"", editor.shown));
        }
        let fits = match wanted {
            Value::String(word) => word == "present" || word == "absent",
            Value::Array(values) => !values.is_empty() && values.iter().all(Value::is_string),
            _ => false,
        };
        if !fits {
            bad_condition(&format!("\"{column}\" is neither \"present\", \"absent\" nor a list of texts"));
        }
    }
    let text = condition.to_string();
    limited(&text, "the condition", 10_000);
    text
}

fn bad_condition(what: &str) -> ! {
    bad_argument(format!("the condition is not understood: {what}"))
        .hint("{\"column\": \"present\" | \"absent\" | [\"value\", ...]}")
        .raise()
}

/// Says that a text[] column holds tags, or no longer does. Who may: Editor. Errors: 42501, 22023, 42703.
#[pg_extern(sql = false)]
fn tag_column(target: Option<Oid>, column_name: Option<&str>, enabled: Option<bool>) {
    let editor = Editor::find("tag_column", target);
    let enabled = given(enabled, "enabled");
    let field = column(&editor, column_name);
    let of = [Param::Oid(editor.table.target), Param::Text(Some(&field.column))];
    editor.lock();
    if enabled {
        if !field.is_text_array() {
            bad_argument(format!(
                "column \"{}\" of {} is {}, not text[]",
                field.column,
                editor.shown,
                field.type_name()
            ))
            .hint("Tags in a table of their own are secured by leadguard.protect_tags.")
            .raise();
        }
        write("INSERT INTO leadguard.tag_column (target, column_name) VALUES ($1, $2) ON CONFLICT DO NOTHING", &of);
    } else {
        write("DELETE FROM leadguard.tag_column WHERE target = $1 AND column_name = $2", &of);
    }
    changed(editor.table.target, "tag_column", format!("{}: {enabled}", field.column));
}

/// Gives a namespace of tags to a role, or removes it (role NULL). Who may: Editor. Errors: 42501, 22023.
#[pg_extern(sql = false)]
fn tag_namespace(target: Option<Oid>, namespace: Option<&str>, role: Option<&str>) {
    let editor = Editor::find("tag_namespace", target);
    let namespace = limited(required(namespace, "the namespace"), "the namespace", 100);
    if namespace.is_empty() || namespace.contains(':') || namespace.trim() != namespace {
        bad_argument(format!("\"{namespace}\" is no name for a namespace of tags"))
            .hint("A tag is namespace:tag; name what stands before the colon.")
            .raise();
    }
    editor.lock();
    let target = Param::Oid(editor.table.target);
    match role {
        Some(role) => write(
            "INSERT INTO leadguard.tag_namespace (target, namespace, role) VALUES ($1, $2, $3) \
             ON CONFLICT (target, namespace) DO UPDATE SET role = excluded.role",
            &[target, Param::Text(Some(namespace)), Param::Text(Some(editor.role(role)))],
        ),
        None => write(
            "DELETE FROM leadguard.tag_namespace WHERE target = $1 AND namespace = $2",
            &[target, Param::Text(Some(namespace))],
        ),
    };
    changed(editor.table.target, "tag_namespace", format!("{namespace}: {}", role.unwrap_or("removed")));
}

/// What is closed is closed for reading too, which only the view of a concealed table does. To be called with the
/// rules locked.
fn refuse_unconcealed(target: Option<Oid>, shown: &str) {
    if right::registered(target).concealed_by.is_none() {
        failure(
            NOT_IN_THIS_STATE,
            format!("this would close what the field matrix of {shown} does not list, which everybody can still read"),
        )
        .hint(format!("The table's owner runs leadguard.conceal({}) first.", names::literal(shown)))
        .raise();
    }
}

/// What columns follow that the matrix does not list: `editor` (the level on the row) or `no access`. Who may: Editor.
/// Errors: 42501, 22023, 55000 (a table that is not concealed, a generated column that would tell).
#[pg_extern(sql = false)]
fn set_field_default(target: Option<Oid>, access: Option<&str>) {
    let editor = Editor::find("set_field_default", target);
    let access = required(access, "the access");
    if !["editor", "no access"].contains(&access) {
        bad_argument(format!("unknown default \"{access}\"")).hint("Possible values: editor, no access.").raise();
    }
    editor.lock();
    if access == "no access" {
        refuse_unconcealed(target, &editor.shown);
    }
    let of = [Param::Oid(editor.table.target), Param::Text(Some(access))];
    if write("UPDATE leadguard.protected_table SET field_default = $2 WHERE target = $1", &of) == 0 {
        errors::bug("a registration that is gone");
    }
    masks::refresh(editor.table.target);
    changed(editor.table.target, "set_field_default", access.to_owned());
}
