//! Counting the entries that an index has for a few values, for guesses about members who see little: an average
//! says nothing about somebody who owns no row.

use super::call::datum_of;
use super::compat;
use super::expr::pointers;
use crate::model::value::{Kind, Value};
use pgrx::pg_sys;

/// The number of entries, dead ones included. None where no plain btree begins with the column, or where there are
/// more than `most`.
///
/// # Safety
/// `rel` must be a relation of a query that is being planned, and `table` its table, which the planner has locked.
pub(super) unsafe fn count(
    rel: &pg_sys::RelOptInfo,
    table: pg_sys::Oid,
    column: i16,
    kind: Kind,
    values: &[Value],
    most: usize,
) -> Option<usize> {
    let index = pointers::<pg_sys::IndexOptInfo>(rel.indexlist).find(|index| {
        // SAFETY: an item of the list, which has at least one key.
        let (index, first) = unsafe { (&**index, *(**index).indexkeys) };
        first == i32::from(column)
            && index.relam == pg_sys::BTREE_AM_OID
            && index.indpred.is_null()
            && !index.hypothetical
    })?;
    // SAFETY: as above; the arrays have an entry for each key.
    let (oid, family, class_type, collation) =
        unsafe { ((*index).indexoid, *(*index).opfamily, *(*index).opcintype, *(*index).indexcollations) };
    let class_kind = super::call::kind_of(class_type)?;
    if class_kind != kind {
        return None;
    }
    let strategy = pg_sys::BTEqualStrategyNumber as i16;
    // SAFETY: catalog look-ups.
    let equals = unsafe { pg_sys::get_opcode(pg_sys::get_opfamily_member(family, class_type, class_type, strategy)) };
    if equals == pg_sys::InvalidOid {
        return None;
    }
    // SAFETY: the planner has locked both.
    let (table, index) = unsafe {
        (pg_sys::table_open(table, pg_sys::NoLock as i32), pg_sys::index_open(oid, pg_sys::AccessShareLock as i32))
    };
    let mut found = 0;
    for value in values {
        let Some(datum) = datum_of(value, kind) else { continue };
        // SAFETY: the value is of the type of the index's first key.
        found += unsafe { entries(table, index, collation, equals, datum, most - found) };
        if found >= most {
            break;
        }
    }
    // SAFETY: opened above; after an error the transaction's end closes them.
    unsafe {
        pg_sys::index_close(index, pg_sys::AccessShareLock as i32);
        pg_sys::table_close(table, pg_sys::NoLock as i32);
    }
    (found < most).then_some(found)
}

/// # Safety
/// The relations must be open, and `datum` of the type of the index's first key.
unsafe fn entries(
    table: pg_sys::Relation,
    index: pg_sys::Relation,
    collation: pg_sys::Oid,
    equals: pg_sys::Oid,
    datum: pg_sys::Datum,
    most: usize,
) -> usize {
    let mut key = pg_sys::ScanKeyData::default();
    // SAFETY: key is valid for writing, and outlives the scan; a snapshot is active while a query is planned.
    unsafe {
        pg_sys::ScanKeyEntryInitialize(
            &mut key,
            0,
            1,
            pg_sys::BTEqualStrategyNumber as u16,
            pg_sys::InvalidOid,
            collation,
            equals,
            datum,
        );
        let scan = compat::begin_index_scan(table, index, pg_sys::GetActiveSnapshot());
        pg_sys::index_rescan(scan, &mut key, 1, core::ptr::null_mut(), 0);
        let mut found = 0;
        while found < most && !pg_sys::index_getnext_tid(scan, pg_sys::ScanDirection::ForwardScanDirection).is_null() {
            found += 1;
        }
        pg_sys::index_endscan(scan);
        found
    }
}
