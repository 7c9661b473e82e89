//! The asking member, and what was loaded for one state of the database.
//!
//! A subject is only a cache: dropping all of them at any moment changes no answer. It is found by the
//! fingerprint of the state, the statement's time (shares expire), the login role and the identity's serial
//! number; a rolled-back (sub)transaction drops all of them. Tests: tests/isolation, tests/property.

use super::load;
use crate::ffi::session::{self, Transaction};
use crate::ffi::snapshot::{self, Fingerprint};
use crate::identity::{self, Identity, Mode};
use crate::model::level::Level;
use crate::model::value::{Kind, Value, ValueMap, ValueSet};
use pgrx::pg_sys::Oid;
use std::cell::RefCell;
use std::rc::Rc;

/// The row of leadguard.member behind an identity. Only active members have one.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub id: i64,
    pub key: String,
    pub name: String,
    pub org_id: i64,
    pub org_key: String,
    pub guest: bool,
    pub level_cap: Option<Level>,
    pub capabilities: Vec<String>,
}

/// A protected table as registered.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub target: Oid,
    pub org_id: i64,
    pub id_column: String,
    pub owner_column: Option<String>,
    pub creator_column: Option<String>,
    pub territory_column: Option<String>,
    pub organization_column: Option<String>,
    pub force: bool,
    pub skip_denied: bool,
}

/// The mapped values of one row, with the kinds of their columns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mapped<'a> {
    pub id: (Value<'a>, Option<Kind>),
    pub owner: (Value<'a>, Option<Kind>),
    pub territory: (Value<'a>, Option<Kind>),
    pub organization: Value<'a>,
}

/// Whether a subject stands for the statement's state or for the newest one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Statement,
    Now,
}

type Loaded<K, V> = RefCell<Vec<(K, Rc<V>)>>;

pub(crate) struct Subject {
    pub member: Option<Member>,
    pub mode: Option<Mode>,
    of: Of,
    /// The hierarchies' revisions when this was loaded; known for newest states only.
    revision: i64,
    owners: Loaded<Kind, ValueSet>,
    territories: Loaded<Kind, ValueSet>,
    grants: Loaded<(Oid, Kind), ValueMap<Level>>,
    tables: Loaded<Oid, Option<Table>>,
}

impl Subject {
    fn load(of: Of) -> Subject {
        let identity = identity::claimed();
        let member = identity.and_then(|Identity { member, mode }| load::member(member, mode));
        Subject {
            mode: member.as_ref().and(identity).map(|i| i.mode),
            member,
            of,
            revision: if of == Of::Now { load::revision() } else { 0 },
            owners: RefCell::default(),
            territories: RefCell::default(),
            grants: RefCell::default(),
            tables: RefCell::default(),
        }
    }

    /// The same member in a newer state in which no hierarchy changed. Grants have no revision.
    fn renewed(&self) -> Subject {
        Subject {
            member: self.member.clone(),
            mode: self.mode,
            of: self.of,
            revision: self.revision,
            owners: RefCell::new(self.owners.borrow().clone()),
            territories: RefCell::new(self.territories.borrow().clone()),
            grants: RefCell::default(),
            tables: RefCell::default(),
        }
    }

    /// Finds or loads one part. Nothing is borrowed while a query runs.
    fn part<K: PartialEq + Copy, V>(&self, parts: &Loaded<K, V>, key: K, load: impl FnOnce() -> V) -> Rc<V> {
        let held = parts.borrow().iter().find(|(k, _)| *k == key).map(|(_, v)| Rc::clone(v));
        held.unwrap_or_else(|| {
            let loaded = Rc::new(match self.of {
                Of::Statement => load(),
                Of::Now => snapshot::with_latest(load),
            });
            parts.borrow_mut().push((key, Rc::clone(&loaded)));
            loaded
        })
    }

    /// The registration that covers a relation: its own, or that of the root it is a partition of.
    pub(crate) fn table(&self, relation: Oid) -> Rc<Option<Table>> {
        self.part(&self.tables, relation, || load::table(relation))
    }

    /// The member himself and everyone below.
    pub(crate) fn owners(&self, member: &Member, kind: Kind) -> Rc<ValueSet> {
        self.part(&self.owners, kind, || load::owners(member.id, kind))
    }

    pub(crate) fn territories(&self, member: &Member, kind: Kind) -> Rc<ValueSet> {
        self.part(&self.territories, kind, || load::territories(member.id, kind))
    }

    fn grants(&self, member: &Member, target: Oid, kind: Kind) -> Rc<ValueMap<Level>> {
        self.part(&self.grants, (target, kind), || load::grants(member.id, target, kind))
    }

    pub(crate) fn has_capability(&self, capability: &str) -> bool {
        self.member.as_ref().is_some_and(|m| m.capabilities.iter().any(|c| c == capability))
    }

    /// Whether a row belongs to the member's organization: by its column, or by the table's registration.
    pub(crate) fn same_organization(&self, member: &Member, table: &Table, organization: &Value) -> bool {
        if table.organization_column.is_none() {
            return table.org_id == member.org_id;
        }
        match organization {
            Value::Null => false,
            Value::Int(id) => *id == member.org_id,
            Value::Text(key) => *key == member.org_key,
            Value::Uuid(bytes) => crate::model::value::parse_uuid(&member.org_key) == Some(*bytes),
        }
    }

    /// The level at which the member reaches a row: the union of the paths, the highest wins, then the cap.
    pub(crate) fn level(&self, table: &Table, row: &Mapped) -> Level {
        let Some(member) = &self.member else { return Level::None };
        if !self.same_organization(member, table, &row.organization) {
            return Level::None;
        }
        self.uncapped(member, table, row).capped(member.level_cap)
    }

    fn uncapped(&self, member: &Member, table: &Table, row: &Mapped) -> Level {
        if member.capabilities.iter().any(|c| c == "all_records") {
            return Level::Full;
        }
        if let (owner, Some(kind)) = row.owner
            && owner != Value::Null
            && self.owners(member, kind).contains(&owner)
        {
            return Level::Full;
        }
        let territory = match row.territory {
            (territory, Some(kind))
                if territory != Value::Null && self.territories(member, kind).contains(&territory) =>
            {
                Level::Edit
            }
            _ => Level::None,
        };
        // The grants of someone high up can be half a million: loaded only for a row that nothing else covers
        // as far as the cap lets it count.
        if territory >= Level::Edit && member.level_cap.is_some_and(|cap| cap <= Level::Edit) {
            return territory;
        }
        let granted = match row.id {
            (id, Some(kind)) => self.grants(member, table.target, kind).get(&id).copied().unwrap_or_default(),
            _ => Level::None,
        };
        territory.max(granted)
    }

    /// Like level() where only read matters: a territory row needs no look at the grants.
    pub(crate) fn reads(&self, table: &Table, row: &Mapped) -> bool {
        let Some(member) = &self.member else { return false };
        if !self.same_organization(member, table, &row.organization) {
            return false;
        }
        if let (territory, Some(kind)) = row.territory
            && territory != Value::Null
            && self.territories(member, kind).contains(&territory)
        {
            return true;
        }
        self.uncapped(member, table, row) >= Level::Read
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    of: Of,
    state: Fingerprint,
    time: i64,
    role: Oid,
    serial: u64,
}

/// A statement and its triggers see few states at a time.
const KEPT: usize = 4;

thread_local! {
    static SUBJECTS: RefCell<Vec<(Key, Rc<Subject>)>> = const { RefCell::new(Vec::new()) };
}

fn find(of: Of, state: Fingerprint) -> Rc<Subject> {
    let key =
        Key { of, state, time: session::statement_time(), role: session::session_role(), serial: identity::serial() };
    let held = SUBJECTS.with_borrow(|subjects| subjects.iter().find(|(k, _)| *k == key).map(|(_, s)| Rc::clone(s)));
    held.unwrap_or_else(|| {
        let subject = Rc::new(match of {
            Of::Statement => Subject::load(of),
            Of::Now => snapshot::with_latest(|| match previous(&key) {
                Some(previous) if previous.revision == load::revision() => previous.renewed(),
                _ => Subject::load(of),
            }),
        });
        SUBJECTS.with_borrow_mut(|subjects| {
            subjects.truncate(KEPT - 1);
            subjects.insert(0, (key, Rc::clone(&subject)));
        });
        subject
    })
}

/// A subject of the same identity in an older newest state: other transactions commit all the time, and few
/// of them touch a hierarchy.
fn previous(key: &Key) -> Option<Rc<Subject>> {
    SUBJECTS.with_borrow(|subjects| {
        let held = subjects.iter().find(|(k, _)| k.of == key.of && k.role == key.role && k.serial == key.serial);
        held.map(|(_, subject)| Rc::clone(subject))
    })
}

/// The subject in the state that the running statement sees.
pub(crate) fn statement() -> Rc<Subject> {
    match snapshot::active() {
        Some(state) => find(Of::Statement, state),
        None => crate::errors::bug("a question without a snapshot"),
    }
}

/// The subject in the newest state.
pub(crate) fn now() -> Rc<Subject> {
    match snapshot::latest() {
        Some(state) => find(Of::Now, state),
        None => crate::errors::bug("a question without a snapshot"),
    }
}

/// What was loaded in an aborted (sub)transaction, or for the transaction that ends, is gone with it.
pub(crate) fn on_transaction(event: Transaction) {
    if matches!(event, Transaction::Ended | Transaction::SubAborted { .. }) {
        let dropped = SUBJECTS.with(|s| s.try_borrow_mut().map(|mut s| std::mem::take(&mut *s)));
        drop(dropped);
    }
}
