//! Which records grants reach, and in which ways: a set for the ways that most records have, sets for the others.

use crate::model::access::Access;
use crate::model::level::Level;
use crate::model::path::Path;
use crate::model::rights::Rights;
use crate::model::value::{Kind, Value, ValueSet, parse_int};
use std::collections::HashMap;
use std::rc::Rc;

/// The ways in which a grant reaches a member: the path, and whether it was given to somebody below him. Each with three
/// levels is a bit of Ways.
const WAYS: [(Path, bool); 5] = [
    (Path::RecordTeam, false),
    (Path::RecordTeamManager, true),
    (Path::Share, false),
    (Path::Share, true),
    (Path::Contact, false),
];
const LEVELS: [Level; 3] = [Level::Read, Level::Edit, Level::Full];

/// In how many ways a record is reached, and with which levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Ways(u16);

impl Ways {
    /// What a grant of a kind, to the member himself or to somebody below, is for him.
    pub(super) fn of(kind: &str, below: bool, level: Level) -> Ways {
        let way = match (kind, below) {
            ("record_team", false) => 0,
            ("record_team", true) => 1,
            ("share" | "delegated", false) => 2,
            ("share" | "delegated", true) => 3,
            ("contact", false) => 4,
            _ => return Ways(0),
        };
        LEVELS.iter().position(|held| *held == level).map_or(Ways(0), |level| Ways(1 << (way * LEVELS.len() + level)))
    }

    pub(super) fn and(self, other: Ways) -> Ways {
        Ways(self.0 | other.0)
    }

    /// Those that count under the rules.
    pub(super) fn within(self, counted: Counted) -> Ways {
        let bits = (0..WAYS.len())
            .filter(|way| counted.0 & (1 << way) != 0)
            .fold(0, |bits, way| bits | (0b111 << (way * LEVELS.len())));
        Ways(self.0 & bits)
    }

    pub(super) fn is_none(self) -> bool {
        self.0 == 0
    }

    pub(super) fn each(self, access: &Access, status: Option<&str>) -> Vec<(Path, Rights)> {
        let mut found = Vec::new();
        for (way, (path, below)) in WAYS.into_iter().enumerate() {
            for (number, level) in LEVELS.into_iter().enumerate() {
                if self.0 & (1 << (way * LEVELS.len() + number)) != 0 {
                    found.push((path, access.granted(path, level, below, status)));
                }
            }
        }
        found
    }

    pub(super) fn rights(self, access: &Access, status: Option<&str>) -> Rights {
        self.each(access, status).into_iter().fold(Rights::NONE, |sum, (_, rights)| sum | rights)
    }
}

/// Which ways show records under the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted(u8);

impl Counted {
    pub(super) fn of(access: &Access) -> Counted {
        let counts = |(path, below): (Path, bool)| access.reads(path) && (!below || access.below.is_some());
        Counted(
            WAYS.into_iter().enumerate().filter(|(_, way)| counts(*way)).fold(0, |bits, (way, _)| bits | (1 << way)),
        )
    }

    pub(super) fn on(self, paths: &[Path]) -> Counted {
        let named = |(_, (path, _)): &(usize, (Path, bool))| paths.contains(path);
        Counted(self.0 & WAYS.into_iter().enumerate().filter(named).fold(0, |bits, (way, _)| bits | (1 << way)))
    }

    pub(super) fn is_nothing(self) -> bool {
        self.0 == 0
    }

    /// All that the ways that count may ever give.
    pub(super) fn at_most(self, access: &Access) -> Rights {
        let counted = WAYS.into_iter().enumerate().filter(|(way, _)| self.0 & (1 << way) != 0);
        counted.fold(Rights::NONE, |sum, (_, (path, _))| sum | access.on(path).at_most())
    }
}

/// The records that a member reaches through grants.
pub(super) struct Granted {
    any: Rc<ValueSet>,
    /// Of all records that no other set has.
    most: Ways,
    others: Vec<(Ways, ValueSet)>,
    /// When the first of them expires.
    until: i64,
}

impl Granted {
    pub(super) fn records(&self) -> &Rc<ValueSet> {
        &self.any
    }

    pub(super) fn until(&self) -> i64 {
        self.until
    }

    pub(super) fn ways(&self, id: &Value) -> Ways {
        if !self.any.contains(id) {
            return Ways::default();
        }
        self.others.iter().find(|(_, set)| set.contains(id)).map_or(self.most, |(ways, _)| *ways)
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Granted>() + self.any.bytes() + self.others.iter().map(|(_, set)| set.bytes()).sum::<usize>()
    }
}

/// Grants as they are read.
pub(super) struct Found {
    kind: Kind,
    ids: Vec<(i64, Ways)>,
    texts: Vec<(String, Ways)>,
    until: i64,
}

impl Found {
    pub(super) fn new(kind: Kind) -> Found {
        Found { kind, ids: Vec::new(), texts: Vec::new(), until: i64::MAX }
    }

    pub(super) fn add(&mut self, record: &str, ways: Ways, until: i64) {
        if !self.kind.is_int() {
            self.texts.push((record.to_owned(), ways));
        } else if let Some(id) = parse_int(record) {
            self.ids.push((id, ways));
        }
        self.until = self.until.min(until);
    }

    pub(super) fn granted(self) -> Granted {
        let (kind, until) = (self.kind, self.until);
        if kind.is_int() {
            let ids = merged(self.ids);
            let set = |ids: &mut dyn Iterator<Item = &i64>| ValueSet::of_ids(ids.copied());
            return sorted_out(&ids, until, set);
        }
        let texts = merged(self.texts);
        let set = |texts: &mut dyn Iterator<Item = &String>| ValueSet::of_records(texts.map(String::as_str), kind);
        sorted_out(&texts, until, set)
    }
}

/// One entry for each record, in order.
fn merged<T: Ord>(mut found: Vec<(T, Ways)>) -> Vec<(T, Ways)> {
    found.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    found.dedup_by(|(next, more), (kept, ways)| {
        let same = next == kept;
        if same {
            *ways = ways.and(*more);
        }
        same
    });
    found
}

fn sorted_out<T>(found: &[(T, Ways)], until: i64, set: impl Fn(&mut dyn Iterator<Item = &T>) -> ValueSet) -> Granted {
    let mut counts: HashMap<Ways, usize> = HashMap::new();
    found.iter().for_each(|(_, ways)| *counts.entry(*ways).or_default() += 1);
    let most = counts.iter().max_by_key(|(ways, count)| (**count, ways.0)).map_or(Ways::default(), |(ways, _)| *ways);
    let others = counts.keys().copied().filter(|ways| *ways != most);
    let others =
        others.map(|ways| (ways, set(&mut found.iter().filter(|(_, held)| *held == ways).map(|(record, _)| record))));
    Granted { others: others.collect(), any: Rc::new(set(&mut found.iter().map(|(record, _)| record))), most, until }
}
