//! Sealing: a digest over all rows of ended transactions that no seal covers yet, chained to the seal before.
//!
//! Writers know nothing of it. Sealers take turns on the row of audit_life, and nobody else waits for them.

use super::chain::{self, Lock, Passing, Present, Seal};
use super::{verify, writer};
use crate::errors::{self, NOT_YET, failure};
use crate::ffi::session::{self, Outcome, Transaction, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::ffi::trigger::Operation;
use crate::ffi::{raise, snapshot, stream};
use crate::identity::Mode;
use crate::model::seal::{self, Covers, Life, Snapshot};
use crate::visibility;
use pgrx::iter::TableIterator;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Lines for the server log, with the subtransactions that sealed.
type Lines = Vec<(u32, String)>;

thread_local! {
    /// Lines for the server's log, by subtransaction: what is rolled back has not sealed anything.
    static SEALED: RefCell<Lines> = const { RefCell::new(Vec::new()) };
}

/// Seals what is not sealed. Members with the capability audit and superusers, no logins that only read, else 42501;
/// 55000 while a transaction that was prepared before the chain began is undecided; 55P03 while somebody else seals.
#[pgrx::pg_extern(sql = false)]
fn seal_audit() -> TableIterator<'static, (pgrx::name!(seal, i64), pgrx::name!(rows, i64))> {
    let organization = verify::auditor("seal_audit");
    if visibility::statement().mode == Some(Mode::Analyst) {
        errors::read_only_login("seal_audit", "leadguard.audit_seal");
    }
    let made = as_extension(|| {
        let present = chain::present(Lock::Try);
        // It has a number before the state is looked at: its own rows are for the next seal.
        let own = session::transaction();
        snapshot::with_latest(|| make(&present, own, organization)).inspect(|made| write(&made.seal))
    });
    let row = made.map(|made| (made.seal.number, if organization.is_none() { made.seal.rows } else { made.own_rows }));
    TableIterator::new(row)
}

struct Made {
    seal: Seal,
    /// Those of the caller's organization.
    own_rows: i64,
}

fn make(present: &Present, own: u64, organization: Option<i64>) -> Option<Made> {
    let newest = chain::load(true).pop();
    let goes_on = newest.as_ref().is_some_and(|seal| seal.life == present.life);
    if !goes_on {
        wait_for_prepared(present);
    }
    // A number that was given once is not given again: a seal that is gone leaves a gap.
    let number = newest.as_ref().map_or(0, |seal| seal.number).max(present.sealed) + 1;
    let previous = newest.as_ref().map(|seal| seal.mac.clone());
    // In the middle of a life no older one matters.
    let seals = if goes_on { Vec::from_iter(newest) } else { chain::load(false) };
    let lives = chain::lives(seals, present);
    let before = lives.last().and_then(|life| life.seals.last()).map(Covers::snapshot);
    let state = sql::first_text("SELECT pg_current_snapshot()::text", &[], Sees::Statement);
    let state = state.as_deref().and_then(Snapshot::parse).map(|state| state.without(own));
    let Some(state) = state else { crate::errors::bug("a snapshot that cannot be read") };
    let mut last = own;
    let mut rows = Rows { organization, ..Rows::default() };
    unsealed(goes_on.then_some(before).flatten(), present.since, &mut |row| {
        let at = row.int(0).unwrap_or_default();
        let transaction = row.int(2).unwrap_or_default().cast_unsigned();
        if is_due(&lives, present, &state, at, transaction) {
            rows.add(row, at);
            // Others were numbered by another server.
            if at >= present.since {
                last = last.max(transaction);
            }
        }
    });
    if rows.parts.is_empty() {
        return None;
    }
    let parts: BTreeMap<_, _> = rows.parts.into_iter().map(|(month, passing)| (month, passing.end().0)).collect();
    let mut seal = Seal {
        number,
        at: session::statement_time(),
        life: present.life.clone(),
        since: present.since,
        snapshot: state.up_to(last, before),
        first_at: rows.first_at,
        last_at: rows.last_at,
        rows: parts.values().map(|part| part.rows).sum(),
        parts,
        previous,
        mac: String::new(),
        follows_gap: false,
    };
    seal.mac = seal.digest();
    Some(Made { seal, own_rows: rows.own })
}

/// The rows that no seal may have covered yet, in the order of time and id; all of them for the first seal of a life.
fn unsealed(before: Option<&Snapshot>, since: i64, each: &mut dyn FnMut(&sql::Row)) {
    let Some(before) = before else {
        return stream::each(include_str!("../../sql/query/audit_first_seal.sql"), &[], each);
    };
    let oldest = before.xmin().to_string();
    let params = [Param::Text(Some(&oldest)), Param::Timestamp(Some(since))];
    session::set_local(c"enable_seqscan", c"off");
    // What is forbidden counts as very dear, for which a query would be compiled first.
    session::set_local(c"jit", c"off");
    stream::each(include_str!("../../sql/query/audit_unsealed.sql"), &params, each);
}

/// Whether a row belongs to the seal that is being made.
fn is_due(lives: &[Life<Seal>], present: &Present, state: &Snapshot, at: i64, transaction: u64) -> bool {
    let is_open = match lives.last() {
        // The one that is made is the first of its life: rows of lives before that nobody sealed come along.
        Some(life) if life.seals.is_empty() => seal::covering(lives, at, transaction).is_none(),
        Some(life) => !life.seals.iter().any(|seal| seal.snapshot().sees(transaction)),
        None => true,
    };
    is_open && (at < present.since || state.sees(transaction))
}

#[derive(Default)]
struct Rows {
    organization: Option<i64>,
    parts: BTreeMap<String, Passing>,
    first_at: Option<i64>,
    last_at: Option<i64>,
    own: i64,
    /// The month of the row before, and from when on another one may begin.
    month: Option<(String, i64)>,
}

/// No month ends within the same UTC day as it is in.
const DAY: i64 = 86_400_000_000;

impl Rows {
    fn add(&mut self, row: &sql::Row, at: i64) {
        let day = at.div_euclid(DAY);
        if self.month.as_ref().is_none_or(|(_, of)| *of != day) {
            self.month = Some((seal::month(at), day));
        }
        let Some((month, _)) = &self.month else { return };
        if !self.parts.contains_key(month) {
            let passing = writer::with_key(|key| Passing::new(key, month));
            self.parts.insert(month.clone(), passing);
        }
        if let Some(part) = self.parts.get_mut(month) {
            let id = row.int(1).unwrap_or_default();
            row.with_bytes(4, |mac| part.add(at, id, mac));
        }
        self.first_at = self.first_at.or(Some(at));
        self.last_at = Some(at);
        self.own += i64::from(self.organization.is_some() && row.int(3) == self.organization);
    }
}

/// The rows of a transaction that was prepared before the chain began would come in after its first seal, and belong
/// to it.
fn wait_for_prepared(present: &Present) {
    let text =
        "SELECT count(*) FROM pg_catalog.pg_prepared_xacts WHERE database = current_database() AND prepared < $1";
    if sql::first_int(text, &[Param::Timestamp(Some(present.since))], Sees::Statement) != Some(0) {
        failure("55000", "the audit cannot be sealed yet")
            .detail("A transaction is prepared since before this database had a chain of seals.")
            .hint("Commit or roll back what pg_prepared_xacts shows.")
            .raise();
    }
}

fn write(seal: &Seal) {
    let snapshot = seal.snapshot.to_string();
    let parts = serde_json::to_string(&seal.parts).unwrap_or_default();
    let params = [
        Param::Int(Some(seal.number)),
        Param::Timestamp(Some(seal.at)),
        Param::Text(Some(&seal.life)),
        Param::Timestamp(Some(seal.since)),
        Param::Text(Some(&snapshot)),
        Param::Timestamp(seal.first_at),
        Param::Timestamp(seal.last_at),
        Param::Int(Some(seal.rows)),
        Param::Text(Some(&parts)),
        Param::Text(seal.previous.as_deref()),
        Param::Text(Some(&seal.mac)),
    ];
    writer::writing(Operation::Insert, || {
        sql::query(include_str!("../../sql/query/audit_seal_write.sql"), &params, Sees::Now, &mut |_| {});
    });
    // Where somebody who can write the tables cannot reach: the proof that the seal was there.
    let line = serde_json::json!({"seal": seal.number, "rows": seal.rows, "mac": seal.mac});
    let line = format!("leadguard: sealed {line}");
    SEALED.with_borrow_mut(|sealed| sealed.push((session::subtransaction(), line)));
}

/// A seal is told to the log once it is there to stay: a line of one that a failed commit took back would look like a
/// seal that somebody removed.
pub(crate) fn on_transaction(event: Transaction) {
    let held = |body: &dyn Fn(&mut Lines)| {
        let _ = SEALED.with(|sealed| sealed.try_borrow_mut().map(|mut sealed| body(&mut sealed)));
    };
    match event {
        Transaction::Committing => {}
        // It would keep the chain locked without its session.
        Transaction::Preparing => {
            if SEALED.with_borrow(|sealed| !sealed.is_empty()) {
                failure(NOT_YET, "cannot PREPARE a transaction that has sealed the audit")
                    .hint("Call leadguard.seal_audit in a transaction of its own.")
                    .raise();
            }
        }
        Transaction::Ended(Outcome::Committed) => {
            held(&|sealed| sealed.drain(..).for_each(|(_, line)| raise::log(&line)));
        }
        Transaction::Ended(_) => held(&|sealed| sealed.clear()),
        Transaction::SubCommitted { sub, parent } => {
            held(&|sealed| sealed.iter_mut().filter(|(of, _)| *of == sub).for_each(|(of, _)| *of = parent));
        }
        Transaction::SubAborted { sub } => held(&|sealed| sealed.retain(|(of, _)| *of != sub)),
    }
}
