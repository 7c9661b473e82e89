//! All columns of a row of the table whose trigger runs: which differ, and what they say.

use super::trigger::Row;
use pgrx::pg_sys;
use std::ffi::{CStr, CString};

/// A column of any type.
#[derive(Debug, Clone)]
pub(crate) struct Attribute {
    pub number: i16,
    pub name: String,
    pub type_oid: pg_sys::Oid,
    /// Computed by Postgres from other columns, after the triggers that run before the row is stored.
    pub generated: bool,
    length: i16,
    by_value: bool,
}

/// The values of all columns, taken out of the row once.
pub(crate) struct Values {
    values: Vec<pg_sys::Datum>,
    nulls: Vec<bool>,
}

impl Row {
    /// The columns that the table has now.
    pub(crate) fn attributes(&self) -> Vec<Attribute> {
        // SAFETY: the descriptor belongs to the open relation, which outlives this pin.
        let descriptor = unsafe { pgrx::PgTupleDesc::from_pg_unchecked(self.descriptor) };
        descriptor
            .iter()
            .filter(|a| !a.attisdropped)
            .map(|a| Attribute {
                number: a.attnum,
                name: a.name().to_owned(),
                type_oid: a.atttypid,
                generated: a.attgenerated != 0,
                length: a.attlen,
                by_value: a.attbyval,
            })
            .collect()
    }

    pub(crate) fn values(&self) -> Values {
        // SAFETY: the descriptor is live.
        let count = unsafe { (*self.descriptor).natts } as usize;
        let mut values = vec![pg_sys::Datum::from(0usize); count];
        let mut nulls = vec![true; count];
        // SAFETY: both arrays have an entry for each column; tuple and descriptor belong together.
        unsafe {
            pg_sys::heap_deform_tuple(self.tuple, self.descriptor, values.as_mut_ptr(), nulls.as_mut_ptr());
        }
        Values { values, nulls }
    }
}

impl Values {
    fn place(attribute: &Attribute) -> usize {
        usize::try_from(attribute.number - 1).unwrap_or_default()
    }

    pub(crate) fn is_null(&self, attribute: &Attribute) -> bool {
        self.nulls[Values::place(attribute)]
    }

    /// The value; meaningless where it is null.
    pub(crate) fn datum(&self, attribute: &Attribute) -> pg_sys::Datum {
        self.values[Values::place(attribute)]
    }

    /// Whether the two rows hold the same bytes in a column. Values that their type calls equal may differ.
    pub(crate) fn is_same(&self, other: &Values, attribute: &Attribute) -> bool {
        let place = Values::place(attribute);
        if self.nulls[place] || other.nulls[place] {
            return self.nulls[place] == other.nulls[place];
        }
        let (one, two) = (self.values[place], other.values[place]);
        if one.value() == two.value() {
            return true;
        }
        if attribute.by_value {
            return false;
        }
        // SAFETY: both are values of the column's type, which is not passed by value.
        unsafe { bytes(one, attribute.length) == bytes(two, attribute.length) }
    }

    /// The value as its type writes it; None for null.
    pub(crate) fn text(&self, attribute: &Attribute) -> Option<String> {
        if self.is_null(attribute) {
            return None;
        }
        let (mut output, mut is_varlena) = (pg_sys::InvalidOid, false);
        // SAFETY: both out-pointers are valid.
        unsafe { pg_sys::getTypeOutputInfo(attribute.type_oid, &mut output, &mut is_varlena) };
        // SAFETY: the function is the type's own and the value of that type; the result is terminated.
        let text = unsafe { CStr::from_ptr(pg_sys::OidOutputFunctionCall(output, self.datum(attribute))) };
        Some(text.to_string_lossy().into_owned())
    }
}

/// The bytes of a value, fetched into the current memory context where they lie elsewhere or are compressed.
///
/// # Safety
/// The datum must be a value, not passed by value, of a type of this length, and live as long as the result is used.
unsafe fn bytes<'a>(datum: pg_sys::Datum, length: i16) -> &'a [u8] {
    let start = datum.cast_mut_ptr::<u8>();
    match length {
        // SAFETY: a varlena.
        -1 => unsafe {
            let whole = pg_sys::pg_detoast_datum_packed(start.cast());
            std::slice::from_raw_parts(pgrx::vardata_any(whole).cast::<u8>(), pgrx::varsize_any_exhdr(whole))
        },
        // SAFETY: a terminated string.
        -2 => unsafe { CStr::from_ptr(start.cast()) }.to_bytes(),
        // SAFETY: a value of fixed length.
        fixed => unsafe { std::slice::from_raw_parts(start, usize::from(fixed.unsigned_abs())) },
    }
}

/// A value of a type from its text; raises what the type's input function raises.
pub(crate) fn parse(type_oid: pg_sys::Oid, type_modifier: i32, text: &str) -> pg_sys::Datum {
    let (mut input, mut parameter) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
    let text = CString::new(text).unwrap_or_default();
    // SAFETY: both out-pointers are valid; the text is terminated.
    unsafe {
        pg_sys::getTypeInputInfo(type_oid, &mut input, &mut parameter);
        pg_sys::OidInputFunctionCall(input, text.as_ptr().cast_mut(), parameter, type_modifier)
    }
}
