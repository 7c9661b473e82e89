//! The asking member, in one state of the database.
//!
//! A subject is only a cache: dropping all of them at any moment changes no answer. It is found by the
//! fingerprint of the state, the statement's time (shares expire), the login role and the identity's serial
//! number; a rolled-back (sub)transaction drops all of them. What the hierarchies alone decide is in its reach
//! and outlives it. Tests: tests/isolation, tests/property.

use super::arm::Arm;
use super::grants::{Grants, Sieve};
use super::listed::{List, Listed};
use super::member::Member;
use super::parents;
use super::reach::{self, At, Reach};
use super::revision::{Revision, Seen};
use super::sets::Which;
use super::state;
use super::table::Table;
use crate::errors;
use crate::ffi::session::{self, Transaction};
use crate::ffi::snapshot::{self, Fingerprint};
use crate::guc;
use crate::identity::{self, Identity, Mode};
use crate::model::access::Access;
use crate::model::level::Level;
use crate::model::path::Path;
use crate::model::rights::Rights;
use crate::model::value::{Kind, Value, ValueSet};
use pgrx::pg_sys::Oid;
use std::cell::RefCell;
use std::rc::Rc;

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
    grants: Loaded<Sieve, Grants>,
    tables: Loaded<Oid, Rc<Option<Table>>>,
    listed: Loaded<(List, Kind), Listed>,
    parents: Loaded<(Oid, Kind), ValueSet>,
    /// Wants his own records only.
    personal: bool,
    /// It is the session's own member, and not one whom a question is about.
    asks: bool,
}

impl Subject {
    fn load(of: Of) -> Subject {
        Subject::of(of, identity::claimed(), guc::is_personal())
    }

    fn of(of: Of, identity: Option<Identity>, personal: bool) -> Subject {
        let Seen { revision, own, .. } = state::seen();
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
            parents: RefCell::default(),
            personal,
            asks: true,
        }
    }

    /// Runs a query in the state that this subject stands for.
    pub(super) fn in_state<T>(&self, body: impl FnOnce() -> T) -> T {
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

    /// What the rules of a table come to for the member; nothing for nobody.
    pub(crate) fn access(&self, table: &Table) -> Rc<Access> {
        let analyst = self.mode == Some(Mode::Analyst);
        match &self.reach {
            Some(reach) => reach.access(table, self.personal, analyst),
            None => Rc::default(),
        }
    }

    /// A set that the hierarchies decide; nobody's is empty.
    pub(crate) fn set(&self, which: Which, kind: Kind) -> Rc<ValueSet> {
        match &self.reach {
            Some(reach) => self.in_state(|| reach.set(which, kind, self.at())),
            None => Rc::new(ValueSet::of_ids([])),
        }
    }

    /// The member himself and everyone below.
    pub(crate) fn owners(&self, kind: Kind) -> Rc<ValueSet> {
        self.set(Which::CHAIN, kind)
    }

    /// The territories that the member reaches through the hierarchies.
    pub(crate) fn territories(&self, kind: Kind) -> Rc<ValueSet> {
        self.set(Which::REACHED, kind)
    }

    /// The rows of a table's parent that the member reads.
    pub(super) fn parents(&self, table: &Table, kind: Kind) -> Option<Rc<ValueSet>> {
        let parent = table.parent?;
        let registered = self.table(parent);
        let id_column = &registered.as_ref().as_ref()?.id_column;
        let key = (parent, kind.family());
        let make = || match self.asks {
            true => self.in_state(|| parents::readable(parent, id_column, key.1)),
            false => ValueSet::of_ids([]),
        };
        Some(Subject::part(&self.parents, key, make))
    }

    /// What a member whom a question is about reads of a parent.
    pub(crate) fn keep_parents(&self, parent: Oid, kind: Kind, ids: ValueSet) {
        self.parents.borrow_mut().push(((parent, kind.family()), Rc::new(ids)));
    }

    fn at(&self) -> At {
        match self.of {
            Of::Statement => At::Statement,
            Of::Now => At::Now(self.revision),
        }
    }

    /// Whether the member reads the row that a parent column names; where it names no protected table, anybody does.
    pub(crate) fn reads_parent(&self, table: &Table, value: &Value, kind: Kind) -> bool {
        self.parents(table, kind).is_none_or(|readable| readable.contains(value))
    }

    /// The records of the table that grants give; None for nobody.
    pub(super) fn grants(&self, table: &Table, kind: Kind) -> Option<Rc<Grants>> {
        let reach = self.reach.as_ref()?;
        let of = Sieve::of(table.target, kind, &self.access(table));
        Some(Subject::part(&self.grants, of, || Grants::new(of, Rc::clone(reach), self.at())))
    }

    /// The records that grants make readable, as a set.
    pub(crate) fn granted_records(&self, table: &Table, kind: Kind) -> Rc<ValueSet> {
        match self.grants(table, kind) {
            Some(grants) => self.in_state(|| grants.records()),
            None => Rc::new(ValueSet::of_ids([])),
        }
    }

    /// The records that grants on some paths make readable.
    pub(crate) fn granted_on(&self, table: &Table, kind: Kind, paths: &[Path]) -> Rc<ValueSet> {
        let Some(reach) = &self.reach else { return Rc::new(ValueSet::of_ids([])) };
        let of = Sieve::of(table.target, kind, &self.access(table)).on(paths);
        let grants = Subject::part(&self.grants, of, || Grants::new(of, Rc::clone(reach), self.at()));
        self.in_state(|| grants.records())
    }

    /// The same if the set was read already.
    pub(crate) fn granted_records_at_hand(&self, table: &Table, kind: Kind) -> Option<Rc<ValueSet>> {
        self.grants(table, kind)?.records_at_hand()
    }

    /// About how many they are.
    pub(crate) fn granted_estimate(&self, table: &Table, kind: Kind) -> f64 {
        self.grants(table, kind).map_or(0.0, |grants| self.in_state(|| grants.estimate()))
    }

    /// Whether a grant makes the record readable.
    pub(crate) fn is_granted(&self, table: &Table, id: &Value, kind: Kind) -> bool {
        let access = self.access(table);
        self.grants(table, kind)
            .is_some_and(|grants| self.in_state(|| grants.rights(id, &access, None)).has(Rights::READ))
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

    /// Whether the member deletes for good: by capability, or by a switch of the table.
    pub(crate) fn hard_deletes(&self, table: &Table) -> bool {
        self.has_capability("hard_delete") || self.access(table).hard_delete
    }

    pub(crate) fn has_capability(&self, capability: &str) -> bool {
        self.member.as_ref().is_some_and(|member| member.can(capability))
    }

    /// The member, who may write; 42501 for nobody and for logins that only read.
    pub(crate) fn writer(&self, operation: &str, on: &str) -> &Member {
        match &self.member {
            None => errors::no_identity(operation, on),
            Some(_) if self.mode == Some(Mode::Analyst) => errors::read_only_login(operation, on),
            Some(member) if member.level_cap == Some(Level::Read) => errors::view_only(operation, on, &member.key),
            Some(member) => member,
        }
    }

    /// A person who decides about what others ask for, and needs nobody's decision about his own: one with the
    /// capability approve, no guest, no system, no login that only reads.
    pub(crate) fn is_data_owner(&self) -> bool {
        self.mode != Some(Mode::Analyst)
            && self.member.as_ref().is_some_and(|member| !member.system && !member.guest && member.can("approve"))
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

/// Somebody about whom a question is, in the state that the running statement sees. What he reads of parents is the
/// asking code's to tell: their policies would answer about who asks.
pub(crate) fn other(member: i64, mode: Mode, personal: bool) -> Subject {
    Subject { asks: false, ..Subject::of(Of::Statement, Some(Identity { member, mode }), personal) }
}

/// The same in the newest state.
pub(crate) fn newest(member: i64) -> Subject {
    let identity = Identity { member, mode: Mode::Person };
    snapshot::with_latest(|| Subject { asks: false, ..Subject::of(Of::Now, Some(identity), false) })
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
    known(|member| member.key.clone())
}

/// The same, his number.
pub(crate) fn known_id() -> Option<i64> {
    known(|member| member.id)
}

fn known<T>(what: impl FnOnce(&Member) -> T) -> Option<T> {
    let (role, serial) = (session::session_role(), identity::serial());
    SUBJECTS.with(|subjects| {
        let subjects = subjects.try_borrow().ok()?;
        let (_, subject) = subjects.iter().find(|(key, _)| key.role == role && key.serial == serial)?;
        subject.member.as_deref().map(what)
    })
}

/// What was loaded in an aborted (sub)transaction, or for the transaction that ends, is gone with it.
pub(crate) fn on_transaction(event: Transaction) {
    if matches!(event, Transaction::Ended(_) | Transaction::SubAborted { .. }) {
        let dropped = SUBJECTS.with(|s| s.try_borrow_mut().map(|mut s| std::mem::take(&mut *s)));
        drop(dropped);
    }
}
