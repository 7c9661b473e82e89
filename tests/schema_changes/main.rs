//! Event triggers on protected tables.
