//! What a member reaches: sets that depend on the hierarchies alone, computed once for each change of them.
//!
//! A reach is found by member and revision. It holds no row of a protected table and no record grant. What the
//! running transaction has changed itself is never kept. The memory is bounded by leadguard.cache_size; what
//! was used longest ago goes first. Dropping everything at any moment changes no answer.

use super::arm::Arm;
use super::granted::Granted;
use super::grants::Sieve;
use super::load;
use super::member::Member;
use super::revision::Revision;
use super::sets::Which;
use super::state;
use super::table::Table;
use crate::ffi::snapshot::{self, Committed};
use crate::guc;
use crate::identity::Mode;
use crate::model::access::{Access, resolve};
use crate::model::ids::IdSet;
use crate::model::rules::Rules;
use crate::model::value::{Kind, ValueSet};
use lru::LruCache;
use pgrx::pg_sys::Oid;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub member: i64,
    pub mode: Mode,
    pub revision: Revision,
}

/// In which state a part that is not there yet is loaded.
#[derive(Debug, Clone, Copy)]
pub(super) enum At {
    /// In that of a statement, whose snapshot sees the reach's own revision.
    Statement,
    /// In the newest one, which may have moved on since this revision was read; then nothing is kept.
    Now(Revision),
}

impl At {
    /// Whether the active snapshot sees the revision under which the reach is kept.
    fn is_seen(self) -> bool {
        match self {
            At::Statement => true,
            At::Now(revision) => state::seen().revision == revision,
        }
    }

    /// The state, if it is the statement's and one of committed transactions only.
    pub(super) fn committed(self) -> Option<Committed> {
        matches!(self, At::Statement).then(snapshot::committed).flatten()
    }
}

/// The teams whose shares reach a member: through himself, and only through somebody below.
pub(super) struct Teams {
    pub own: IdSet,
    pub below: IdSet,
}

impl Teams {
    pub(super) fn len(&self) -> u64 {
        self.own.len() + self.below.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How teams count in a table: by their access setting, and how far down those below do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TeamsOf {
    pub by_access: bool,
    pub below: Option<u32>,
}

/// The record grants of a table in one committed state, those that its rules let count.
struct Records {
    of: Sieve,
    state: Committed,
    granted: Rc<Granted>,
}

/// What was resolved for a table's rules; they are another object when they change.
struct Resolved {
    rules: Rc<Rules>,
    personal: bool,
    access: Rc<Access>,
}

const MOST_RESOLVED: usize = 64;

/// What was counted in an index for an estimate.
#[derive(Clone, Copy)]
struct Count {
    table: Oid,
    arm: Arm,
    at: i64,
    share: Option<f64>,
}

/// In microseconds.
const A_MOMENT: i64 = 10_000_000;
const MOST_COUNTS: usize = 64;

pub(crate) struct Reach {
    pub member: Rc<Member>,
    sets: RefCell<Vec<(Which, Kind, Rc<ValueSet>)>>,
    teams: RefCell<Vec<(TeamsOf, Rc<Teams>)>>,
    resolved: RefCell<Vec<Resolved>>,
    /// How many records of a table were granted when somebody last looked or guessed. For estimates only.
    granted: RefCell<Vec<(Oid, f64)>>,
    records: RefCell<Vec<Records>>,
    counts: RefCell<Vec<Count>>,
    /// How many single records of a table were asked for in one state.
    asked: Cell<Option<(Oid, Committed, u32)>>,
    bytes: Cell<usize>,
    kept: Cell<bool>,
}

/// The entry itself and its place in the cache.
const OVERHEAD: usize = size_of::<Reach>() + size_of::<Member>() + size_of::<Key>() + 64;

impl Reach {
    fn new(member: Member) -> Reach {
        let bytes = OVERHEAD + member.key.len() + member.capabilities.iter().map(String::len).sum::<usize>();
        Reach {
            member: Rc::new(member),
            sets: RefCell::default(),
            teams: RefCell::default(),
            resolved: RefCell::default(),
            granted: RefCell::default(),
            records: RefCell::default(),
            counts: RefCell::default(),
            asked: Cell::new(None),
            bytes: Cell::new(bytes),
            kept: Cell::new(false),
        }
    }

    /// A set as a column of `kind` holds its values. Nothing is borrowed while a query runs.
    pub(super) fn set(&self, which: Which, kind: Kind, at: At) -> Rc<ValueSet> {
        let kind = kind.family();
        let held = self.sets.borrow().iter().find(|(w, k, _)| *w == which && *k == kind).map(|(_, _, set)| Rc::clone(set));
        held.unwrap_or_else(|| {
            let set = Rc::new(which.load(self.member.id, kind));
            if at.is_seen() {
                self.grow(set.bytes());
                self.sets.borrow_mut().push((which, kind, Rc::clone(&set)));
            }
            set
        })
    }

    pub(super) fn teams(&self, of: TeamsOf, at: At) -> Rc<Teams> {
        let held = self.teams.borrow().iter().find(|(o, _)| *o == of).map(|(_, teams)| Rc::clone(teams));
        held.unwrap_or_else(|| {
            let teams = Rc::new(load::teams(self.member.id, of));
            if at.is_seen() {
                self.grow(teams.own.bytes() + teams.below.bytes());
                self.teams.borrow_mut().push((of, Rc::clone(&teams)));
            }
            teams
        })
    }

    /// What the rules of a table come to for the member.
    pub(super) fn access(&self, table: &Table, personal: bool, analyst_login: bool) -> Rc<Access> {
        let is_same = |held: &&Resolved| Rc::ptr_eq(&held.rules, &table.rules) && held.personal == personal;
        if let Some(held) = self.resolved.borrow().iter().find(is_same) {
            return Rc::clone(&held.access);
        }
        let access = Rc::new(resolve(&table.rules, &self.member.who(personal, analyst_login)));
        let mut resolved = self.resolved.borrow_mut();
        if resolved.len() >= MOST_RESOLVED {
            resolved.clear();
        }
        resolved.push(Resolved { rules: Rc::clone(&table.rules), personal, access: Rc::clone(&access) });
        access
    }

    fn grow(&self, bytes: usize) {
        self.bytes.set(self.bytes.get() + bytes);
        if self.kept.get() {
            CACHE.with_borrow_mut(|cache| {
                cache.bytes += bytes;
                cache.trim();
            });
        }
    }

    fn shrink(&self, bytes: usize) {
        self.bytes.set(self.bytes.get().saturating_sub(bytes));
        if self.kept.get() {
            CACHE.with_borrow_mut(|cache| cache.bytes = cache.bytes.saturating_sub(bytes));
        }
    }

    pub(super) fn granted(&self, target: Oid) -> Option<f64> {
        self.granted.borrow().iter().find(|(t, _)| *t == target).map(|(_, count)| *count)
    }

    pub(super) fn remember_granted(&self, target: Oid, count: f64) {
        let mut granted = self.granted.borrow_mut();
        granted.retain(|(t, _)| *t != target);
        granted.push((target, count));
    }

    /// Which part of a table's rows an arm lets pass, counted when that was not done a moment ago. For estimates only.
    pub(super) fn counted(&self, table: Oid, arm: Arm, now: i64, count: impl FnOnce() -> Option<f64>) -> Option<f64> {
        let held = self.counts.borrow().iter().find(|c| c.table == table && c.arm == arm).copied();
        if let Some(held) = held.filter(|held| (held.at..held.at + A_MOMENT).contains(&now)) {
            return held.share;
        }
        let share = count();
        let mut counts = self.counts.borrow_mut();
        counts.retain(|c| c.table != table || c.arm != arm);
        if counts.len() >= MOST_COUNTS {
            counts.clear();
        }
        counts.push(Count { table, arm, at: now, share });
        share
    }

    pub(super) fn asked_in(&self, target: Oid, state: Committed) -> u32 {
        self.asked.get().filter(|(t, s, _)| *t == target && *s == state).map_or(0, |(_, _, count)| count)
    }

    pub(super) fn remember_asked(&self, target: Oid, state: Committed, count: u32) {
        self.asked.set(Some((target, state, count)));
    }

    /// The record grants of a table as they were read in this state.
    pub(super) fn granted_in(&self, of: &Sieve, state: Committed) -> Option<Rc<Granted>> {
        let records = self.records.borrow();
        let held = records.iter().find(|r| r.of == *of && r.state == state);
        held.map(|r| Rc::clone(&r.granted))
    }

    /// Keeps them until another state is seen; a set that takes more than half of the memory is not worth it.
    pub(super) fn keep_granted(&self, of: &Sieve, state: Committed, granted: &Rc<Granted>) {
        let old: usize = {
            let mut records = self.records.borrow_mut();
            records.extract_if(.., |r| r.state != state).map(|r| r.granted.bytes()).sum()
        };
        self.shrink(old);
        let bytes = granted.bytes();
        if bytes <= guc::cache_bytes() / 2 {
            self.records.borrow_mut().push(Records { of: *of, state, granted: Rc::clone(granted) });
            self.grow(bytes);
        }
    }
}

struct Cache {
    entries: LruCache<Key, Rc<Reach>>,
    bytes: usize,
    hits: i64,
    misses: i64,
    evicted: i64,
}

thread_local! {
    static CACHE: RefCell<Cache> =
        RefCell::new(Cache { entries: LruCache::unbounded(), bytes: 0, hits: 0, misses: 0, evicted: 0 });
}

impl Cache {
    fn trim(&mut self) {
        while self.bytes > guc::cache_bytes()
            && let Some((_, reach)) = self.entries.pop_lru()
        {
            self.let_go(&reach);
            self.evicted += 1;
        }
    }

    fn let_go(&mut self, reach: &Reach) {
        reach.kept.set(false);
        self.bytes = self.bytes.saturating_sub(reach.bytes.get());
    }

    fn keep(&mut self, key: Key, reach: &Rc<Reach>) {
        reach.kept.set(true);
        self.bytes += reach.bytes.get();
        if let Some(replaced) = self.entries.put(key, Rc::clone(reach)) {
            self.let_go(&replaced);
        }
        self.trim();
    }
}

/// The reach of an active member in the active snapshot; None for anybody else. `own`: the running transaction
/// has changed a hierarchy.
pub(super) fn find(key: Key, own: bool) -> Option<Rc<Reach>> {
    if !own {
        let held = CACHE.with_borrow_mut(|cache| {
            cache.trim();
            let held = cache.entries.get(&key).map(Rc::clone);
            if held.is_some() {
                cache.hits += 1;
            } else {
                cache.misses += 1;
            }
            held
        });
        if held.is_some() {
            return held;
        }
    }
    let reach = Rc::new(Reach::new(load::member(key.member, key.mode)?));
    if !own {
        CACHE.with_borrow_mut(|cache| cache.keep(key, &reach));
    }
    Some(reach)
}

/// What the function leadguard.cache() shows.
pub(crate) struct Usage {
    pub members: i64,
    pub bytes: i64,
    pub hits: i64,
    pub misses: i64,
    pub evicted: i64,
}

pub(crate) fn usage() -> Usage {
    CACHE.with_borrow_mut(|cache| {
        cache.trim();
        Usage {
            members: cache.entries.len() as i64,
            bytes: cache.bytes as i64,
            hits: cache.hits,
            misses: cache.misses,
            evicted: cache.evicted,
        }
    })
}
