//! Rows that an UPDATE moves to another partition.
//!
//! Postgres carries such an UPDATE out as DELETE and INSERT, right after its BEFORE ROW triggers, and fires
//! the triggers of both. The move was judged as the UPDATE it is. The pass is for that one row and part of the
//! statement: the DELETE is known by its place in the partition, the INSERT by its mapped values, and each uses it
//! up. A trigger of somebody else's may stop the UPDATE in between and leave the pass unused, or stop the second half:
//! what is deleted under a pass and does not arrive makes the statement fail.

use crate::errors::failure;
use crate::ffi::row::Kept;
use crate::ffi::session::{self, Transaction};
use crate::ffi::snapshot;
use crate::ffi::trigger::{Row, TriggerCall};
use pgrx::pg_sys::Oid;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

type Place = (u32, u16);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// May be deleted at its place next.
    Updated,
    /// Must be inserted next.
    Leaving,
    Arriving,
}

/// What the row held before the UPDATE, by column.
pub(super) type Held = Rc<Vec<(String, Kept)>>;

/// Where a row is updated: by which part of which command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    part: usize,
    relation: Oid,
    place: Place,
}

/// The row whose trigger runs.
pub(super) fn origin(trigger: &TriggerCall, old: &Row) -> Origin {
    Origin { part: trigger.part(), relation: trigger.relation(), place: old.place() }
}

struct Move {
    command: u32,
    sub: u32,
    root: Oid,
    origin: Origin,
    signature: Vec<String>,
    held: Held,
    step: Step,
    /// Its AFTER ROW triggers have fired, so it is deleted.
    has_left: bool,
}

thread_local! {
    /// At most the last one is not deleted yet. The others wait for their AFTER ROW triggers, which fire in this order.
    static MOVES: RefCell<VecDeque<Move>> = const { RefCell::new(VecDeque::new()) };
}

/// A row was judged and is about to be updated.
pub(super) fn may_follow(root: Oid, origin: Origin, signature: Vec<String>, held: Vec<(String, Kept)>) {
    let (command, sub) = (snapshot::command(), session::subtransaction());
    MOVES.with_borrow_mut(|moves| {
        if moves.back().is_some_and(|last| last.step == Step::Updated) {
            moves.pop_back();
        }
        let held = Rc::new(held);
        moves.push_back(Move { command, sub, root, origin, signature, held, step: Step::Updated, has_left: false });
    });
}

/// Whether a DELETE is the first half of the move, before it is done. Tables of 0.2.0 have no trigger that would tell
/// when it is: there the row counts as gone.
pub(super) fn leaves(origin: Origin, has_old_shape: bool) -> bool {
    let command = snapshot::command();
    MOVES.with_borrow_mut(|moves| match moves.back_mut() {
        Some(last) if last.step == Step::Updated && last.command == command && last.origin == origin => {
            last.step = Step::Leaving;
            last.has_left = has_old_shape;
            true
        }
        _ => false,
    })
}

/// The same in the AFTER ROW trigger.
pub(super) fn left(relation: Oid, place: Place) -> bool {
    let command = snapshot::command();
    MOVES.with_borrow_mut(|moves| {
        let is_it = |m: &&mut Move| {
            m.command == command
                && m.step != Step::Updated
                && !m.has_left
                && (m.origin.relation, m.origin.place) == (relation, place)
        };
        moves.iter_mut().find(is_it).map(|found| found.has_left = true).is_some()
    })
}

/// What a row held that an INSERT carries over, before it is stored or in its AFTER ROW trigger; None for a row that
/// is new.
pub(super) fn arrives(root: Oid, signature: &[String], before: bool) -> Option<Held> {
    let command = snapshot::command();
    let is_it =
        |m: &Move, step: Step| m.step == step && m.command == command && m.root == root && m.signature == signature;
    MOVES.with_borrow_mut(|moves| {
        if before {
            let last = moves.back_mut().filter(|last| is_it(last, Step::Leaving))?;
            last.step = Step::Arriving;
            return Some(Rc::clone(&last.held));
        }
        let found = moves.iter().position(|m| is_it(m, Step::Arriving))?;
        moves.remove(found).map(|m| m.held)
    })
}

/// AFTER STATEMENT: nothing that it deleted under a pass may be missing.
pub(crate) fn finish() {
    let command = snapshot::command();
    refuse_loss(|m| m.command == command);
}

fn refuse_loss(is_due: impl Fn(&Move) -> bool) {
    if MOVES.with_borrow(|moves| moves.iter().any(|m| m.has_left && is_due(m))) {
        failure("27000", "a row left its partition and did not arrive in another")
            .detail("A BEFORE ROW trigger of the table stopped one half of the move.")
            .hint("Let such triggers sort before leadguard_90_row, and drop those that stop moves.")
            .raise();
    }
}

pub(crate) fn on_transaction(event: Transaction) {
    match event {
        Transaction::Committing | Transaction::Preparing => refuse_loss(|_| true),
        Transaction::Ended(_) => MOVES.take().clear(),
        Transaction::SubCommitted { sub, parent } => MOVES.with_borrow_mut(|moves| {
            moves.iter_mut().filter(|m| m.sub == sub).for_each(|m| m.sub = parent);
        }),
        Transaction::SubAborted { sub } => MOVES.with_borrow_mut(|moves| moves.retain(|m| m.sub != sub)),
    }
}
