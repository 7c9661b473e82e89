//! What every test needs: a database of its own, real connections as ordinary roles, and short ways to ask
//! "which rows", "which error". No test reads or writes through a superuser except to arrange and to compare.

mod ask;
mod cluster;
mod db;
mod fixture;
mod level;
mod wait;

pub use ask::{accepted, allowed, code, ids, refused, rows, scalar, set};
pub use cluster::{Server, server};
pub use db::Db;
pub use fixture::{enlist, lead_table, member, org, people, place, shared_data, territory};
pub use level::{leads, level, level_in, stored};
pub use wait::{blocked, pid};

pub use postgres;
pub use postgres::Client;
pub use postgres::error::DbError;
pub use rand;

/// The seed of a random test: `LEADGUARD_TEST_SEED` to repeat a run, otherwise a new one. Printed either way.
pub fn seed(name: &str) -> u64 {
    let seed = match std::env::var("LEADGUARD_TEST_SEED") {
        Ok(text) => text.trim().parse().expect("LEADGUARD_TEST_SEED is a whole number"),
        Err(_) => rand::random::<u32>() as u64,
    };
    println!("{name}: seed {seed} (repeat with LEADGUARD_TEST_SEED={seed})");
    seed
}
