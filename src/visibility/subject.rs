//! The asking member, in one state of the database.
//!
//! A subject is only a cache: dropping all of them at any moment changes no answer. It is found by the
//! fingerprint of the state, the statement's time (shares expire), the login role and the identity's serial
//! number; a rolled-back (sub)transaction drops all of them. What the hierarchies alone decide is in its reach
//! and outlives it. Tests: tests/isolation, tests/property.

use super::arm::Arm;
use super::grants::Grants;
use super::listed::{List, Listed};
use super::reach::{self, At, Reach};
use super::revision::{Revision, Seen};
use super::state;
use crate::ffi::session::{self, Transaction};
use crate::ffi::snapshot::{self, Fingerprint};
use crate::guc;
use crate::identity::{self, Mode};
use crate::model::level::Level;
use crate::model::value::{Kind, Value, ValueSet};
use pgrx::pg_sys::Oid;
use std::cell::RefCell;
use std::rc::Rc;

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
    pub level_cap: Option<Level>,
    pub capabilities: Vec<String>,
    /// The names of the roles, as field rules name them.
    pub roles: Vec<String>,
}

/// The shape of policies and triggers that protect makes.
pub(crate) const SHAPE: i32 = 2;

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
    pub archived_at_column: Option<String>,
    pub archived_by_column: Option<String>,
    /// Columns that the field matrix does not list are closed, instead of following the level on the row.
    pub closed_by_default: bool,
    /// The view that has the table's name, where columns are masked.
    pub concealed_by: Option<Oid>,
    /// Which policies and triggers the table carries.
    pub shape: i32,
}

impl Table {
    /// Protected before 0.3.0: without the triggers that came then, until leadguard.set_archive brings them.
    pub(crate) fn has_old_shape(&self) -> bool {
        self.shape < SHAPE
    }

    /// Whether whoever has level full may DELETE.
    pub(crate) fn archives(&self) -> bool {
        self.archived_at_column.is_some() || self.is_of_old_database()
    }

    /// The database is not updated to 0.3.0 yet: nothing is audited, and DELETE deletes as it did.
    pub(crate) fn is_of_old_database(&self) -> bool {
        self.shape == 0
    }

    /// The name that everybody uses: the table's, or that of the view that took it.
    pub(crate) fn shown(&self) -> String {
        crate::names::shown(self.concealed_by.unwrap_or(self.target))
    }
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
    pub member: Option<Rc<Member>>,
    pub mode: Option<Mode>,
    of: Of,
    reach: Option<Rc<Reach>>,
    /// The running transaction has changed a hierarchy: what follows from it may be rolled back.
    pub(crate) own: bool,
    revision: Revision,
    grants: Loaded<(Oid, Kind), Grants>,
    tables: Loaded<Oid, Rc<Option<Table>>>,
    listed: Loaded<(List, Kind), Listed>,
}

impl Subject {
    fn load(of: Of) -> Subject {
        let Seen { revision, own, .. } = state::seen();
        let identity = identity::claimed();
        let reach = identity.and_then(|i| reach::find(reach::Key { member: i.member, mode: i.mode, revision }, own));
        Subject {
            mode: reach.as_ref().and(identity).map(|i| i.mode),
            member: reach.as_ref().map(|r| Rc::clone(&r.member)),
            of,
            reach,
            own,
            revision,
            grants: RefCell::default(),
            tables: RefCell::default(),
            listed: RefCell::default(),
        }
    }

    /// Runs a query in the state that this subject stands for.
    fn in_state<T>(&self, body: impl FnOnce() -> T) -> T {
        match self.of {
            Of::Statement => body(),
            Of::Now => snapshot::with_latest(body),
        }
    }

    /// Finds or makes one part. Nothing is borrowed while a query runs.
    fn part<K: PartialEq + Copy, V>(parts: &Loaded<K, V>, key: K, make: impl FnOnce() -> V) -> Rc<V> {
        let held = parts.borrow().iter().find(|(k, _)| *k == key).map(|(_, v)| Rc::clone(v));
        held.unwrap_or_else(|| {
            let made = Rc::new(make());
            parts.borrow_mut().push((key, Rc::clone(&made)));
            made
        })
    }

    /// The registration that covers a relation: its own, or that of the root it is a partition of.
    pub(crate) fn table(&self, relation: Oid) -> Rc<Option<Table>> {
        let table = Subject::part(&self.tables, relation, || self.in_state(|| state::table(relation)));
        Rc::clone(&table)
    }

    /// The member himself and everyone below; nobody's set is empty.
    pub(crate) fn owners(&self, kind: Kind) -> Rc<ValueSet> {
        self.of_reach(|reach| reach.owners(kind, self.at()))
    }

    pub(crate) fn territories(&self, kind: Kind) -> Rc<ValueSet> {
        self.of_reach(|reach| reach.territories(kind, self.at()))
    }

    fn of_reach(&self, part: impl FnOnce(&Reach) -> Rc<ValueSet>) -> Rc<ValueSet> {
        match &self.reach {
            Some(reach) => self.in_state(|| part(reach)),
            None => Rc::new(ValueSet::of_ids([])),
        }
    }

    fn at(&self) -> At {
        match self.of {
            Of::Statement => At::Statement,
            Of::Now => At::Now(self.revision),
        }
    }

    /// The records of the table that grants give; None for nobody.
    fn grants(&self, target: Oid, kind: Kind) -> Option<Rc<Grants>> {
        let reach = self.reach.as_ref()?;
        let key = (target, kind.family());
        Some(Subject::part(&self.grants, key, || Grants::new(target, key.1, Rc::clone(reach), self.at())))
    }

    /// The records that grants make readable, as a set.
    pub(crate) fn granted_records(&self, target: Oid, kind: Kind) -> Rc<ValueSet> {
        match self.grants(target, kind) {
            Some(grants) => self.in_state(|| grants.records()),
            None => Rc::new(ValueSet::of_ids([])),
        }
    }

    /// The same if the set was read already.
    pub(crate) fn granted_records_at_hand(&self, target: Oid, kind: Kind) -> Option<Rc<ValueSet>> {
        self.grants(target, kind)?.records_at_hand()
    }

    /// About how many they are.
    pub(crate) fn granted_estimate(&self, target: Oid, kind: Kind) -> f64 {
        self.grants(target, kind).map_or(0.0, |grants| self.in_state(|| grants.estimate()))
    }

    pub(crate) fn granted_level(&self, target: Oid, id: &Value, kind: Kind) -> Level {
        self.grants(target, kind).map_or(Level::None, |grants| self.in_state(|| grants.level(id)))
    }

    /// Whether a list of the member's organization has an entry that a column of `kind` names so.
    pub(crate) fn lists(&self, list: List, value: &Value, kind: Kind) -> bool {
        let Some(member) = &self.member else { return false };
        let key = (list, kind.family());
        let listed = Subject::part(&self.listed, key, || Listed::new(list, member.org_id, key.1));
        self.in_state(|| listed.contains(value))
    }

    /// Which part of a table's rows an arm lets pass, as it was counted a moment ago.
    pub(crate) fn counted(&self, table: Oid, arm: Arm, count: impl FnOnce() -> Option<f64>) -> Option<f64> {
        self.reach.as_ref()?.counted(table, arm, session::statement_time(), count)
    }

    /// How many owners and territories the member reaches.
    pub(crate) fn reached(&self) -> u64 {
        self.owners(Kind::Int8).len() + self.territories(Kind::Int8).len()
    }

    /// Whether every row of the member's organization is visible.
    pub(crate) fn has_all_records(&self) -> bool {
        self.has_capability("all_records")
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
        if self.has_all_records() {
            return Level::Full;
        }
        if let (owner, Some(kind)) = row.owner
            && owner != Value::Null
            && self.owners(kind).contains(&owner)
        {
            return Level::Full;
        }
        let territory = match row.territory {
            (territory, Some(kind)) if territory != Value::Null && self.territories(kind).contains(&territory) => {
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
            (id, Some(kind)) => self.granted_level(table.target, &id, kind),
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
            && self.territories(kind).contains(&territory)
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
            Of::Now => snapshot::with_latest(|| Subject::load(of)),
        });
        // Without caches a statement still does not load everything anew for each row.
        let kept = if guc::cache_bytes() > 0 { KEPT } else { 1 };
        SUBJECTS.with_borrow_mut(|subjects| {
            subjects.truncate(kept - 1);
            subjects.insert(0, (key, Rc::clone(&subject)));
        });
        subject
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

/// The key of the member for whom the session works, if that was found out already. For the log: loads nothing.
pub(crate) fn known_key() -> Option<String> {
    let (role, serial) = (session::session_role(), identity::serial());
    SUBJECTS.with(|subjects| {
        let subjects = subjects.try_borrow().ok()?;
        let (_, subject) = subjects.iter().find(|(key, _)| key.role == role && key.serial == serial)?;
        subject.member.as_ref().map(|member| member.key.clone())
    })
}

/// What was loaded in an aborted (sub)transaction, or for the transaction that ends, is gone with it.
pub(crate) fn on_transaction(event: Transaction) {
    if matches!(event, Transaction::Ended | Transaction::SubAborted { .. }) {
        let dropped = SUBJECTS.with(|s| s.try_borrow_mut().map(|mut s| std::mem::take(&mut *s)));
        drop(dropped);
    }
}
