//! Queries of the extension, with an explicit choice of what they see.
//!
//! pgrx's own SPI client turns every SELECT after the first write of a transaction into one with a new
//! snapshot; a policy must never do that. Hence this small client. Plans of constant texts are kept.

use super::snapshot;
use pgrx::{FromDatum, IntoDatum, pg_sys};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::{CStr, CString};

/// What a query sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sees {
    /// What the running statement sees. Never writes, never takes a transaction id.
    Statement,
    /// Everything committed by now, at every isolation level, and what this transaction has done so far; may write.
    Now,
}

/// A parameter of a query.
#[derive(Debug, Clone)]
pub(crate) enum Param<'a> {
    Int(Option<i64>),
    Text(Option<&'a str>),
    Bool(bool),
    Oid(pg_sys::Oid),
    Ints(&'a [i64]),
    Texts(&'a [String]),
    Timestamp(Option<i64>),
    /// A value of any type as it is; None for NULL.
    Typed(pg_sys::Oid, Option<pg_sys::Datum>),
}

impl Param<'_> {
    fn type_oid(&self) -> pg_sys::Oid {
        match self {
            Param::Int(_) => pg_sys::INT8OID,
            Param::Text(_) => pg_sys::TEXTOID,
            Param::Bool(_) => pg_sys::BOOLOID,
            Param::Oid(_) => pg_sys::OIDOID,
            Param::Ints(_) => pg_sys::INT8ARRAYOID,
            Param::Texts(_) => pg_sys::TEXTARRAYOID,
            Param::Timestamp(_) => pg_sys::TIMESTAMPTZOID,
            Param::Typed(type_oid, _) => *type_oid,
        }
    }

    fn datum(&self) -> Option<pg_sys::Datum> {
        match self {
            Param::Int(value) => value.and_then(IntoDatum::into_datum),
            Param::Text(value) => value.and_then(IntoDatum::into_datum),
            Param::Bool(value) => value.into_datum(),
            Param::Oid(value) => value.into_datum(),
            Param::Ints(values) => values.to_vec().into_datum(),
            Param::Texts(values) => values.to_vec().into_datum(),
            Param::Timestamp(value) => value.map(pg_sys::Datum::from),
            Param::Typed(_, value) => *value,
        }
    }
}

/// The same function without pgrx's guard, which costs more than it does: it raises for no column.
mod bare {
    use pgrx::pg_sys;
    unsafe extern "C-unwind" {
        pub(super) fn SPI_getbinval(
            row: pg_sys::HeapTuple,
            descriptor: pg_sys::TupleDesc,
            column: core::ffi::c_int,
            is_null: *mut bool,
        ) -> pg_sys::Datum;
    }
}

/// One row of a result, read by position (0 is the first column).
pub(crate) struct Row {
    tuple: pg_sys::HeapTuple,
    descriptor: pg_sys::TupleDesc,
}

impl Row {
    pub(super) fn new(tuple: pg_sys::HeapTuple, descriptor: pg_sys::TupleDesc) -> Row {
        Row { tuple, descriptor }
    }

    fn datum(&self, column: i32) -> Option<pg_sys::Datum> {
        let mut is_null = false;
        // SAFETY: tuple and descriptor come from the live SPI result; columns exist.
        let datum = unsafe { bare::SPI_getbinval(self.tuple, self.descriptor, column + 1, &mut is_null) };
        (!is_null).then_some(datum)
    }

    /// A bigint column.
    pub fn int(&self, column: i32) -> Option<i64> {
        self.datum(column).map(|d| d.value() as i64)
    }

    pub fn bool(&self, column: i32) -> bool {
        self.datum(column).is_some_and(|d| d.value() as u8 != 0)
    }

    pub fn oid(&self, column: i32) -> Option<pg_sys::Oid> {
        self.datum(column).map(|d| pg_sys::Oid::from_u32(d.value() as u32))
    }

    /// A bytea column.
    pub fn with_bytes<T>(&self, column: i32, body: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let datum = self.datum(column)?;
        let stored = datum.cast_mut_ptr::<pg_sys::varlena>();
        // SAFETY: a varlena of the live row.
        let is_short = unsafe { pgrx::varatt_is_1b(stored) && !pgrx::varatt_is_1b_e(stored) };
        // SAFETY: as above, fetched into the current memory context where it is compressed.
        let whole = if is_short { stored } else { unsafe { pg_sys::pg_detoast_datum_packed(stored) } };
        // SAFETY: short, or fetched above.
        Some(body(unsafe {
            std::slice::from_raw_parts(pgrx::vardata_any(whole).cast::<u8>(), pgrx::varsize_any_exhdr(whole))
        }))
    }

    /// A column of type text[]; None for NULL.
    pub fn texts(&self, column: i32) -> Option<Vec<Option<String>>> {
        let datum = self.datum(column)?;
        // SAFETY: an array of texts of the live row; the strings are copied.
        unsafe { Vec::from_datum(datum, false) }
    }

    /// The whole row, as a trigger returns it; it outlives the query.
    pub fn copied(&self) -> pg_sys::Datum {
        // SAFETY: the tuple is live; the copy is made where the caller of the query allocates.
        pg_sys::Datum::from(unsafe { pg_sys::SPI_copytuple(self.tuple) })
    }

    /// The row with the columns that it has, to be compared with another one of the same relation.
    pub fn as_row(&self) -> super::trigger::Row {
        super::trigger::Row { tuple: self.tuple, descriptor: self.descriptor }
    }

    /// The first column as a parameter of another query, copied so that it outlives this one.
    pub fn only(&self, type_oid: pg_sys::Oid) -> Option<Param<'static>> {
        let (mut length, mut by_value) = (0, false);
        // SAFETY: both out-pointers are valid.
        unsafe { pg_sys::get_typlenbyval(type_oid, &mut length, &mut by_value) };
        let datum = self.datum(0)?;
        // SAFETY: the value is of the type; the copy is made where the caller of the query allocates.
        Some(Param::Typed(type_oid, Some(unsafe { pg_sys::SPI_datumTransfer(datum, by_value, length.into()) })))
    }

    /// Any column in its text form.
    pub fn text(&self, column: i32) -> Option<String> {
        // SAFETY: as in datum().
        let value = unsafe { pg_sys::SPI_getvalue(self.tuple, self.descriptor, column + 1) };
        if value.is_null() {
            return None;
        }
        // SAFETY: SPI_getvalue returns a terminated string.
        Some(unsafe { CStr::from_ptr(value) }.to_string_lossy().into_owned())
    }
}

thread_local! {
    static PLANS: RefCell<HashMap<(&'static str, Vec<pg_sys::Oid>), pg_sys::SPIPlanPtr>> = RefCell::new(HashMap::new());
}

/// Runs a query whose text is a constant; its plan is kept for the life of the backend.
pub(crate) fn query(text: &'static str, params: &[Param], sees: Sees, each: &mut dyn FnMut(&Row)) -> u64 {
    run(params, each, &mut |types, values, nulls| {
        let key = (text, types.to_vec());
        let kept = PLANS.with(|plans| plans.borrow().get(&key).copied());
        let plan = kept.unwrap_or_else(|| {
            let plan = prepare(text, types);
            // SAFETY: moves the plan to a context that lives as long as the backend.
            unsafe { pg_sys::SPI_keepplan(plan) };
            PLANS.with(|plans| plans.borrow_mut().insert(key, plan));
            plan
        });
        execute_plan(plan, values, nulls, sees, Newer::Written)
    })
}

/// What becomes of rows that are newer than the state from which a REPEATABLE READ transaction reads, in its writes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Newer {
    /// The extension's own: its rules hold in the newest state, whatever the transaction reads from.
    Written,
    /// A user's: 40001, as for any statement of his.
    Conflicts,
}

/// SPI alone would take the transaction's first snapshot for Sees::Now under REPEATABLE READ; what the extension judges and
/// writes there is the newest state all the same, as foreign keys do it.
fn execute_plan(plan: pg_sys::SPIPlanPtr, values: &mut [pg_sys::Datum], nulls: &[u8], sees: Sees, newer: Newer) -> i32 {
    let (values, nulls) = (values.as_mut_ptr(), nulls.as_ptr().cast());
    match sees {
        Sees::Now if snapshot::may_see_newer() => {
            let (latest, first) = snapshot::latest_and_first();
            let crosscheck = if newer == Newer::Conflicts { first } else { std::ptr::null_mut() };
            // SAFETY: plan is valid, values and nulls have one entry for each of its parameters; SPI copies the snapshot.
            unsafe { pg_sys::SPI_execute_snapshot(plan, values, nulls, latest, crosscheck, false, true, 0) }
        }
        // SAFETY: as above.
        _ => unsafe { pg_sys::SPI_execute_plan(plan, values, nulls, sees == Sees::Statement, 0) },
    }
}

/// A query that is run again and again, kept as long as its owner.
pub(crate) struct Prepared {
    plan: Cell<pg_sys::SPIPlanPtr>,
    text: String,
}

impl Prepared {
    pub(crate) fn new(text: String) -> Prepared {
        Prepared { plan: Cell::new(std::ptr::null_mut()), text }
    }

    /// Always with parameters of the same types.
    pub(crate) fn run(&self, params: &[Param], sees: Sees, each: &mut dyn FnMut(&Row)) -> u64 {
        run(params, each, &mut |types, values, nulls| {
            if self.plan.get().is_null() {
                let plan = prepare(&self.text, types);
                // SAFETY: moves the plan to a context that lives until it is freed.
                unsafe { pg_sys::SPI_keepplan(plan) };
                self.plan.set(plan);
            }
            execute_plan(self.plan.get(), values, nulls, sees, Newer::Conflicts)
        })
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if !self.plan.get().is_null() {
            // SAFETY: kept by run() and nobody else's.
            unsafe { pg_sys::SPI_freeplan(self.plan.get()) };
        }
    }
}

/// Runs a query whose text is made for the occasion.
pub(crate) fn query_once(text: &str, params: &[Param], sees: Sees, each: &mut dyn FnMut(&Row)) -> u64 {
    let source = CString::new(text).unwrap_or_default();
    run(params, each, &mut |types, values, nulls| {
        if sees == Sees::Now && snapshot::may_see_newer() {
            return execute_plan(prepare(text, types), values, nulls, sees, Newer::Conflicts);
        }
        let mut types = types.to_vec();
        // SAFETY: all three arrays have one entry for each parameter and outlive the call.
        unsafe {
            pg_sys::SPI_execute_with_args(
                source.as_ptr(),
                values.len() as i32,
                types.as_mut_ptr(),
                values.as_mut_ptr(),
                nulls.as_ptr().cast(),
                sees == Sees::Statement,
                0,
            )
        }
    })
}

fn prepare(text: &str, types: &[pg_sys::Oid]) -> pg_sys::SPIPlanPtr {
    let source = CString::new(text).unwrap_or_default();
    let mut types = types.to_vec();
    // SAFETY: source is terminated, types has as many entries as announced.
    let plan = unsafe { pg_sys::SPI_prepare(source.as_ptr(), types.len() as i32, types.as_mut_ptr()) };
    if plan.is_null() {
        crate::errors::bug("a query could not be prepared");
    }
    plan
}

/// Types, values and nulls, as SPI takes them.
pub(super) fn arguments(params: &[Param]) -> (Vec<pg_sys::Oid>, Vec<pg_sys::Datum>, Vec<u8>) {
    let types: Vec<_> = params.iter().map(Param::type_oid).collect();
    let mut values = Vec::with_capacity(params.len());
    let mut nulls = Vec::with_capacity(params.len());
    for param in params {
        let datum = param.datum();
        nulls.push(if datum.is_some() { b' ' } else { b'n' });
        values.push(datum.unwrap_or(pg_sys::Datum::from(0usize)));
    }
    (types, values, nulls)
}

thread_local! {
    static OWN: Cell<u32> = const { Cell::new(0) };
}

/// Whether a query of the extension runs just now, which nobody's client asked for.
pub(super) fn is_own() -> bool {
    OWN.get() > 0
}

struct Own;

impl Own {
    fn begin() -> Own {
        OWN.set(OWN.get() + 1);
        Own
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        OWN.set(OWN.get().saturating_sub(1));
    }
}

type Execute<'a> = &'a mut dyn FnMut(&[pg_sys::Oid], &mut [pg_sys::Datum], &[u8]) -> i32;

fn run(params: &[Param], each: &mut dyn FnMut(&Row), execute: Execute) -> u64 {
    // SAFETY: paired with SPI_finish below; after an error the (sub)transaction's abort cleans up.
    if unsafe { pg_sys::SPI_connect() } != pg_sys::SPI_OK_CONNECT as i32 {
        crate::errors::bug("no SPI connection");
    }
    super::trigger::register_current();
    let (types, mut values, nulls) = arguments(params);
    let own = Own::begin();
    let status = execute(&types, &mut values, &nulls);
    drop(own);
    if status < 0 {
        crate::errors::bug("a query failed without an error");
    }
    // SAFETY: globals that SPI sets for the query just run.
    let (table, processed) = unsafe { (pg_sys::SPI_tuptable, pg_sys::SPI_processed) };
    if !table.is_null() {
        // SAFETY: SPI keeps the table and its rows until SPI_finish.
        let (rows, descriptor, count) = unsafe { ((*table).vals, (*table).tupdesc, (*table).numvals) };
        for index in 0..count as usize {
            // SAFETY: index is below the number of rows.
            let tuple = unsafe { *rows.add(index) };
            each(&Row { tuple, descriptor });
        }
    }
    // SAFETY: ends the connection opened above.
    unsafe { pg_sys::SPI_finish() };
    processed
}

/// The first column of the first row.
pub(crate) fn first_int(text: &'static str, params: &[Param], sees: Sees) -> Option<i64> {
    let mut found = None;
    query(text, params, sees, &mut |row| found = found.or(row.int(0)));
    found
}

pub(crate) fn first_text(text: &'static str, params: &[Param], sees: Sees) -> Option<String> {
    let mut found: Option<String> = None;
    query(text, params, sees, &mut |row| {
        if found.is_none() {
            found = row.text(0);
        }
    });
    found
}
