//! Settings that only the extension writes.

use pgrx::guc::GucEnum;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, pg_sys};
use std::cell::Cell;
use std::ffi::{CStr, CString};

thread_local! {
    static WRITING: Cell<bool> = const { Cell::new(false) };
}

/// A setting that SQL cannot change.
pub(crate) struct Guarded {
    name: &'static CStr,
    setting: GucSetting<Option<CString>>,
}

impl Guarded {
    pub(crate) const fn new(name: &'static CStr) -> Guarded {
        Guarded { name, setting: GucSetting::<Option<CString>>::new(None) }
    }

    pub(crate) fn define(&'static self, short: &'static CStr, long: &'static CStr) {
        // SAFETY: the hook has the type that a string setting needs and lives as long as the backend.
        unsafe {
            GucRegistry::define_string_guc_with_hooks(
                self.name,
                short,
                long,
                &self.setting,
                GucContext::Suset,
                GucFlags::NO_SHOW_ALL | GucFlags::NO_RESET_ALL | GucFlags::DISALLOW_IN_FILE,
                Some(check),
                None,
                None,
            );
        }
    }

    pub(crate) fn value(&self) -> Option<String> {
        self.setting.get().and_then(|value| value.into_string().ok()).filter(|value| !value.is_empty())
    }
}

/// Until the end of the transaction, or of the savepoint in which it was set if that is rolled back.
pub(crate) fn set_for_transaction(guarded: &Guarded, value: &str) {
    struct Done;
    impl Drop for Done {
        fn drop(&mut self) {
            WRITING.set(false);
        }
    }
    let value = CString::new(value).unwrap_or_default();
    WRITING.set(true);
    let _done = Done;
    // SAFETY: terminated strings; the transaction undoes it.
    unsafe {
        pg_sys::set_config_option(
            guarded.name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_SUSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_LOCAL,
            true,
            0,
            false,
        )
    };
}

/// Refuses everybody but the extension and the server that starts a parallel worker. Never raises.
unsafe extern "C-unwind" fn check(
    value: *mut *mut core::ffi::c_char,
    _extra: *mut *mut core::ffi::c_void,
    _source: pg_sys::GucSource::Type,
) -> bool {
    // SAFETY: the server passes a pointer to the new value, which may be null.
    let value = unsafe { *value };
    // SAFETY: not null, and terminated then.
    let is_empty = value.is_null() || unsafe { *value } == 0;
    // SAFETY: reads a backend variable.
    is_empty || WRITING.get() || unsafe { pg_sys::InitializingParallelWorker }
}

/// A setting that anybody changes, and that plans and call sites rest on.
pub(crate) fn define_view_mode<T: GucEnum>(
    name: &'static CStr,
    short: &'static CStr,
    long: &'static CStr,
    setting: &'static GucSetting<T>,
) {
    // SAFETY: the hook has the type that an enum setting needs and lives as long as the backend.
    unsafe {
        GucRegistry::define_enum_guc_with_hooks(
            name,
            short,
            long,
            setting,
            GucContext::Userset,
            GucFlags::default(),
            None,
            Some(assign_view_mode),
            None,
        );
    }
}

/// Never raises: it runs at the end of transactions, too.
unsafe extern "C-unwind" fn assign_view_mode(_value: core::ffi::c_int, _extra: *mut core::ffi::c_void) {
    crate::identity::view_changes();
    crate::planner::plans::forget();
}
