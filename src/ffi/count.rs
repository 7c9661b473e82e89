//! Rows of protected tables counted by reading the tables themselves, whatever the caller sees.
//!
//! A query would have to run as somebody: as the caller, who does not see them all, or as a superuser, and then planning
//! it evaluates immutable functions of the table's owner in predicates of indexes. These scans call built-in functions
//! only: no planner, no policies, no expressions, and no index whose operators are not Postgres's own.

use super::call::{datum_of, value_of};
use super::scan::attribute_number;
use crate::model::value::{Kind, ValueSet};
use pgrx::{PgList, pg_sys};

/// More values than this are not looked for one by one in an index: the table is read once.
const FEW: u64 = 64;

/// Which rows count.
#[derive(Clone, Copy)]
pub(crate) struct Having<'a> {
    pub column: &'a str,
    pub kind: Kind,
    pub values: &'a ValueSet,
}

/// A column that is not there any more.
pub(crate) struct Gone(pub String);

/// How many rows of a table, not counting its partitions, are in the active snapshot, are not archived and have one of
/// the values.
pub(crate) fn unarchived(table: pg_sys::Oid, archived_at: Option<&str>, having: Option<Having>) -> Result<i64, Gone> {
    Leaf::open(table, archived_at, having).map(|leaf| leaf.count())
}

/// Whether a relation is a table that holds its rows itself.
pub(crate) fn is_plain_table(relation: pg_sys::Oid) -> bool {
    // SAFETY: a catalog look-up; 0 where there is none.
    let kind = unsafe { pg_sys::get_rel_relkind(relation) };
    kind as u8 == pg_sys::RELKIND_RELATION
}

/// Whether a relation still is a table: its owner can put a rule on it that makes a view of an empty one, up to
/// PostgreSQL 15.
pub(crate) fn is_table(relation: pg_sys::Oid) -> bool {
    // SAFETY: a catalog look-up; 0 where there is none.
    let kind = unsafe { pg_sys::get_rel_relkind(relation) } as u8;
    kind == pg_sys::RELKIND_RELATION || kind == pg_sys::RELKIND_PARTITIONED_TABLE
}

const LOCK: pg_sys::LOCKMODE = pg_sys::AccessShareLock as pg_sys::LOCKMODE;

struct Leaf<'a> {
    relation: pg_sys::Relation,
    archived_at: Option<i16>,
    having: Option<(i16, Having<'a>)>,
}

impl Drop for Leaf<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: opened in Leaf::open; the lock stays until the transaction ends.
            unsafe { pg_sys::table_close(self.relation, pg_sys::NoLock as pg_sys::LOCKMODE) };
        }
    }
}

impl<'a> Leaf<'a> {
    fn open(relation: pg_sys::Oid, archived_at: Option<&str>, having: Option<Having<'a>>) -> Result<Leaf<'a>, Gone> {
        let number = |name: &str| match attribute_number(relation, name) {
            number if number > 0 => Ok(number),
            _ => Err(Gone(name.to_owned())),
        };
        let archived_at = archived_at.map(number).transpose()?;
        let having = having.map(|h| number(h.column).map(|n| (n, h))).transpose()?;
        // SAFETY: raises for an oid that is not a table's.
        let relation = unsafe { pg_sys::table_open(relation, LOCK) };
        Ok(Leaf { relation, archived_at, having })
    }

    fn count(&self) -> i64 {
        let Some((number, having)) = self.having else { return self.scan(pg_sys::InvalidOid, &mut []) };
        let index = if having.values.len() <= FEW { self.index(number) } else { None };
        let Some((index, collation)) = index else { return self.scan(pg_sys::InvalidOid, &mut []) };
        let mut count = 0;
        for value in having.values.values() {
            // A value that the column cannot hold is in no row.
            if let Some(datum) = datum_of(&value, having.kind) {
                let mut key = pg_sys::ScanKeyData::default();
                // SAFETY: key is valid for writing; the function compares the column's type.
                unsafe {
                    pg_sys::ScanKeyEntryInitialize(
                        &mut key,
                        0,
                        number,
                        pg_sys::BTEqualStrategyNumber as u16,
                        pg_sys::InvalidOid,
                        collation,
                        equality(having.kind).into(),
                        datum,
                    )
                };
                count += self.scan(index, &mut [key]);
            }
        }
        count
    }

    /// A whole btree index that begins with the column and orders it by operators of Postgres, and its collation.
    fn index(&self, number: i16) -> Option<(pg_sys::Oid, pg_sys::Oid)> {
        // SAFETY: the relation is open; the list is ours.
        let list = unsafe { PgList::<pg_sys::Oid>::from_pg(pg_sys::RelationGetIndexList(self.relation)) };
        list.iter_oid().find_map(|oid| {
            // SAFETY: an index of the open relation; the lock stays until the transaction ends.
            let index = unsafe { pg_sys::index_open(oid, LOCK) };
            // SAFETY: the index is open.
            let found = unsafe { usable(index, number) };
            // SAFETY: opened above.
            unsafe { pg_sys::index_close(index, pg_sys::NoLock as pg_sys::LOCKMODE) };
            found.map(|collation| (oid, collation))
        })
    }

    fn scan(&self, index: pg_sys::Oid, keys: &mut [pg_sys::ScanKeyData]) -> i64 {
        // SAFETY: the relation is open, the keys outlive the scan, a snapshot is active.
        let scan = unsafe {
            pg_sys::systable_beginscan(
                self.relation,
                index,
                index != pg_sys::InvalidOid,
                pg_sys::GetActiveSnapshot(),
                keys.len() as i32,
                keys.as_mut_ptr(),
            )
        };
        let mut count = 0;
        loop {
            // SAFETY: the scan is open.
            let tuple = unsafe { pg_sys::systable_getnext(scan) };
            if tuple.is_null() {
                break;
            }
            count += i64::from(self.counts(tuple));
            pgrx::check_for_interrupts!();
        }
        // SAFETY: ends the scan begun above.
        unsafe { pg_sys::systable_endscan(scan) };
        count
    }

    fn counts(&self, tuple: pg_sys::HeapTuple) -> bool {
        if self.archived_at.is_some_and(|number| self.datum(tuple, number).is_some()) {
            return false;
        }
        // A collation may call different texts equal; owners are named exactly.
        self.having.is_none_or(|(number, having)| {
            self.datum(tuple, number).is_some_and(|datum| having.values.contains(&value_of(datum, having.kind)))
        })
    }

    fn datum(&self, tuple: pg_sys::HeapTuple, number: i16) -> Option<pg_sys::Datum> {
        let mut is_null = false;
        // SAFETY: tuple and descriptor belong to the open relation, whose column exists.
        let datum = unsafe { pg_sys::heap_getattr(tuple, i32::from(number), (*self.relation).rd_att, &mut is_null) };
        (!is_null).then_some(datum)
    }
}

/// # Safety
/// The index must be open.
unsafe fn usable(index: pg_sys::Relation, number: i16) -> Option<pg_sys::Oid> {
    const BTREE: u32 = 403;
    // The operator families of integers, text and uuid.
    const OF_POSTGRES: [u32; 3] = [1976, 1994, 2968];
    // SAFETY: as the caller promises.
    let index = unsafe { &*index };
    // SAFETY: an open index has its row of pg_index.
    let form = unsafe { &*index.rd_index };
    // SAFETY: an open relation has its row of pg_class.
    let method = unsafe { (*index.rd_rel).relam };
    // SAFETY: an index has one column at least.
    let first = unsafe { *form.indkey.values.as_ptr() };
    // SAFETY: as above.
    let family = unsafe { *index.rd_opfamily };
    // SAFETY: the row and its number are those of pg_index; nothing is evaluated.
    let whole = unsafe {
        pg_sys::heap_attisnull(index.rd_indextuple, pg_sys::Anum_pg_index_indpred as i32, core::ptr::null_mut())
    };
    let usable = form.indisvalid
        && form.indisready
        && !form.indcheckxmin
        && first == number
        && whole
        && method == pg_sys::Oid::from(BTREE)
        && OF_POSTGRES.iter().any(|f| family == pg_sys::Oid::from(*f));
    // SAFETY: one collation for each column.
    usable.then(|| unsafe { *index.rd_indcollation })
}

fn equality(kind: Kind) -> u32 {
    match kind {
        Kind::Int2 => pg_sys::F_INT2EQ,
        Kind::Int4 => pg_sys::F_INT4EQ,
        Kind::Int8 => pg_sys::F_INT8EQ,
        Kind::Text => pg_sys::F_TEXTEQ,
        Kind::Uuid => pg_sys::F_UUID_EQ,
    }
}
