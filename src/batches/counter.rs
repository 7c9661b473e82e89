//! Rows counted by member, table and operation. Two counts: one for the limit, which never falls, and one for the log,
//! which knows of savepoints.

use super::Cover;
use crate::ffi::session;
use crate::model::batch::Operation;
use pgrx::pg_sys::Oid;
use std::cell::{Cell, RefCell};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    /// None for a session without a member.
    pub member: Option<i64>,
    pub target: Oid,
    pub operation: Operation,
    pub cover: Option<Cover>,
}

/// What an entry starts with.
pub(super) struct Of {
    pub member: Option<String>,
    pub organization: Option<i64>,
    pub self_approved: bool,
}

/// What lets the member go on, and how far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub approval: Option<i64>,
    pub template: Option<i64>,
    pub up_to: u64,
}

struct Entry {
    key: Key,
    of: Of,
    /// Since the transaction began, rolled back ones too.
    rows: u64,
    /// By subtransaction, the outer ones first.
    written: Vec<(u32, u64)>,
    held: Vec<(u32, Held)>,
    /// Records that were taken away and not looked at yet.
    unchecked: Vec<(u32, String)>,
    batch_from: u64,
    statements: u64,
    statement: i64,
    fingerprint: Option<String>,
    reason: Option<String>,
}

thread_local! {
    static ENTRIES: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
    /// The one that was counted last, which mostly is the next one too.
    static LAST: Cell<usize> = const { Cell::new(0) };
}

pub(super) struct Counted {
    pub entry: usize,
    pub rows: u64,
    /// An approval or a template allows so many.
    pub up_to: u64,
    pub becomes_batch: bool,
}

pub(super) fn add(key: Key, batch_from: u64, of: impl FnOnce() -> Of) -> Counted {
    let found = ENTRIES.with_borrow(|entries| {
        let last = LAST.get();
        if entries.get(last).is_some_and(|entry| entry.key == key) {
            return Some(last);
        }
        entries.iter().position(|entry| entry.key == key)
    });
    let (sub, statement) = (session::subtransaction(), session::statement_time());
    let made = found.is_none().then(of);
    ENTRIES.with_borrow_mut(|entries| {
        if let Some(of) = made {
            entries.push(Entry {
                key,
                rows: 0,
                of,
                written: Vec::new(),
                held: Vec::new(),
                unchecked: Vec::new(),
                batch_from,
                statements: 0,
                statement: 0,
                fingerprint: None,
                reason: None,
            });
        }
        let at = found.unwrap_or(entries.len() - 1);
        LAST.set(at);
        let entry = &mut entries[at];
        entry.rows += 1;
        entry.batch_from = batch_from;
        match entry.written.last_mut() {
            Some((of, rows)) if *of == sub => *rows += 1,
            _ => entry.written.push((sub, 1)),
        }
        if entry.statement != statement {
            entry.statement = statement;
            entry.statements += 1;
        }
        let is_import = key.operation == Operation::Import;
        Counted {
            entry: at,
            rows: entry.rows,
            up_to: entry.held.last().map_or(0, |(_, held)| held.up_to),
            becomes_batch: entry.fingerprint.is_none() && (entry.rows >= batch_from || is_import),
        }
    })
}

/// Rows that count for the same limit under another name: inserts, and imports that nobody had to decide about.
pub(super) fn beside(key: &Key) -> u64 {
    let (operation, cover) = match (key.operation, key.cover) {
        (Operation::Insert, None) => (Operation::Import, Some(Cover::default())),
        (Operation::Import, Some(cover)) if cover == Cover::default() => (Operation::Insert, None),
        _ => return 0,
    };
    let other = Key { operation, cover, ..*key };
    ENTRIES.with_borrow(|entries| entries.iter().find(|entry| entry.key == other).map_or(0, |entry| entry.rows))
}

fn change(entry: usize, body: impl FnOnce(&mut Entry)) {
    ENTRIES.with_borrow_mut(|entries| entries.get_mut(entry).map(body));
}

pub(super) fn set_fingerprint(entry: usize, fingerprint: String) {
    change(entry, |entry| entry.fingerprint = Some(fingerprint));
}

pub(super) fn set_reason(entry: usize, reason: String) {
    change(entry, |entry| entry.reason = Some(reason));
}

pub(super) fn hold(entry: usize, held: Held) {
    let sub = session::subtransaction();
    change(entry, |entry| entry.held.push((sub, held)));
}

/// A record was taken away.
pub(super) fn await_check(entry: usize, record: String) {
    let sub = session::subtransaction();
    change(entry, |entry| entry.unchecked.push((sub, record)));
}

/// Records that were taken away as a batch.
pub(super) struct Due {
    pub entry: usize,
    pub member: i64,
    pub target: Oid,
    pub operation: Operation,
    pub records: Vec<String>,
}

pub(super) fn is_unchecked() -> bool {
    ENTRIES.with_borrow(|entries| entries.iter().any(|e| !e.unchecked.is_empty() && e.rows >= e.batch_from))
}

/// Those that nobody has looked at yet, of what has become a batch.
pub(super) fn to_check() -> Vec<Due> {
    ENTRIES.with_borrow(|entries| {
        let of = |(at, entry): (usize, &Entry)| {
            if entry.unchecked.is_empty() || entry.rows < entry.batch_from {
                return None;
            }
            let records = entry.unchecked.iter().map(|(_, record)| record.clone()).collect();
            let Key { member, target, operation, .. } = entry.key;
            Some(Due { entry: at, member: member?, target, operation, records })
        };
        entries.iter().enumerate().filter_map(of).collect()
    })
}

/// They may go. What is refused stays to be checked: a part of the transaction may be rolled back, and the rest goes on.
pub(super) fn checked(due: &Due) {
    change(due.entry, |entry| drop(entry.unchecked.drain(..due.records.len())));
}

/// What the transaction has done, for the log.
pub(super) struct Done {
    pub key: Key,
    pub member: Option<String>,
    pub organization: Option<i64>,
    pub rows: u64,
    pub approval: Option<i64>,
    pub template: Option<i64>,
    pub self_approved: bool,
    pub statements: u64,
    pub fingerprint: Option<String>,
    pub reason: Option<String>,
}

/// What was written and is a batch: many rows, an import of any size, or what took an approval or a template.
pub(super) fn batches() -> Vec<Done> {
    ENTRIES.with_borrow(|entries| entries.iter().filter_map(Entry::done).collect())
}

impl Entry {
    fn done(&self) -> Option<Done> {
        let rows = self.written.iter().map(|(_, rows)| rows).sum();
        let held = self.held.last().map(|(_, held)| *held);
        let is_one = rows >= self.batch_from || held.is_some() || self.key.operation == Operation::Import;
        let cover = self.key.cover.unwrap_or_default();
        (rows > 0 && is_one).then(|| Done {
            key: self.key,
            member: self.of.member.clone(),
            organization: self.of.organization,
            rows,
            approval: held.and_then(|held| held.approval).or(cover.approval),
            template: held.and_then(|held| held.template).or(cover.template),
            self_approved: self.of.self_approved,
            statements: self.statements,
            fingerprint: self.fingerprint.clone(),
            reason: self.reason.clone(),
        })
    }
}

pub(super) fn clear() {
    let _ = ENTRIES.with(|entries| entries.try_borrow_mut().map(|mut entries| entries.clear()));
}

fn each(body: impl Fn(&mut Entry)) {
    let _ = ENTRIES.with(|entries| entries.try_borrow_mut().map(|mut entries| entries.iter_mut().for_each(body)));
}

pub(super) fn hand_over(sub: u32, parent: u32) {
    each(|entry| {
        if let Some((_, rows)) = entry.written.pop_if(|(of, _)| *of == sub) {
            match entry.written.last_mut() {
                Some((of, held)) if *of == parent => *held += rows,
                _ => entry.written.push((parent, rows)),
            }
        }
        entry.held.iter_mut().filter(|(of, _)| *of == sub).for_each(|(of, _)| *of = parent);
        entry.unchecked.iter_mut().filter(|(of, _)| *of == sub).for_each(|(of, _)| *of = parent);
    });
}

pub(super) fn drop_of(sub: u32) {
    each(|entry| {
        entry.written.retain(|(of, _)| *of != sub);
        entry.held.retain(|(of, _)| *of != sub);
        entry.unchecked.retain(|(of, _)| *of != sub);
    });
}
