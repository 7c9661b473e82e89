//! The draft of a matrix: opened as a copy of the active version, edited, replaced, dropped.

use super::field::Columns;
use super::right::Editor;
use super::{NOT_IN_THIS_STATE, changed, sheet, shortened};
use crate::arguments::required;
use crate::errors::{self, bad_argument, failure};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::model::spreadsheet::{ACCESS, Problem, Sheet};
use pgrx::pg_extern;
use pgrx::pg_sys::Oid;

/// A version that is not decided yet; a table has one at most.
pub(super) struct Open {
    pub id: i64,
    pub number: i64,
    pub proposed: bool,
}

pub(super) fn open(target: Oid) -> Option<Open> {
    let mut found = None;
    as_extension(|| {
        sql::query(
            "SELECT id, version::bigint, state = 'proposed' FROM leadguard.field_version \
             WHERE target = $1 AND state IN ('draft', 'proposed')",
            &[Param::Oid(target)],
            Sees::Now,
            &mut |row| {
                if let (Some(id), Some(number)) = (row.int(0), row.int(1)) {
                    found = Some(Open { id, number, proposed: row.bool(2) });
                }
            },
        )
    });
    found
}

/// The draft to edit: the open one, or a copy of the active version. What columns are gone does not come along.
fn draft(editor: &Editor) -> i64 {
    editor.lock();
    let target = editor.table.target;
    match open(target) {
        Some(Open { number, proposed: true, .. }) => failure(
            NOT_IN_THIS_STATE,
            format!("version {number} of the fields of {} waits for signatures", editor.shown),
        )
        .hint("leadguard.sign_fields activates it, leadguard.discard_fields drops it.")
        .raise(),
        Some(draft) => draft.id,
        None => {
            let made = as_extension(|| {
                sql::first_int(
                    "INSERT INTO leadguard.field_version (target, version, created_by) \
                     SELECT $1, coalesce(max(version), 0) + 1, $2 FROM leadguard.field_version WHERE target = $1 \
                     RETURNING id",
                    &[Param::Oid(target), Param::Int(editor.member)],
                    Sees::Now,
                )
            });
            let Some(id) = made else { errors::bug("a version that was not made") };
            as_extension(|| {
                sql::query(
                    "INSERT INTO leadguard.field_rule (version_id, column_name, key, role, access) \
                     SELECT $1, r.column_name, r.key, r.role, r.access \
                     FROM leadguard.field_rule r JOIN leadguard.field_version v ON v.id = r.version_id \
                     WHERE v.target = $2 AND v.state = 'active' AND EXISTS (SELECT FROM pg_attribute a \
                         WHERE a.attrelid = $2 AND a.attname = r.column_name AND a.attnum > 0 AND NOT a.attisdropped \
                         AND (r.key = '' OR a.atttypid = 'jsonb'::regtype))",
                    &[Param::Int(Some(id)), Param::Oid(target)],
                    Sees::Now,
                    &mut |_| {},
                )
            });
            id
        }
    }
}

/// What is wrong with a matrix, as an error.
pub(super) fn problem(problem: Problem) -> ! {
    match problem {
        Problem::UnknownAccess { field, role, access } => bad_argument(format!(
            "unknown access \"{}\" of role \"{}\" on field \"{}\"",
            shortened(&access),
            shortened(&role),
            shortened(&field)
        ))
        .hint(format!("Possible values: {}.", ACCESS.join(", ")))
        .raise(),
        Problem::TwoOwners { field, first, second } => two_owners(&field, &first, &second),
        Problem::Malformed(what) => bad_argument(format!("the text is no matrix of fields: {what}"))
            .hint("The first line is field,role,role,...; each further line is a field and its access for each role.")
            .raise(),
    }
}

fn two_owners(field: &str, first: &str, second: &str) -> ! {
    failure("23505", format!("field \"{field}\" cannot be owned by both \"{first}\" and \"{second}\""))
        .hint("A field has one owner; make the other role editor.")
        .raise()
}

/// Sets one cell of the draft, or takes it out (access NULL); opens a draft if there is none. Who may: Editor.
/// Errors: 42501, 22023, 42703 (no such column), 23505 (a second owner), 55000 (a version waits for signatures).
#[pg_extern(sql = false)]
fn set_field(target: Option<Oid>, field: Option<&str>, role: Option<&str>, access: Option<&str>) {
    let editor = Editor::find("set_field", target);
    let field = Columns::of(&editor.table).field(required(field, "the field"));
    let role = required(role, "the role");
    let params = |id| {
        [Param::Int(Some(id)), Param::Text(Some(&field.column)), Param::Text(Some(&field.key)), Param::Text(Some(role))]
    };
    let Some(access) = access else {
        // A role that is gone can still be taken out.
        let id = draft(&editor);
        let gone = as_extension(|| {
            sql::query(
                "DELETE FROM leadguard.field_rule \
                 WHERE version_id = $1 AND column_name = $2 AND key = $3 AND role = $4",
                &params(id),
                Sees::Now,
                &mut |_| {},
            )
        });
        if gone == 0 {
            editor.role(role);
        }
        return;
    };
    editor.role(role);
    if !ACCESS.contains(&access) {
        problem(Problem::UnknownAccess { field: field.name(), role: role.to_owned(), access: access.to_owned() });
    }
    let id = draft(&editor);
    if access == "owner" {
        let other = as_extension(|| {
            sql::first_text(
                "SELECT role FROM leadguard.field_rule \
                 WHERE version_id = $1 AND column_name = $2 AND key = $3 AND role <> $4 AND access = 'owner'",
                &params(id),
                Sees::Now,
            )
        });
        if let Some(other) = other {
            two_owners(&field.name(), &other, role);
        }
    }
    let [version, column, key, role] = params(id);
    as_extension(|| {
        sql::query(
            "INSERT INTO leadguard.field_rule (version_id, column_name, key, role, access) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (version_id, column_name, key, role) DO UPDATE SET access = excluded.access",
            &[version, column, key, role, Param::Text(Some(access))],
            Sees::Now,
            &mut |_| {},
        )
    });
}

const MOST_CELLS: usize = 50_000;

/// Makes the draft exactly this matrix.
pub(super) fn replace(editor: &Editor, sheet: &Sheet) {
    let columns = Columns::of(&editor.table);
    let (mut names, mut keys, mut roles, mut accesses) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut known: Vec<&str> = Vec::new();
    for (field, role, access) in sheet.cells() {
        let field = columns.field(field);
        if !known.contains(&role) {
            known.push(editor.role(role));
        }
        names.push(field.column);
        keys.push(field.key);
        roles.push(role.to_owned());
        accesses.push(access.to_owned());
    }
    if names.len() > MOST_CELLS {
        bad_argument(format!("the matrix has more than {MOST_CELLS} cells")).raise();
    }
    let id = draft(editor);
    as_extension(|| {
        sql::query(
            "DELETE FROM leadguard.field_rule WHERE version_id = $1",
            &[Param::Int(Some(id))],
            Sees::Now,
            &mut |_| {},
        );
        sql::query(
            "INSERT INTO leadguard.field_rule (version_id, column_name, key, role, access) \
             SELECT $1, c.column_name, c.key, c.role, c.access \
             FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS c (column_name, key, role, access)",
            &[
                Param::Int(Some(id)),
                Param::Texts(&names),
                Param::Texts(&keys),
                Param::Texts(&roles),
                Param::Texts(&accesses),
            ],
            Sees::Now,
            &mut |_| {},
        )
    });
}

/// Drops the draft, or retires the proposed version; false when there is none. Who may: Editor. Errors: 42501, 22023.
#[pg_extern(sql = false)]
fn discard_fields(target: Option<Oid>) -> bool {
    let editor = Editor::find("discard_fields", target);
    editor.lock();
    let Some(open) = open(editor.table.target) else { return false };
    // Who was asked to sign a number must not meet another matrix under it.
    let drop = if open.proposed {
        "UPDATE leadguard.field_version SET state = 'retired' WHERE id = $1"
    } else {
        "DELETE FROM leadguard.field_version WHERE id = $1"
    };
    as_extension(|| sql::query(drop, &[Param::Int(Some(open.id))], Sees::Now, &mut |_| {}));
    changed(editor.table.target, "discard_fields", format!("version {}", open.number));
    true
}

/// Replaces the draft by a matrix. Who may and errors: as set_field.
#[pg_extern(sql = false)]
fn set_fields(target: Option<Oid>, matrix: Option<pgrx::JsonB>) {
    let editor = Editor::find("set_fields", target);
    let Some(pgrx::JsonB(matrix)) = matrix else { bad_argument("the matrix is missing").raise() };
    replace(&editor, &sheet::from_json(matrix));
}

/// Replaces the draft by a matrix in CSV. Who may and errors: as set_field.
#[pg_extern(sql = false)]
fn import_fields(target: Option<Oid>, csv: Option<&str>) {
    let editor = Editor::find("import_fields", target);
    let sheet = Sheet::from_csv(required(csv, "the CSV")).unwrap_or_else(|what| problem(what));
    replace(&editor, &sheet);
}
