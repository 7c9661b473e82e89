//! Writes: what an INSERT, UPDATE or DELETE may do, how access is given and taken, who never writes, and what
//! `protect` and `unprotect` do to a table.

mod analyst;
mod drop_extension;
mod insert;
mod levels;
mod nobody;
mod ownership;
mod partitions;
mod protect;
mod reassign;
mod refusals;
mod schemas;
mod sharing;
mod snapshot;
mod unprotect;
