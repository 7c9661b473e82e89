//! All columns of a row of the table whose trigger runs: which differ, and what they say.

use super::plain;
use super::trigger::Row;
use pgrx::pg_sys;
use std::ffi::{CStr, CString};

/// The same function without pgrx's guard, which costs more than it does: it cannot raise.
mod bare {
    use pgrx::pg_sys;
    unsafe extern "C-unwind" {
        pub(super) fn heap_deform_tuple(
            tuple: pg_sys::HeapTuple,
            descriptor: pg_sys::TupleDesc,
            values: *mut pg_sys::Datum,
            nulls: *mut bool,
        );
    }
}

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

impl Attribute {
    pub(crate) fn is_jsonb(&self) -> bool {
        // SAFETY: a catalog look-up; domains count as their base type.
        unsafe { pg_sys::getBaseType(self.type_oid) == pg_sys::JSONBOID }
    }

    pub(crate) fn is_text_array(&self) -> bool {
        // SAFETY: a catalog look-up; domains count as their base type.
        let base = unsafe { pg_sys::getBaseType(self.type_oid) };
        base == pg_sys::TEXTARRAYOID || base == pg_sys::VARCHARARRAYOID
    }

    /// The number that the column of this name has in another relation of the partition tree.
    pub(crate) fn number_in(&self, relation: pg_sys::Oid) -> Option<i16> {
        let name = CString::new(self.name.as_str()).unwrap_or_default();
        // SAFETY: a catalog look-up by a terminated name; 0 where there is none.
        let number = unsafe { pg_sys::get_attnum(relation, name.as_ptr()) };
        (number != 0).then_some(number)
    }
}

/// The columns that a relation has now.
pub(crate) fn attributes_of(relation: pg_sys::Oid) -> Vec<Attribute> {
    let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    // SAFETY: raises for an oid that is no relation's.
    let open = unsafe { pg_sys::relation_open(relation, lock) };
    // SAFETY: the relation is open; no row is looked at.
    let row = Row { tuple: core::ptr::null_mut(), descriptor: unsafe { (*open).rd_att } };
    let attributes = row.attributes();
    // SAFETY: opened above.
    unsafe { pg_sys::relation_close(open, lock) };
    attributes
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

    /// A copy of the row with other values in some columns.
    pub(crate) fn with_values(&self, changes: &[(&Attribute, Option<pg_sys::Datum>)]) -> Row {
        let mut numbers: Vec<i32> = changes.iter().map(|(attribute, _)| i32::from(attribute.number)).collect();
        let mut values: Vec<pg_sys::Datum> =
            changes.iter().map(|(_, value)| value.unwrap_or(pg_sys::Datum::from(0usize))).collect();
        let mut nulls: Vec<bool> = changes.iter().map(|(_, value)| value.is_none()).collect();
        // SAFETY: the three arrays have one entry for each changed column, with values of its type.
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
        Row { tuple, descriptor: self.descriptor }
    }

    pub(crate) fn values(&self) -> Values {
        // SAFETY: the descriptor is live.
        let count = unsafe { (*self.descriptor).natts } as usize;
        let mut values = vec![pg_sys::Datum::from(0usize); count];
        let mut nulls = vec![true; count];
        // SAFETY: both arrays have an entry for each column; tuple and descriptor belong together.
        unsafe {
            bare::heap_deform_tuple(self.tuple, self.descriptor, values.as_mut_ptr(), nulls.as_mut_ptr());
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

    /// As many nulls as the row has columns.
    pub(crate) fn nulls_of(row: &Row) -> Values {
        // SAFETY: the descriptor is live.
        let count = unsafe { (*row.descriptor).natts } as usize;
        Values { values: vec![pg_sys::Datum::from(0usize); count], nulls: vec![true; count] }
    }

    /// Puts a kept value in a column of its type; it must live as long as this is used.
    pub(crate) fn put(&mut self, attribute: &Attribute, kept: &Kept) {
        let place = Values::place(attribute);
        self.values[place] = kept.datum();
        self.nulls[place] = matches!(kept, Kept::Null);
    }

    /// A copy of a value that lives as long as Rust keeps it.
    pub(crate) fn keep(&self, attribute: &Attribute) -> Kept {
        let place = Values::place(attribute);
        if self.nulls[place] { Kept::Null } else { Kept::of(self.values[place], attribute) }
    }

    /// The elements of an array of texts, none for null; None where it has more than one dimension.
    pub(crate) fn texts(&self, attribute: &Attribute) -> Option<Vec<Option<String>>> {
        use pgrx::FromDatum;
        if self.is_null(attribute) {
            return Some(Vec::new());
        }
        // SAFETY: callers name columns that are arrays of texts; fetched into the current memory context.
        let array = unsafe { pg_sys::pg_detoast_datum(self.datum(attribute).cast_mut_ptr()) };
        // SAFETY: an array begins with the number of its dimensions.
        if unsafe { (*array.cast::<pg_sys::ArrayType>()).ndim } > 1 {
            return None;
        }
        // SAFETY: as above.
        unsafe { Vec::<Option<String>>::from_datum(pg_sys::Datum::from(array), false) }
    }

    /// The value as its type writes it; None for null.
    pub(crate) fn text(&self, attribute: &Attribute) -> Option<String> {
        if self.is_null(attribute) {
            return None;
        }
        // A text is written as it is.
        if matches!(attribute.type_oid, pg_sys::TEXTOID | pg_sys::VARCHAROID) {
            // SAFETY: a value of the column's type, which is a varlena.
            let text = unsafe { bytes(self.datum(attribute), attribute.length) };
            return Some(match std::str::from_utf8(text) {
                Ok(text) => text.to_owned(),
                Err(_) => text.escape_ascii().to_string(),
            });
        }
        // SAFETY: a value of the column's type.
        let text = unsafe { written(attribute.type_oid, self.datum(attribute)) };
        // What is no UTF-8, on a server of another encoding, must not become equal to something else.
        Some(match text.to_str() {
            Ok(text) => text.to_owned(),
            Err(_) => text.to_bytes().escape_ascii().to_string(),
        })
    }
}

/// The value as its type writes it, whatever the settings of the session; in the current memory context.
///
/// # Safety
/// The datum must be a value of the type.
unsafe fn written<'a>(type_oid: pg_sys::Oid, datum: pg_sys::Datum) -> &'a CStr {
    let (mut output, mut is_varlena) = (pg_sys::InvalidOid, false);
    // SAFETY: both out-pointers are valid.
    unsafe { pg_sys::getTypeOutputInfo(type_oid, &mut output, &mut is_varlena) };
    // SAFETY: the function is the type's own and the value of that type; the result is terminated.
    plain::written_as(type_oid, || unsafe { CStr::from_ptr(pg_sys::OidOutputFunctionCall(output, datum)) })
}

/// The bytes of a value, fetched into the current memory context where they lie elsewhere or are compressed.
///
/// # Safety
/// The datum must be a value, not passed by value, of a type of this length, and live as long as the result is used.
unsafe fn bytes<'a>(datum: pg_sys::Datum, length: i16) -> &'a [u8] {
    let start = datum.cast_mut_ptr::<u8>();
    // SAFETY: every value has a first byte.
    let first = unsafe { *start };
    // Most values lie in their row as they are. The layout of varatt.h on little-endian machines: lowest bit 1 and not
    // alone is a header of one byte.
    if length == -1 && cfg!(target_endian = "little") && first & 1 == 1 && first != 1 {
        // SAFETY: the header says how many bytes follow it.
        return unsafe { std::slice::from_raw_parts(start.add(1), usize::from(first >> 1) - 1) };
    }
    match length {
        // SAFETY: a varlena.
        -1 => match unsafe { super::call::in_place(start) } {
            Some(bytes) => bytes,
            // SAFETY: as above.
            None => unsafe {
                let whole = pg_sys::pg_detoast_datum_packed(start.cast());
                std::slice::from_raw_parts(pgrx::vardata_any(whole).cast::<u8>(), pgrx::varsize_any_exhdr(whole))
            },
        },
        // SAFETY: a terminated string.
        -2 => unsafe { CStr::from_ptr(start.cast()) }.to_bytes(),
        // SAFETY: a value of fixed length.
        fixed => unsafe { std::slice::from_raw_parts(start, usize::from(fixed.unsigned_abs())) },
    }
}

/// A value outside of the memory that Postgres resets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Kept {
    Null,
    Word(usize),
    /// Aligned as every type wants it.
    Bytes(Box<[u64]>),
}

impl Kept {
    pub(crate) fn of(datum: pg_sys::Datum, attribute: &Attribute) -> Kept {
        if attribute.by_value {
            return Kept::Word(datum.value());
        }
        // SAFETY: a value of the column's type, which is not passed by value.
        let stored = unsafe { whole(datum, attribute.length) };
        let mut words = vec![0u64; stored.len().div_ceil(size_of::<u64>())].into_boxed_slice();
        // SAFETY: the buffer has room for all bytes and does not overlap them.
        unsafe { core::ptr::copy_nonoverlapping(stored.as_ptr(), words.as_mut_ptr().cast::<u8>(), stored.len()) };
        Kept::Bytes(words)
    }

    /// A value of a column's type from its text; raises what the type's input function raises.
    pub(crate) fn parsed(text: &str, attribute: &Attribute) -> Kept {
        Kept::of(parse(attribute.type_oid, -1, text), attribute)
    }

    /// None for null. A pointer into this value, where it is none by itself.
    pub(crate) fn value(&self) -> Option<pg_sys::Datum> {
        (*self != Kept::Null).then(|| self.datum())
    }

    fn datum(&self) -> pg_sys::Datum {
        match self {
            Kept::Null => pg_sys::Datum::from(0usize),
            Kept::Word(word) => pg_sys::Datum::from(*word),
            Kept::Bytes(words) => pg_sys::Datum::from(words.as_ptr()),
        }
    }
}

/// All bytes of a value with its header, fetched into the current memory context where they lie elsewhere.
///
/// # Safety
/// As for bytes().
unsafe fn whole<'a>(datum: pg_sys::Datum, length: i16) -> &'a [u8] {
    let start = datum.cast_mut_ptr::<u8>();
    match length {
        // SAFETY: a varlena.
        -1 => unsafe {
            let whole = pg_sys::pg_detoast_datum(start.cast());
            std::slice::from_raw_parts(whole.cast::<u8>(), pgrx::varsize(whole))
        },
        // SAFETY: a terminated string.
        -2 => unsafe { CStr::from_ptr(start.cast()) }.to_bytes_with_nul(),
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

/// The text form that a type gives a text; raises what the type's functions raise.
pub(crate) fn rewritten(type_oid: pg_sys::Oid, type_modifier: i32, text: &str) -> String {
    let datum = parse(type_oid, type_modifier, text);
    // SAFETY: a value of the type.
    unsafe { written(type_oid, datum) }.to_string_lossy().into_owned()
}

/// The elements of an array of texts; none for null, None where it has more than one dimension.
pub(crate) fn elements(type_oid: pg_sys::Oid, text: &str) -> Option<Vec<Option<String>>> {
    use pgrx::FromDatum;
    let datum = parse(type_oid, -1, text);
    // SAFETY: callers name types that are arrays of texts; fetched into the current memory context.
    let array = unsafe { pg_sys::pg_detoast_datum(datum.cast_mut_ptr()) };
    // SAFETY: an array begins with the number of its dimensions.
    if unsafe { (*array.cast::<pg_sys::ArrayType>()).ndim } > 1 {
        return None;
    }
    // SAFETY: as above.
    unsafe { Vec::<Option<String>>::from_datum(pg_sys::Datum::from(array), false) }
}

/// What SQL calls a type, the same type under every search path.
pub(crate) fn type_name(type_oid: pg_sys::Oid, type_modifier: i32) -> String {
    let how = (pg_sys::FORMAT_TYPE_TYPEMOD_GIVEN | pg_sys::FORMAT_TYPE_FORCE_QUALIFY) as u16;
    // SAFETY: a catalog look-up, which raises for a type that does not exist; the result is terminated.
    unsafe { CStr::from_ptr(pg_sys::format_type_extended(type_oid, type_modifier, how)) }.to_string_lossy().into_owned()
}
