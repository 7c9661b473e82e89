//! Hiding rules in plans: conditions beside the paths, which no path gets around.
//!
//! What leadguard itself does to a record passes: a record that is marked as sensitive goes out of sight of whoever
//! marks it.

use super::subject::{self, Subject};
use super::table::Table;
use crate::errors::bug;
use crate::ffi::call::{self, Call};
use crate::ffi::probe::Site;
use crate::ffi::snapshot;
use crate::model::access::Hidden;
use crate::model::value::Value;
use crate::visibility::arm::Verdict;
use crate::{guard, identity};
use pgrx::pg_sys::Datum;

fn truth(value: bool) -> Datum {
    Datum::from(usize::from(value))
}

/// (target, stage, id): whether the stage is one that the member sees.
pub(crate) fn stage(call: &Call) -> Datum {
    judge(call, |hidden| hidden.stages.is_none(), |_, hidden, call| {
        !hidden.hides_stage(call.value(1, call.argument_kind(1)).to_text().as_deref())
    })
}

/// (target, sensitive, id, owner): whether the member sees the record although it is sensitive.
pub(crate) fn sensitive(call: &Call) -> Datum {
    judge(call, |hidden| !hidden.sensitive, |subject, hidden, call| {
        let own = || {
            let (Some(member), Some(kind)) = (&subject.member, call.argument_kind(3)) else { return false };
            let owner = call.value(3, Some(kind));
            owner != Value::Null && owner == member.named(kind)
        };
        !hidden.hides_sensitive(call.is_marked(1), hidden.except_own && own())
    })
}

/// Rows of a member from whom nothing is hidden are answered by ffi::probe alone, once the site is bound.
fn judge(
    call: &Call,
    hides_nothing: fn(&Hidden) -> bool,
    shows: impl FnOnce(&Subject, &Hidden, &Call) -> bool,
) -> Datum {
    let Some(target) = call.oid_argument(0) else { return truth(false) };
    let site = call::borrow(call.state(|| Site::new(None)));
    let subject = subject::statement();
    let registered = subject.table(target);
    let table: &Option<Table> = &registered;
    let (Some(_), Some(table)) = (&subject.member, table) else { return truth(false) };
    let access = subject.access(table);
    if !site.is_current(target) {
        let Some(state) = snapshot::active() else { bug("a policy without a snapshot") };
        let verdict = if hides_nothing(&access.hidden) { Verdict::Always(true) } else { Verdict::Ask };
        site.bind(target, state, identity::serial(), verdict);
    }
    truth(shows(&subject, &access.hidden, call) || {
        guard::sanctioned(target).is_some() && guard::is_sanctioned(target, &call.value(2, call.argument_kind(2)))
    })
}
