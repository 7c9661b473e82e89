//! Functions in the version-1 calling convention: arguments of any type, and state that lives as long as
//! one execution of the query.

use crate::model::value::{Kind, Value};
use pgrx::pg_sys;

pub(crate) struct Call {
    fcinfo: pg_sys::FunctionCallInfo,
}

impl Call {
    /// # Safety
    /// `fcinfo` must be what Postgres passed to the running function.
    pub(super) unsafe fn new(fcinfo: pg_sys::FunctionCallInfo) -> Call {
        Call { fcinfo }
    }

    pub(super) fn fcinfo(&self) -> pg_sys::FunctionCallInfo {
        self.fcinfo
    }

    pub(crate) fn argument(&self, index: usize) -> Option<pg_sys::Datum> {
        // SAFETY: fcinfo is live; the flexible array holds nargs entries.
        let (count, args) = unsafe { ((*self.fcinfo).nargs, (*self.fcinfo).args.as_ptr()) };
        if index >= count as usize {
            return None;
        }
        // SAFETY: index is below nargs.
        let argument = unsafe { &*args.add(index) };
        (!argument.isnull).then_some(argument.value)
    }

    pub(crate) fn oid_argument(&self, index: usize) -> Option<pg_sys::Oid> {
        self.argument(index).map(|d| pg_sys::Oid::from_u32(d.value() as u32))
    }

    pub(crate) fn text_argument(&self, index: usize) -> Option<String> {
        // SAFETY: callers name arguments that are declared text.
        self.argument(index).and_then(|datum| unsafe { text_of(datum) }.map(str::to_owned))
    }

    /// The table whose row type an argument has, whatever its value.
    pub(crate) fn argument_row_type(&self, index: usize) -> Option<pg_sys::Oid> {
        // SAFETY: flinfo is live; the function returns InvalidOid where the expression is unknown.
        let type_oid = unsafe { pg_sys::get_fn_expr_argtype((*self.fcinfo).flinfo, index as i32) };
        // SAFETY: a catalog look-up; InvalidOid for a type that is no table's.
        let relation = unsafe { pg_sys::get_typ_typrelid(type_oid) };
        (relation != pg_sys::InvalidOid).then_some(relation)
    }

    /// The kind of an argument declared "any"; None for one that no mapped column has.
    pub(crate) fn argument_kind(&self, index: usize) -> Option<Kind> {
        // SAFETY: flinfo is live; the function returns InvalidOid where the expression is unknown.
        let type_oid = unsafe { pg_sys::get_fn_expr_argtype((*self.fcinfo).flinfo, index as i32) };
        kind_of(type_oid)
    }

    /// The kind of an argument of exactly type bigint, text or uuid.
    pub(crate) fn exact_kind(&self, index: usize) -> Option<Kind> {
        // SAFETY: flinfo is live; the function returns InvalidOid where the expression is unknown.
        match unsafe { pg_sys::get_fn_expr_argtype((*self.fcinfo).flinfo, index as i32) } {
            pg_sys::INT8OID => Some(Kind::Int8),
            pg_sys::TEXTOID => Some(Kind::Text),
            pg_sys::UUIDOID => Some(Kind::Uuid),
            _ => None,
        }
    }

    /// How many arguments the call has.
    pub(crate) fn count(&self) -> usize {
        // SAFETY: fcinfo is live.
        unsafe { (*self.fcinfo).nargs as usize }
    }

    /// Whether an argument marks its row: true, or a text that says why.
    pub(crate) fn is_marked(&self, index: usize) -> bool {
        let Some(datum) = self.argument(index) else { return false };
        // SAFETY: flinfo is live; the function returns InvalidOid where the expression is unknown.
        let type_oid = unsafe { pg_sys::get_fn_expr_argtype((*self.fcinfo).flinfo, index as i32) };
        is_mark(datum, type_oid)
    }

    pub(crate) fn value(&self, index: usize, kind: Option<Kind>) -> Value<'_> {
        match (self.argument(index), kind) {
            (Some(datum), Some(kind)) => value_of(datum, kind),
            _ => Value::Null,
        }
    }

    /// NULL as the result.
    pub(crate) fn null(&self) -> pg_sys::Datum {
        // SAFETY: fcinfo is live.
        unsafe { (*self.fcinfo).isnull = true };
        pg_sys::Datum::from(0usize)
    }

    /// A value of a column's type as the result; NULL when the type cannot hold it.
    pub(crate) fn result(&self, value: &Value, kind: Kind) -> pg_sys::Datum {
        datum_of(value, kind).unwrap_or_else(|| self.null())
    }

    /// An array of bigint, text or uuid, allocated to live as long as the call site. Integers are in ascending
    /// order where the values are, which is how an index likes them.
    pub(crate) fn array(&self, kind: Kind, values: &[Value]) -> pg_sys::Datum {
        let (element, length, by_value, alignment) = match kind {
            Kind::Text => (pg_sys::TEXTOID, -1, false, pg_sys::TYPALIGN_INT),
            Kind::Uuid => (pg_sys::UUIDOID, 16, false, pg_sys::TYPALIGN_CHAR),
            _ => (pg_sys::INT8OID, 8, true, pg_sys::TYPALIGN_DOUBLE),
        };
        // SAFETY: flinfo is live, and its memory context with it.
        let context = unsafe { pg_sys::MemoryContextSwitchTo((*(*self.fcinfo).flinfo).fn_mcxt) };
        let mut elements: Vec<pg_sys::Datum> = values.iter().filter_map(|value| datum_of(value, kind)).collect();
        // SAFETY: the elements are datums of the element type.
        let array = unsafe {
            pg_sys::construct_array(
                elements.as_mut_ptr(),
                elements.len() as i32,
                element,
                length,
                by_value,
                alignment as core::ffi::c_char,
            )
        };
        // SAFETY: the context that was current before; an error on the way makes Postgres choose another one.
        unsafe { pg_sys::MemoryContextSwitchTo(context) };
        pg_sys::Datum::from(array)
    }

    /// State of this call site for this execution, made on the first call. It is dropped with the memory
    /// context that holds the expression, which all call sites of one execution share.
    pub(crate) fn state<T: 'static>(&self, make: impl FnOnce() -> T) -> *mut T {
        // SAFETY: fcinfo and its flinfo are live for the whole call.
        let flinfo = unsafe { (*self.fcinfo).flinfo };
        // SAFETY: as above.
        let held = unsafe { (*flinfo).fn_extra };
        if !held.is_null() {
            return held.cast();
        }
        // SAFETY: the callback is allocated in the context whose reset it waits for, before there is anything to
        // lose when that fails.
        let callback =
            unsafe { pg_sys::MemoryContextAlloc((*flinfo).fn_mcxt, size_of::<pg_sys::MemoryContextCallback>()) }
                .cast::<pg_sys::MemoryContextCallback>();
        let state = Box::into_raw(Box::new(make()));
        // SAFETY: freshly allocated and of the right size.
        unsafe {
            callback.write(pg_sys::MemoryContextCallback {
                func: Some(drop_state::<T>),
                arg: state.cast(),
                next: core::ptr::null_mut(),
            })
        };
        // SAFETY: callback lives in fn_mcxt; drop_state frees the box exactly once.
        unsafe { pg_sys::MemoryContextRegisterResetCallback((*flinfo).fn_mcxt, callback) };
        // SAFETY: fn_extra is ours.
        unsafe { (*flinfo).fn_extra = state.cast() };
        state
    }
}

unsafe extern "C-unwind" fn drop_state<T>(state: *mut core::ffi::c_void) {
    // SAFETY: made by Box::into_raw in Call::state for this very type.
    drop(unsafe { Box::from_raw(state.cast::<T>()) });
}

/// A state made by Call::state, borrowed for the running call.
pub(crate) fn borrow<'a, T>(state: *mut T) -> &'a T {
    // SAFETY: the state lives until its memory context is reset, which cannot happen during the call; it is
    // only ever shared, never borrowed mutably.
    unsafe { &*state }
}

/// The kind of a column by its type; domains count as their base type.
pub(crate) fn kind_of(type_oid: pg_sys::Oid) -> Option<Kind> {
    if type_oid == pg_sys::InvalidOid {
        return None;
    }
    // SAFETY: a catalog look-up.
    match unsafe { pg_sys::getBaseType(type_oid) } {
        pg_sys::INT2OID => Some(Kind::Int2),
        pg_sys::INT4OID => Some(Kind::Int4),
        pg_sys::INT8OID => Some(Kind::Int8),
        pg_sys::TEXTOID | pg_sys::VARCHAROID => Some(Kind::Text),
        pg_sys::UUIDOID => Some(Kind::Uuid),
        _ => None,
    }
}

/// Whether a value of a column of marks is one: true, or a text that is not empty. Of any other type every value is.
pub(super) fn is_mark(datum: pg_sys::Datum, type_oid: pg_sys::Oid) -> bool {
    // SAFETY: a catalog look-up.
    match unsafe { pg_sys::getBaseType(type_oid) } {
        pg_sys::BOOLOID => datum.value() as u8 != 0,
        // SAFETY: the type says that it is a text.
        pg_sys::TEXTOID | pg_sys::VARCHAROID => (unsafe { text_of(datum) }) != Some(""),
        _ => true,
    }
}

pub(super) fn value_of<'a>(datum: pg_sys::Datum, kind: Kind) -> Value<'a> {
    match kind {
        Kind::Int2 => Value::Int(i64::from(datum.value() as i16)),
        Kind::Int4 => Value::Int(i64::from(datum.value() as i32)),
        Kind::Int8 => Value::Int(datum.value() as i64),
        // SAFETY: a text datum; detoasted into the current memory context where needed.
        Kind::Text => match unsafe { text_of(datum) } {
            Some(text) => Value::Text(text),
            None => Value::Null,
        },
        Kind::Uuid => {
            // SAFETY: a uuid datum points to 16 bytes.
            Value::Uuid(unsafe { *datum.cast_mut_ptr::<[u8; 16]>() })
        }
    }
}

/// The bytes of a varlena that lies as it is where it is: not compressed, not elsewhere.
///
/// # Safety
/// `start` must point to a varlena that lives as long as the result is used.
#[inline]
pub(super) unsafe fn in_place<'a>(start: *const u8) -> Option<&'a [u8]> {
    if !cfg!(target_endian = "little") {
        return None;
    }
    // SAFETY: every varlena has a first byte.
    let first = unsafe { *start };
    // The layout of varatt.h on little-endian machines: lowest bit 1 and not alone is a header of one byte, two lowest
    // bits 0 one of four.
    let (header, length) = if first & 1 == 1 && first != 1 {
        (1, usize::from(first >> 1) - 1)
    } else if first & 3 == 0 {
        // SAFETY: the first byte says that the header has four.
        let word = unsafe { start.cast::<u32>().read_unaligned() };
        (4, (word >> 2) as usize - 4)
    } else {
        return None;
    };
    // SAFETY: the header says how many bytes follow it.
    Some(unsafe { std::slice::from_raw_parts(start.add(header), length) })
}

/// The text of a datum. Most values are short and lie in their row as they are; the others are fetched.
///
/// # Safety
/// The datum must be one of type text or varchar, and live as long as the result is used.
pub(super) unsafe fn text_of<'a>(datum: pg_sys::Datum) -> Option<&'a str> {
    let start = datum.cast_mut_ptr::<u8>();
    // SAFETY: a varlena.
    if let Some(bytes) = unsafe { in_place(start) } {
        return std::str::from_utf8(bytes).ok();
    }
    // SAFETY: a varlena; fetched into the current memory context where it lies elsewhere.
    let whole = unsafe { pg_sys::pg_detoast_datum_packed(datum.cast_mut_ptr()) };
    // SAFETY: fetched above. Where the server's encoding is another one, what is no UTF-8 equals nothing.
    let bytes =
        unsafe { std::slice::from_raw_parts(pgrx::vardata_any(whole).cast::<u8>(), pgrx::varsize_any_exhdr(whole)) };
    std::str::from_utf8(bytes).ok()
}

/// A datum of a column of `kind`, for writing; None when the kind cannot hold the value.
pub(super) fn datum_of(value: &Value, kind: Kind) -> Option<pg_sys::Datum> {
    use pgrx::IntoDatum;
    match (value, kind) {
        (Value::Int(id), Kind::Int2) => i16::try_from(*id).ok()?.into_datum(),
        (Value::Int(id), Kind::Int4) => i32::try_from(*id).ok()?.into_datum(),
        (Value::Int(id), Kind::Int8) => id.into_datum(),
        (Value::Text(text), Kind::Text) => text.into_datum(),
        (Value::Uuid(bytes), Kind::Uuid) => {
            // SAFETY: 16 bytes in the current memory context.
            let copy = unsafe { pg_sys::palloc(16) }.cast::<[u8; 16]>();
            // SAFETY: freshly allocated and of the right size.
            unsafe { copy.write(*bytes) };
            Some(pg_sys::Datum::from(copy))
        }
        _ => None,
    }
}
