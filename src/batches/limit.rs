//! One row too many: a template, an approval, or a refusal.

use super::counter::Held;
use crate::approvals;
use crate::errors::{NEEDS_APPROVAL, failure, refused};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::imports;
use crate::model::batch::Operation;
use crate::names;
use crate::visibility::{Member, Table};

/// What lets the member write this row and perhaps more. 42501 where only data owners may, LG004 where somebody
/// must be asked, or the rows must be imported.
pub(super) fn exceeded(
    table: &Table,
    member: &Member,
    operation: Operation,
    rows: u64,
    limit: u64,
    seconds: Option<i64>,
) -> Held {
    let (shown, what) = (table.shown(), operation.name());
    let within = seconds.map_or_else(|| "in one transaction".to_owned(), |s| format!("within {s} seconds"));
    if operation.removes() {
        refused(format!("{what} of more than {limit} records of {shown} {within} refused for \"{}\"", member.key))
            .detail("Batches that take records away are for data owners.")
            .hint("A person with the capability approve can do it.")
            .raise();
    }
    // No approval lets rows in that nobody looked at (K34); one that was given before the table was prepared, neither.
    if operation == Operation::Insert && imports::is_prepared(table.target) {
        failure(NEEDS_APPROVAL, format!("{what} of more than {limit} rows of {shown} {within} is an import"))
            .detail(format!(
                "This would be row {rows} for \"{}\". An import validates rows and finds duplicates.",
                member.key
            ))
            .hint(format!(
                "leadguard.import_begin({}) opens one; a person with the capability approve inserts without.",
                names::literal(&shown)
            ))
            .raise();
    }
    let wanted = i64::try_from(rows).unwrap_or(i64::MAX);
    if let Some((template, records)) = template(table, member, operation.name(), wanted) {
        return Held { approval: None, template: Some(template), up_to: records };
    }
    if let Some((approval, records)) = approvals::take_batch(member, "batch", table, Some(operation.name()), wanted) {
        return Held { approval: Some(approval), template: None, up_to: records };
    }
    let literal = names::literal(&shown);
    failure(
        NEEDS_APPROVAL,
        format!("{what} of more than {limit} rows of {shown} {within} needs an approval"),
    )
    .detail(format!("This would be row {rows} for \"{}\".", member.key))
    .hint(format!(
        "leadguard.request_batch({literal}, {}, <records>, <justification>) asks a data owner, who may also let such \
         batches pass with leadguard.set_batch_template.",
        names::literal(what)
    ))
    .raise()
}

/// A template that covers so many rows, and how many it covers.
pub(crate) fn template(table: &Table, member: &Member, operation: &str, rows: i64) -> Option<(i64, u64)> {
    let params = [
        Param::Int(Some(member.org_id)),
        Param::Oid(table.target),
        Param::Text(Some(operation)),
        Param::Texts(&member.roles),
        Param::Int(Some(rows)),
    ];
    let mut found = None;
    as_extension(|| {
        sql::query(include_str!("../../sql/query/batch_template.sql"), &params, Sees::Now, &mut |row| {
            let records = row.int(1).and_then(|records| u64::try_from(records).ok()).unwrap_or(u64::MAX);
            found = row.int(0).map(|id| (id, records));
        })
    });
    found
}
