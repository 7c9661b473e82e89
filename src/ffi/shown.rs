//! How a column of a row is shown to the asking member: once for each masked column and row of a scan.
//!
//! As in ffi::probe, a site that is bound to the present state answers without a guard; everything else takes the
//! guarded way through masks::shown.

use super::call::Call;
use super::snapshot::{self, Fingerprint};
use crate::identity;
use crate::masks::shown::{self, Paths, Shown};
use crate::model::ids::IdSet;
use crate::model::value::{Kind, ValueSet};
use crate::visibility::policy;
use pgrx::pg_sys;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// The sets that decide, as pointers into the site's own paths; null for a path that clears nothing.
#[derive(Clone, Copy)]
struct Sets {
    owners: *const IdSet,
    territories: *const IdSet,
    records: *const IdSet,
    /// Grants on single records count as well and are not read yet.
    asks: bool,
}

#[derive(Clone, Copy)]
enum Answer {
    Always(Shown),
    Sets(Sets),
    Ask,
}

/// What a call site keeps for its execution.
pub(crate) struct Site {
    kinds: [Option<Kind>; 3],
    target: Cell<u32>,
    state: Cell<Fingerprint>,
    serial: Cell<u64>,
    answer: Cell<Answer>,
    paths: RefCell<Option<Rc<Paths>>>,
}

impl Site {
    pub(crate) fn new(call: &Call) -> Site {
        policy::site_opened();
        Site {
            kinds: [2, 3, 4].map(|index| call.argument_kind(index)),
            target: Cell::new(0),
            state: Cell::new(Fingerprint::default()),
            serial: Cell::new(u64::MAX),
            answer: Cell::new(Answer::Ask),
            paths: RefCell::new(None),
        }
    }

    pub(crate) fn kinds(&self) -> [Option<Kind>; 3] {
        self.kinds
    }

    #[inline]
    fn is_current(&self, target: u32) -> bool {
        self.target.get() == target && self.serial.get() == identity::serial() && snapshot::is_active(&self.state.get())
    }

    /// What the site was bound to, if that still holds.
    pub(crate) fn paths(&self, target: pg_sys::Oid) -> Option<Rc<Paths>> {
        if self.is_current(target.to_u32()) { self.paths.borrow().clone() } else { None }
    }

    pub(crate) fn bind(&self, target: pg_sys::Oid, state: Fingerprint, paths: &Rc<Paths>) {
        self.answer.set(Answer::Ask);
        self.paths.replace(Some(Rc::clone(paths)));
        self.target.set(target.to_u32());
        self.state.set(state);
        self.serial.set(identity::serial());
        self.answer.set(self.answer_of(paths));
    }

    fn answer_of(&self, paths: &Paths) -> Answer {
        if let Some(always) = paths.always {
            return Answer::Always(always);
        }
        let ids = |set: Option<&ValueSet>| match set {
            None => Some(std::ptr::null()),
            Some(ValueSet::Ids(ids)) => Some(std::ptr::from_ref(ids)),
            Some(_) => None,
        };
        // Records that were not asked for yet are no empty set: a row that nothing else clears takes the guarded way.
        let records = if paths.asks_records { paths.loaded_records() } else { None };
        let asks = paths.asks_records && records.is_none();
        match (ids(paths.owners.as_deref()), ids(paths.territories.as_deref()), ids(records)) {
            (Some(owners), Some(territories), Some(records)) => {
                Answer::Sets(Sets { owners, territories, records, asks })
            }
            _ => Answer::Ask,
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        policy::site_closed();
    }
}

/// # Safety
/// `fcinfo` must be what Postgres passed, and `set` null or live.
#[inline(always)]
unsafe fn holds(fcinfo: pg_sys::FunctionCallInfo, index: usize, kind: Option<Kind>, set: *const IdSet) -> bool {
    // SAFETY: as the caller promises.
    let Some(set) = (unsafe { set.as_ref() }) else { return false };
    // SAFETY: the function has six arguments.
    let argument = unsafe { &*(*fcinfo).args.as_ptr().add(index) };
    if argument.isnull {
        return false;
    }
    set.contains(match kind {
        Some(Kind::Int2) => i64::from(argument.value.value() as i16),
        Some(Kind::Int4) => i64::from(argument.value.value() as i32),
        Some(Kind::Int8) => argument.value.value() as i64,
        _ => return false,
    })
}

#[doc(hidden)]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn pg_finfo_leadguard_shown() -> &'static pg_sys::Pg_finfo_record {
    const V1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &V1
}

/// # Safety
/// Called by Postgres only.
#[doc(hidden)]
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn leadguard_shown(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: fcinfo and its flinfo are live for the whole call; only Call::state::<Site> sets fn_extra here.
    let site = unsafe { (*(*fcinfo).flinfo).fn_extra.cast::<Site>().as_ref() };
    // SAFETY: the first argument is the table.
    let table = unsafe { &*(*fcinfo).args.as_ptr() };
    if let Some(site) = site
        && !table.isnull
        && site.is_current(table.value.value() as u32)
    {
        match site.answer.get() {
            Answer::Always(always) => return always.datum(),
            Answer::Sets(sets) => {
                let [id, owner, territory] = site.kinds;
                // SAFETY: the pointers are into the paths that the site holds.
                let clear = unsafe {
                    holds(fcinfo, 3, owner, sets.owners)
                        || holds(fcinfo, 4, territory, sets.territories)
                        || holds(fcinfo, 2, id, sets.records)
                };
                if clear || !sets.asks {
                    return if clear { Shown::Clear } else { Shown::Masked }.datum();
                }
            }
            Answer::Ask => {}
        }
    }
    // SAFETY: fcinfo is what Postgres passed.
    unsafe { ask(fcinfo) }
}

#[cold]
#[inline(never)]
unsafe fn ask(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: the guard turns panics into errors; fcinfo is what Postgres passed.
    unsafe { pg_sys::submodules::panic::pgrx_extern_c_guard(|| shown::judge(&Call::new(fcinfo))) }
}
