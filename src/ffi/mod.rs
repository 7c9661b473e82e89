//! Everything that touches Postgres by pointer. No other folder may write `unsafe`.
//!
//! append   rows put into the extension's own tables without a statement
//! attempt  something that may fail without ending the statement
//! call     arguments, call-site state and results of functions in the version-1 calling convention
//! compare  values of any type as the type orders them
//! compat   differences between the server versions
//! copy     COPY TO, as the executor sees it
//! count    rows of protected tables counted by reading the tables
//! delete   DELETEs that archive: what the executor counts and returns
//! entries  how many rows an index has for a few values
//! entry    the C symbols that the install script names
//! expr     expressions of a query tree
//! index_cost what finding rows by a set of values costs
//! invalidation plans and cached facts that hold no longer
//! lookup   whether a query has its row already
//! planner  requests of the planner
//! policies the policies of a table, and whether it has any
//! probe    the calls that run once for each row
//! raise    errors with a SQLSTATE of our own
//! row      all columns of a row: which differ, and what they say
//! owner    working as the owner of a table
//! rows     rows of a query as the result of a function
//! runs     what queries give to their clients
//! scan     direct reads of the extension's own tables
//! session  users, names, the switch to the extension's owner
//! shared   memory that all sessions share
//! shown    how columns of a row are shown, once for each row
//! setting  settings that only the extension writes
//! snapshot which state of the database a statement sees
//! sql      queries with an explicit choice of snapshot
//! stream   rows of large queries of the extension
//! statistics what the planner knows of columns and tables
//! transaction the one that runs, and who is told how it ends
//! trigger  trigger calls, their rows and transition tables
//! versions what the database knows of
//! whole    all rows of a protected table, read without a query
//! undone   work that is done and taken back

pub(crate) mod append;
pub(crate) mod attempt;
pub(crate) mod call;
pub(crate) mod compare;
mod compat;
pub(crate) mod copy;
pub(crate) mod count;
pub(crate) mod default;
pub(crate) mod delete;
mod entries;
mod entry;
pub(crate) mod expr;
pub(crate) mod index_cost;
pub(crate) mod invalidation;
mod lookup;
pub(crate) mod owner;
mod partial;
pub(crate) mod plain;
pub(crate) mod planner;
pub(crate) mod policies;
pub(crate) mod probe;
pub(crate) mod raise;
pub(crate) mod row;
pub(crate) mod rows;
pub(crate) mod runs;
pub(crate) mod scan;
pub(crate) mod session;
pub(crate) mod setting;
pub(crate) mod shared;
pub(crate) mod shown;
pub(crate) mod snapshot;
pub(crate) mod sql;
pub(crate) mod statistics;
pub(crate) mod stream;
pub(crate) mod transaction;
pub(crate) mod trigger;
pub(crate) mod undone;
pub(crate) mod versions;
pub(crate) mod whole;
