//! Everything that touches Postgres by pointer. No other folder may write `unsafe`.
//!
//! call     arguments, call-site state and results of functions in the version-1 calling convention
//! compat   differences between the server versions
//! entry    the C symbols that the install script names
//! raise    errors with a SQLSTATE of our own
//! session  users, transactions, the switch to the extension's owner
//! snapshot which state of the database a statement sees
//! sql      queries with an explicit choice of snapshot
//! trigger  trigger calls, their rows and transition tables

pub(crate) mod call;
mod compat;
mod entry;
pub(crate) mod raise;
pub(crate) mod session;
pub(crate) mod snapshot;
pub(crate) mod sql;
pub(crate) mod trigger;
