//! Every released version is updated to the current one and is then what a new installation is.
//!
//! The install scripts of released versions are kept here as they were published; the server gets them from
//! pg_test_config/test. They run with the library of today, as on a server whose files were replaced and whose
//! databases were not updated yet.

mod catalog;
mod company;
mod dump;
mod library;
mod released;
mod rights;
mod same;
mod sessions;
