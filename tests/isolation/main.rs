//! Several sessions at once: revocations under a waiting statement, torn statements, hierarchy writers against each other.
//!
//! Nothing here depends on timing: a session that has to wait is waited for in pg_stat_activity, and only then does the other
//! one go on. Every schedule has a twin without the revocation, in which the same statement does get the row.

mod grants;
mod locked_rows;
mod readers;
mod session;
mod snapshots;
mod taken;
mod writers;
