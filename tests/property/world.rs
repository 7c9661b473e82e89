//! The organizations, tables and records of a random test as plain values: what the database should hold.
//!
//! Columns are kept as the text that the database stores, so that nothing here resolves a reference; that is the
//! business of `reference.rs` alone.

use crate::rulebook::{Key, Presets, Role};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Login roles of persons that exist in every test database; roles are cluster-wide and costly, bindings are cheap.
pub const LOGINS: usize = 24;
/// Login roles after those that are registered as analysts where a world has analysts.
pub const ANALYSTS: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Read,
    Edit,
    Full,
}

impl Level {
    pub const ALL: [Level; 3] = [Level::Read, Level::Edit, Level::Full];

    pub fn name(self) -> &'static str {
        match self {
            Level::Read => "read",
            Level::Edit => "edit",
            Level::Full => "full",
        }
    }
}

#[derive(Clone)]
pub struct Member {
    pub org: i64,
    pub key: String,
    pub kind: &'static str,
    pub manager: Option<i64>,
    pub active: bool,
    pub roles: BTreeSet<String>,
    /// Table, kind and value.
    pub scopes: BTreeSet<(usize, &'static str, String)>,
}

#[derive(Clone)]
pub struct Territory {
    pub org: i64,
    pub key: String,
    pub parent: Option<i64>,
    pub owner: Option<i64>,
    pub members: BTreeSet<i64>,
}

#[derive(Clone)]
pub struct Team {
    pub org: i64,
    pub key: String,
    pub access: &'static str,
    pub members: BTreeSet<i64>,
}

/// How a column names a member or a territory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    Int2,
    Int4,
    Int8,
    Text,
    Varchar,
    Uuid,
}

impl Reference {
    pub const ALL: [Reference; 6] =
        [Reference::Int2, Reference::Int4, Reference::Int8, Reference::Text, Reference::Varchar, Reference::Uuid];

    pub fn by_key(self) -> bool {
        matches!(self, Reference::Text | Reference::Varchar | Reference::Uuid)
    }

    pub fn sql(self) -> &'static str {
        match self {
            Reference::Int2 => "int2",
            Reference::Int4 => "int4",
            Reference::Int8 => "int8",
            Reference::Text => "text",
            Reference::Varchar => "varchar(60)",
            Reference::Uuid => "uuid",
        }
    }

    /// The column value that names the row with this id and key, if the type can hold it.
    pub fn value(self, id: i64, key: &str) -> Option<String> {
        match self {
            Reference::Int2 => i16::try_from(id).ok().map(|n| n.to_string()),
            Reference::Int4 => i32::try_from(id).ok().map(|n| n.to_string()),
            Reference::Int8 => Some(id.to_string()),
            Reference::Text | Reference::Varchar => Some(key.to_string()),
            Reference::Uuid => looks_like_uuid(key).then(|| key.to_string()),
        }
    }
}

fn looks_like_uuid(key: &str) -> bool {
    key.len() == 36 && key.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}

#[derive(Clone, Debug)]
pub struct Shape {
    pub name: String,
    pub id: &'static str,
    pub owner: Option<Reference>,
    pub territory: Option<Reference>,
    pub creator: Option<Reference>,
    /// With a column every record names its organization; without one all belong to `org`.
    pub org_column: bool,
    pub org: i64,
    pub partitions: &'static [&'static str],
    /// DELETE archives; otherwise it takes the capability `hard_delete`.
    pub archives: bool,
    pub team: Option<Reference>,
    pub segment: bool,
    pub stage: bool,
    pub status: bool,
    /// `boolean` or `text`.
    pub sensitive: Option<&'static str>,
    /// The table that the parent column names rows of.
    pub parent: Option<usize>,
}

/// What a shape of the preset sales_hierarchy has beside owner, territory and organization: nothing.
pub const PLAIN: Shape = Shape {
    name: String::new(),
    id: "text",
    owner: None,
    territory: None,
    creator: None,
    org_column: false,
    org: 1,
    partitions: &[],
    archives: true,
    team: None,
    segment: false,
    stage: false,
    status: false,
    sensitive: None,
    parent: None,
};

#[derive(Clone, Debug, Default)]
pub struct Record {
    pub org: i64,
    pub owner: Option<String>,
    pub territory: Option<String>,
    pub creator: Option<String>,
    pub team: Option<String>,
    pub segment: Option<String>,
    pub stage: Option<String>,
    pub status: Option<String>,
    pub sensitive: Option<String>,
    pub parent: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    Member(i64),
    Team(i64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    Always,
    /// An hour from now, so that no run is long enough to reach it.
    Future,
    Past,
}

impl Until {
    pub fn sql(self) -> &'static str {
        match self {
            Until::Always => "NULL",
            Until::Future => "now() + interval '1 hour'",
            Until::Past => "now() - interval '1 second'",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    RecordTeam,
    Share,
    Contact,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::RecordTeam => "record_team",
            Kind::Share => "share",
            Kind::Contact => "contact",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Grant {
    pub record: String,
    pub kind: Kind,
    pub holder: Holder,
    pub level: Level,
    pub until: Until,
    pub retained: bool,
}

#[derive(Clone)]
pub struct Table {
    pub shape: Shape,
    pub records: BTreeMap<String, Record>,
    pub grants: Vec<Grant>,
    pub preset: String,
    pub object: String,
    /// What `set_rule` said, with the effect.
    pub rules: BTreeMap<Key, String>,
    /// What `set_switch` said: switch and role, with the value.
    pub switches: BTreeMap<(String, String), String>,
}

impl Table {
    /// A table without rows and without rules of its own.
    pub fn new(shape: Shape, preset: &str, object: &str) -> Table {
        Table {
            shape,
            records: BTreeMap::new(),
            grants: Vec::new(),
            preset: preset.to_string(),
            object: object.to_string(),
            rules: BTreeMap::new(),
            switches: BTreeMap::new(),
        }
    }

    pub fn ids(&self) -> Vec<String> {
        self.records.keys().cloned().collect()
    }

    /// At most one grant per kind, holder and `retained`: the database keeps it so.
    pub fn grant(&self, record: &str, kind: Kind, holder: Holder, retained: bool) -> Option<usize> {
        self.grants
            .iter()
            .position(|g| g.record == record && g.kind == kind && g.holder == holder && g.retained == retained)
    }
}

/// Who asks: a member, and what the session adds to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    pub member: i64,
    pub analyst: bool,
    pub personal: bool,
}

impl From<i64> for Who {
    fn from(member: i64) -> Who {
        Who { member, analyst: false, personal: false }
    }
}

#[derive(Clone)]
pub struct World {
    pub presets: Arc<Presets>,
    pub rich: bool,
    /// Nobody else has a transaction open: what has to lock a table may be done.
    pub alone: bool,
    /// id and key
    pub orgs: Vec<(i64, String)>,
    /// Those whose organization view is on.
    pub open: BTreeSet<i64>,
    /// The roles that organizations added, by organization and name.
    pub roles: BTreeMap<(i64, String), Role>,
    pub members: BTreeMap<i64, Member>,
    pub territories: BTreeMap<i64, Territory>,
    pub teams: BTreeMap<i64, Team>,
    pub tables: Vec<Table>,
    /// Which member each login role is, if any; those from LOGINS on are analysts.
    pub logins: Vec<Option<i64>>,
    /// Logins whose session has the personal view.
    pub personal: BTreeSet<usize>,
    /// Ids and keys are never used twice.
    pub next: i64,
    /// Every key that a member has or had.
    pub keys: BTreeSet<String>,
}

impl World {
    pub fn fresh(&mut self) -> i64 {
        self.next += 1;
        self.next
    }

    pub fn members_of(&self, org: i64) -> Vec<i64> {
        self.members.iter().filter(|(_, m)| m.org == org).map(|(id, _)| *id).collect()
    }

    pub fn active_of(&self, org: i64) -> Vec<i64> {
        self.members_of(org).into_iter().filter(|id| self.members[id].active).collect()
    }

    pub fn territories_of(&self, org: i64) -> Vec<i64> {
        self.territories.iter().filter(|(_, t)| t.org == org).map(|(id, _)| *id).collect()
    }

    pub fn teams_of(&self, org: i64) -> Vec<i64> {
        self.teams.iter().filter(|(_, t)| t.org == org).map(|(id, _)| *id).collect()
    }

    pub fn org_key(&self, org: i64) -> &str {
        &self.orgs.iter().find(|(id, _)| *id == org).expect("organization").1
    }

    /// The login of the person; analysts' logins are bound otherwise.
    pub fn login_of(&self, member: i64) -> Option<usize> {
        self.logins[..LOGINS].iter().position(|bound| *bound == Some(member))
    }

    /// Whoever sits at this login, in the view that the session has.
    pub fn who(&self, login: usize) -> Option<Who> {
        let member = self.logins[login]?;
        Some(Who { member, analyst: login >= LOGINS, personal: self.personal.contains(&login) })
    }

    pub fn role(&self, org: i64, name: &str) -> &Role {
        self.presets
            .roles
            .get(name)
            .or_else(|| self.roles.get(&(org, name.to_string())))
            .unwrap_or_else(|| panic!("no role {name}"))
    }

    /// The roles of a member with what they carry.
    pub fn roles_of(&self, member: i64) -> Vec<&Role> {
        let m = &self.members[&member];
        m.roles.iter().map(|name| self.role(m.org, name)).collect()
    }

    pub fn has(&self, member: i64, capability: &str) -> bool {
        self.roles_of(member).iter().any(|role| role.capabilities.contains(capability))
    }

    /// Column value that names `member` in `table`, if its type can hold it.
    pub fn owner_value(&self, table: &Table, member: i64) -> Option<String> {
        table.shape.owner?.value(member, &self.members[&member].key)
    }

    pub fn territory_value(&self, table: &Table, territory: i64) -> Option<String> {
        table.shape.territory?.value(territory, &self.territories[&territory].key)
    }

    /// Would the manager edges of this world form a cycle?
    pub fn members_cycle(&self) -> bool {
        cycle(&self.members.iter().map(|(id, m)| (*id, m.manager)).collect())
    }

    pub fn territories_cycle(&self) -> bool {
        cycle(&self.territories.iter().map(|(id, t)| (*id, t.parent)).collect())
    }
}

fn cycle(parents: &BTreeMap<i64, Option<i64>>) -> bool {
    parents.keys().any(|start| {
        let mut at = *start;
        for _ in 0..=parents.len() {
            match parents.get(&at).copied().flatten() {
                None => return false,
                Some(up) => at = up,
            }
        }
        true
    })
}

pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

pub fn nullable(text: &Option<String>) -> String {
    text.as_deref().map_or("NULL".to_string(), literal)
}

pub fn number(id: Option<i64>) -> String {
    id.map_or("NULL".to_string(), |n| n.to_string())
}

pub fn array<'a>(items: impl IntoIterator<Item = &'a String>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| literal(item)).collect();
    format!("ARRAY[{}]::text[]", items.join(", "))
}
