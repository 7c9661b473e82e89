//! Attacks on leadguard, as a person would carry them out: over connections of their own, with ordinary rights.
//!
//! `attack_NN_*` are the numbered hazards of plain row level security with leadguard in the place of the naive policy; the
//! other tests are attacks on what leadguard adds. Every refusal has a twin in the same test that differs in one thing and
//! succeeds, so that a test which asks the wrong question cannot pass. `limit_*` pin down channels that are accepted.

mod bypass;
mod connector;
mod cursors;
mod directory;
mod errors;
mod identity;
mod lab;
mod leaks;
mod moments;
mod packaging;
mod partitions;
mod passes;
mod plans;
mod shadow;
mod tenants;
mod triggers;
mod two_worlds;
mod writes;
