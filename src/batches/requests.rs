//! Asking for a batch, letting batches pass in advance, and taking away what others work on.

use super::active;
use crate::approvals;
use crate::arguments::{required, said};
use crate::audit::{self, Event};
use crate::errors::{self, bad_argument, failure, refused};
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::identity;
use crate::imports;
use crate::model::batch::Operation;
use crate::model::level::Level;
use crate::names;
use crate::rulebook::right::registered;
use crate::visibility::{self, Member, Subject, Table};
use pgrx::datum::{JsonB, TimestampWithTimeZone};
use pgrx::pg_extern;
use pgrx::pg_sys::{self, Oid};

const MOST_NAME: usize = 200;

/// For how long a request may hold: 366 days, in microseconds.
const LONGEST: i64 = 366 * 86_400_000_000;

/// The table, for members of its organization; for others there is none.
fn table_for(target: Option<Oid>, member: Option<&Member>) -> Table {
    let table = registered(target);
    let is_foreign = |m: &Member| table.organization_column.is_none() && table.org_id != m.org_id;
    if member.is_some_and(is_foreign) {
        bad_argument(format!("{} is not a protected table", names::shown(table.target)))
            .hint("leadguard.protect secures a table; the view leadguard.protected lists those that are.")
            .raise();
    }
    table
}

/// A data owner; None for a superuser who is no member. 42501 for everybody else.
fn data_owner<'a>(subject: &'a Subject, operation: &str) -> Option<&'a Member> {
    match &subject.member {
        None if identity::is_superuser() => None,
        None => errors::no_identity(operation, "batches"),
        Some(member) if subject.is_data_owner() && member.level_cap != Some(Level::Read) => Some(member),
        Some(member) => refused(format!("{operation} refused for \"{}\"", member.key))
            .hint("A person with the capability approve (a data owner) can do it.")
            .raise(),
    }
}

/// What may be asked for, or let pass: what takes records away is for data owners only.
fn operation(name: Option<&str>, may_be: &[Operation]) -> &'static str {
    let name = required(name, "the operation");
    let found = Operation::parse(name);
    match found.filter(|operation| may_be.contains(operation)) {
        Some(operation) => operation.name(),
        None => {
            let names: Vec<&str> = may_be.iter().map(|operation| operation.name()).collect();
            let hint = match found {
                Some(operation) if operation.removes() => {
                    "Batches that archive or delete are for data owners; nothing lets others do it.".to_owned()
                }
                _ => format!("Operations are {}.", names.join(", ")),
            };
            bad_argument(format!("the operation \"{name}\" is none that can be approved")).hint(hint).raise()
        }
    }
}

/// 22023 for inserts into a table that rows are imported into: nothing lets them pass without the checks of an import.
fn require_no_import(operation: &str, table: &Table) {
    if operation == Operation::Insert.name() && imports::is_prepared(table.target) {
        bad_argument(format!("batches of inserts into {} are imports", table.shown()))
            .hint(
                "leadguard.import_begin opens one, leadguard.import_submit asks; templates name the operation import.",
            )
            .raise();
    }
}

fn count(records: Option<i64>) -> i64 {
    records
        .filter(|records| *records > 0)
        .unwrap_or_else(|| bad_argument("the number of records must be positive").raise())
}

fn in_future(until: Option<TimestampWithTimeZone>) -> Option<i64> {
    let until = until.map(pg_sys::TimestampTz::from);
    if until.is_some_and(|until| until <= session::statement_time()) {
        bad_argument("it would end before it begins").hint("until must be in the future.").raise();
    }
    until
}

/// Asks for an approval of a batch; returns its number. For members who write, systems too. Errors: 42501 (no member,
/// guests, logins that only read), 22023 (arguments).
#[pg_extern(sql = false)]
fn request_batch(
    target: Option<Oid>,
    operation_name: Option<&str>,
    records: Option<i64>,
    justification: Option<&str>,
    until: Option<TimestampWithTimeZone>,
) -> i64 {
    let subject = visibility::now();
    let shown = names::shown_argument(target);
    let member = subject.writer("request_batch", &shown);
    if member.guest {
        refused(format!("request_batch on {shown} refused for \"{}\", a guest", member.key))
            .hint("A member of the organization asks; guests write what their roles let them write.")
            .raise();
    }
    let table = table_for(target, Some(member));
    let operation = operation(operation_name, &[Operation::Insert, Operation::Update, Operation::Reassign]);
    require_no_import(operation, &table);
    let records = count(records);
    let justification = said(justification, "the justification");
    let Some(until) = in_future(until) else {
        bad_argument("until is missing").hint("For example until => now() + interval '7 days'.").raise()
    };
    if until > session::statement_time().saturating_add(LONGEST) {
        bad_argument("the request would hold for too long").hint("until may be 366 days ahead at most.").raise();
    }
    let made = as_extension(|| {
        sql::first_int(
            "INSERT INTO leadguard.approval (org_id, kind, target, operation, records, justification, requested_by, until) \
             VALUES ($1, 'batch', $2, $3, $4, $5, $6, $7) RETURNING id",
            &[
                Param::Int(Some(member.org_id)),
                Param::Oid(table.target),
                Param::Text(Some(operation)),
                Param::Int(Some(records)),
                Param::Text(Some(justification)),
                Param::Int(Some(member.id)),
                Param::Timestamp(Some(until)),
            ],
            Sees::Now,
        )
    });
    let made = made.unwrap_or_else(|| errors::bug("a request that was not made"));
    audit::event(&Event {
        target: Some(table.target),
        record: None,
        action: "request_approval",
        reason: None,
        approval: Some(made),
        detail: Some(format!("batch {operation} {records}")),
    });
    approvals::tell_deciders(member, made, "batch", Some(table.target), None);
    made
}

fn name(name: Option<&str>) -> &str {
    let name = required(name, "the name");
    if name.trim().is_empty() || name.len() > MOST_NAME {
        bad_argument(format!("the name must have 1 to {MOST_NAME} bytes")).raise();
    }
    name
}

/// Ends the templates of this name, of one organization or of all; their tables.
fn withdraw(org_id: Option<i64>, name: &str, member: Option<&Member>) -> Vec<Oid> {
    let params = [Param::Int(org_id), Param::Text(Some(name)), Param::Int(member.map(|m| m.id))];
    let mut found = Vec::new();
    as_extension(|| {
        sql::query(
            "UPDATE leadguard.batch_template SET withdrawn_at = clock_timestamp(), withdrawn_by = $3 \
             WHERE ($1::bigint IS NULL OR org_id = $1) AND name = $2 AND withdrawn_at IS NULL RETURNING target::oid",
            &params,
            Sees::Now,
            &mut |row| found.extend(row.oid(0)),
        )
    });
    found
}

fn note(action: &str, target: Oid, reason: Option<&str>, detail: Option<String>) {
    audit::event(&Event { target: Some(target), record: None, action, reason, approval: None, detail });
}

/// Lets batches pass in advance; one of the same name is replaced. For data owners, and superusers (42501); 22023.
#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments)]
fn set_batch_template(
    template: Option<&str>,
    target: Option<Oid>,
    operation_name: Option<&str>,
    records: Option<i64>,
    role: Option<&str>,
    until: Option<TimestampWithTimeZone>,
    reason: Option<&str>,
    match_keys: Option<JsonB>,
) -> i64 {
    let subject = visibility::now();
    let member = data_owner(&subject, "set_batch_template");
    let template = name(template);
    let table = table_for(target, member);
    let org_id = member.map_or(table.org_id, |member| member.org_id);
    let may_be = [Operation::Insert, Operation::Update, Operation::Reassign, Operation::Import];
    let operation = operation(operation_name, &may_be);
    require_no_import(operation, &table);
    let records = records.map(|records| count(Some(records)));
    let until = in_future(until);
    let reason = reason.map(|reason| said(Some(reason), "the reason"));
    if let Some(role) = role {
        known_role(role, org_id);
    }
    let match_keys = match_keys.map(|keys| keys.0.to_string());
    withdraw(Some(org_id), template, member);
    let params = [
        Param::Int(Some(org_id)),
        Param::Text(Some(template)),
        Param::Oid(table.target),
        Param::Text(Some(operation)),
        Param::Text(role),
        Param::Int(records),
        Param::Timestamp(until),
        Param::Text(match_keys.as_deref()),
        Param::Text(reason),
        Param::Int(member.map(|member| member.id)),
    ];
    let made = as_extension(|| {
        sql::first_int(
            "INSERT INTO leadguard.batch_template (org_id, name, target, operation, role, records, until, match_keys, reason, made_by) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $10) RETURNING id",
            &params,
            Sees::Now,
        )
    });
    let shown = |number: Option<i64>| number.map_or_else(|| "any".to_owned(), |number| number.to_string());
    note(
        "set_batch_template",
        table.target,
        reason,
        Some(format!("{template}: {operation} of {} records by {}", shown(records), role.unwrap_or("anyone"))),
    );
    made.unwrap_or_else(|| errors::bug("a template that was not made"))
}

fn known_role(role: &str, org_id: i64) {
    let params = [Param::Text(Some(role)), Param::Int(Some(org_id))];
    let found = as_extension(|| {
        sql::first_int(
            "SELECT id FROM leadguard.role WHERE name = $1 AND (org_id IS NULL OR org_id = $2)",
            &params,
            Sees::Now,
        )
    });
    if found.is_none() {
        bad_argument("there is no such role").hint("Roles are listed in leadguard.role.").raise();
    }
}

/// Withdraws a template; whether there was one. Who may call and errors: as set_batch_template. A superuser who is no
/// member withdraws those of every organization.
#[pg_extern(sql = false)]
fn drop_batch_template(template: Option<&str>) -> bool {
    let subject = visibility::now();
    let member = data_owner(&subject, "drop_batch_template");
    let template = name(template);
    let dropped = withdraw(member.map(|member| member.org_id), template, member);
    for target in &dropped {
        note("drop_batch_template", *target, None, Some(template.to_owned()));
    }
    !dropped.is_empty()
}

/// Lets the caller take away records of a table that others work on, in this transaction. For data owners (42501), with
/// a reason (22023).
#[pg_extern(sql = false)]
fn override_activity(target: Option<Oid>, reason: Option<&str>) {
    let subject = visibility::now();
    let member = data_owner(&subject, "override_activity");
    let table = table_for(target, member);
    let reason = said(reason, "the reason");
    if !session::in_transaction_block() {
        failure("25P01", "override_activity needs a transaction block")
            .hint("It holds for the batch in the same transaction: BEGIN first.")
            .raise();
    }
    // A superuser who is no member is not kept from anything.
    if let Some(member) = member {
        active::override_for(member.id, table.target, reason);
    }
    note("override_activity", table.target, Some(reason), None);
}
