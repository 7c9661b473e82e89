//! Rows put at the end of a table of the extension without a statement: what thousands of them cost otherwise is
//! mostly the executor. For tables whose columns are all given, whose indexes are plain and whose triggers have
//! nothing to say to the extension.

use super::sql::Param;
use pgrx::{IntoDatum, PgList, PgMemoryContexts, pg_sys};
use std::ffi::{CStr, CString};

/// As many rows are stored together at most, and of so many bytes: making a row takes a multiple of them.
const TOGETHER: usize = 200;
const TOGETHER_BYTES: usize = 4 << 20;

struct Index {
    relation: pg_sys::Relation,
    info: *mut pg_sys::IndexInfo,
    check: pg_sys::IndexUniqueCheck::Type,
}

pub(crate) struct Table {
    relation: pg_sys::Relation,
    indexes: Vec<Index>,
    values: Vec<pg_sys::Datum>,
    nulls: Vec<bool>,
    /// Rows that are not stored yet, and what of them goes into the indexes.
    slots: Vec<*mut pg_sys::TupleTableSlot>,
    waiting: Vec<(Vec<pg_sys::Datum>, Vec<bool>)>,
    size: usize,
}

/// The place of a column in a row.
#[derive(Clone, Copy)]
pub(crate) struct Column(usize);

impl Drop for Table {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // After an error the transaction's end closes everything.
            return;
        }
        for slot in &self.slots {
            // SAFETY: made in Table::append.
            unsafe { pg_sys::ExecDropSingleTupleTableSlot(*slot) };
        }
        for index in &self.indexes {
            // SAFETY: opened in Table::open.
            unsafe { pg_sys::index_close(index.relation, pg_sys::NoLock as i32) };
        }
        // SAFETY: opened in Table::open; the lock is kept, as for every written table.
        unsafe { pg_sys::table_close(self.relation, pg_sys::NoLock as i32) };
    }
}

impl Table {
    /// None for a table with an index that computes something: an INSERT has to do it.
    pub(crate) fn open(oid: pg_sys::Oid) -> Option<Table> {
        // SAFETY: raises for an oid that is not a table's.
        let relation = unsafe { pg_sys::table_open(oid, pg_sys::RowExclusiveLock as i32) };
        // SAFETY: the relation is open.
        let columns = unsafe { (*(*relation).rd_att).natts } as usize;
        let mut table = Table {
            relation,
            indexes: Vec::new(),
            values: vec![pg_sys::Datum::from(0usize); columns],
            nulls: vec![true; columns],
            slots: Vec::new(),
            waiting: Vec::new(),
            size: 0,
        };
        // SAFETY: the relation is open; the list is ours.
        let list = unsafe { PgList::<pg_sys::Oid>::from_pg(pg_sys::RelationGetIndexList(relation)) };
        for index in list.iter_oid() {
            // SAFETY: an index of the open relation.
            let relation = unsafe { pg_sys::index_open(index, pg_sys::RowExclusiveLock as i32) };
            // SAFETY: the index is open; the result lives in the current memory context.
            let info = unsafe { pg_sys::BuildIndexInfo(relation) };
            // SAFETY: the index is open, and its catalog row with it.
            let is_unique = unsafe { (*(*relation).rd_index).indisunique };
            let check = if is_unique {
                pg_sys::IndexUniqueCheck::UNIQUE_CHECK_YES
            } else {
                pg_sys::IndexUniqueCheck::UNIQUE_CHECK_NO
            };
            table.indexes.push(Index { relation, info, check });
            // SAFETY: just built.
            let info = unsafe { &*info };
            if !info.ii_Expressions.is_null() || !info.ii_Predicate.is_null() || !info.ii_ExclusionOps.is_null() {
                return None;
            }
        }
        Some(table)
    }

    pub(crate) fn column(&self, name: &CStr) -> Column {
        // SAFETY: the relation is open, the name terminated.
        let number = unsafe { pg_sys::SPI_fnumber((*self.relation).rd_att, name.as_ptr()) };
        match usize::try_from(number) {
            Ok(number) if number > 0 => Column(number - 1),
            _ => crate::errors::bug("a table of the extension lacks a column"),
        }
    }

    fn set(&mut self, column: Column, datum: Option<pg_sys::Datum>) {
        self.nulls[column.0] = datum.is_none();
        self.values[column.0] = datum.unwrap_or(pg_sys::Datum::from(0usize));
    }

    /// A column of type bigint, timestamptz or xid8, in their own representation. Values stay for the next rows.
    pub(crate) fn int(&mut self, column: Column, value: Option<i64>) {
        self.set(column, value.and_then(IntoDatum::into_datum));
    }

    pub(crate) fn oid(&mut self, column: Column, value: Option<pg_sys::Oid>) {
        self.set(column, value.and_then(IntoDatum::into_datum));
    }

    pub(crate) fn bool(&mut self, column: Column, value: bool) {
        self.set(column, value.into_datum());
    }

    pub(crate) fn text(&mut self, column: Column, value: Option<&str>) {
        self.set(column, value.and_then(IntoDatum::into_datum));
    }

    /// A column of type bytea, or of another one whose stored form without the length in front is given.
    pub(crate) fn bytes(&mut self, column: Column, value: Option<&[u8]>) {
        self.set(column, value.and_then(IntoDatum::into_datum));
    }

    /// A column of type jsonb, from its text.
    pub(crate) fn json(&mut self, column: Column, text: &str) {
        let text = CString::new(text).unwrap_or_default();
        // SAFETY: the function takes one terminated string; raises for what is no JSON.
        let datum = unsafe {
            pgrx::direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(pg_sys::Datum::from(text.as_ptr()))])
        };
        self.set(column, datum);
    }

    /// Takes the row that the columns say; true when so many wait that they should be stored.
    pub(crate) fn append(&mut self) -> bool {
        let at = self.waiting.len();
        if at == self.slots.len() {
            // A slot outlives the row, and what the row is made from.
            // SAFETY: the relation is open; a context of the running transaction.
            let slot = unsafe {
                let before = pg_sys::MemoryContextSwitchTo(pg_sys::CurTransactionContext);
                let slot =
                    pg_sys::MakeSingleTupleTableSlot((*self.relation).rd_att, &raw const pg_sys::TTSOpsHeapTuple);
                pg_sys::MemoryContextSwitchTo(before);
                slot
            };
            self.slots.push(slot);
        }
        // SAFETY: one value and flag for each column of the open relation; the slot is for rows of it and frees nothing.
        self.size += unsafe {
            let tuple =
                pg_sys::heap_form_tuple((*self.relation).rd_att, self.values.as_mut_ptr(), self.nulls.as_mut_ptr());
            pg_sys::ExecStoreHeapTuple(tuple, self.slots[at], false);
            (*tuple).t_len as usize
        };
        self.waiting.push((self.values.clone(), self.nulls.clone()));
        self.waiting.len() >= TOGETHER || self.size >= TOGETHER_BYTES
    }

    /// Stores the rows that wait, index by index: so the pages of each stay at hand.
    pub(crate) fn store(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        self.size = 0;
        if waiting.is_empty() {
            return;
        }
        let count = i32::try_from(waiting.len()).unwrap_or_default();
        // SAFETY: so many slots hold a row that fits the relation, which is locked for writing.
        unsafe {
            pg_sys::heap_multi_insert(
                self.relation,
                self.slots.as_mut_ptr(),
                count,
                pg_sys::GetCurrentCommandId(true),
                0,
                std::ptr::null_mut(),
            );
        }
        for index in &self.indexes {
            // SAFETY: built in Table::open and alive as long as the table is open.
            let info = unsafe { &mut *index.info };
            if !info.ii_ReadyForInserts {
                continue;
            }
            let columns = info.ii_IndexAttrNumbers.iter().take(info.ii_NumIndexAttrs as usize);
            let columns: Vec<usize> = columns.map(|n| usize::try_from(n - 1).unwrap_or_default()).collect();
            let mut values = [pg_sys::Datum::from(0usize); pg_sys::INDEX_MAX_KEYS as usize];
            let mut nulls = [true; pg_sys::INDEX_MAX_KEYS as usize];
            for ((row, row_nulls), slot) in waiting.iter().zip(&self.slots) {
                for (place, column) in columns.iter().enumerate() {
                    (values[place], nulls[place]) = (row[*column], row_nulls[*column]);
                }
                // SAFETY: the index belongs to the relation, in which the row has its place now.
                unsafe {
                    pg_sys::index_insert(
                        index.relation,
                        values.as_mut_ptr(),
                        nulls.as_mut_ptr(),
                        &mut (**slot).tts_tid,
                        self.relation,
                        index.check,
                        false,
                        index.info,
                    )
                };
            }
        }
        for slot in self.slots.iter().take(waiting.len()) {
            // SAFETY: the table holds a copy of the row.
            unsafe { pg_sys::ExecClearTuple(*slot) };
        }
    }

    /// Makes the rows visible to what the transaction does next.
    pub(crate) fn finish(self) {
        drop(self);
        // SAFETY: not called in parallel mode, which writes nothing.
        unsafe { pg_sys::CommandCounterIncrement() };
    }
}

/// A parameter of a query, from the stored form of its value without the length in front.
pub(crate) fn whole(type_oid: pg_sys::Oid, stored: &[u8]) -> Param<'static> {
    Param::Typed(type_oid, stored.into_datum())
}

/// Memory of Postgres that is given back after each use.
pub(crate) struct Memory(PgMemoryContexts);

impl Memory {
    pub(crate) fn new() -> Memory {
        Memory(PgMemoryContexts::new("leadguard rows"))
    }

    /// What the body answers must not lie there.
    pub(crate) fn run<T: Copy>(&mut self, body: impl FnOnce() -> T) -> T {
        // SAFETY: what the body allocates is not used once it has returned.
        let answer = unsafe { self.0.switch_to(|_| body()) };
        // SAFETY: as above.
        unsafe { self.0.reset() };
        answer
    }
}

/// Runs `body` in memory that is given back afterwards, again and again until it says that there is no more to do.
pub(crate) fn in_batches(mut body: impl FnMut() -> bool) {
    let mut memory = Memory::new();
    while memory.run(&mut body) {}
}
