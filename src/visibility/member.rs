//! The asking member, as the directory and his roles describe him.

use crate::model::access::Who;
use crate::model::level::Level;
use crate::model::value::{Kind, Value, parse_uuid};

/// The row of leadguard.member behind an identity. Only active members have one.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub id: i64,
    pub key: String,
    pub org_id: i64,
    pub org_key: String,
    pub guest: bool,
    /// A scoring job, an import API, a shared BI login: nobody in person.
    pub system: bool,
    /// What his organization says about seeing all of it.
    pub organization_view: bool,
    /// The highest of his roles.
    pub rank: i64,
    pub level_cap: Option<Level>,
    pub capabilities: Vec<String>,
    /// The names of the roles, as rules name them.
    pub roles: Vec<String>,
}

impl Member {
    pub(crate) fn can(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|held| held == capability)
    }

    /// What counts for the rules of a table.
    pub(crate) fn who(&self, personal: bool, analyst_login: bool) -> Who<'_> {
        Who {
            roles: &self.roles,
            rank: self.rank,
            capabilities: &self.capabilities,
            level_cap: self.level_cap,
            system: self.system,
            analyst_login,
            organization_view: self.organization_view,
            personal,
        }
    }

    /// As an owner or creator column of `kind` names him.
    pub(crate) fn named(&self, kind: Kind) -> Value<'_> {
        named(self.id, &self.key, kind)
    }
}

/// A member or organization as a column of `kind` names it.
pub(crate) fn named(id: i64, key: &str, kind: Kind) -> Value<'_> {
    match kind {
        Kind::Text => Value::Text(key),
        Kind::Uuid => parse_uuid(key).map_or(Value::Text(key), Value::Uuid),
        _ => Value::Int(id),
    }
}
