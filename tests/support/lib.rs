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

/// The seed of a random test, printed: always the same, so that a run says something about the change that it is run
/// for. `LEADGUARD_TEST_SEED` takes another number, or `random` to look where nobody has looked yet.
pub fn seed(name: &str) -> u64 {
    let seed = match std::env::var("LEADGUARD_TEST_SEED").as_deref().map(str::trim) {
        Err(_) => DEFAULT_SEED,
        Ok("random") => rand::random::<u32>() as u64,
        Ok(text) => text.parse().expect("LEADGUARD_TEST_SEED is random or a whole number"),
    };
    println!("{name}: seed {seed} (repeat with LEADGUARD_TEST_SEED={seed})");
    seed
}

pub const DEFAULT_SEED: u64 = 1;
