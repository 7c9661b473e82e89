//! The C symbols that the install script names, for functions that need the raw call.

use super::call::Call;
use pgrx::pg_sys;

macro_rules! entries {
    ($($info:ident, $symbol:ident => $body:path;)*) => {$(
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub extern "C-unwind" fn $info() -> &'static pg_sys::Pg_finfo_record {
            const V1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
            &V1
        }

        /// # Safety
        /// Called by Postgres only.
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $symbol(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
            // SAFETY: the guard turns panics into errors; fcinfo is what Postgres passed.
            unsafe {
                pg_sys::submodules::panic::pgrx_extern_c_guard(|| $body(&Call::new(fcinfo)))
            }
        }
    )*};
}

entries! {
    pg_finfo_leadguard_visible, leadguard_visible => crate::visibility::policy::visible;
    pg_finfo_leadguard_still_visible, leadguard_still_visible => crate::visibility::policy::still_visible;
    pg_finfo_leadguard_acceptable, leadguard_acceptable => crate::visibility::policy::acceptable;
    pg_finfo_leadguard_guard_statement, leadguard_guard_statement => crate::guard::statement;
    pg_finfo_leadguard_guard_row, leadguard_guard_row => crate::guard::row;
    pg_finfo_leadguard_guard_stored, leadguard_guard_stored => crate::guard::stored;
    pg_finfo_leadguard_closure_lock, leadguard_closure_lock => crate::hierarchy::lock;
    pg_finfo_leadguard_closure_maintain, leadguard_closure_maintain => crate::hierarchy::maintain;
}
