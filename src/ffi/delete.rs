//! DELETEs that archive: what the executor counts and returns.
//!
//! A BEFORE ROW trigger that keeps the executor from a row makes a DELETE report 0 rows and return none. So the rows of
//! tables with an archive are handed to a routine of ours, as those of a foreign table would be: the triggers judge a
//! row, the routine takes it over, the executor counts it and returns what it held. When the statement ends, the rows
//! are archived. Triggers that fire after a deletion do not: nothing was deleted, and foreign keys must not follow.
//!
//! Planning a policy has loaded the library before the executor starts. Where it has not (a superuser's first
//! statement), and in MERGE, the trigger keeps the executor away, and the row is archived all the same; of a MERGE it
//! is counted afterwards.
//!
//! A statement may delete rows of one table in several parts, by DELETE and by MERGE. Each part has copies of the
//! table's triggers of its own, and by these it is known which part a trigger was called for: let through in the wrong
//! one, a row would be gone.

use super::copy;
use super::expr::pointers;
use super::runs;
use super::versions;
use crate::archive;
use crate::guard::{self, Purpose};
use crate::visibility;
use pgrx::pg_sys;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::CStr;

static mut NEXT_START: pg_sys::ExecutorStart_hook_type = None;
static mut NEXT_RUN: pg_sys::ExecutorRun_hook_type = None;

/// What becomes of the rows of one part of a running statement.
#[derive(Clone, Copy)]
enum Part {
    /// They reach the routine, which knows the part by this.
    TakenOver(usize),
    /// The trigger takes them away, and the statement reports them.
    Counted,
}

thread_local! {
    /// Parts by the address of their copy of the guard, with the execution (its memory context) that they belong to.
    static PARTS: RefCell<HashMap<usize, (usize, Part)>> = RefCell::default();
    /// How many rows the guards of an execution took away from the executor, which has not counted them.
    static UNCOUNTED: RefCell<HashMap<usize, u64>> = RefCell::default();
    static ROUTINE: Cell<*mut pg_sys::FdwRoutine> = const { Cell::new(core::ptr::null_mut()) };
}

/// The part whose rows reach the routine, if the guard was called for one.
pub(crate) fn taken_over(guard: usize) -> Option<usize> {
    PARTS.with_borrow(|parts| match parts.get(&guard) {
        Some((_, Part::TakenOver(part))) => Some(*part),
        _ => None,
    })
}

/// Called once, when the library is loaded.
pub(crate) fn install() {
    // SAFETY: plain variables of the backend, read and written by its one thread.
    unsafe {
        NEXT_START = pg_sys::ExecutorStart_hook;
        pg_sys::ExecutorStart_hook = Some(start);
        NEXT_RUN = pg_sys::ExecutorRun_hook;
        pg_sys::ExecutorRun_hook = Some(run);
    }
}

/// The guard took a row away.
pub(crate) fn uncounted(guard: usize) {
    if let Some((execution, Part::Counted)) = PARTS.with_borrow(|parts| parts.get(&guard).copied()) {
        UNCOUNTED.with_borrow_mut(|uncounted| *uncounted.entry(execution).or_default() += 1);
    }
}

/// The same function without pgrx's guard: the frame below holds nothing that an error could leave behind.
mod bare {
    use pgrx::pg_sys;
    unsafe extern "C-unwind" {
        pub(super) fn standard_ExecutorStart(query: *mut pg_sys::QueryDesc, flags: core::ffi::c_int);
        #[cfg(not(feature = "pg18"))]
        pub(super) fn standard_ExecutorRun(
            query: *mut pg_sys::QueryDesc,
            direction: pg_sys::ScanDirection::Type,
            count: u64,
            once: bool,
        );
        #[cfg(feature = "pg18")]
        pub(super) fn standard_ExecutorRun(
            query: *mut pg_sys::QueryDesc,
            direction: pg_sys::ScanDirection::Type,
            count: u64,
        );
    }
}

#[cfg(not(feature = "pg18"))]
unsafe extern "C-unwind" fn run(
    query: *mut pg_sys::QueryDesc,
    direction: pg_sys::ScanDirection::Type,
    count: u64,
    once: bool,
) {
    // SAFETY: what Postgres would have called; written by install only.
    unsafe {
        let is_first = !(*query).already_executed;
        match NEXT_RUN {
            Some(next) => next(query, direction, count, once),
            None => bare::standard_ExecutorRun(query, direction, count, once),
        }
        add_uncounted(query);
        runs::count(query, is_first);
    }
}

#[cfg(feature = "pg18")]
unsafe extern "C-unwind" fn run(query: *mut pg_sys::QueryDesc, direction: pg_sys::ScanDirection::Type, count: u64) {
    // SAFETY: what Postgres would have called; written by install only.
    unsafe {
        let is_first = !(*query).already_executed;
        match NEXT_RUN {
            Some(next) => next(query, direction, count),
            None => bare::standard_ExecutorRun(query, direction, count),
        }
        add_uncounted(query);
        runs::count(query, is_first);
    }
}

/// MERGE, which has no routine to hand rows to.
///
/// # Safety
/// A query that is running.
unsafe fn add_uncounted(query: *mut pg_sys::QueryDesc) {
    // SAFETY: as the caller promises.
    if unsafe { copy::goes_out(query) } {
        // SAFETY: as above.
        unsafe { copy::ran(query) };
    }
    // SAFETY: as the caller promises.
    let state = unsafe { &mut *(*query).estate };
    let count = UNCOUNTED.with_borrow_mut(|uncounted| uncounted.remove(&(state.es_query_cxt as usize)));
    state.es_processed += count.unwrap_or(0);
}

unsafe extern "C-unwind" fn start(query: *mut pg_sys::QueryDesc, flags: core::ffi::c_int) {
    // SAFETY: what Postgres would have called; written by install only.
    unsafe {
        match NEXT_START {
            Some(next) => next(query, flags),
            None => bare::standard_ExecutorStart(query, flags),
        }
    }
    // SAFETY: a query that was started.
    let statement = unsafe { &*(*query).plannedstmt };
    let may_delete = statement.commandType == pg_sys::CmdType::CMD_DELETE
        || is_merge(statement.commandType)
        || statement.hasModifyingCTE;
    if may_delete && flags & pg_sys::EXEC_FLAG_EXPLAIN_ONLY as i32 == 0 {
        // SAFETY: as above.
        unsafe { watch(query) };
    }
    // SAFETY: as above.
    if unsafe { copy::goes_out(query) } {
        // SAFETY: as above.
        unsafe { copy::started(query) };
    }
}

#[cfg(not(feature = "pg14"))]
fn is_merge(command: pg_sys::CmdType::Type) -> bool {
    command == pg_sys::CmdType::CMD_MERGE
}

#[cfg(feature = "pg14")]
fn is_merge(_command: pg_sys::CmdType::Type) -> bool {
    false
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn watch(query: *mut pg_sys::QueryDesc) {
    // SAFETY: a query that was started has a state.
    let (top, state) = unsafe { ((*query).planstate, &*(*query).estate) };
    let execution = state.es_query_cxt;
    let mut parts = Vec::new();
    for node in pointers::<pg_sys::PlanState>(state.es_auxmodifytables).chain([top]) {
        // SAFETY: nodes of the running query; the tag says what they are.
        let is_modify = unsafe { (*node.cast::<pg_sys::Node>()).type_ } == pg_sys::NodeTag::T_ModifyTableState;
        if !is_modify {
            continue;
        }
        // SAFETY: as above.
        let modify = unsafe { &mut *node.cast::<pg_sys::ModifyTableState>() };
        let deletes = modify.operation == pg_sys::CmdType::CMD_DELETE;
        // What the statement reports is the number of rows of its main part.
        let counts = is_merge(modify.operation) && modify.canSetTag;
        if !(deletes || counts) {
            continue;
        }
        for index in 0..modify.mt_nrels.max(0) as usize {
            // SAFETY: the node has mt_nrels of them.
            let relation = unsafe { &mut *modify.resultRelInfo.add(index) };
            let Some(guard) = guard_of(relation).filter(|_| archives(relation)) else { continue };
            if deletes {
                take_over(relation);
                // SAFETY: null, or this node's own.
                if let Some(capture) = unsafe { modify.mt_transition_capture.as_mut() } {
                    capture.tcs_delete_old_table = false;
                }
                parts.push((guard, (execution as usize, Part::TakenOver(&raw const *relation as usize))));
            } else {
                parts.push((guard, (execution as usize, Part::Counted)));
            }
        }
    }
    if !parts.is_empty() {
        PARTS.with_borrow_mut(|held| held.extend(parts));
        until_the_end(execution);
    }
}

/// The address of the guard among this part's own triggers.
fn guard_of(relation: &pg_sys::ResultRelInfo) -> Option<usize> {
    // SAFETY: null, or the triggers of the open relation.
    let triggers = unsafe { relation.ri_TrigDesc.as_ref() }?;
    (0..triggers.numtriggers.max(0) as usize).find_map(|index| {
        // SAFETY: the array has numtriggers entries.
        let trigger = unsafe { triggers.triggers.add(index) };
        // SAFETY: names are terminated.
        (unsafe { CStr::from_ptr((*trigger).tgname) } == c"leadguard_90_row").then_some(trigger as usize)
    })
}

/// Whether a DELETE of rows of the relation archives them.
fn archives(relation: &pg_sys::ResultRelInfo) -> bool {
    // A preloaded library meets tables of databases where the extension is not.
    if !versions::has_extension() {
        return false;
    }
    // SAFETY: the relation is open while it is written.
    let oid = unsafe { (*relation.ri_RelationDesc).rd_id };
    let table = visibility::statement().table(oid);
    let purges = |target| guard::sanctioned(target).is_some_and(|s| s.purpose == Purpose::Purge);
    Option::as_ref(&table).is_some_and(|table| table.archived_at_column.is_some() && !purges(table.target))
}

fn take_over(relation: &mut pg_sys::ResultRelInfo) {
    relation.ri_FdwRoutine = routine();
    // SAFETY: looked at before; the description is this part's own copy.
    let triggers = unsafe { &mut *relation.ri_TrigDesc };
    triggers.trig_delete_after_row = false;
    triggers.trig_delete_old_table = false;
}

fn routine() -> *mut pg_sys::FdwRoutine {
    if ROUTINE.get().is_null() {
        // SAFETY: a node of zeros with its tag is one without any function.
        let made = unsafe {
            let made = pg_sys::MemoryContextAllocZero(pg_sys::TopMemoryContext, size_of::<pg_sys::FdwRoutine>())
                .cast::<pg_sys::FdwRoutine>();
            (*made).type_ = pg_sys::NodeTag::T_FdwRoutine;
            (*made).ExecForeignDelete = Some(delete);
            made
        };
        ROUTINE.set(made);
    }
    ROUTINE.get()
}

/// Takes over the row that the triggers have just judged, and gives what it holds. None: the statement met it before.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn delete(
    _state: *mut pg_sys::EState,
    relation: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    _plan: *mut pg_sys::TupleTableSlot,
) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: the relation is open while it is written.
    let open = unsafe { (*relation).ri_RelationDesc };
    // SAFETY: as above.
    let oid = unsafe { (*open).rd_id };
    let Some((block, offset)) = archive::accept_proposed(relation as usize, oid) else {
        return core::ptr::null_mut();
    };
    let mut place = pg_sys::ItemPointerData {
        ip_blkid: pg_sys::BlockIdData { bi_hi: (block >> 16) as u16, bi_lo: (block & 0xffff) as u16 },
        ip_posid: offset,
    };
    // SAFETY: every table has an access method that can do this.
    let fetch = unsafe { (*(*open).rd_tableam).tuple_fetch_row_version };
    let found = fetch.is_some_and(|fetch| {
        // SAFETY: the row is locked by this transaction; the slot is one of the relation.
        unsafe {
            pg_sys::ffi::pg_guard_ffi_boundary(|| fetch(open, &mut place, &raw mut pg_sys::SnapshotAnyData, slot))
        }
    });
    if !found {
        crate::errors::bug("a row that is being archived is gone");
    }
    slot
}

/// Keeps what is known of the execution until it ends, however it does.
fn until_the_end(execution: pg_sys::MemoryContext) {
    // SAFETY: the callback lives in the context whose end it waits for.
    unsafe {
        let callback = pg_sys::MemoryContextAlloc(execution, size_of::<pg_sys::MemoryContextCallback>())
            .cast::<pg_sys::MemoryContextCallback>();
        callback.write(pg_sys::MemoryContextCallback {
            func: Some(forget),
            arg: execution.cast(),
            next: core::ptr::null_mut(),
        });
        pg_sys::MemoryContextRegisterResetCallback(execution, callback);
    }
}

unsafe extern "C-unwind" fn forget(execution: *mut core::ffi::c_void) {
    let execution = execution as usize;
    PARTS.with(|parts| {
        if let Ok(mut parts) = parts.try_borrow_mut() {
            parts.retain(|_, (of, _)| *of != execution);
        }
    });
    UNCOUNTED.with(|uncounted| {
        if let Ok(mut uncounted) = uncounted.try_borrow_mut() {
            uncounted.remove(&execution);
        }
    });
}
