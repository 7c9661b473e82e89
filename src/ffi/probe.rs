//! The calls that run once for each row of a scan.
//!
//! A probe that finds its call site bound to the present state answers in nanoseconds: no guard, nothing that
//! can raise, nothing that allocates. Everything else, the first row included, takes the guarded way through
//! visibility::policy.

use super::call::Call;
use super::snapshot::{self, Fingerprint};
use crate::identity;
use crate::model::ids::IdSet;
use crate::model::value::{Kind, ValueSet};
use crate::visibility::arm::{Arm, Verdict};
use crate::visibility::{hiding, policy};
use pgrx::pg_sys;
use std::cell::{Cell, RefCell};

#[derive(Clone, Copy)]
enum Answer {
    Always(bool),
    /// Points into the site's own verdict.
    Ids(*const IdSet),
    Ask,
}

/// What a call site keeps for its execution.
pub(crate) struct Site {
    /// None for a column of a type that no mapped column has, and for a function without one.
    kind: Option<Kind>,
    /// The table that the site was bound for. In a policy it is a constant; a call by hand may vary it.
    target: Cell<u32>,
    state: Cell<Fingerprint>,
    serial: Cell<u64>,
    answer: Cell<Answer>,
    verdict: RefCell<Verdict>,
}

impl Site {
    /// An unbound site.
    pub(crate) fn new(kind: Option<Kind>) -> Site {
        policy::site_opened();
        Site {
            kind,
            target: Cell::new(0),
            state: Cell::new(Fingerprint::default()),
            serial: Cell::new(u64::MAX),
            answer: Cell::new(Answer::Ask),
            verdict: RefCell::new(Verdict::Ask),
        }
    }

    pub(crate) fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// Whether the site was bound for this table in the state that the running statement sees, to the present
    /// identity.
    #[inline]
    pub(crate) fn is_current(&self, target: pg_sys::Oid) -> bool {
        self.target.get() == target.to_u32()
            && self.serial.get() == identity::serial()
            && snapshot::is_active(&self.state.get())
    }

    pub(crate) fn verdict(&self) -> Verdict {
        self.verdict.borrow().clone()
    }

    pub(crate) fn bind(&self, target: pg_sys::Oid, state: Fingerprint, serial: u64, verdict: Verdict) {
        self.answer.set(Answer::Ask);
        let answer = match &verdict {
            Verdict::Always(truth) => Answer::Always(*truth),
            Verdict::OneOf(set) => match set.as_ref() {
                ValueSet::Ids(ids) => Answer::Ids(ids),
                _ => Answer::Ask,
            },
            Verdict::Ask => Answer::Ask,
        };
        self.verdict.replace(verdict);
        self.target.set(target.to_u32());
        self.state.set(state);
        self.serial.set(serial);
        self.answer.set(answer);
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        policy::site_closed();
    }
}

/// # Safety
/// `fcinfo` must be what Postgres passed to the running function, and the function one whose fn_extra only
/// `Call::state::<Site>` sets.
#[inline(always)]
unsafe fn probe(fcinfo: pg_sys::FunctionCallInfo, slow: fn(&Call) -> pg_sys::Datum) -> pg_sys::Datum {
    // SAFETY: fcinfo and its flinfo are live for the whole call.
    let held = unsafe { (*(*fcinfo).flinfo).fn_extra }.cast::<Site>();
    // SAFETY: every probe has a first argument, the table.
    let table = unsafe { &*(*fcinfo).args.as_ptr() };
    // SAFETY: null, or a live site as the caller promises.
    if let Some(site) = unsafe { held.as_ref() }
        && !table.isnull
        && site.is_current((table.value.value() as u32).into())
    {
        match site.answer.get() {
            Answer::Always(truth) => return pg_sys::Datum::from(usize::from(truth)),
            Answer::Ids(ids) => {
                // SAFETY: a site with a set belongs to a function of two arguments; the array holds them.
                let argument = unsafe { &*(*fcinfo).args.as_ptr().add(1) };
                let id = match site.kind {
                    Some(Kind::Int2) => i64::from(argument.value.value() as i16),
                    Some(Kind::Int4) => i64::from(argument.value.value() as i32),
                    _ => argument.value.value() as i64,
                };
                // SAFETY: the site's verdict holds the set that ids points to.
                let found = !argument.isnull && unsafe { &*ids }.contains(id);
                return pg_sys::Datum::from(usize::from(found));
            }
            Answer::Ask => {}
        }
    }
    // SAFETY: as this function's.
    unsafe { ask(fcinfo, slow) }
}

#[cold]
#[inline(never)]
unsafe fn ask(fcinfo: pg_sys::FunctionCallInfo, slow: fn(&Call) -> pg_sys::Datum) -> pg_sys::Datum {
    // SAFETY: the guard turns panics into errors; fcinfo is what Postgres passed.
    unsafe { pg_sys::submodules::panic::pgrx_extern_c_guard(|| slow(&Call::new(fcinfo))) }
}

macro_rules! probes {
    ($($info:ident, $symbol:ident => $slow:expr;)*) => {$(
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub extern "C-unwind" fn $info() -> &'static pg_sys::Pg_finfo_record {
            const V1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
            &V1
        }

        /// # Safety
        /// Called by Postgres only.
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $symbol(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
            // SAFETY: fcinfo is what Postgres passed; policy alone sets fn_extra of these functions, to a Site.
            unsafe { probe(fcinfo, $slow) }
        }
    )*};
}

probes! {
    pg_finfo_leadguard_visible_owner, leadguard_visible_owner => |call| policy::arm(call, Arm::Owner);
    pg_finfo_leadguard_visible_creator, leadguard_visible_creator => |call| policy::arm(call, Arm::Creator);
    pg_finfo_leadguard_visible_segment, leadguard_visible_segment => |call| policy::arm(call, Arm::Segment);
    pg_finfo_leadguard_visible_team, leadguard_visible_team => |call| policy::arm(call, Arm::Team);
    pg_finfo_leadguard_visible_parent, leadguard_visible_parent => |call| policy::arm(call, Arm::Parent);
    pg_finfo_leadguard_visible_stage, leadguard_visible_stage => hiding::stage;
    pg_finfo_leadguard_visible_sensitive, leadguard_visible_sensitive => hiding::sensitive;
    pg_finfo_leadguard_visible_territory, leadguard_visible_territory => |call| policy::arm(call, Arm::Territory);
    pg_finfo_leadguard_visible_record, leadguard_visible_record => |call| policy::arm(call, Arm::Record);
    pg_finfo_leadguard_visible_admin, leadguard_visible_admin => |call| policy::arm(call, Arm::Admin);
    pg_finfo_leadguard_visible_all, leadguard_visible_all => policy::gate;
    pg_finfo_leadguard_visible_unmarked, leadguard_visible_unmarked => policy::gate_unmarked;
    pg_finfo_leadguard_visible_organization, leadguard_visible_organization => |call| policy::arm(call, Arm::Organization);
}
