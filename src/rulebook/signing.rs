//! A draft is proposed to signers, and counts when all of them have signed.

use super::right::{self, Editor};
use super::versions::{Open, open};
use super::{NOT_IN_THIS_STATE, changed};
use crate::arguments::{limited, required};
use crate::errors::{self, bad_argument, failure, refused};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::identity::Mode;
use crate::masks;
use crate::names;
use crate::visibility::{self, Table};
use pgrx::pg_extern;
use pgrx::pg_sys::Oid;

/// Freezes the draft and asks members to sign it; returns its number. Who may: Editor. Errors: 42501, 22023 (no
/// signer, or one that is no active person of the organization), 55000 (no draft, a column is gone).
#[pg_extern(sql = false)]
fn propose_fields(target: Option<Oid>, signers: Option<Vec<Option<String>>>, note: Option<&str>) -> i32 {
    let editor = Editor::find("propose_fields", target);
    let note = note.map(|note| limited(note, "the note", 4000));
    let mut ids: Vec<i64> = Vec::new();
    for key in signers.unwrap_or_default().into_iter().flatten() {
        let id = signer(&editor, &key);
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    if ids.is_empty() {
        bad_argument("the fields need at least one signer").hint("Name the lead of each team, by member key.").raise();
    }
    editor.lock();
    let Some(Open { id, number, proposed: false }) = open(editor.table.target) else {
        failure(NOT_IN_THIS_STATE, format!("the fields of {} have no draft", editor.shown))
            .hint("leadguard.set_field and leadguard.set_fields open one.")
            .raise()
    };
    refuse_gone(&editor.table, id, number);
    as_extension(|| {
        sql::query(
            "INSERT INTO leadguard.field_signature (version_id, member_id) SELECT $1, unnest($2::bigint[])",
            &[Param::Int(Some(id)), Param::Ints(&ids)],
            Sees::Now,
            &mut |_| {},
        );
        sql::query(
            "UPDATE leadguard.field_version SET state = 'proposed', note = $2 WHERE id = $1",
            &[Param::Int(Some(id)), Param::Text(note)],
            Sees::Now,
            &mut |_| {},
        )
    });
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn signer(editor: &Editor, key: &str) -> i64 {
    let params = [
        Param::Text(Some(key)),
        Param::Int(Some(editor.table.org_id)),
        Param::Bool(editor.table.organization_column.is_some()),
    ];
    let found = as_extension(|| {
        sql::first_int(
            "SELECT id FROM leadguard.member WHERE key = $1 AND active AND kind = 'person' AND (org_id = $2 OR $3)",
            &params,
            Sees::Now,
        )
    });
    found.unwrap_or_else(|| {
        bad_argument(format!("\"{key}\" is no active person of the organization"))
            .hint("Systems and guests sign nothing.")
            .raise()
    })
}

/// 55000 when cells name columns that are no longer those that they were written for.
fn refuse_gone(table: &Table, version: i64, number: i64) {
    let gone = as_extension(|| {
        sql::first_text(
            "SELECT string_agg(DISTINCT r.column_name, ', ') FROM leadguard.field_rule r \
             LEFT JOIN pg_attribute a ON a.attrelid = $2 AND a.attnum = r.attnum AND a.attname = r.column_name \
                 AND NOT a.attisdropped AND (r.key = '' OR a.atttypid = 'jsonb'::regtype) \
             WHERE r.version_id = $1 AND a.attnum IS NULL",
            &[Param::Int(Some(version)), Param::Oid(table.target)],
            Sees::Now,
        )
    });
    if let Some(gone) = gone {
        failure(
            NOT_IN_THIS_STATE,
            format!("version {number} names columns that {} no longer has", names::shown(table.target)),
        )
        .detail(format!("Columns: {gone}."))
        .hint("leadguard.discard_fields drops the version; make a new draft.")
        .raise();
    }
}

/// A named signer signs, in person; the last signature activates the version, and the former one retires. Returns the
/// state after it. Errors: 42501 (not asked to sign), 55000 (signed already, not proposed, a column is gone, a column
/// that somebody may not read is not concealed).
#[pg_extern(sql = false)]
fn sign_fields(target: Option<Oid>, version: Option<i32>) -> String {
    let table = right::registered(target);
    let shown = names::shown(target.unwrap_or(table.target));
    let number = i64::from(required(version, "the version"));
    let subject = visibility::now();
    let Some(member) = &subject.member else { errors::no_identity("sign_fields", &shown) };
    if subject.mode == Some(Mode::Analyst) {
        errors::read_only_login("sign_fields", &shown);
    }
    right::lock(table.target);
    let mut found: Option<(i64, String, bool)> = None;
    as_extension(|| {
        sql::query(
            "SELECT v.id, v.state, s.signed_at IS NOT NULL \
             FROM leadguard.field_version v JOIN leadguard.field_signature s ON s.version_id = v.id \
             WHERE v.target = $1 AND v.version = $2 AND s.member_id = $3",
            &[Param::Oid(table.target), Param::Int(Some(number)), Param::Int(Some(member.id))],
            Sees::Now,
            &mut |row| found = row.int(0).map(|id| (id, row.text(1).unwrap_or_default(), row.bool(2))),
        )
    });
    let Some((id, state, signed)) = found else {
        refused(format!("\"{}\" is not asked to sign version {number} of the fields of {shown}", member.key))
            .hint("leadguard.propose_fields names the signers.")
            .raise()
    };
    let wrong = |what: &str| -> ! {
        failure(NOT_IN_THIS_STATE, format!("version {number} of the fields of {shown} {what}")).raise()
    };
    if signed {
        wrong(&format!("is signed by \"{}\" already", member.key));
    }
    if state != "proposed" {
        wrong(&format!("is {state}"));
    }
    let params = [Param::Int(Some(id)), Param::Int(Some(member.id))];
    let missing = as_extension(|| {
        // Of two who sign at once, under a snapshot of before, one starts again: neither may overlook the other.
        sql::query(
            "UPDATE leadguard.field_version SET state = state WHERE id = $1",
            &params[..1],
            Sees::Now,
            &mut |_| {},
        );
        sql::query(
            "UPDATE leadguard.field_signature SET signed_at = now() WHERE version_id = $1 AND member_id = $2",
            &params,
            Sees::Now,
            &mut |_| {},
        );
        sql::first_int(
            "SELECT count(*) FROM leadguard.field_signature WHERE version_id = $1 AND signed_at IS NULL",
            &params[..1],
            Sees::Now,
        )
    });
    if missing != Some(0) {
        return state;
    }
    refuse_gone(&table, id, number);
    refuse_unconcealed(&table, id, number);
    activate(&table, id, number);
    "active".to_owned()
}

/// A cell `no access` hides the column from reading too, which only the view of a concealed table does.
fn refuse_unconcealed(table: &Table, version: i64, number: i64) {
    if table.concealed_by.is_some() {
        return;
    }
    let hidden = as_extension(|| {
        sql::first_text(
            "SELECT string_agg(DISTINCT column_name, ', ') FROM leadguard.field_rule \
             WHERE version_id = $1 AND access = 'no access'",
            &[Param::Int(Some(version))],
            Sees::Now,
        )
    });
    if let Some(hidden) = hidden {
        let shown = names::shown(table.target);
        failure(
            NOT_IN_THIS_STATE,
            format!("version {number} closes columns of {shown}, which everybody can still read"),
        )
        .detail(format!("Columns: {hidden}."))
        .hint(format!("The table's owner runs leadguard.conceal({}) first.", names::literal(&shown)))
        .raise();
    }
}

fn activate(table: &Table, version: i64, number: i64) {
    as_extension(|| {
        sql::query(
            "UPDATE leadguard.field_version SET state = 'retired' WHERE target = $1 AND state = 'active'",
            &[Param::Oid(table.target)],
            Sees::Now,
            &mut |_| {},
        );
        sql::query(
            "UPDATE leadguard.field_version SET state = 'active', activated_at = now() WHERE id = $1",
            &[Param::Int(Some(version))],
            Sees::Now,
            &mut |_| {},
        )
    });
    // Columns that it closes are left out by the view from now on.
    masks::refresh(table.target);
    changed(table.target, "activate_fields", format!("version {number}"));
}
