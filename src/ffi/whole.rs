//! All rows of a protected table in their text form, whatever the caller sees.
//!
//! As for counting (ffi::count), no query could do it without running code of the table's owner with rights that are
//! not his. This scan calls the output functions of types only, which none but superusers can make.

use super::trigger::Row;
use pgrx::{PgMemoryContexts, pg_sys};

/// A column that is not there any more.
pub(crate) struct Gone(pub String);

/// What a row says lies in memory that is given back after so many rows.
const TOGETHER: u32 = 1000;

const LOCK: pg_sys::LOCKMODE = pg_sys::AccessShareLock as pg_sys::LOCKMODE;

struct Open(pg_sys::Relation);

impl Drop for Open {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: opened in each(); the lock stays until the transaction ends.
            unsafe { pg_sys::table_close(self.0, pg_sys::NoLock as pg_sys::LOCKMODE) };
        }
    }
}

/// Every row of a table, not counting its partitions, that is in the active snapshot, with what these columns say.
pub(crate) fn each(
    table: pg_sys::Oid,
    columns: &[String],
    mut body: impl FnMut(&[Option<String>]),
) -> Result<(), Gone> {
    // SAFETY: raises for an oid that is not a table's.
    let open = Open(unsafe { pg_sys::table_open(table, LOCK) });
    // SAFETY: the relation is open.
    let descriptor = unsafe { (*open.0).rd_att };
    let attributes = Row { tuple: core::ptr::null_mut(), descriptor }.attributes();
    let mut wanted = Vec::new();
    for name in columns {
        match attributes.iter().find(|attribute| attribute.name == *name) {
            Some(attribute) => wanted.push(attribute),
            None => return Err(Gone(name.clone())),
        }
    }
    // SAFETY: the relation is open, a snapshot is active.
    let scan = unsafe {
        pg_sys::systable_beginscan(
            open.0,
            pg_sys::InvalidOid,
            false,
            pg_sys::GetActiveSnapshot(),
            0,
            core::ptr::null_mut(),
        )
    };
    let mut memory = PgMemoryContexts::new("leadguard rows");
    let mut count = 0;
    let mut texts: Vec<Option<String>> = Vec::with_capacity(wanted.len());
    loop {
        // SAFETY: the scan is open.
        let tuple = unsafe { pg_sys::systable_getnext(scan) };
        if tuple.is_null() {
            break;
        }
        texts.clear();
        // SAFETY: nothing that the functions of types allocate is used afterwards.
        unsafe {
            memory.switch_to(|_| {
                let values = Row { tuple, descriptor }.values();
                texts.extend(wanted.iter().map(|attribute| values.text(attribute)));
            })
        };
        body(&texts);
        count += 1;
        if count % TOGETHER == 0 {
            // SAFETY: as above.
            unsafe { memory.reset() };
            pgrx::check_for_interrupts!();
        }
    }
    // SAFETY: ends the scan begun above.
    unsafe { pg_sys::systable_endscan(scan) };
    Ok(())
}
