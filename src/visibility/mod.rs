//! What a member reaches.
//!
//! A query enters, the identity is resolved, the sets are bound, rows pass or do not:
//! revision which state of the hierarchies a snapshot sees
//! state    that, the logins and the tables, read once while they are the same
//! reach    what a member reaches in that state, kept until it changes
//! grants   the records that grants add, read by each statement
//! listed   which members and territories a written row may name
//! load     the queries behind both
//! subject  the asking member in one state of the database
//! mapping  whether registered columns are still those that the policies read
//! arm      which column decides, and against what
//! policy   the functions that the policies call, pinned for one execution

pub(crate) mod arm;
mod grants;
pub(crate) mod listed;
mod load;
pub(crate) mod mapping;
pub(crate) mod policy;
pub(crate) mod reach;
mod revision;
pub(crate) mod state;
pub(crate) mod subject;

pub(crate) use subject::{Subject, Table, now, statement};
