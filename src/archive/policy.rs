//! Who sees archived rows: members with the capability, unless the session does not want to.

use crate::errors::bug;
use crate::ffi::call::{self, Call};
use crate::ffi::expr::{Expr, function};
use crate::ffi::planner::{self, Request, no_answer};
use crate::ffi::snapshot::{self, Fingerprint};
use crate::visibility::{self, Subject};
use crate::{guard, guc, identity};
use pgrx::pg_sys::{self, Datum};
use std::cell::Cell;

pub(crate) fn sees(subject: &Subject) -> bool {
    guc::show_archived() && subject.has_capability("see_archived")
}

/// Policy, as it stands in the text: (target, id, archived_at).
pub(crate) fn unarchived(call: &Call) -> Datum {
    if call.argument(2).is_none() {
        return Datum::from(true);
    }
    sees_archived(call)
}

/// Policy, in plans: whether an archived row may be seen: (target, id).
pub(crate) fn sees_archived(call: &Call) -> Datum {
    struct Held(Cell<Option<(Fingerprint, u64, bool, bool)>>);
    let Some(state) = snapshot::active() else { bug("a policy without a snapshot") };
    let held = call::borrow(call.state(|| Held(Cell::new(None))));
    let wanted = guc::show_archived();
    let sees = match held.0.get() {
        Some((of, serial, shown, sees)) if of == state && serial == identity::serial() && shown == wanted => sees,
        _ => {
            let sees = sees(&visibility::statement());
            held.0.set(Some((state, identity::serial(), wanted, sees)));
            sees
        }
    };
    if sees {
        return Datum::from(true);
    }
    let sanctioned = call.oid_argument(0).is_some_and(|target| {
        guard::sanctioned(target).is_some() && guard::is_sanctioned(target, &call.value(1, call.argument_kind(1)))
    });
    Datum::from(sanctioned)
}

/// Support function of leadguard.unarchived: a test that needs no call for rows that are not archived.
pub(crate) fn support(call: &Call) -> Datum {
    match planner::request(call) {
        Request::Simplify(request) => {
            let arguments = [0, 1, 2].map(|index| request.argument(index));
            let [Some(target), Some(id), Some(at)] = arguments else { return no_answer() };
            let sees = function(c"sees_archived", &[pg_sys::REGCLASSOID, pg_sys::ANYOID]);
            Expr::or(&[Expr::is_null(at), Expr::call(sees, &[target, id])]).answer()
        }
        _ => no_answer(),
    }
}

/// Support function of leadguard.sees_archived.
pub(crate) fn sees_support(call: &Call) -> Datum {
    match planner::request(call) {
        Request::Selectivity(request) => {
            let sees = snapshot::active().is_some_and(|_| sees(&visibility::statement()));
            request.answer(if sees { 1.0 } else { 0.0 })
        }
        Request::Cost(request) => request.answer(4.0),
        _ => no_answer(),
    }
}
