//! Trigger calls: which event, which rows, which transition tables.

use super::call::{Call, datum_of, is_mark, kind_of, value_of};
use crate::model::value::{Kind, Value};
use pgrx::pg_sys;
use std::cell::Cell;
use std::ffi::CStr;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Insert,
    Update,
    Delete,
    Truncate,
}

impl Operation {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Operation::Insert => "INSERT",
            Operation::Update => "UPDATE",
            Operation::Delete => "DELETE",
            Operation::Truncate => "TRUNCATE",
        }
    }
}

/// When a trigger function is made to fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    BeforeStatement,
    AfterStatement,
    BeforeRow,
    AfterRow,
    InsteadOfRow,
}

impl When {
    fn event(self) -> u32 {
        match self {
            When::BeforeStatement => pg_sys::TRIGGER_EVENT_BEFORE,
            When::AfterStatement => 0,
            When::BeforeRow => pg_sys::TRIGGER_EVENT_BEFORE | pg_sys::TRIGGER_EVENT_ROW,
            When::AfterRow => pg_sys::TRIGGER_EVENT_ROW,
            When::InsteadOfRow => pg_sys::TRIGGER_EVENT_INSTEAD | pg_sys::TRIGGER_EVENT_ROW,
        }
    }

    fn name(self) -> &'static str {
        match self {
            When::BeforeStatement => "BEFORE, FOR EACH STATEMENT",
            When::AfterStatement => "AFTER, FOR EACH STATEMENT",
            When::BeforeRow => "BEFORE, FOR EACH ROW",
            When::AfterRow => "AFTER, FOR EACH ROW",
            When::InsteadOfRow => "INSTEAD OF, FOR EACH ROW",
        }
    }
}

pub(crate) struct TriggerCall {
    data: *mut pg_sys::TriggerData,
}

thread_local! {
    static CURRENT: Cell<*mut pg_sys::TriggerData> = const { Cell::new(core::ptr::null_mut()) };
}

impl TriggerCall {
    pub(crate) fn of(call: &Call) -> TriggerCall {
        // SAFETY: fcinfo is live for the whole call.
        let context = unsafe { (*call.fcinfo()).context };
        // SAFETY: every node starts with its tag.
        if context.is_null() || unsafe { (*context).type_ } != pg_sys::NodeTag::T_TriggerData {
            crate::errors::not_a_trigger();
        }
        TriggerCall { data: context.cast() }
    }

    /// The call of a trigger that fires as it was made to. A table's owner may make others with the same function,
    /// which would find no row, or one that is not stored yet.
    pub(crate) fn fired(call: &Call, when: When) -> TriggerCall {
        let trigger = TriggerCall::of(call);
        let mask = pg_sys::TRIGGER_EVENT_TIMINGMASK | pg_sys::TRIGGER_EVENT_ROW;
        if trigger.data().tg_event & mask != when.event() {
            crate::errors::failure("39P01", format!("this trigger function fires {}", when.name()))
                .hint("leadguard makes the triggers that it needs; drop yours.")
                .raise();
        }
        trigger
    }

    /// Which part of a running statement the trigger was called for, as ffi::delete knows it: each has its own copy of
    /// the trigger.
    pub(crate) fn part(&self) -> usize {
        self.data().tg_trigger as usize
    }

    fn data(&self) -> &pg_sys::TriggerData {
        // SAFETY: checked by of(); live for the whole call.
        unsafe { &*self.data }
    }

    pub(crate) fn operation(&self) -> Operation {
        match self.data().tg_event & pg_sys::TRIGGER_EVENT_OPMASK {
            pg_sys::TRIGGER_EVENT_INSERT => Operation::Insert,
            pg_sys::TRIGGER_EVENT_UPDATE => Operation::Update,
            pg_sys::TRIGGER_EVENT_DELETE => Operation::Delete,
            _ => Operation::Truncate,
        }
    }

    pub(crate) fn relation(&self) -> pg_sys::Oid {
        // SAFETY: the relation is open while its trigger runs.
        unsafe { (*self.data().tg_relation).rd_id }
    }

    pub(crate) fn argument(&self, index: usize) -> Option<String> {
        // SAFETY: the trigger description is live while the trigger runs.
        let trigger = unsafe { &*self.data().tg_trigger };
        if index >= trigger.tgnargs as usize {
            return None;
        }
        // SAFETY: index is below the number of arguments, each a terminated string.
        let text = unsafe { CStr::from_ptr(*trigger.tgargs.add(index)) };
        Some(text.to_string_lossy().into_owned())
    }

    fn row(&self, tuple: pg_sys::HeapTuple) -> Row {
        // SAFETY: the relation is open while its trigger runs.
        let descriptor = unsafe { (*self.data().tg_relation).rd_att };
        Row { tuple, descriptor }
    }

    /// The row before the change (UPDATE, DELETE).
    pub(crate) fn old(&self) -> Row {
        self.row(self.data().tg_trigtuple)
    }

    /// The row after the change (INSERT, UPDATE).
    pub(crate) fn new_row(&self) -> Row {
        match self.operation() {
            Operation::Update => self.row(self.data().tg_newtuple),
            _ => self.row(self.data().tg_trigtuple),
        }
    }

    /// Whether the client's UPDATE names the column, whatever value it gives.
    pub(crate) fn names_column(&self, number: i16) -> bool {
        let member = i32::from(number) - pg_sys::FirstLowInvalidHeapAttributeNumber;
        // SAFETY: null, or a set that lives as long as the trigger call.
        unsafe { pg_sys::bms_is_member(member, self.data().tg_updatedcols) }
    }

    /// What a row trigger returns to let the row through unchanged.
    pub(crate) fn pass(&self) -> pg_sys::Datum {
        match self.operation() {
            Operation::Update => pg_sys::Datum::from(self.data().tg_newtuple),
            _ => pg_sys::Datum::from(self.data().tg_trigtuple),
        }
    }

    /// What a BEFORE ROW trigger returns to leave the row as it is.
    pub(crate) fn skip(&self) -> pg_sys::Datum {
        pg_sys::Datum::from(0usize)
    }

    /// Runs `body`; queries in it see the transition tables under the names that the trigger gives them.
    pub(crate) fn with_transition_tables<T>(&self, body: impl FnOnce() -> T) -> T {
        struct Restore(*mut pg_sys::TriggerData);
        impl Drop for Restore {
            fn drop(&mut self) {
                CURRENT.with(|current| current.set(self.0));
            }
        }
        let _restore = Restore(CURRENT.with(|current| current.replace(self.data)));
        body()
    }
}

/// Makes the transition tables of the running trigger, if any, visible to the open SPI connection.
pub(super) fn register_current() {
    let data = CURRENT.with(Cell::get);
    if !data.is_null() {
        // SAFETY: set by with_transition_tables for the duration of the trigger call.
        unsafe { pg_sys::SPI_register_trigger_data(data) };
    }
}

/// A row of the table whose trigger runs.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(super) tuple: pg_sys::HeapTuple,
    pub(super) descriptor: pg_sys::TupleDesc,
}

/// A column found by its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    number: i32,
    pub kind: Kind,
}

/// A column whose values mark rows, or not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    number: i32,
    type_oid: pg_sys::Oid,
}

impl Row {
    pub(crate) fn column(&self, name: &str) -> Option<Column> {
        let Mark { number, type_oid } = self.mark(name)?;
        Some(Column { number, kind: kind_of(type_oid)? })
    }

    pub(crate) fn mark(&self, name: &str) -> Option<Mark> {
        // SAFETY: the descriptor belongs to the open relation, which outlives this pin.
        let descriptor = unsafe { pgrx::PgTupleDesc::from_pg_unchecked(self.descriptor) };
        let found = descriptor.iter().find(|a| !a.attisdropped && a.name() == name)?;
        Some(Mark { number: i32::from(found.attnum), type_oid: found.atttypid })
    }

    pub(crate) fn is_marked(&self, mark: Mark) -> bool {
        let mut is_null = false;
        // SAFETY: tuple and descriptor belong together.
        let datum = unsafe { pg_sys::heap_getattr(self.tuple, mark.number, self.descriptor, &mut is_null) };
        !is_null && is_mark(datum, mark.type_oid)
    }

    pub(crate) fn value(&self, column: Column) -> Value<'_> {
        let mut is_null = false;
        // SAFETY: tuple and descriptor belong together.
        let datum = unsafe { pg_sys::heap_getattr(self.tuple, column.number, self.descriptor, &mut is_null) };
        if is_null { Value::Null } else { value_of(datum, column.kind) }
    }

    /// Where the row is stored: block and offset within its table.
    pub(crate) fn place(&self) -> (u32, u16) {
        // SAFETY: rows of UPDATE and DELETE triggers come from the table.
        let place = unsafe { (*self.tuple).t_self };
        ((u32::from(place.ip_blkid.bi_hi) << 16) | u32::from(place.ip_blkid.bi_lo), place.ip_posid)
    }

    /// The command of this transaction that wrote the row; None for a row of another transaction.
    pub(crate) fn written_by(&self) -> Option<u32> {
        // SAFETY: rows of AFTER triggers come from the table, with the header that they have there.
        let header = unsafe { (*self.tuple).t_data };
        // SAFETY: as above.
        let xmin = unsafe { (*header).t_choice.t_heap.t_xmin };
        // SAFETY: looks at the transactions of this backend.
        let own = unsafe { pg_sys::TransactionIdIsCurrentTransactionId(xmin) };
        // SAFETY: the row was written by this transaction, as the function demands.
        own.then(|| unsafe { pg_sys::HeapTupleHeaderGetCmin(header) })
    }

    /// Whether the row has something in a column.
    pub(crate) fn has(&self, number: i16) -> bool {
        let mut is_null = false;
        // SAFETY: tuple and descriptor belong together.
        unsafe { pg_sys::heap_getattr(self.tuple, i32::from(number), self.descriptor, &mut is_null) };
        !is_null
    }

    /// The value in its text form, as records are named elsewhere.
    pub(crate) fn text(&self, column: Column) -> String {
        match self.value(column) {
            Value::Null => "NULL".to_owned(),
            Value::Int(id) => id.to_string(),
            Value::Text(text) => text.to_owned(),
            Value::Uuid(bytes) => uuid::Uuid::from_bytes(bytes).to_string(),
        }
    }

    /// A copy of the row with other values in some columns; None when a value does not fit its column.
    pub(crate) fn with(&self, changes: &[(Column, Value)]) -> Option<Row> {
        let mut numbers = Vec::new();
        let mut values = Vec::new();
        for (column, value) in changes {
            numbers.push(column.number);
            values.push(datum_of(value, column.kind)?);
        }
        let mut nulls = vec![false; numbers.len()];
        // SAFETY: the three arrays have one entry for each changed column.
        let tuple = unsafe {
            pg_sys::heap_modify_tuple_by_cols(
                self.tuple,
                self.descriptor,
                numbers.len() as i32,
                numbers.as_mut_ptr(),
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
            )
        };
        Some(Row { tuple, descriptor: self.descriptor })
    }

    pub(crate) fn into_datum(self) -> pg_sys::Datum {
        pg_sys::Datum::from(self.tuple)
    }
}
