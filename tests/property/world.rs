//! The organizations, tables and records of a random test as plain values: what the database should hold.
//!
//! Columns are kept as the text that the database stores, so that nothing here resolves a reference; that is the
//! business of `reference.rs` alone.

use std::collections::{BTreeMap, BTreeSet};

/// Login roles that exist in every test database; roles are cluster-wide and costly, bindings are cheap.
pub const LOGINS: usize = 24;

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
}

#[derive(Clone, Debug)]
pub struct Record {
    pub org: i64,
    pub owner: Option<String>,
    pub territory: Option<String>,
    pub creator: Option<String>,
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

#[derive(Clone, Debug)]
pub struct Grant {
    pub record: String,
    pub share: bool,
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
}

impl Table {
    pub fn ids(&self) -> Vec<String> {
        self.records.keys().cloned().collect()
    }

    /// At most one grant per kind, holder and `retained`: the database keeps it so.
    pub fn grant(&self, record: &str, share: bool, holder: Holder, retained: bool) -> Option<usize> {
        self.grants
            .iter()
            .position(|g| g.record == record && g.share == share && g.holder == holder && g.retained == retained)
    }
}

#[derive(Clone)]
pub struct World {
    /// id and key
    pub orgs: Vec<(i64, String)>,
    pub members: BTreeMap<i64, Member>,
    pub territories: BTreeMap<i64, Territory>,
    pub teams: BTreeMap<i64, Team>,
    pub tables: Vec<Table>,
    /// Which member each login role is, if any.
    pub logins: Vec<Option<i64>>,
    /// Ids and keys are never used twice.
    pub next: i64,
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

    pub fn login_of(&self, member: i64) -> Option<usize> {
        self.logins.iter().position(|bound| *bound == Some(member))
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
