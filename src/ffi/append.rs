//! Rows put at the end of a table of the extension without a statement: what thousands of them cost otherwise is
//! mostly the executor. For tables whose columns are all given, whose indexes are plain and whose triggers have
//! nothing to say to the extension.

use pgrx::{IntoDatum, PgList, pg_sys};
use std::ffi::{CStr, CString};

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

    pub(crate) fn bytes(&mut self, column: Column, value: &[u8]) {
        self.set(column, value.into_datum());
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

    /// Stores the row that the columns say.
    pub(crate) fn append(&mut self) {
        // SAFETY: one value and flag for each column of the open relation.
        let tuple = unsafe {
            pg_sys::heap_form_tuple((*self.relation).rd_att, self.values.as_mut_ptr(), self.nulls.as_mut_ptr())
        };
        // SAFETY: the tuple fits the relation, which is locked for writing.
        unsafe { pg_sys::simple_heap_insert(self.relation, tuple) };
        for index in &self.indexes {
            // SAFETY: built in Table::open and alive as long as the table is open.
            let info = unsafe { &mut *index.info };
            if !info.ii_ReadyForInserts {
                continue;
            }
            let count = info.ii_NumIndexAttrs as usize;
            let mut values = [pg_sys::Datum::from(0usize); pg_sys::INDEX_MAX_KEYS as usize];
            let mut nulls = [true; pg_sys::INDEX_MAX_KEYS as usize];
            for (place, number) in info.ii_IndexAttrNumbers.iter().take(count).enumerate() {
                let column = usize::try_from(number - 1).unwrap_or_default();
                (values[place], nulls[place]) = (self.values[column], self.nulls[column]);
            }
            // SAFETY: the index belongs to the relation, in which the tuple has its place now.
            unsafe {
                pg_sys::index_insert(
                    index.relation,
                    values.as_mut_ptr(),
                    nulls.as_mut_ptr(),
                    &mut (*tuple).t_self,
                    self.relation,
                    index.check,
                    false,
                    index.info,
                )
            };
        }
        // SAFETY: formed above; the table holds a copy.
        unsafe { pg_sys::heap_freetuple(tuple) };
    }

    /// Makes the rows visible to what the transaction does next.
    pub(crate) fn finish(self) {
        drop(self);
        // SAFETY: not called in parallel mode, which writes nothing.
        unsafe { pg_sys::CommandCounterIncrement() };
    }
}
