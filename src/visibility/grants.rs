//! Record grants: the record team, shares and contacts of the member and, where managers inherit, of everyone below, in
//! person or through a team.
//!
//! They are read with the statement's snapshot, and kept as long as statements see the same committed state. Someone
//! high up may hold half a million: their rows are asked for one by one until reading all at once is cheaper.

use super::granted::{Counted, Found, Granted, Ways};
use super::reach::{At, Reach, Teams, TeamsOf};
use super::sets::Which;
use crate::ffi::scan::{Column, Equal, Table, Tuple};
use crate::ffi::session;
use crate::ffi::snapshot::Committed;
use crate::model::access::Access;
use crate::model::ids::IdSet;
use crate::model::level::Level;
use crate::model::path::Path;
use crate::model::rights::Rights;
use crate::model::value::{Kind, Value, ValueSet};
use pgrx::pg_sys::Oid;
use std::cell::{Cell, RefCell};
use std::ffi::CString;
use std::rc::Rc;

/// Which grants are read: on which table, whose, and in which ways they may count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sieve {
    target: Oid,
    kind: Kind,
    teams: TeamsOf,
    counted: Counted,
}

impl Sieve {
    pub(super) fn of(target: Oid, kind: Kind, access: &Access) -> Sieve {
        let teams = TeamsOf { by_access: access.team_access, below: access.below };
        Sieve { target, kind: kind.family(), teams, counted: Counted::of(access) }
    }

    /// Only what comes on these paths.
    pub(super) fn on(self, paths: &[Path]) -> Sieve {
        Sieve { counted: self.counted.on(paths), ..self }
    }

    /// The member, and everyone below where managers inherit.
    fn members(&self) -> Which {
        Which::Members { own: true, below: self.teams.below, beside: false }
    }
}

/// The grants on one table in one state of the database.
pub(crate) struct Grants {
    of: Sieve,
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
    pub(super) fn new(of: Sieve, reach: Rc<Reach>, at: At) -> Grants {
        let state = at.committed();
        let all = state.and_then(|state| reach.granted_in(&of, state));
        let all = RefCell::new(all.filter(|granted| granted.until() > session::statement_time()));
        // Statements that see one state share their patience: what they read together is kept for all of them.
        let asked = Cell::new(state.map_or(0, |state| reach.asked_in(of.target, state)));
        Grants { of, reach, at, state, all, asked, patience: Cell::new(None) }
    }

    /// What grants give on a record.
    pub(super) fn rights(&self, id: &Value, access: &Access, status: Option<&str>) -> Rights {
        self.ways(id).rights(access, status)
    }

    /// The same, path by path.
    pub(super) fn each(&self, id: &Value, access: &Access, status: Option<&str>) -> Vec<(Path, Rights)> {
        self.ways(id).each(access, status)
    }

    /// All that grants may ever give.
    pub(super) fn at_most(&self, access: &Access) -> Rights {
        self.of.counted.at_most(access)
    }

    fn ways(&self, id: &Value) -> Ways {
        if self.of.counted.is_nothing() {
            return Ways::default();
        }
        if let Some(all) = self.loaded() {
            return all.ways(id);
        }
        if self.asked.get() >= self.patience() {
            return self.all().ways(id);
        }
        self.asked.set(self.asked.get() + 1);
        if let Some(state) = self.state {
            self.reach.remember_asked(self.of.target, state, self.asked.get());
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
        if self.of.counted.is_nothing() {
            return Some(self.records());
        }
        self.loaded().map(|all| Rc::clone(all.records()))
    }

    /// The readable records.
    pub(super) fn records(&self) -> Rc<ValueSet> {
        Rc::clone(self.all().records())
    }

    /// About how many records are granted. What was seen or guessed last time is good enough for a plan.
    pub(super) fn estimate(&self) -> f64 {
        if self.of.counted.is_nothing() {
            return 0.0;
        }
        if let Some(all) = self.loaded() {
            return all.records().len() as f64;
        }
        if let Some(count) = self.reach.granted(self.of.target) {
            return count;
        }
        if self.members().len() <= FEW_MEMBERS { self.records().len() as f64 } else { self.guess() }
    }

    /// As many as an average member holds, for each.
    fn guess(&self) -> f64 {
        self.reach.granted(self.of.target).unwrap_or_else(|| {
            let members = self.members().len() as f64;
            let rows = |name| Table::open(name).estimated_rows();
            let guess = rows(c"record_grant") * members / rows(c"member").max(members);
            self.reach.remember_granted(self.of.target, guess);
            guess
        })
    }

    fn members(&self) -> Rc<ValueSet> {
        self.reach.set(self.of.members(), Kind::Int8, self.at)
    }

    fn all(&self) -> Rc<Granted> {
        self.loaded().unwrap_or_else(|| {
            let all = Rc::new(self.read_all());
            self.reach.remember_granted(self.of.target, all.records().len() as f64);
            if let Some(state) = self.state {
                self.reach.keep_granted(&self.of, state, &all);
            }
            self.all.replace(Some(Rc::clone(&all)));
            all
        })
    }

    fn read_all(&self) -> Granted {
        let mut found = Found::new(self.of.kind);
        if !self.of.counted.is_nothing()
            && let ValueSet::Ids(members) = self.members().as_ref()
        {
            let reader = Reader::open(self);
            self.read_held_by(&reader, members, &mut found);
        }
        found.granted()
    }

    fn read_held_by(&self, reader: &Reader, members: &IdSet, found: &mut Found) {
        let target = (reader.target_column, Equal::Oid(self.of.target));
        let lookups = (members.len() + reader.teams.len()) as f64 * LOOKING_UP;
        if lookups >= reader.table.estimated_rows() {
            reader.table.scan(None, &[target], |row| {
                reader.add(row, members, found);
                true
            });
            return;
        }
        let mut look = |id: i64, column: Column, index| {
            reader.table.scan(Some(index), &[(column, Equal::Int(id)), target], |row| {
                reader.add(row, members, found);
                true
            });
        };
        members.iter().for_each(|id| look(id, reader.member, c"record_grant_member_idx"));
        let teams = [&reader.teams.own, &reader.teams.below];
        teams.into_iter().flat_map(IdSet::iter).for_each(|id| look(id, reader.team, c"record_grant_team_idx"));
    }

    /// One record, asked of the index on records.
    fn ask(&self, id: &Value, members: &ValueSet) -> Ways {
        let (Some(Ok(record)), ValueSet::Ids(members)) = (id.to_text().map(CString::new), members) else {
            return Ways::default();
        };
        let reader = Reader::open(self);
        let keys = [(reader.target_column, Equal::Oid(self.of.target)), (reader.record, Equal::Text(&record))];
        let mut ways = Ways::default();
        let by_team = (c"record_grant_team_unique", !reader.teams.is_empty());
        for (index, asked) in [(c"record_grant_member_unique", true), by_team] {
            if asked {
                reader.table.scan(Some(index), &keys, |row| {
                    ways = ways.and(reader.ways(row, members));
                    true
                });
            }
        }
        ways
    }
}

/// The columns of leadguard.record_grant.
struct Reader {
    table: Table,
    target_column: Column,
    record: Column,
    kind: Column,
    member: Column,
    team: Column,
    level: Column,
    until: Column,
    asking: i64,
    teams: Rc<Teams>,
    counted: Counted,
    now: i64,
}

impl Reader {
    fn open(grants: &Grants) -> Reader {
        let table = Table::open(c"record_grant");
        Reader {
            target_column: table.column(c"target"),
            record: table.column(c"record"),
            kind: table.column(c"kind"),
            member: table.column(c"member_id"),
            team: table.column(c"team_id"),
            level: table.column(c"level"),
            until: table.column(c"until"),
            asking: grants.reach.member.id,
            teams: grants.reach.teams(grants.of.teams, grants.at),
            counted: grants.of.counted,
            now: session::statement_time(),
            table,
        }
    }

    fn until(&self, row: &Tuple) -> i64 {
        row.int(self.until).unwrap_or(i64::MAX)
    }

    /// In which ways a grant counts for the member; none for one that has expired.
    fn ways(&self, row: &Tuple, members: &IdSet) -> Ways {
        let below = match (row.int(self.member), row.int(self.team)) {
            (Some(holder), _) if holder == self.asking => false,
            (Some(holder), _) if members.contains(holder) => true,
            (_, Some(team)) if self.teams.own.contains(team) => false,
            (_, Some(team)) if self.teams.below.contains(team) => true,
            _ => return Ways::default(),
        };
        if self.until(row) <= self.now {
            return Ways::default();
        }
        let level = row.with_text(self.level, Level::parse).flatten().unwrap_or_default();
        let ways = row.with_text(self.kind, |kind| Ways::of(kind, below, level)).unwrap_or_default();
        ways.within(self.counted)
    }

    fn add(&self, row: &Tuple, members: &IdSet, found: &mut Found) {
        let ways = self.ways(row, members);
        if !ways.is_none() {
            row.with_text(self.record, |record| found.add(record, ways, self.until(row)));
        }
    }
}
