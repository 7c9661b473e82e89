//! The last active holder of a role that stands for its organization cannot be removed: not by deleting, deactivating or
//! moving the member, not by taking the role. Decided when the whole statement is done, so that one statement may hand
//! the role over. Writers of members and their roles wait for each other (hierarchy_revision), so that two of them
//! cannot each leave it to the other.

use crate::errors::failure;
use crate::ffi::call::Call;
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::ffi::trigger::{TriggerCall, When};
use pgrx::pg_sys::Datum;
use std::collections::BTreeSet;

/// AFTER STATEMENT of member and member_role.
pub(crate) fn keep(call: &Call) -> Datum {
    let trigger = TriggerCall::fired(call, When::AfterStatement);
    let text = match trigger.argument(0).as_deref() {
        Some("member") => include_str!("../../sql/query/holders_of_members.sql"),
        _ => include_str!("../../sql/query/holders_of_roles.sql"),
    };
    as_extension(|| {
        let mut touched = BTreeSet::new();
        trigger.with_transition_tables(|| {
            // What the statement itself, or the cascade from a deleted member, took from the other table is still there
            // in the state from which the statement began; what others did meanwhile only in the newest.
            for sees in [Sees::Statement, Sees::Now] {
                sql::query_once(text, &[], sees, &mut |row| touched.extend(row.int(0).zip(row.int(1))));
            }
        });
        for (organization, role) in touched {
            refuse_without_holder(organization, role);
        }
    });
    trigger.skip()
}

fn refuse_without_holder(organization: i64, role: i64) {
    let mut lacking = None;
    let params = [Param::Int(Some(organization)), Param::Int(Some(role))];
    sql::query(include_str!("../../sql/query/holders_lacking.sql"), &params, Sees::Now, &mut |row| {
        lacking = row.text(0).zip(row.text(1));
    });
    if let Some((organization, role)) = lacking {
        failure("23514", format!("the last \"{role}\" of organization \"{organization}\" cannot be removed"))
            .hint(format!(
                "Give the role \"{role}\" to another active member first, or in the same statement; or delete the \
                 organization with leadguard.delete_organization."
            ))
            .raise();
    }
}
