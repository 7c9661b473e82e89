//! Record grants: the record team and shares of the member and everyone below, in person or through a team.
//!
//! They are read with the statement's snapshot, never kept beyond it. Someone high up may hold half a million:
//! their rows are asked for one by one until reading all at once is cheaper.

use super::reach::Reach;
use crate::ffi::scan::{Column, Equal, Table, Tuple};
use crate::ffi::session;
use crate::model::ids::IdSet;
use crate::model::level::Level;
use crate::model::value::{Kind, Value, ValueSet};
use pgrx::pg_sys::Oid;
use std::cell::{Cell, RefCell};
use std::ffi::CString;
use std::rc::Rc;

/// The records that a member reaches through grants. Each stands in the set of its level and those below it.
pub(crate) struct Granted {
    read: Rc<ValueSet>,
    edit: ValueSet,
    full: ValueSet,
}

impl Granted {
    fn level(&self, id: &Value) -> Level {
        if !self.read.contains(id) {
            Level::None
        } else if self.full.contains(id) {
            Level::Full
        } else if self.edit.contains(id) {
            Level::Edit
        } else {
            Level::Read
        }
    }
}

/// The grants on one table in one state of the database.
pub(crate) struct Grants {
    target: Oid,
    kind: Kind,
    reach: Rc<Reach>,
    all: RefCell<Option<Rc<Granted>>>,
    asked: Cell<u32>,
    patience: Cell<Option<u32>>,
}

/// So few members that reading what they hold is as cheap as asking for one record.
const FEW_MEMBERS: u64 = 64;
/// Asking for a record costs about as much as reading this many grants (measured: 2 us and 0.3 us).
const ASKING: f64 = 8.0;
/// Looking up the grants of one member costs about as much as passing over this many.
const LOOKING_UP: f64 = 12.0;
/// Where nobody has counted the grants yet.
const UNCOUNTED: f64 = 10_000.0;

impl Grants {
    pub(super) fn new(target: Oid, kind: Kind, reach: Rc<Reach>) -> Grants {
        Grants { target, kind, reach, all: RefCell::default(), asked: Cell::new(0), patience: Cell::new(None) }
    }

    /// The level that grants give on a record.
    pub(super) fn level(&self, id: &Value) -> Level {
        if let Some(all) = self.loaded() {
            return all.level(id);
        }
        let members = self.members();
        if members.len() <= FEW_MEMBERS || self.asked.get() >= self.patience() {
            return self.all().level(id);
        }
        self.asked.set(self.asked.get() + 1);
        self.ask(id, &members)
    }

    /// How often to ask for single records before reading all.
    fn patience(&self) -> u32 {
        self.patience.get().unwrap_or_else(|| {
            let rows = Table::open(c"record_grant").estimated_rows().unwrap_or(UNCOUNTED);
            let patience = (rows / ASKING).max(1000.0) as u32;
            self.patience.set(Some(patience));
            patience
        })
    }

    fn loaded(&self) -> Option<Rc<Granted>> {
        self.all.borrow().clone()
    }

    /// The readable records, if they were all read already.
    pub(super) fn records_at_hand(&self) -> Option<Rc<ValueSet>> {
        self.loaded().map(|all| Rc::clone(&all.read))
    }

    /// The readable records.
    pub(super) fn records(&self) -> Rc<ValueSet> {
        Rc::clone(&self.all().read)
    }

    /// About how many records are granted. What was seen last time is good enough for a plan.
    pub(super) fn estimate(&self) -> f64 {
        if let Some(all) = self.loaded() {
            return all.read.len() as f64;
        }
        if let Some(count) = self.reach.granted(self.target) {
            return count as f64;
        }
        let members = self.members();
        if members.len() <= FEW_MEMBERS {
            return self.records().len() as f64;
        }
        let rows = |name| Table::open(name).estimated_rows();
        let grants = rows(c"record_grant").unwrap_or(UNCOUNTED);
        let everybody = rows(c"member").unwrap_or(0.0).max(members.len() as f64);
        grants * members.len() as f64 / everybody
    }

    /// The member and everyone below.
    fn members(&self) -> Rc<ValueSet> {
        self.reach.owners(Kind::Int8)
    }

    fn all(&self) -> Rc<Granted> {
        self.loaded().unwrap_or_else(|| {
            let all = Rc::new(self.read_all());
            self.reach.remember_granted(self.target, all.read.len());
            self.all.replace(Some(Rc::clone(&all)));
            all
        })
    }

    fn read_all(&self) -> Granted {
        let members = self.members();
        let ValueSet::Ids(members) = members.as_ref() else { return collect(self.kind, Vec::new()) };
        let teams = self.reach.teams();
        let reader = Reader::open();
        let mut found = Vec::new();
        let lookups = (members.len() + teams.len()) as f64 * LOOKING_UP;
        if lookups < reader.table.estimated_rows().unwrap_or(UNCOUNTED) {
            for (holders, column, index) in [
                (members, reader.member, c"record_grant_member_idx"),
                (teams.as_ref(), reader.team, c"record_grant_team_idx"),
            ] {
                for id in holders.iter() {
                    let keys = [(column, Equal::Int(id)), (reader.target_column, Equal::Oid(self.target))];
                    reader.table.scan(Some(index), &keys, |row| {
                        reader.add(row, &mut found);
                        true
                    });
                }
            }
        } else {
            reader.table.scan(None, &[(reader.target_column, Equal::Oid(self.target))], |row| {
                if reader.is_held(row, members, &teams) {
                    reader.add(row, &mut found);
                }
                true
            });
        }
        collect(self.kind, found)
    }

    /// The level on one record, asked of the index on records.
    fn ask(&self, id: &Value, members: &ValueSet) -> Level {
        let (Some(Ok(record)), ValueSet::Ids(members)) = (id.to_text().map(CString::new), members) else {
            return Level::None;
        };
        let teams = self.reach.teams();
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

    fn is_current(&self, row: &Tuple) -> bool {
        row.int(self.until).is_none_or(|until| until > self.now)
    }

    fn level_of(&self, row: &Tuple) -> Level {
        row.with_text(self.level, Level::parse).flatten().unwrap_or_default()
    }

    fn add(&self, row: &Tuple, found: &mut Vec<(String, Level)>) {
        if self.is_current(row)
            && let Some(record) = row.with_text(self.record, str::to_owned)
        {
            found.push((record, self.level_of(row)));
        }
    }
}

fn collect(kind: Kind, found: Vec<(String, Level)>) -> Granted {
    let at_least = |level: Level| {
        let records = found.iter().filter(|(_, l)| *l >= level).map(|(record, _)| record.as_str());
        ValueSet::of_records(records, kind)
    };
    Granted { read: Rc::new(at_least(Level::Read)), edit: at_least(Level::Edit), full: at_least(Level::Full) }
}
