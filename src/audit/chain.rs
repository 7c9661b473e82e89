//! The seals: how they are read, which digest each has, and how they follow each other.

use super::writer;
use crate::ffi::sql::{self, Param, Sees};
use crate::model::digest::{Digest, Key};
use crate::model::seal::{Covers, Life, Numbers, Snapshot};
use std::collections::BTreeMap;

/// The rows of one month that a seal covers.
#[derive(serde::Deserialize, serde::Serialize)]
pub(super) struct Part {
    pub rows: i64,
    pub ids: String,
    pub digest: String,
}

pub(super) struct Seal {
    pub number: i64,
    pub at: i64,
    pub life: String,
    pub since: i64,
    pub snapshot: Snapshot,
    pub first_at: Option<i64>,
    pub last_at: Option<i64>,
    pub rows: i64,
    /// By month, oldest first.
    pub parts: BTreeMap<String, Part>,
    pub previous: Option<String>,
    pub mac: String,
    /// The one before it is not there.
    pub follows_gap: bool,
}

impl Covers for Seal {
    fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }
}

impl Seal {
    pub(super) fn digest(&self) -> String {
        writer::with_key(|key| {
            let head = key
                .digest("seal")
                .number(Some(self.number))
                .number(Some(self.at))
                .text(&self.life)
                .number(Some(self.since))
                .text(&self.snapshot.to_string())
                .number(self.first_at)
                .number(self.last_at)
                .number(Some(self.rows))
                .optional(self.previous.as_deref());
            let parts = self.parts.iter().fold(head, |digest, (month, part)| {
                digest.text(month).number(Some(part.rows)).text(&part.ids).text(&part.digest)
            });
            parts.hex()
        })
    }
}

/// What the rows of a month in a seal have in common with no others; each row is added in the order of time and id.
fn of_part(key: &Key, month: &str) -> Digest {
    key.digest("sealed").text(month)
}

/// The life of this database, and the number of its last seal.
pub(super) struct Present {
    pub life: String,
    pub since: i64,
    pub sealed: i64,
}

/// With a lock, only one session seals at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lock {
    None,
    /// 55P03 when another session has it.
    Try,
    Wait,
}

pub(super) fn present(lock: Lock) -> Present {
    let mut found = None;
    let mut take = |row: &sql::Row| {
        found =
            row.text(0).zip(row.int(1)).zip(row.int(2)).map(|((life, since), sealed)| Present { life, since, sealed });
    };
    let plain = "SELECT life, since, sealed FROM leadguard.audit_life";
    match lock {
        Lock::None => sql::query(plain, &[], Sees::Statement, &mut take),
        Lock::Try => {
            let text = "SELECT life, since, sealed FROM leadguard.audit_life FOR UPDATE SKIP LOCKED";
            sql::query(text, &[], Sees::Now, &mut take)
        }
        Lock::Wait => {
            let text = "SELECT life, since, sealed FROM leadguard.audit_life FOR UPDATE";
            sql::query(text, &[], Sees::Now, &mut take)
        }
    };
    match found {
        Some(present) => present,
        None if lock == Lock::Try && sql::first_text(plain, &[], Sees::Now).is_some() => {
            crate::errors::failure("55P03", "somebody else seals the audit")
                .detail("Another transaction holds the chain of seals until it ends.")
                .hint("What is not sealed comes into the next seal; try again later.")
                .raise()
        }
        None => crate::errors::failure("55000", "the audit has lost the row of leadguard.audit_life")
            .hint("INSERT INTO leadguard.audit_life DEFAULT VALUES begins a new life of the chain.")
            .raise(),
    }
}

/// All seals, or the newest one only.
pub(super) fn load(only_newest: bool) -> Vec<Seal> {
    let mut seals = Vec::new();
    let most = Param::Int(only_newest.then_some(1));
    sql::query(include_str!("../../sql/query/audit_seals.sql"), &[most], Sees::Statement, &mut |row| {
        let snapshot = row.text(4).as_deref().and_then(Snapshot::parse);
        let parts = row.text(8).and_then(|text| serde_json::from_str(&text).ok());
        // What cannot be read agrees with no digest, and covers nothing.
        let snapshot = snapshot.or_else(|| Snapshot::parse("0:0:"));
        let Some(snapshot) = snapshot else { return };
        seals.push(Seal {
            number: row.int(0).unwrap_or_default(),
            at: row.int(1).unwrap_or_default(),
            life: row.text(2).unwrap_or_default(),
            since: row.int(3).unwrap_or_default(),
            snapshot,
            first_at: row.int(5),
            last_at: row.int(6),
            rows: row.int(7).unwrap_or_default(),
            parts: parts.unwrap_or_default(),
            previous: row.text(9),
            mac: row.text(10).unwrap_or_default(),
            follows_gap: false,
        });
    });
    seals.reverse();
    let mut expected = None;
    for seal in &mut seals {
        seal.follows_gap = !only_newest && seal.number != expected.unwrap_or(1);
        expected = Some(seal.number + 1);
    }
    seals
}

/// The seals by the lives of the database, the present one last even if it has sealed nothing yet.
pub(super) fn lives(seals: Vec<Seal>, present: &Present) -> Vec<Life<Seal>> {
    let mut lives: Vec<Life<Seal>> = Vec::new();
    for seal in seals {
        match lives.last_mut() {
            Some(life) if life.name == seal.life => life.seals.push(seal),
            _ => lives.push(Life { name: seal.life.clone(), since: seal.since, seals: vec![seal] }),
        }
    }
    if lives.last().is_none_or(|life| life.name != present.life) {
        lives.push(Life { name: present.life.clone(), since: present.since, seals: Vec::new() });
    }
    lives
}

/// Rows of a part while they come by.
pub(super) struct Passing {
    digest: Digest,
    pub numbers: Numbers,
    pub rows: i64,
}

impl Passing {
    pub(super) fn new(key: &Key, month: &str) -> Passing {
        Passing { digest: of_part(key, month), numbers: Numbers::default(), rows: 0 }
    }

    pub(super) fn add(&mut self, at: i64, id: i64, mac: &[u8]) {
        self.digest.add_number(at);
        self.digest.add_number(id);
        self.digest.add(mac);
        self.numbers.add(id);
        self.rows += 1;
    }

    pub(super) fn end(mut self) -> (Part, Numbers) {
        self.numbers.sort();
        (Part { rows: self.rows, ids: self.numbers.to_string(), digest: self.digest.hex() }, self.numbers)
    }
}
