//! Which kept plans still fit who is asking.
//!
//! A plan is right for every member but fast only for members of about the width for which it was made, and a
//! gate lets only those pass who see everything. Statements without parameters are never planned again by
//! themselves. So when a member of another width begins to work, the backend's plans over protected tables are
//! made anew at their next use; members of one width share them.

use crate::ffi::call::Call;
use crate::ffi::invalidation;
use crate::ffi::scan;
use crate::ffi::session::{self, Transaction};
use crate::ffi::snapshot;
use crate::ffi::trigger::TriggerCall;
use crate::guc;
use crate::identity::Mode;
use crate::visibility::{Member, Subject};
use pgrx::pg_sys::Datum;
use std::cell::Cell;
use std::hash::{DefaultHasher, Hash, Hasher};

/// About how much a member sees. Nobody has no width: any plan shows him nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    /// What decides in which tables he sees everything, where plans are gates; and how many owners and territories he
    /// reaches, in powers of ten.
    Of { standing: u64, magnitude: u32 },
    /// Plans of several widths may be kept.
    Mixed,
}

thread_local! {
    static PLANNED_FOR: Cell<Width> = const { Cell::new(Width::Mixed) };
    /// A plan was made in a state that later transactions do not share.
    static PASSING: Cell<bool> = const { Cell::new(false) };
}

fn width(subject: &Subject) -> Option<Width> {
    let member = subject.member.as_ref()?;
    let standing = standing(member, subject.mode);
    if subject.has_capability("all_records") {
        return Some(Width::Of { standing, magnitude: 0 });
    }
    Some(Width::Of { standing, magnitude: subject.reached().max(1).ilog10() })
}

/// Everything of a member that the rules of a table look at.
fn standing(member: &Member, mode: Option<Mode>) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut roles: Vec<&str> = member.roles.iter().map(String::as_str).collect();
    roles.sort_unstable();
    let mut capabilities: Vec<&str> = member.capabilities.iter().map(String::as_str).collect();
    capabilities.sort_unstable();
    (roles, capabilities, member.rank, member.guest, member.system, member.organization_view).hash(&mut hasher);
    (mode == Some(Mode::Analyst), guc::is_personal()).hash(&mut hasher);
    hasher.finish()
}

/// A member is about to work: plans made for another width are not for him.
pub(crate) fn used_by(subject: &Subject) {
    if let Some(width) = width(subject)
        && PLANNED_FOR.get() != width
    {
        forget();
        PLANNED_FOR.set(width);
    }
}

/// A plan is being made for the member.
pub(crate) fn planned_by(subject: &Subject) {
    match width(subject) {
        Some(width) if width == PLANNED_FOR.get() => {}
        // What is being planned now fits, what was planned before does not.
        Some(_) => used_by(subject),
        None => PLANNED_FOR.set(Width::Mixed),
    }
    if subject.own || snapshot::is_fixed() || session::has_written() {
        PASSING.set(true);
    }
}

/// Has every plan that calls leadguard.visible made anew at its next use.
pub(crate) fn forget() {
    PLANNED_FOR.set(Width::Mixed);
    super::forget_plans();
}

/// Trigger of what says who sees everything: every backend plans anew once the transaction is committed.
pub(crate) fn forget_everywhere(call: &Call) -> Datum {
    forget_in_all_backends();
    TriggerCall::of(call).skip()
}

pub(crate) fn forget_in_all_backends() {
    let tables = scan::Table::open(c"protected_table");
    let target = tables.column(c"target");
    let mut protected = Vec::new();
    tables.scan(None, &[], |row| {
        protected.extend(row.oid(target));
        true
    });
    protected.into_iter().for_each(invalidation::invalidate_relation);
}

/// A plan that rests on an old or uncommitted state goes with it.
pub(crate) fn on_transaction(event: Transaction) {
    if matches!(event, Transaction::Ended(_) | Transaction::SubAborted { .. }) && PASSING.replace(false) {
        forget();
    }
}
