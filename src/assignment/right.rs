//! Who may set rules and steps: the table's owner and superusers, and members with the capability manage_rules or assign
//! for their own organization, in a table of several organizations too.

use crate::errors::{self, bad_argument, refused};
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::grants::writes;
use crate::names;
use crate::rulebook::right::registered;
use crate::visibility::{self, Table};
use pgrx::pg_sys::Oid;

/// A table and the organization whose rules are set.
pub(super) struct Maker {
    pub table: Table,
    pub organization: i64,
}

impl Maker {
    /// 42501 without the right, 22023 for a table that is not protected.
    pub(super) fn find(operation: &str, target: Option<Oid>) -> Maker {
        let table = registered(target);
        let shown = names::shown(target.unwrap_or(table.target));
        let subject = visibility::now();
        let caller = session::current_role();
        let owns = session::is_superuser(caller) || session::owns_relation(table.target, caller);
        let Some(member) = &subject.member else {
            if !owns {
                errors::no_identity(operation, &shown);
            }
            return Maker { organization: table.org_id, table };
        };
        let many = table.organization_column.is_some();
        if owns && !many {
            return Maker { organization: table.org_id, table };
        }
        writes(operation, &|| shown.clone());
        let own = many || table.org_id == member.org_id;
        let may = owns || subject.has_capability("manage_rules") || subject.has_capability("assign");
        if !own || !may || member.guest {
            refused(format!("{operation} on {shown} refused for \"{}\"", member.key))
                .hint("A member of its organization with the capability manage_rules or assign, the table's owner or a superuser can.")
                .raise();
        }
        Maker { organization: member.org_id, table }
    }

    /// An active member of the organization who is no guest; 22023 for others.
    pub(super) fn member(&self, key: &str) -> i64 {
        self.id(
            "SELECT id FROM leadguard.member WHERE key = $1 AND org_id = $2 AND active AND kind <> 'guest'",
            key,
            "active member (guests do not count)",
        )
    }

    pub(super) fn territory(&self, key: &str) -> i64 {
        self.id("SELECT id FROM leadguard.territory WHERE key = $1 AND org_id = $2", key, "territory")
    }

    /// A role that members of the organization may have.
    pub(super) fn role(&self, name: &str) {
        let text = "SELECT id FROM leadguard.role WHERE name = $1 AND (org_id IS NULL OR org_id = $2)";
        self.id(text, name, "role");
    }

    fn id(&self, text: &'static str, key: &str, what: &str) -> i64 {
        let params = [Param::Text(Some(key)), Param::Int(Some(self.organization))];
        as_extension(|| sql::first_int(text, &params, Sees::Now)).unwrap_or_else(|| {
            let short: String = key.chars().take(60).collect();
            bad_argument(format!("\"{short}\" is no {what} of the organization")).raise()
        })
    }
}

/// A name that is one.
pub(super) fn name<'a>(value: Option<&'a str>, what: &str) -> &'a str {
    match value.map(str::trim) {
        Some(text) if !text.is_empty() && text.len() <= 200 => text,
        Some(_) => bad_argument(format!("{what} has 1 to 200 bytes")).raise(),
        None => bad_argument(format!("{what} is missing")).raise(),
    }
}
