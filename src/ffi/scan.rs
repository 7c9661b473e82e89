//! Direct reads of the extension's own tables through one of their indexes.
//!
//! What every statement needs (revisions, login, registration, a rep's grants) must cost microseconds, not
//! the start of an executor. These reads check no privileges and run no code of anybody: the tables are
//! the extension's, their columns have built-in types.

use pgrx::pg_sys;
use std::ffi::CStr;

const SMALL_ROWS_ON_A_PAGE: f64 = 80.0;

/// What a column must equal.
#[derive(Clone, Copy)]
pub(crate) enum Equal<'a> {
    Int(i64),
    Oid(pg_sys::Oid),
    Text(&'a CStr),
}

/// The same function without pgrx's guard, which costs more than it does: for columns that exist it cannot raise.
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

/// One row of a running scan.
pub(crate) struct Tuple {
    tuple: pg_sys::HeapTuple,
    descriptor: pg_sys::TupleDesc,
}

impl Tuple {
    fn datum(&self, column: Column) -> Option<pg_sys::Datum> {
        let mut is_null = false;
        // SAFETY: tuple and descriptor belong to the running scan; columns exist.
        let datum = unsafe { bare::SPI_getbinval(self.tuple, self.descriptor, column.0, &mut is_null) };
        (!is_null).then_some(datum)
    }

    pub(crate) fn int(&self, column: Column) -> Option<i64> {
        self.datum(column).map(|d| d.value() as i64)
    }

    /// A column of type integer that is never null.
    pub(crate) fn small(&self, column: Column) -> i32 {
        self.datum(column).map_or(0, |d| d.value() as i32)
    }

    pub(crate) fn bool(&self, column: Column) -> bool {
        self.datum(column).is_some_and(|d| d.value() as u8 != 0)
    }

    pub(crate) fn oid(&self, column: Column) -> Option<pg_sys::Oid> {
        self.datum(column).map(|d| pg_sys::Oid::from_u32(d.value() as u32))
    }

    /// A column of type name.
    pub(crate) fn name(&self, column: Column) -> Option<String> {
        let datum = self.datum(column)?;
        // SAFETY: a name is a terminated string.
        Some(unsafe { CStr::from_ptr(datum.cast_mut_ptr()) }.to_string_lossy().into_owned())
    }

    /// A column of type text.
    pub(crate) fn text(&self, column: Column) -> Option<String> {
        self.with_text(column, str::to_owned)
    }

    pub(crate) fn with_text<T>(&self, column: Column, body: impl FnOnce(&str) -> T) -> Option<T> {
        let datum = self.datum(column)?;
        // SAFETY: a text datum of the live tuple, used before the scan goes on.
        unsafe { super::call::text_of(datum) }.map(body)
    }

    /// A column of type text[], without its nulls.
    pub(crate) fn texts(&self, column: Column) -> Vec<String> {
        use pgrx::FromDatum;
        let Some(datum) = self.datum(column) else { return Vec::new() };
        // SAFETY: an array of texts of the live tuple; the strings are copied.
        let texts = unsafe { Vec::<Option<String>>::from_datum(datum, false) };
        texts.into_iter().flatten().flatten().collect()
    }

    /// A column of type bytea.
    pub(crate) fn bytes(&self, column: Column) -> Option<Vec<u8>> {
        let datum = self.datum(column)?;
        // SAFETY: a varlena of the live tuple, fetched into the current memory context where it is compressed.
        let whole = unsafe { pg_sys::pg_detoast_datum_packed(datum.cast_mut_ptr()) };
        // SAFETY: fetched above.
        let bytes = unsafe {
            std::slice::from_raw_parts(pgrx::vardata_any(whole).cast::<u8>(), pgrx::varsize_any_exhdr(whole))
        };
        Some(bytes.to_vec())
    }

    /// The transaction that wrote this version of the row, and whether that is the running one.
    pub(crate) fn writer(&self) -> (u32, bool) {
        // SAFETY: a heap tuple has a header.
        let header = unsafe { &*(*self.tuple).t_data };
        // SAFETY: the header of a stored row carries transaction ids.
        let xmin = unsafe { header.t_choice.t_heap.t_xmin };
        let frozen = u32::from(header.t_infomask) & pg_sys::HEAP_XMIN_FROZEN == pg_sys::HEAP_XMIN_FROZEN;
        // SAFETY: looks at the transaction state.
        (xmin.into_inner(), !frozen && unsafe { pg_sys::TransactionIdIsCurrentTransactionId(xmin) })
    }
}

/// A column, found by name once for each scan.
#[derive(Clone, Copy)]
pub(crate) struct Column(i32);

pub(crate) struct Table {
    relation: pg_sys::Relation,
    schema: pg_sys::Oid,
}

impl Drop for Table {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: opened in Table::open; after an error the transaction's end closes it.
            unsafe { pg_sys::table_close(self.relation, pg_sys::AccessShareLock as i32) };
        }
    }
}

impl Table {
    /// A table of schema leadguard.
    pub(crate) fn open(name: &CStr) -> Table {
        // SAFETY: catalog look-ups by terminated names.
        let schema = unsafe { pg_sys::get_namespace_oid(c"leadguard".as_ptr(), false) };
        // SAFETY: as above.
        let oid = unsafe { pg_sys::get_relname_relid(name.as_ptr(), schema) };
        // SAFETY: raises for an oid that is not a table's.
        let relation = unsafe { pg_sys::table_open(oid, pg_sys::AccessShareLock as i32) };
        Table { relation, schema }
    }

    pub(crate) fn oid(&self) -> pg_sys::Oid {
        // SAFETY: the relation is open.
        unsafe { (*self.relation).rd_id }
    }

    /// About how many rows there are: those that ANALYZE counted for each page, else a page full of small ones.
    pub(crate) fn estimated_rows(&self) -> f64 {
        // SAFETY: the relation is open.
        let (rows, pages) = unsafe { ((*(*self.relation).rd_rel).reltuples, (*(*self.relation).rd_rel).relpages) };
        // SAFETY: as above.
        let now = unsafe { pg_sys::RelationGetNumberOfBlocksInFork(self.relation, pg_sys::ForkNumber::MAIN_FORKNUM) };
        let per_page = if pages > 0 && rows >= 0.0 { f64::from(rows) / f64::from(pages) } else { SMALL_ROWS_ON_A_PAGE };
        f64::from(now) * per_page
    }

    /// Whether reading all of it is less work than looking into an index.
    pub(crate) fn is_tiny(&self) -> bool {
        // SAFETY: the relation is open.
        unsafe { pg_sys::RelationGetNumberOfBlocksInFork(self.relation, pg_sys::ForkNumber::MAIN_FORKNUM) <= 2 }
    }

    pub(crate) fn column(&self, name: &CStr) -> Column {
        // SAFETY: the relation is open, the name terminated.
        let number = unsafe { pg_sys::SPI_fnumber((*self.relation).rd_att, name.as_ptr()) };
        if number <= 0 {
            crate::errors::bug("a table of the extension lacks a column");
        }
        Column(number)
    }

    /// Every row that the active snapshot sees and whose columns equal; `each` says whether to go on. Without
    /// an index the whole table is read.
    pub(crate) fn scan(&self, index: Option<&CStr>, keys: &[(Column, Equal)], mut each: impl FnMut(&Tuple) -> bool) {
        let mut scan_keys: Vec<pg_sys::ScanKeyData> =
            keys.iter().map(|(column, equal)| self.key(*column, equal)).collect();
        let index = match index {
            // SAFETY: a catalog look-up by a terminated name.
            Some(name) => unsafe { pg_sys::get_relname_relid(name.as_ptr(), self.schema) },
            None => pg_sys::InvalidOid,
        };
        // SAFETY: the relation is open, the keys outlive the scan, a snapshot is active.
        let scan = unsafe {
            pg_sys::systable_beginscan(
                self.relation,
                index,
                index != pg_sys::InvalidOid,
                pg_sys::GetActiveSnapshot(),
                scan_keys.len() as i32,
                scan_keys.as_mut_ptr(),
            )
        };
        // SAFETY: the relation is open.
        let descriptor = unsafe { (*self.relation).rd_att };
        loop {
            // SAFETY: the scan is open.
            let tuple = unsafe { pg_sys::systable_getnext(scan) };
            if tuple.is_null() || !each(&Tuple { tuple, descriptor }) {
                break;
            }
        }
        // SAFETY: ends the scan begun above.
        unsafe { pg_sys::systable_endscan(scan) };
    }

    fn key(&self, column: Column, equal: &Equal) -> pg_sys::ScanKeyData {
        use pgrx::IntoDatum;
        let (procedure, datum) = match equal {
            Equal::Int(value) => (pg_sys::F_INT8EQ, value.into_datum()),
            Equal::Oid(oid) => (pg_sys::F_OIDEQ, oid.into_datum()),
            Equal::Text(text) => (pg_sys::F_TEXTEQ, text.to_str().ok().and_then(IntoDatum::into_datum)),
        };
        let mut key = pg_sys::ScanKeyData::default();
        // SAFETY: key is valid for writing; the collation is that of all columns of the extension, in which
        // their indexes are ordered.
        unsafe {
            pg_sys::ScanKeyEntryInitialize(
                &mut key,
                0,
                column.0 as i16,
                pg_sys::BTEqualStrategyNumber as u16,
                pg_sys::InvalidOid,
                pg_sys::DEFAULT_COLLATION_OID,
                procedure.into(),
                datum.unwrap_or(pg_sys::Datum::from(0usize)),
            )
        };
        key
    }
}

/// The number of a column of any relation; 0 or less where there is none of this name.
pub(crate) fn attribute_number(relation: pg_sys::Oid, name: &str) -> i16 {
    let Ok(name) = std::ffi::CString::new(name) else { return 0 };
    // SAFETY: a catalog look-up by a terminated string.
    unsafe { pg_sys::get_attnum(relation, name.as_ptr()) }
}
