//! What the rules of a table come to for members who do not ask themselves: the same computation as for those who do.

use super::asker::About;
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::model::access::{Access, Who, resolve};
use crate::model::level::Level;
use crate::model::rights::Rights;
use crate::visibility::Table;
use std::collections::HashMap;

/// The roles of one member.
#[derive(Debug, Clone, Default)]
pub(crate) struct Roles {
    names: Vec<String>,
    capabilities: Vec<String>,
    rank: i64,
    level_cap: Option<Level>,
}

impl Roles {
    pub(crate) fn can(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|held| held == capability)
    }

    pub(crate) fn level_cap(&self) -> Option<Level> {
        self.level_cap
    }
}

/// The roles of an organization's members, or of one of them.
pub(crate) fn roles(organization: i64, only: Option<i64>, sees: Sees) -> HashMap<i64, Roles> {
    let mut found: HashMap<i64, Roles> = HashMap::new();
    as_extension(|| {
        let text = include_str!("../../sql/query/roles_of_members.sql");
        sql::query(text, &[Param::Int(Some(organization)), Param::Int(only)], sees, &mut |row| {
            let Some(member) = row.int(0) else { return };
            let roles = found.entry(member).or_default();
            roles.names.extend(row.text(1));
            roles.rank = roles.rank.max(row.int(2).unwrap_or_default());
            if let Some(cap) = row.text(3).as_deref().and_then(Level::parse) {
                roles.level_cap = Some(roles.level_cap.map_or(cap, |held| held.min(cap)));
            }
            roles.capabilities.extend(row.text(4).unwrap_or_default().split_ascii_whitespace().map(str::to_owned));
        })
    });
    found
}

/// A member in one table.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub access: Access,
    /// Without the caps of roles, which explanations name.
    pub uncapped: Access,
    pub exports: bool,
    pub sees_archived: bool,
    pub hard_deletes: bool,
}

/// Of a member what is no role.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Person<'a> {
    pub kind: &'a str,
    pub organization_view: bool,
    /// Asks about himself in a session that wants its own records only.
    pub personal: bool,
    /// Asks through a login that is registered as an analyst.
    pub analyst: bool,
}

impl<'a> Person<'a> {
    pub(crate) fn about(about: &'a About) -> Person<'a> {
        Person {
            kind: &about.kind,
            organization_view: about.organization_view,
            personal: about.personal,
            analyst: about.analyst,
        }
    }
}

impl Standing {
    pub(crate) fn of(table: &Table, roles: &Roles, person: Person) -> Standing {
        let who = Who {
            roles: &roles.names,
            rank: roles.rank,
            capabilities: &roles.capabilities,
            level_cap: roles.level_cap,
            system: person.kind == "system",
            analyst_login: false,
            organization_view: person.organization_view,
            personal: person.personal,
        };
        let mut access = resolve(&table.rules, &who);
        // What the login may not write is said apart; what is hidden from it is hidden.
        if person.analyst {
            access.hidden = resolve(&table.rules, &Who { analyst_login: true, ..who.clone() }).hidden;
        }
        Standing {
            uncapped: resolve(&table.rules, &Who { level_cap: None, ..who.clone() }),
            exports: roles.can("export"),
            sees_archived: roles.can("see_archived"),
            hard_deletes: roles.can("hard_delete") || access.hard_delete,
            access,
        }
    }

    /// The member that a question is about.
    pub(crate) fn about(table: &Table, about: &About) -> Standing {
        Standing::of(table, &about.roles, Person::about(about))
    }
}

/// An analyst login reads, whatever its member may do.
pub(crate) fn counted(rights: Rights, analyst: bool) -> Rights {
    rights.capped(analyst.then_some(Level::Read))
}
