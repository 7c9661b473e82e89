//! Text forms of values and names that do not follow the settings of a session: what is kept, digested or compared must be
//! the same whoever writes it.

use super::session::set_local;
use pgrx::pg_sys;
use std::cell::Cell;
use std::ffi::c_int;

unsafe extern "C" {
    /// utils/bytea.h
    static mut bytea_output: c_int;
}

/// BYTEA_OUTPUT_HEX of utils/bytea.h.
const HEX: c_int = 1;

/// Enough for every float to be told from its neighbours.
const DIGITS: c_int = 3;

thread_local! {
    static UTC: Cell<*mut pg_sys::pg_tz> = const { Cell::new(std::ptr::null_mut()) };
}

fn utc() -> *mut pg_sys::pg_tz {
    if UTC.get().is_null() {
        // SAFETY: a look-up by a terminated name, kept for the life of the backend by Postgres.
        UTC.set(unsafe { pg_sys::pg_tzset(c"UTC".as_ptr()) });
    }
    UTC.get()
}

/// The settings as they were, put back when this is dropped, after errors too.
struct Settings {
    date_style: c_int,
    date_order: c_int,
    interval_style: c_int,
    float_digits: c_int,
    bytea: c_int,
    zone: *mut pg_sys::pg_tz,
    quotes_all: bool,
}

impl Settings {
    /// The variables themselves: a nesting level of settings for each value would cost more than all else that is done
    /// with it.
    fn plain() -> Settings {
        let utc = utc();
        // SAFETY: plain variables of the backend, which has one thread; each gets a value that its setting allows.
        unsafe {
            let held = Settings {
                date_style: pg_sys::DateStyle,
                date_order: pg_sys::DateOrder,
                interval_style: pg_sys::IntervalStyle,
                float_digits: pg_sys::extra_float_digits,
                bytea: bytea_output,
                zone: pg_sys::session_timezone,
                quotes_all: pg_sys::quote_all_identifiers,
            };
            pg_sys::DateStyle = pg_sys::USE_ISO_DATES as c_int;
            pg_sys::DateOrder = pg_sys::DATEORDER_MDY as c_int;
            pg_sys::IntervalStyle = pg_sys::INTSTYLE_POSTGRES as c_int;
            pg_sys::extra_float_digits = DIGITS;
            bytea_output = HEX;
            if !utc.is_null() {
                pg_sys::session_timezone = utc;
            }
            pg_sys::quote_all_identifiers = false;
            held
        }
    }
}

impl Drop for Settings {
    fn drop(&mut self) {
        // SAFETY: as above; the values are those that were there.
        unsafe {
            pg_sys::DateStyle = self.date_style;
            pg_sys::DateOrder = self.date_order;
            pg_sys::IntervalStyle = self.interval_style;
            pg_sys::extra_float_digits = self.float_digits;
            bytea_output = self.bytea;
            pg_sys::session_timezone = self.zone;
            pg_sys::quote_all_identifiers = self.quotes_all;
        }
    }
}

/// Settings of a session by which queries of the extension would say other names, or find less, than they should; as they
/// were, put back when this is dropped.
pub(super) struct Queries {
    quotes_all: bool,
    gin_limit: c_int,
}

impl Queries {
    pub(super) fn plain() -> Queries {
        // SAFETY: as in Settings.
        unsafe {
            let held = Queries { quotes_all: pg_sys::quote_all_identifiers, gin_limit: pg_sys::GinFuzzySearchLimit };
            pg_sys::quote_all_identifiers = false;
            pg_sys::GinFuzzySearchLimit = 0;
            held
        }
    }
}

impl Drop for Queries {
    fn drop(&mut self) {
        // SAFETY: as in Settings.
        unsafe {
            pg_sys::quote_all_identifiers = self.quotes_all;
            pg_sys::GinFuzzySearchLimit = self.gin_limit;
        }
    }
}

/// Runs `body`, which calls output functions or quotes names and nothing else.
pub(crate) fn written<T>(body: impl FnOnce() -> T) -> T {
    let held = Settings::plain();
    let value = body();
    drop(held);
    value
}

/// As written, for a value of this type: a few follow settings that are more than a variable.
pub(crate) fn written_as<T>(type_oid: pg_sys::Oid, body: impl FnOnce() -> T) -> T {
    if !follows_more(type_oid) {
        return written(body);
    }
    // SAFETY: opens a nesting level that is closed below, and by the (sub)transaction's abort when body raises.
    let level = unsafe { pg_sys::NewGUCNestLevel() };
    set_local(c"search_path", c"pg_catalog, pg_temp");
    set_local(c"lc_monetary", c"C");
    let value = written(body);
    // SAFETY: closes the level opened above.
    unsafe { pg_sys::AtEOXact_GUC(true, level) };
    value
}

/// Amounts of money, names of objects, rows, which may hold either, and arrays and domains of these.
fn follows_more(type_oid: pg_sys::Oid) -> bool {
    if is_common(type_oid) {
        return false;
    }
    // SAFETY: catalog look-ups; InvalidOid for what is no array.
    let element = unsafe { pg_sys::get_base_element_type(pg_sys::getBaseType(type_oid)) };
    let one = if element == pg_sys::InvalidOid { type_oid } else { element };
    // SAFETY: a catalog look-up; domains count as their base type.
    let one = unsafe { pg_sys::getBaseType(one) };
    let named = [
        pg_sys::MONEYOID,
        pg_sys::REGPROCOID,
        pg_sys::REGPROCEDUREOID,
        pg_sys::REGOPEROID,
        pg_sys::REGOPERATOROID,
        pg_sys::REGCLASSOID,
        pg_sys::REGTYPEOID,
        pg_sys::REGCONFIGOID,
        pg_sys::REGDICTIONARYOID,
        pg_sys::REGNAMESPACEOID,
        pg_sys::REGROLEOID,
        pg_sys::REGCOLLATIONOID,
    ];
    // SAFETY: a catalog look-up.
    named.contains(&one) || unsafe { pg_sys::get_typtype(one) } == pg_sys::TYPTYPE_COMPOSITE as core::ffi::c_char
}

fn is_common(type_oid: pg_sys::Oid) -> bool {
    matches!(
        type_oid,
        pg_sys::INT8OID
            | pg_sys::INT4OID
            | pg_sys::INT2OID
            | pg_sys::NUMERICOID
            | pg_sys::BOOLOID
            | pg_sys::FLOAT8OID
            | pg_sys::FLOAT4OID
            | pg_sys::UUIDOID
            | pg_sys::JSONBOID
            | pg_sys::DATEOID
            | pg_sys::TIMESTAMPTZOID
            | pg_sys::TIMESTAMPOID
            | pg_sys::TEXTARRAYOID
    )
}
