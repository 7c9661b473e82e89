//! Raising errors whose SQLSTATE pgrx's closed enum cannot carry.

use pgrx::{PgLogLevel, pg_sys};
use std::ffi::CString;

/// One error as the client gets it.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    pub code: &'static str,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
}

/// Six bits for each character, as MAKE_SQLSTATE in elog.h does.
pub(crate) fn sqlstate(code: &str) -> i32 {
    code.bytes().take(5).enumerate().fold(0, |acc, (i, b)| acc | ((i32::from(b.wrapping_sub(b'0')) & 0x3f) << (6 * i)))
}

fn copied(text: &str) -> *mut core::ffi::c_char {
    let clean = text.replace('\0', "?");
    let c = CString::new(clean).unwrap_or_default();
    // SAFETY: pstrdup copies a terminated string into the current memory context.
    unsafe { pg_sys::pstrdup(c.as_ptr()) }
}

fn throw(report: &Report, level: i32) {
    let mut data = pg_sys::ErrorData {
        elevel: level,
        sqlerrcode: sqlstate(report.code),
        message: copied(&report.message),
        ..Default::default()
    };
    if let Some(detail) = &report.detail {
        data.detail = copied(detail);
    }
    if let Some(hint) = &report.hint {
        data.hint = copied(hint);
    }
    // SAFETY: ThrowErrorData copies what it needs; all pointers are null or live in the current context.
    unsafe { pg_sys::ThrowErrorData(&mut data) }
}

/// Ends the statement. Never returns; unwinds through Rust frames as pgrx does for errors of Postgres.
pub(crate) fn error(report: &Report) -> ! {
    throw(report, PgLogLevel::ERROR as i32);
    unreachable!("an error of level ERROR does not return")
}

mod report {
    use core::ffi::{c_char, c_int};
    unsafe extern "C-unwind" {
        pub(super) fn errstart(level: c_int, domain: *const c_char) -> bool;
        pub(super) fn errfinish(file: *const c_char, line: c_int, function: *const c_char);
    }
}

/// One line in the server log, which no client sees; without the statement, whose text holds values.
pub(crate) fn log(line: &str) {
    // SAFETY: opens a report, which errfinish closes.
    if !unsafe { report::errstart(PgLogLevel::LOG_SERVER_ONLY as i32, core::ptr::null()) } {
        return;
    }
    let text = copied(line);
    // SAFETY: a report is open; format and argument are terminated strings.
    unsafe { pg_sys::errmsg_internal(c"%s".as_ptr(), text) };
    // SAFETY: a report is open.
    unsafe { pg_sys::errhidestmt(true) };
    // SAFETY: a report is open.
    unsafe { pg_sys::errhidecontext(true) };
    // SAFETY: closes it; below ERROR the function returns.
    unsafe { report::errfinish(c"leadguard".as_ptr(), 0, c"denied".as_ptr()) };
}

pub(crate) fn notice(message: &str) {
    throw(&Report { code: "00000", message: message.to_owned(), detail: None, hint: None }, PgLogLevel::NOTICE as i32);
}
