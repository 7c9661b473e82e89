//! The end of a text behind asterisks, once for each masked value: without a guard, which would cost more than it
//! does.

use pgrx::pg_sys;

const HIDDEN: &[u8] = b"***";

/// Without pgrx's guard: what these raise (out of memory, a broken datum) passes frames that own nothing.
mod bare {
    use pgrx::pg_sys;
    unsafe extern "C-unwind" {
        pub(super) fn palloc(size: usize) -> *mut core::ffi::c_void;
        pub(super) fn pg_detoast_datum_packed(datum: *mut pg_sys::varlena) -> *mut pg_sys::varlena;
        pub(super) fn GetDatabaseEncoding() -> i32;
    }
}

/// The last `keep` characters; None where that is the whole text.
fn end(text: &[u8], keep: i32, utf8: bool) -> Option<&[u8]> {
    let mut left = usize::try_from(keep).ok().filter(|keep| *keep > 0)?;
    let mut at = text.len();
    while left > 0 {
        at = at.checked_sub(1)?;
        // A byte of the form 10xxxxxx continues a character.
        if !utf8 || text[at] & 0xC0 != 0x80 {
            left -= 1;
        }
    }
    (at > 0).then(|| &text[at..])
}

#[doc(hidden)]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn pg_finfo_leadguard_mask_partial() -> &'static pg_sys::Pg_finfo_record {
    const V1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &V1
}

/// (text, keep), strict.
///
/// # Safety
/// Called by Postgres only.
#[doc(hidden)]
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn leadguard_mask_partial(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: the function is strict and has two arguments, the first a text.
    let (value, keep) = unsafe {
        let args = (*fcinfo).args.as_ptr();
        ((*args).value.cast_mut_ptr(), (*args.add(1)).value.value() as i32)
    };
    // SAFETY: the datum is a text; what comes back lives as long as the call.
    let text = unsafe {
        let packed = bare::pg_detoast_datum_packed(value);
        std::slice::from_raw_parts(
            pgrx::varlena::vardata_any(packed).cast::<u8>(),
            pgrx::varlena::varsize_any_exhdr(packed),
        )
    };
    // SAFETY: reads a backend variable.
    let utf8 = unsafe { bare::GetDatabaseEncoding() } == pg_sys::pg_enc::PG_UTF8 as i32;
    let end = end(text, keep, utf8);
    let length = HIDDEN.len() + end.map_or(0, |end| 1 + end.len());
    // SAFETY: room for the header and what follows; the parts are written within it.
    unsafe {
        let made = bare::palloc(pg_sys::VARHDRSZ + length).cast::<u8>();
        pgrx::varlena::set_varsize_4b(made.cast(), (pg_sys::VARHDRSZ + length) as i32);
        let body = made.add(pg_sys::VARHDRSZ);
        std::ptr::copy_nonoverlapping(HIDDEN.as_ptr(), body, HIDDEN.len());
        if let Some(end) = end {
            *body.add(HIDDEN.len()) = b'-';
            std::ptr::copy_nonoverlapping(end.as_ptr(), body.add(HIDDEN.len() + 1), end.len());
        }
        pg_sys::Datum::from(made)
    }
}
