//! Record grants: the record team and shares of the member and everyone below, in person or through a team.
//!
//! They are read with the statement's snapshot, and kept as long as statements see the same committed state. Someone
//! high up may hold half a million: their rows are asked for one by one until reading all at once is cheaper.

use super::reach::{At, Reach};
use crate::ffi::scan::{Column, Equal, Table, Tuple};
use crate::ffi::session;
use crate::ffi::snapshot::Committed;
use crate::model::ids::IdSet;
use crate::model::level::Level;
use crate::model::value::{Kind, Value, ValueSet, parse_int};
use pgrx::pg_sys::Oid;
use std::cell::{Cell, RefCell};
use std::ffi::CString;
use std::rc::Rc;

/// The records that a member reaches through grants. The levels matter to writes only; most grants have the level
/// edit, so that the sets of the others are small.
pub(super) struct Granted {
    any: Rc<ValueSet>,
    read_only: ValueSet,
    full: ValueSet,
    /// When the first of them expires.
    until: i64,
}

impl Granted {
    fn level(&self, id: &Value) -> Level {
        if !self.any.contains(id) {
            Level::None
        } else if self.full.contains(id) {
            Level::Full
        } else if self.read_only.contains(id) {
            Level::Read
        } else {
            Level::Edit
        }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Granted>() + self.any.bytes() + self.read_only.bytes() + self.full.bytes()
    }
}

/// The grants on one table in one state of the database.
pub(crate) struct Grants {
    target: Oid,
    kind: Kind,
    reach: Rc<Reach>,
    at: At,
    /// The state, where what is read of it may be kept.
    state: Option<Committed>,
    all: RefCell<Option<Rc<Granted>>>,
    asked: Cell<u32>,
    patience: Cell<Option<u32>>,
}

/// For so few members the exact number is read rather than guessed.
const FEW_MEMBERS: u64 = 16;
/// What a statement may spend on asking before it reads all, beside reading all. Most statements ask for a few
/// rows or for very many.
const PATIENCE: f64 = 0.25;
/// So many records are always asked for.
const FEW_RECORDS: f64 = 4.0;
/// Asking for a record costs about as much as reading this many grants (measured: 2.4 us and 0.3 us).
const ASKING: f64 = 8.0;
/// Looking up the grants of one member costs about as much as passing over this many.
const LOOKING_UP: f64 = 6.0;

impl Grants {
    pub(super) fn new(target: Oid, kind: Kind, reach: Rc<Reach>, at: At) -> Grants {
        let state = at.committed();
        let all = state.and_then(|state| reach.granted_in(target, kind, state));
        let all = RefCell::new(all.filter(|granted| granted.until > session::statement_time()));
        // Statements that see one state share their patience: what they read together is kept for all of them.
        let asked = Cell::new(state.map_or(0, |state| reach.asked_in(target, state)));
        Grants { target, kind, reach, at, state, all, asked, patience: Cell::new(None) }
    }

    /// The level that grants give on a record.
    pub(super) fn level(&self, id: &Value) -> Level {
        if let Some(all) = self.loaded() {
            return all.level(id);
        }
        if self.asked.get() >= self.patience() {
            return self.all().level(id);
        }
        self.asked.set(self.asked.get() + 1);
        if let Some(state) = self.state {
            self.reach.remember_asked(self.target, state, self.asked.get());
        }
        self.ask(id, &self.members())
    }

    /// How often to ask for single records: until that has cost a part of what reading all would have.
    fn patience(&self) -> u32 {
        self.patience.get().unwrap_or_else(|| {
            let lookups = self.members().len() as f64 * LOOKING_UP;
            let all = Table::open(c"record_grant").estimated_rows();
            let patience = ((lookups + self.guess()).min(all) / ASKING * PATIENCE).max(FEW_RECORDS) as u32;
            self.patience.set(Some(patience));
            patience
        })
    }

    fn loaded(&self) -> Option<Rc<Granted>> {
        self.all.borrow().clone()
    }

    /// The readable records, if they were all read already.
    pub(super) fn records_at_hand(&self) -> Option<Rc<ValueSet>> {
        self.loaded().map(|all| Rc::clone(&all.any))
    }

    /// The readable records.
    pub(super) fn records(&self) -> Rc<ValueSet> {
        Rc::clone(&self.all().any)
    }

    /// About how many records are granted. What was seen or guessed last time is good enough for a plan.
    pub(super) fn estimate(&self) -> f64 {
        if let Some(all) = self.loaded() {
            return all.any.len() as f64;
        }
        if let Some(count) = self.reach.granted(self.target) {
            return count;
        }
        if self.members().len() <= FEW_MEMBERS { self.records().len() as f64 } else { self.guess() }
    }

    /// As many as an average member holds, for each.
    fn guess(&self) -> f64 {
        self.reach.granted(self.target).unwrap_or_else(|| {
            let members = self.members().len() as f64;
            let rows = |name| Table::open(name).estimated_rows();
            let guess = rows(c"record_grant") * members / rows(c"member").max(members);
            self.reach.remember_granted(self.target, guess);
            guess
        })
    }

    /// The member and everyone below.
    fn members(&self) -> Rc<ValueSet> {
        self.reach.owners(Kind::Int8, self.at)
    }

    fn all(&self) -> Rc<Granted> {
        self.loaded().unwrap_or_else(|| {
            let all = Rc::new(self.read_all());
            self.reach.remember_granted(self.target, all.any.len() as f64);
            if let Some(state) = self.state {
                self.reach.keep_granted(self.target, self.kind, state, &all);
            }
            self.all.replace(Some(Rc::clone(&all)));
            all
        })
    }

    fn read_all(&self) -> Granted {
        let members = self.members();
        let mut found = Found::new(self.kind);
        if let ValueSet::Ids(members) = members.as_ref() {
            self.read_held_by(members, &self.reach.teams(self.at), &mut found);
        }
        found.granted()
    }

    fn read_held_by(&self, members: &IdSet, teams: &IdSet, found: &mut Found) {
        let reader = Reader::open();
        let target = (reader.target_column, Equal::Oid(self.target));
        let lookups = (members.len() + teams.len()) as f64 * LOOKING_UP;
        if lookups >= reader.table.estimated_rows() {
            reader.table.scan(None, &[target], |row| {
                if reader.is_held(row, members, teams) {
                    reader.add(row, found);
                }
                true
            });
            return;
        }
        for (holders, column, index) in
            [(members, reader.member, c"record_grant_member_idx"), (teams, reader.team, c"record_grant_team_idx")]
        {
            for id in holders.iter() {
                reader.table.scan(Some(index), &[(column, Equal::Int(id)), target], |row| {
                    reader.add(row, found);
                    true
                });
            }
        }
    }

    /// The level on one record, asked of the index on records.
    fn ask(&self, id: &Value, members: &ValueSet) -> Level {
        let (Some(Ok(record)), ValueSet::Ids(members)) = (id.to_text().map(CString::new), members) else {
            return Level::None;
        };
        let teams = self.reach.teams(self.at);
        let reader = Reader::open();
        let keys = [(reader.target_column, Equal::Oid(self.target)), (reader.record, Equal::Text(&record))];
        let mut level = Level::None;
        for (index, asked) in [(c"record_grant_member_unique", true), (c"record_grant_team_unique", !teams.is_empty())]
        {
            if asked {
                reader.table.scan(Some(index), &keys, |row| {
                    if reader.is_held(row, members, &teams) && reader.is_current(row) {
                        level = level.max(reader.level_of(row));
                    }
                    level < Level::Full
                });
            }
        }
        level
    }
}

/// The columns of leadguard.record_grant.
struct Reader {
    table: Table,
    target_column: Column,
    record: Column,
    member: Column,
    team: Column,
    level: Column,
    until: Column,
    now: i64,
}

impl Reader {
    fn open() -> Reader {
        let table = Table::open(c"record_grant");
        Reader {
            target_column: table.column(c"target"),
            record: table.column(c"record"),
            member: table.column(c"member_id"),
            team: table.column(c"team_id"),
            level: table.column(c"level"),
            until: table.column(c"until"),
            now: session::statement_time(),
            table,
        }
    }

    fn is_held(&self, row: &Tuple, members: &IdSet, teams: &IdSet) -> bool {
        row.int(self.member).is_some_and(|id| members.contains(id))
            || row.int(self.team).is_some_and(|id| teams.contains(id))
    }

    fn until(&self, row: &Tuple) -> i64 {
        row.int(self.until).unwrap_or(i64::MAX)
    }

    fn is_current(&self, row: &Tuple) -> bool {
        self.until(row) > self.now
    }

    fn level_of(&self, row: &Tuple) -> Level {
        row.with_text(self.level, Level::parse).flatten().unwrap_or_default()
    }

    fn add(&self, row: &Tuple, found: &mut Found) {
        if self.is_current(row) {
            let level = self.level_of(row);
            row.with_text(self.record, |record| found.add(record, level, self.until(row)));
        }
    }
}

/// Grants as they are read.
struct Found {
    kind: Kind,
    ids: Vec<(i64, Level)>,
    texts: Vec<(String, Level)>,
    until: i64,
}

impl Found {
    fn new(kind: Kind) -> Found {
        Found { kind, ids: Vec::new(), texts: Vec::new(), until: i64::MAX }
    }

    fn add(&mut self, record: &str, level: Level, until: i64) {
        if !self.kind.is_int() {
            self.texts.push((record.to_owned(), level));
        } else if let Some(id) = parse_int(record) {
            self.ids.push((id, level));
        }
        self.until = self.until.min(until);
    }

    fn granted(&self) -> Granted {
        let [read, full] = [Level::Read, Level::Full].map(|level| self.set(|l| l == level));
        // A record with grants of several levels has the highest.
        let read_only = if read.is_empty() { read } else { read.without(&[&self.set(|l| l > Level::Read)]) };
        Granted { any: Rc::new(self.set(|_| true)), read_only, full, until: self.until }
    }

    fn set(&self, wanted: impl Fn(Level) -> bool) -> ValueSet {
        if self.kind.is_int() {
            return ValueSet::of_ids(self.ids.iter().filter(|(_, level)| wanted(*level)).map(|(id, _)| *id));
        }
        let records = self.texts.iter().filter(|(_, level)| wanted(*level)).map(|(record, _)| record.as_str());
        ValueSet::of_records(records, self.kind)
    }
}
