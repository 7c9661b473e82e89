//! Every error of the extension: SQLSTATE, message, detail, hint.
//!
//! A refusal says no more than the member may know: tables, columns, record ids and his own name, never a
//! value of a row. 42501 for refusals, 28000 for identity, 22023 for arguments, LGnnn only for what an
//! application must tell apart.

use crate::audit::denied;
use crate::ffi::raise::{self, Report};
use crate::names;

/// Builds and raises one error.
pub(crate) struct Failure(Report);

pub(crate) fn failure(code: &'static str, message: impl Into<String>) -> Failure {
    Failure(Report { code, message: message.into(), detail: None, hint: None })
}

impl Failure {
    pub(crate) fn detail(mut self, text: impl Into<String>) -> Failure {
        self.0.detail = Some(text.into());
        self
    }

    pub(crate) fn hint(mut self, text: impl Into<String>) -> Failure {
        self.0.hint = Some(text.into());
        self
    }

    pub(crate) fn raise(self) -> ! {
        if matches!(self.0.code, REFUSED | NEEDS_APPROVAL) {
            denied::log(self.0.code, &self.0.message);
            crate::activity::was_refused();
        }
        raise::error(&self.0)
    }
}

pub(crate) const REFUSED: &str = "42501";
pub(crate) const BAD_ARGUMENT: &str = "22023";
pub(crate) const BAD_IDENTITY: &str = "28000";
pub(crate) const NOT_YET: &str = "0A000";
pub(crate) const CYCLE: &str = "LG001";
pub(crate) const TOO_DEEP: &str = "LG002";
pub(crate) const IDENTITY_CHANGED: &str = "LG003";
pub(crate) const NEEDS_APPROVAL: &str = "LG004";

pub(crate) fn refused(message: impl Into<String>) -> Failure {
    failure(REFUSED, message)
}

pub(crate) fn bad_argument(message: impl Into<String>) -> Failure {
    failure(BAD_ARGUMENT, message)
}

pub(crate) fn not_a_trigger() -> ! {
    failure("39P01", "this function can be called as a trigger only").raise()
}

pub(crate) fn bug(what: &str) -> ! {
    failure("XX000", format!("leadguard: {what}")).hint("This is a bug in leadguard, please report it.").raise()
}

/// A write for which no role of the member has a rule.
pub(crate) fn no_rule(operation: &str, table: &str, member: &str, right: &str) -> ! {
    refused(format!("{operation} on {table} refused for \"{member}\""))
        .detail(format!("No role of the member gives the right to {right} in this table."))
        .hint(format!(
            "leadguard.access_matrix({}) shows which roles do; leadguard.request_role(role, why) asks for one.",
            names::literal(table)
        ))
        .raise()
}

/// A write by a session without a member.
pub(crate) fn no_identity(operation: &str, table: &str) -> ! {
    refused(format!("{operation} on {table} refused: this session is no member"))
        .hint(
            "A person connects with the login role of a member (leadguard.member.db_role); an application calls \
             leadguard.act_as in its transaction.",
        )
        .raise()
}

pub(crate) fn read_only_login(operation: &str, table: &str) -> ! {
    refused(format!("{operation} on {table} refused: this login is registered as an analyst"))
        .detail("Analyst logins read; no privilege on the table lets them write.")
        .hint("Use a login that is registered as a person.")
        .raise()
}

pub(crate) fn view_only(operation: &str, table: &str, member: &str) -> ! {
    refused(format!("{operation} on {table} refused: \"{member}\" has a view-only role"))
        .hint(
            "An administrator can take the role away in leadguard.member_role; leadguard.request_role(role, why) asks \
             for another one.",
        )
        .raise()
}

/// The one answer for a record that is not there and one that the caller may not know of.
pub(crate) fn no_such_record(table: &str, record: &str) -> ! {
    refused(format!("record {record} of {table} does not exist or is not visible"))
        .hint(asks_for_access(table, record, "read"))
        .raise()
}

/// How to get at a record.
pub(crate) fn asks_for_access(table: &str, record: &str, level: &str) -> String {
    let (table, record) = (names::literal(table), names::literal(record));
    format!("leadguard.request_access({table}, {record}, '{level}', why) asks for it.")
}
