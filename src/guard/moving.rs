//! Rows that an UPDATE moves to another partition.
//!
//! Postgres carries such an UPDATE out as DELETE and INSERT, right after its BEFORE ROW triggers, and fires
//! the triggers of both. The move was judged as the UPDATE it is. The pass is for that one row: the DELETE is
//! known by its place in the partition, the INSERT by its mapped values, and each uses it up. A DELETE of the
//! same place by another part of the same command never gets as far as its triggers. When another UPDATE comes
//! between, the pass is gone and the move is refused.

use crate::ffi::row::Kept;
use crate::ffi::session;
use crate::ffi::snapshot;
use pgrx::pg_sys::Oid;
use std::cell::RefCell;
use std::rc::Rc;

type Command = (u32, i64);

enum Step {
    /// Updated at this place of a partition; may be deleted there next.
    Updated { relation: Oid, place: (u32, u16) },
    /// Deleted there; must be inserted next.
    Deleted,
}

/// What the row held before the UPDATE, by column.
pub(super) type Held = Rc<Vec<(String, Kept)>>;

struct Move {
    command: Command,
    root: Oid,
    signature: Vec<String>,
    held: Held,
    step: Step,
}

struct Arrived {
    command: Command,
    root: Oid,
    signature: Vec<String>,
    held: Held,
}

thread_local! {
    static CURRENT: RefCell<Option<Move>> = const { RefCell::new(None) };
    /// Arrived rows whose AFTER ROW triggers are to come at the end of the command.
    static ARRIVED: RefCell<Vec<Arrived>> = const { RefCell::new(Vec::new()) };
}

fn command() -> Command {
    (snapshot::active().map_or(0, |state| state.command()), session::statement_time())
}

/// A row was judged and is about to be updated.
pub(super) fn may_follow(
    root: Oid,
    relation: Oid,
    place: (u32, u16),
    signature: Vec<String>,
    held: Vec<(String, Kept)>,
) {
    let step = Step::Updated { relation, place };
    let next = Move { command: command(), root, signature, held: Rc::new(held), step };
    CURRENT.replace(Some(next));
}

/// Whether a DELETE is the first half of the move.
pub(super) fn leaves(relation: Oid, place: (u32, u16)) -> bool {
    let this = command();
    CURRENT.with_borrow_mut(|current| match current {
        Some(Move { command, step, .. }) => {
            let expected = *command == this
                && matches!(step, Step::Updated { relation: r, place: p } if *r == relation && *p == place);
            if expected {
                *step = Step::Deleted;
            }
            expected
        }
        None => false,
    })
}

/// What a row held that an INSERT carries over, before it is stored or in its AFTER ROW trigger; None for a row that
/// is new.
pub(super) fn arrives(root: Oid, signature: &[String], before: bool) -> Option<Held> {
    let this = command();
    if !before {
        return ARRIVED.with_borrow_mut(|rows| {
            let found =
                rows.iter().position(|row| row.command == this && row.root == root && row.signature == signature);
            found.map(|at| rows.swap_remove(at).held)
        });
    }
    let expected = CURRENT.with_borrow(|current| {
        current.as_ref().is_some_and(|m| {
            m.command == this && m.root == root && matches!(m.step, Step::Deleted) && m.signature == signature
        })
    });
    let moved = if expected { CURRENT.take() } else { None };
    moved.map(|Move { signature, held, .. }| {
        ARRIVED.with_borrow_mut(|rows| {
            rows.retain(|row| row.command == this);
            rows.push(Arrived { command: this, root, signature, held: Rc::clone(&held) });
        });
        held
    })
}
