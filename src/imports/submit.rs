//! Whether an import needs an approval, and asking for it.

use super::sessions::Session;
use crate::approvals;
use crate::arguments::{MOST_TEXT, optional};
use crate::batches::Cover;
use crate::errors::{self, bad_argument, failure};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::model::batch::Operation;
use crate::visibility::{self, Member, Subject, Table};
use pgrx::pg_extern;

/// What lets the member import so many rows without asking, beside those that he has imported already; None where
/// somebody must be asked.
pub(super) fn cover(
    session: &Session,
    earlier: i64,
    table: &Table,
    subject: &Subject,
    member: &Member,
) -> Option<Cover> {
    if subject.is_data_owner() {
        return Some(Cover { self_approved: true, ..Cover::default() });
    }
    let rows = u64::try_from(session.good + earlier).unwrap_or(u64::MAX);
    if rows <= subject.access(table).limits.of(Operation::Insert) {
        return Some(Cover::default());
    }
    let template = template(session, table, member)?;
    Some(Cover { template: Some(template), ..Cover::default() })
}

/// How many rows the member has imported into the table in this transaction without an approval: a file in parts is one
/// file.
pub(super) fn imported_so_far(session: &Session) -> i64 {
    let params = [Param::Int(Some(session.member)), Param::Oid(session.target)];
    as_extension(|| {
        sql::first_int(
            "SELECT sum(inserted)::bigint FROM leadguard.import_session \
             WHERE member_id = $1 AND target = $2 AND state = 'committed' AND ended_at >= now() AND approval IS NULL",
            &params,
            Sees::Now,
        )
    })
    .unwrap_or_default()
}

/// A template that covers the import: the one that it names, or any.
fn template(session: &Session, table: &Table, member: &Member) -> Option<i64> {
    let params = [
        Param::Int(Some(member.org_id)),
        Param::Oid(table.target),
        Param::Texts(&member.roles),
        Param::Int(Some(session.good)),
        Param::Int(session.template),
    ];
    as_extension(|| sql::first_int(include_str!("../../sql/query/import_template.sql"), &params, Sees::Now))
}

/// The digest over what was loaded.
pub(super) fn digest(session: &Session) -> String {
    let params = [Param::Int(Some(session.id))];
    let found = as_extension(|| {
        sql::first_text(
            "SELECT encode(sha256(convert_to(coalesce(string_agg(line || encode(sha256(convert_to(data::text, 'UTF8')), 'hex'), '' \
             ORDER BY line), ''), 'UTF8')), 'hex') FROM leadguard.import_row WHERE import_id = $1",
            &params,
            Sees::Now,
        )
    });
    found.unwrap_or_default()
}

/// Freezes a checked import; the number of the approval that it waits for, if it needs one. For whoever opened it.
/// Errors: 42501, 22023, 55000.
#[pg_extern(sql = false)]
fn import_submit(import: Option<i64>, justification: Option<&str>) -> Option<i64> {
    let subject = visibility::now();
    let session = Session::own("import_submit", import, &subject);
    let justification = optional(justification, "the justification", MOST_TEXT);
    match session.state.as_str() {
        "checked" => {}
        "open" => failure("55000", format!("{} has not been checked", session.shown()))
            .hint(format!("SELECT * FROM leadguard.import_check({}) says what is wrong with its rows.", session.id))
            .raise(),
        "submitted" if is_expired(&session) => {}
        _ => session.refuse_as_over(),
    }
    session.require_loaded("import_submit");
    session.require_checked_rows();
    if session.good == 0 {
        failure("55000", format!("{} has no row that could be inserted", session.shown()))
            .hint("leadguard.import_report tells why; leadguard.import_cancel ends the import.")
            .raise();
    }
    let table = session.table();
    let Some(member) = subject.member.as_ref() else { errors::bug("an import of nobody") };
    let cover = cover(&session, 0, &table, &subject, member);
    let digest = digest(&session);
    let approval = match cover {
        Some(_) => None,
        None => Some(ask(&session, &table, member, justification, &digest)),
    };
    let params = [
        Param::Int(Some(session.id)),
        Param::Text(Some(if approval.is_some() { "submitted" } else { "approved" })),
        Param::Text(justification),
        Param::Int(approval),
        Param::Bool(cover.is_some_and(|cover| cover.self_approved)),
        Param::Text(Some(&digest)),
        Param::Int(cover.and_then(|cover| cover.template)),
    ];
    as_extension(|| {
        sql::query(
            "UPDATE leadguard.import_session SET state = $2, justification = $3, approval = $4, self_approved = $5, \
             digest = decode($6, 'hex'), template = coalesce($7, template), submitted_at = clock_timestamp() WHERE id = $1",
            &params,
            Sees::Now,
            &mut |_| {},
        )
    });
    let how = match (cover, approval) {
        (_, Some(id)) => format!("approval {id}"),
        (Some(Cover { self_approved: true, .. }), _) => "self-approved".to_owned(),
        (Some(Cover { template: Some(id), .. }), _) => format!("template {id}"),
        _ => "within the limit".to_owned(),
    };
    let session = Session { approval, ..session };
    session.note("import_submit", justification, &format!("{} rows, {how}", session.good));
    approval
}

/// Whether nobody decided in time.
fn is_expired(session: &Session) -> bool {
    as_extension(|| {
        sql::first_int(
            "SELECT id FROM leadguard.approval WHERE id = $1 AND decided_by IS NULL AND until <= clock_timestamp()",
            &[Param::Int(session.approval)],
            Sees::Now,
        )
    })
    .is_some()
}

/// Asks the data owners of the organization; for a week.
fn ask(session: &Session, table: &Table, member: &Member, justification: Option<&str>, digest: &str) -> i64 {
    let justification = justification.unwrap_or_else(|| {
        bad_argument("the justification is missing")
            .detail(format!("{} rows need an approval.", session.good))
            .hint("Say in import_submit what the rows are and where they come from.")
            .raise()
    });
    let detail = serde_json::json!({ "import": session.id, "digest": digest }).to_string();
    let params = [
        Param::Int(Some(member.org_id)),
        Param::Oid(table.target),
        Param::Text(Some(justification)),
        Param::Int(Some(member.id)),
        Param::Int(Some(session.good)),
        Param::Text(Some(&detail)),
    ];
    let made = as_extension(|| {
        sql::first_int(
            "INSERT INTO leadguard.approval (org_id, kind, target, justification, requested_by, until, operation, records, detail) \
             VALUES ($1, 'import', $2, $3, $4, clock_timestamp() + interval '7 days', 'import', $5, $6::jsonb) RETURNING id",
            &params,
            Sees::Now,
        )
    });
    let made = made.unwrap_or_else(|| errors::bug("a request that was not made"));
    approvals::tell_deciders(member, made, "import", Some(table.target), Some(session.good));
    made
}
