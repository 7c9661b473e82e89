//! The directory: members and territories, their materialized closures, who may edit and read them, dump and restore.

mod bulk;
mod closure;
mod concurrency;
mod cycles;
mod depth;
mod dump;
mod keys;
mod privileges;
mod reading;
mod tree;
mod verify;
