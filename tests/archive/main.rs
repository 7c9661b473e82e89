//! DELETE archives; restore, purge, and what stays of purged rows.

mod attacks;
mod columns;
mod delete;
mod foreign_keys;
mod forms;
mod lab;
mod mixed;
mod partitions;
mod restore;
mod seeing;
mod system;
mod unprotect;
