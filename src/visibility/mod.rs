//! What a member reaches.
//!
//! A query enters, the identity is resolved, the sets are bound, rows pass or do not:
//! revision which state of the hierarchies a snapshot sees
//! state    that, the logins and the tables, read once while they are the same
//! member   the asking member, as the directory describes him
//! table    a protected table as registered, and a row as its mapped columns say
//! reach    what a member reaches in that state, kept until it changes
//! sets     which sets of values that is
//! grants   the records that grants add, read by each statement
//! granted  them, and in which ways they are reached
//! parents  rows of a parent table that the member reads
//! listed   which members and territories a written row may name
//! load     the queries behind both
//! subject  the asking member in one state of the database
//! rows     what he may do with one row
//! mapping  whether registered columns are still those that the policies read
//! hiding   which rows are hidden whatever the paths say
//! arm      which column decides, and against what
//! policy   the functions that the policies call, pinned for one execution

pub(crate) mod arm;
mod granted;
mod grants;
pub(crate) mod hiding;
pub(crate) mod listed;
mod load;
pub(crate) mod mapping;
pub(crate) mod member;
mod parents;
pub(crate) mod policy;
pub(crate) mod reach;
mod revision;
mod rows;
pub(crate) mod sets;
pub(crate) mod state;
pub(crate) mod subject;
pub(crate) mod table;

pub(crate) use member::Member;
pub(crate) use subject::{Subject, now, statement};
pub(crate) use table::{Mapped, Part, Table};
