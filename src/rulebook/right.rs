//! Who may change the rules about fields: the table's owner, a superuser, and members with the capability
//! manage_fields of the organization that the table belongs to. A table with an organization column belongs to all
//! organizations in it, so that no member of one decides for the others.

use crate::arguments::required;
use crate::errors::{bad_argument, refused};
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::masks;
use crate::names;
use crate::visibility::{self, Table};
use pgrx::pg_sys::Oid;

/// The right to change the rules of one table.
pub(crate) struct Editor {
    pub table: Table,
    /// The table as messages name it.
    pub shown: String,
    /// None for a session that is no member.
    pub member: Option<i64>,
}

/// The registration of a table; 22023 for one that is not protected.
pub(crate) fn registered(target: Option<Oid>) -> Table {
    let target = required(target, "the table");
    let table = visibility::now().table(target);
    match table.as_ref() {
        Some(table) => {
            masks::require_view(table);
            table.clone()
        }
        None => bad_argument(format!("{} is not a protected table", names::shown(target)))
            .hint("leadguard.protect secures a table; the view leadguard.protected lists those that are.")
            .raise(),
    }
}

impl Editor {
    /// 42501 without the right, 22023 for a table that is not protected.
    pub(crate) fn find(operation: &str, target: Option<Oid>) -> Editor {
        Editor::with(operation, target, "manage_fields")
    }

    /// The same for members with another capability.
    pub(crate) fn with(operation: &str, target: Option<Oid>, capability: &str) -> Editor {
        let table = registered(target);
        let shown = names::shown(target.unwrap_or(table.target));
        let subject = visibility::now();
        let caller = session::current_role();
        if !session::is_superuser(caller) && !session::owns_relation(table.target, caller) {
            let member = subject.writer(operation, &shown);
            let own = table.organization_column.is_none() && table.org_id == member.org_id;
            if !own || !subject.has_capability(capability) {
                not_yours(operation, &shown, &member.key, own.then_some(capability));
            }
        }
        let member = subject.member.as_ref().map(|m| m.id);
        Editor { table, shown, member }
    }

    /// Keeps others from changing the rules of the table until the transaction ends.
    pub(crate) fn lock(&self) {
        lock(self.table.target);
    }

    /// A role that rules of the table may name; 22023 for others.
    pub(crate) fn role<'a>(&self, name: &'a str) -> &'a str {
        let params = [
            Param::Text(Some(name)),
            Param::Int(Some(self.table.org_id)),
            Param::Bool(self.table.organization_column.is_some()),
        ];
        let found = as_extension(|| {
            sql::first_int(
                "SELECT id FROM leadguard.role WHERE name = $1 AND (org_id IS NULL OR org_id = $2 OR $3)",
                &params,
                Sees::Now,
            )
        });
        if found.is_none() {
            bad_argument(format!("there is no role \"{}\"", super::shortened(name)))
                .hint("Roles are those shipped and those of the table's organization, see leadguard.role.")
                .raise();
        }
        name
    }
}

/// Keeps others from changing the rules of a table, those about fields and those in its policies, until the transaction
/// ends.
pub(crate) fn lock(target: Oid) {
    as_extension(|| {
        sql::query(
            "SELECT 1 FROM leadguard.protected_table WHERE target = $1 FOR NO KEY UPDATE",
            &[Param::Oid(target)],
            Sees::Now,
            &mut |_| {},
        )
    });
}

fn not_yours(operation: &str, table: &str, member: &str, capability: Option<&str>) -> ! {
    let hint = match capability {
        Some(capability) => {
            format!("A member with the capability {capability} (a data owner), the table's owner or a superuser can.")
        }
        None => "The table's owner or a superuser can.".to_owned(),
    };
    refused(format!("{operation} on {table} refused for \"{member}\"")).hint(hint).raise()
}
