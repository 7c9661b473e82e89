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
use crate::model::value::{Kind, Value, ValueSet};
use crate::visibility::arm::Verdict;
use crate::{guard, identity};
use pgrx::pg_sys::Datum;
use std::rc::Rc;

fn truth(value: bool) -> Datum {
    Datum::from(usize::from(value))
}

/// (target, stage, id): whether the stage is one that the member sees.
pub(crate) fn stage(call: &Call) -> Datum {
    judge(call, of_stages, |_, hidden, call| {
        !hidden.hides_stage(call.value(1, call.argument_kind(1)).to_text().as_deref())
    })
}

/// (target, sensitive, id, owner): whether the member sees the record although it is sensitive.
pub(crate) fn sensitive(call: &Call) -> Datum {
    judge(call, of_marks, |subject, hidden, call| {
        let own = || {
            let (Some(member), Some(kind)) = (&subject.member, call.argument_kind(3)) else { return false };
            let owner = call.value(3, Some(kind));
            owner != Value::Null && owner == member.named(kind)
        };
        !hidden.hides_sensitive(call.is_marked(1), hidden.except_own && own())
    })
}

/// Stages that are texts are a set like any other.
fn of_stages(hidden: &Hidden, kind: Option<Kind>) -> Verdict {
    match &hidden.stages {
        None => Verdict::Always(true),
        Some(stages) if kind == Some(Kind::Text) => {
            Verdict::OneOf(Rc::new(ValueSet::of_keys(stages.iter().map(String::as_str), Kind::Text)))
        }
        Some(_) => Verdict::Ask,
    }
}

fn of_marks(hidden: &Hidden, _: Option<Kind>) -> Verdict {
    if hidden.sensitive { Verdict::Ask } else { Verdict::Always(true) }
}

/// Rows of a member from whom nothing is hidden are answered by ffi::probe alone, once the site is bound.
fn judge(
    call: &Call,
    verdict: fn(&Hidden, Option<Kind>) -> Verdict,
    shows: impl FnOnce(&Subject, &Hidden, &Call) -> bool,
) -> Datum {
    let Some(target) = call.oid_argument(0) else { return truth(false) };
    let site = call::borrow(call.state(|| Site::new(call.argument_kind(1))));
    let passes = || guard::exempts(target) && guard::is_sanctioned(target, &call.value(2, call.argument_kind(2)));
    if site.is_current(target)
        && let Verdict::OneOf(shown) = site.verdict()
    {
        return truth(shown.contains(&call.value(1, site.kind())) || passes());
    }
    let subject = subject::statement();
    let registered = subject.table(target);
    let table: &Option<Table> = &registered;
    let (Some(_), Some(table)) = (&subject.member, table) else { return truth(false) };
    let access = subject.access(table);
    if !site.is_current(target) {
        let Some(state) = snapshot::active() else { bug("a policy without a snapshot") };
        site.bind(target, state, identity::serial(), verdict(&access.hidden, site.kind()));
    }
    truth(shows(&subject, &access.hidden, call) || passes())
}
