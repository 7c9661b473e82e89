//! What a member reaches.
//!
//! A query enters, the identity is resolved, the sets are bound, rows pass or do not:
//! subject  the asking member and everything loaded for one state of the database
//! load     the queries that fill it
//! mapping  whether registered columns are still those that the policies read
//! policy   the functions that the policies call, pinned for one execution

mod load;
pub(crate) mod mapping;
pub(crate) mod policy;
pub(crate) mod subject;

pub(crate) use subject::{Subject, Table, now, statement};
