//! The matrix as jsonb, as CSV, and as a table whose columns the caller names.
//!
//! All of it is read through the view leadguard.field_cells, which shows whom what concerns.

use super::right;
use super::versions;
use crate::errors::{bad_argument, failure};
use crate::ffi::call::Call;
use crate::ffi::rows;
use crate::ffi::sql::{self, Param, Sees};
use crate::model::spreadsheet::Sheet;
use crate::questions::record::as_caller;
use pgrx::pg_extern;
use pgrx::pg_sys::{self, Datum, Oid};
use std::collections::BTreeMap;

/// A matrix from jsonb: {"source": {"marketing": "owner", "sales": "read-only"}}.
pub(super) fn from_json(matrix: serde_json::Value) -> Sheet {
    let parsed: BTreeMap<String, BTreeMap<String, Option<String>>> =
        serde_json::from_value(matrix).unwrap_or_else(|e| {
            bad_argument(format!("the value is no matrix of fields: {e}"))
                .hint("{\"field\": {\"role\": \"owner\" | \"editor\" | \"read-only\" | \"no access\"}}")
                .raise()
        });
    let mut sheet = Sheet::default();
    for (field, row) in &parsed {
        for (role, access) in row {
            if let Some(access) = access {
                sheet.set(field, role, access).unwrap_or_else(|what| versions::problem(what));
            }
        }
    }
    sheet
}

/// A version as the caller may read it, the active one by default; None when there is none for him.
fn read(target: Option<Oid>, version: Option<i32>) -> Option<Sheet> {
    let target = right::registered(target).target;
    let params = [Param::Oid(target), Param::Int(version.map(i64::from))];
    let mut exists = false;
    let mut sheet = Sheet::default();
    as_caller(|| {
        sql::query(
            "SELECT f.field, f.role, f.access FROM leadguard.field_versions v \
             LEFT JOIN leadguard.field_cells f ON f.target = v.target AND f.version = v.version \
             WHERE v.base = $1 AND CASE WHEN $2::bigint IS NULL THEN v.state = 'active' ELSE v.version = $2 END",
            &params,
            Sees::Statement,
            &mut |row| {
                exists = true;
                if let (Some(field), Some(role), Some(access)) = (row.text(0), row.text(1), row.text(2)) {
                    // Stored cells passed the same check when they were written.
                    let _ = sheet.set(&field, &role, &access);
                }
            },
        )
    });
    exists.then_some(sheet)
}

/// A version of the matrix, the active one by default; NULL when there is none. Errors: 22023 (not protected).
#[pg_extern(sql = false)]
fn get_fields(target: Option<Oid>, version: Option<i32>) -> Option<pgrx::JsonB> {
    let sheet = read(target, version)?;
    serde_json::to_value(sheet.rows()).ok().map(pgrx::JsonB)
}

/// The same as CSV.
#[pg_extern(sql = false)]
fn export_fields(target: Option<Oid>, version: Option<i32>) -> Option<String> {
    Some(read(target, version)?.to_csv())
}

/// The same as a table: one row for each field, one column for each role that the caller's column list names.
pub(crate) fn field_matrix(call: &Call) -> Datum {
    let Some(asked) = rows::asked_columns(call) else {
        failure("0A000", "field_matrix needs a column definition list")
            .hint("SELECT * FROM leadguard.field_matrix('crm.lead') AS m (field text, marketing text, sales text)")
            .raise()
    };
    if let Some((name, _)) = asked.iter().find(|(_, type_oid)| *type_oid != pg_sys::TEXTOID) {
        failure("42804", format!("column \"{name}\" of the field matrix must be of type text")).raise();
    }
    if !asked.iter().any(|(name, _)| name == "field") {
        bad_argument("the column definition list has no column \"field\"").raise();
    }
    let version = call.argument(1).map(|datum| datum.value() as i32);
    let sheet = read(call.oid_argument(0), version).unwrap_or_default();
    for (role, _) in &asked {
        if role != "field" && !is_role(role) {
            bad_argument(format!("there is no role \"{role}\""))
                .hint("Columns are named as roles, and \"field\".")
                .raise();
        }
    }
    let lines: Vec<Vec<Option<&str>>> = sheet
        .rows()
        .iter()
        .map(|(field, row)| {
            asked
                .iter()
                .map(|(name, _)| if name == "field" { Some(field.as_str()) } else { row.get(name).copied() })
                .collect()
        })
        .collect();
    rows::of_texts(call, &lines)
}

/// Roles that the caller can list.
fn is_role(name: &str) -> bool {
    as_caller(|| {
        sql::first_int(
            "SELECT id FROM leadguard.role WHERE name OPERATOR(pg_catalog.=) $1",
            &[Param::Text(Some(name))],
            Sees::Statement,
        )
    })
    .is_some()
}
