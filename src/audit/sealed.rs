//! Whether the audit holds the rows that were sealed, no more and no fewer, and the seals follow each other.

use super::chain::{self, Part, Passing, Present, Seal};
use super::retire::{self, Retired};
use super::{verify, writer};
use crate::ffi::session::as_extension;
use crate::ffi::snapshot;
use crate::ffi::sql::{self, Sees};
use crate::model::seal::{self, Life, Numbers};
use pgrx::datum::TimestampWithTimeZone;
use pgrx::iter::TableIterator;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Of one part no more missing rows are named.
const MOST: usize = 1_000;

/// Whoever has taken everything away needs no list of it.
const MOST_PROBLEMS: usize = 100_000;

pub(super) struct Problem {
    pub problem: &'static str,
    pub seal: Option<i64>,
    pub id: Option<i64>,
    pub at: Option<i64>,
    pub detail: Option<String>,
    /// Of the row, where it is known; the chain belongs to all.
    organization: Whose,
}

#[derive(Clone, Copy)]
enum Whose {
    Chain,
    Row(Option<i64>),
    /// Of a row that is not there.
    Unknown,
}

type Problems = TableIterator<
    'static,
    (
        pgrx::name!(problem, String),
        pgrx::name!(seal, Option<i64>),
        pgrx::name!(audit_id, Option<i64>),
        pgrx::name!(at, Option<TimestampWithTimeZone>),
        pgrx::name!(detail, Option<String>),
    ),
>;

/// What is wrong with the audit. Members with the capability audit (rows of other organizations without details) and
/// superusers, else 42501; 22023 without a time.
#[pgrx::pg_extern(sql = false)]
fn verify_audit(since: Option<TimestampWithTimeZone>) -> Problems {
    let organization = verify::auditor("verify_audit");
    let since = verify::since(since);
    let mut problems = as_extension(|| verification(since, organization).problems);
    if let Some(organization) = organization {
        conceal(&mut problems, organization);
    }
    TableIterator::new(problems.into_iter().map(|p| {
        let at = p.at.and_then(|at| TimestampWithTimeZone::try_from(at).ok());
        (p.problem.to_owned(), p.seal, p.id, at, p.detail)
    }))
}

/// Leaves of the rows of others that there is something, once for each seal.
fn conceal(problems: &mut Vec<Problem>, organization: i64) {
    let mut told = HashSet::new();
    problems.retain_mut(|p| {
        let is_open = match p.organization {
            Whose::Chain => true,
            Whose::Row(of) => of == Some(organization),
            Whose::Unknown => false,
        };
        if is_open {
            return true;
        }
        (p.id, p.at, p.detail) = (None, None, None);
        told.insert((p.problem, p.seal))
    });
}

pub(super) struct Verification {
    pub problems: Vec<Problem>,
    pub lives: Vec<Life<Seal>>,
    /// Rows that wait for a seal, by month.
    pub unsealed: BTreeMap<String, i64>,
}

struct Work {
    present: Present,
    lives: Vec<Life<Seal>>,
    retired: HashMap<String, Retired>,
    since: i64,
    next: u64,
    passing: HashMap<(usize, usize, String), Passing>,
    problems: Vec<Problem>,
    unsealed: BTreeMap<String, i64>,
}

/// Everything from a time on: the chain whole, and the rows of the seals that were made since.
pub(super) fn verification(since: i64, organization: Option<i64>) -> Verification {
    // Seals of this transaction may cover what its own snapshot does not show.
    snapshot::with_latest(|| verified(since, organization))
}

fn verified(since: i64, organization: Option<i64>) -> Verification {
    let present = chain::present(chain::Lock::None);
    let lives = chain::lives(chain::load(false), &present);
    let next = sql::first_text("SELECT pg_snapshot_xmax(pg_current_snapshot())::text", &[], Sees::Statement);
    let mut work = Work {
        lives,
        retired: retire::all(),
        since,
        next: next.and_then(|text| text.parse().ok()).unwrap_or(u64::MAX),
        passing: HashMap::new(),
        problems: Vec::new(),
        unsealed: BTreeMap::new(),
        present,
    };
    work.chain();
    work.proofs();
    let concerned = work.lives.iter().flat_map(|life| &life.seals).filter(|seal| seal.at >= since);
    let low = concerned.filter_map(|seal| seal.first_at).min().map_or(since, |first| first.min(since));
    let ids: HashMap<(usize, usize, String), Numbers> = work.expected();
    verify::each_row(low, None, &mut |row| work.row(row, &ids));
    work.end(&ids);
    let mut found = Vec::new();
    verify::orphans(since, organization, &mut found);
    work.problems.extend(found.into_iter().map(|f| Problem {
        problem: f.problem,
        seal: None,
        id: Some(f.id),
        at: Some(f.at),
        detail: f.field,
        // Only those that the caller may know of were looked for.
        organization: Whose::Chain,
    }));
    Verification { problems: work.problems, lives: work.lives, unsealed: work.unsealed }
}

impl Work {
    fn report(&mut self, problem: Problem) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(problem);
        }
    }

    fn of_chain(&mut self, problem: &'static str, seal: Option<i64>, detail: Option<String>) {
        self.report(Problem { problem, seal, id: None, at: None, detail, organization: Whose::Chain });
    }

    /// The seals by themselves.
    fn chain(&mut self) {
        let mut found = Vec::new();
        let (mut expected, mut previous) = (1, None);
        for seal in self.lives.iter().flat_map(|life| &life.seals) {
            if seal.number != expected {
                found.push(("seals are missing", Some(expected), Some(format!("up to seal {}", seal.number - 1))));
            } else if seal.previous != previous {
                found.push(("the seal does not follow the one before", Some(seal.number), None));
            }
            if seal.digest() != seal.mac {
                found.push(("the seal is not as it was written", Some(seal.number), None));
            }
            (expected, previous) = (seal.number + 1, Some(seal.mac.clone()));
        }
        if self.present.sealed >= expected {
            found.push(("seals are missing", Some(expected), Some(format!("up to seal {}", self.present.sealed))));
        }
        for (problem, seal, detail) in found {
            self.of_chain(problem, seal, detail);
        }
    }

    /// The records of months that are gone.
    fn proofs(&mut self) {
        let mut found = Vec::new();
        for (month, retired) in &self.retired {
            let (digest, rows) = retire::proof(&self.lives, month, retired.seal);
            if retired.mac(month) != retired.mac || digest != retired.digest || rows != retired.rows {
                found.push(month.clone());
            }
        }
        for month in found {
            self.of_chain("the proof of a retired month does not agree with the seals", None, Some(month));
        }
    }

    fn is_retired(&self, month: &str, seal: i64) -> bool {
        self.retired.get(month).is_some_and(|retired| seal <= retired.seal && retired.mac(month) == retired.mac)
    }

    /// What the concerned seals say that they cover.
    fn expected(&self) -> HashMap<(usize, usize, String), Numbers> {
        let mut expected = HashMap::new();
        for (life, of) in self.lives.iter().enumerate() {
            for (place, seal) in of.seals.iter().enumerate().filter(|(_, seal)| seal.at >= self.since) {
                for (month, part) in seal.parts.iter().filter(|(month, _)| !self.is_retired(month, seal.number)) {
                    let ids = Numbers::parse(&part.ids).unwrap_or_default();
                    expected.insert((life, place, month.clone()), ids);
                }
            }
        }
        expected
    }

    fn row(&mut self, row: &sql::Row, expected: &HashMap<(usize, usize, String), Numbers>) {
        let (id, at) = (row.int(0).unwrap_or_default(), row.int(1).unwrap_or_default());
        let transaction = row.text(2).and_then(|text| text.parse().ok()).unwrap_or(u64::MAX);
        let whose = Whose::Row(row.int(7));
        let month = seal::month(at);
        let found = seal::covering(&self.lives, at, transaction);
        let number = found.map(|(life, place)| self.lives[life].seals[place].number);
        let report =
            |problem, seal, detail| Problem { problem, seal, id: Some(id), at: Some(at), detail, organization: whose };
        let mut wrong = Vec::new();
        if at >= self.since || number.is_some_and(|_| found.is_some_and(|place| self.is_concerned(place))) {
            verify::check(row, &mut wrong);
        }
        for f in wrong {
            let record = f.record.map(|record| format!("record {record}, ")).unwrap_or_default();
            self.report(report(f.problem, number, f.field.map(|field| format!("{record}field {field}"))));
        }
        let Some(place) = found else {
            if at >= self.present.since && transaction >= self.next {
                self.report(report("the row names a transaction that has not been", None, None));
            }
            *self.unsealed.entry(month).or_default() += 1;
            return;
        };
        if !self.is_concerned(place) {
            return;
        }
        let key = (place.0, place.1, month);
        if expected.get(&key).is_some_and(|ids| ids.contains(id)) {
            let passing = self
                .passing
                .entry(key)
                .or_insert_with_key(|(_, _, month)| writer::with_key(|secret| Passing::new(secret, month)));
            let mac = row.text(16).unwrap_or_default();
            passing.add(at, id, &bytes(&mac));
        } else if !self.lives[place.0].seals[place.1].follows_gap {
            self.report(report("the row was not there when it should have been sealed", number, None));
        }
    }

    fn is_concerned(&self, place: (usize, usize)) -> bool {
        self.lives[place.0].seals[place.1].at >= self.since
    }

    /// What the seals miss.
    fn end(&mut self, expected: &HashMap<(usize, usize, String), Numbers>) {
        let mut places: Vec<_> = expected.iter().collect();
        places.sort_unstable_by(|a, b| a.0.cmp(b.0));
        for (place, ids) in places {
            let (is, present) = match self.passing.remove(place) {
                Some(passing) => passing.end(),
                None => (Part { rows: 0, ids: String::new(), digest: String::new() }, Numbers::default()),
            };
            let (life, at, month) = place;
            let seal = &self.lives[*life].seals[*at];
            let Some(part) = seal.parts.get(month) else { continue };
            let (number, rows, differs) = (seal.number, part.rows, part.digest != is.digest);
            let missing = ids.without(&present, MOST);
            let whole = missing.is_empty();
            for id in missing {
                self.report(Problem {
                    problem: "the row is missing",
                    seal: Some(number),
                    id: Some(id),
                    at: None,
                    detail: Some(format!("{} of {rows} rows of {month} are there", is.rows)),
                    organization: Whose::Unknown,
                });
            }
            if whole && differs {
                self.of_chain("the rows are not as they were sealed", Some(number), Some(month.clone()));
            }
        }
    }
}

/// From hexadecimal digits.
fn bytes(hex: &str) -> Vec<u8> {
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok()).unwrap_or_default();
    hex.as_bytes().chunks(2).map(|pair| pair.iter().fold(0, |all, c| all << 4 | digit(*c))).collect()
}
