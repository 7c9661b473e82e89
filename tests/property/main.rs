//! Thousands of random changes, each followed by the same questions to the database and to a brute-force reference.
//!
//! LEADGUARD_TEST_SEED repeats a run, LEADGUARD_TEST_ROUNDS makes it shorter or longer. A difference names the seed,
//! the round, the member, the record and every path that the reference found.

mod build;
mod checks;
mod edits;
mod facts;
mod generate;
mod given;
mod record_edits;
mod reference;
mod sessions;
mod tally;
mod transactions;
mod world;
mod writes;

use leadguard_tests::rand::rngs::StdRng;
use leadguard_tests::rand::{Rng, SeedableRng};
use leadguard_tests::{Db, seed};
use sessions::Sessions;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// 2,000 rounds take about two and a half minutes on two cores.
const ROUNDS: u32 = 2_000;
/// Then a new database with new organizations and tables, because edits wear a world out.
const ROUNDS_PER_WORLD: u32 = 250;

#[test]
fn property_access_equals_the_reference_after_random_changes() {
    let rounds = std::env::var("LEADGUARD_TEST_ROUNDS")
        .map_or(ROUNDS, |text| text.trim().parse().expect("LEADGUARD_TEST_ROUNDS is a whole number"));
    let seed = seed("property");
    let mut round = 0;
    let mut number = 0;
    while round < rounds {
        // A seed per world: a failure repeats without the worlds before it being the same length.
        let mut rng = StdRng::seed_from_u64(seed.wrapping_add(number));
        number += 1;
        let until = rounds.min(round + ROUNDS_PER_WORLD);
        one_world(&mut rng, &format!("seed {seed}, world {number}"), &mut round, until);
    }
    println!("property: {round} rounds over {number} databases agree with the reference");
    tally::report(round);
}

fn one_world(rng: &mut StdRng, name: &str, round: &mut u32, until: u32) {
    let mut world = generate::world(rng);
    let db = Db::new("property");
    let mut admin = db.admin();
    build::build(&db, &mut admin, &world);
    let mut sessions = Sessions::open(&db, admin);
    while *round < until {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            transactions::round(rng, &db, &mut sessions, &mut world);
            checks::round(rng, &mut sessions, &world);
            writes::round(rng, &mut sessions, &world);
            if rng.random_range(0..4) == 0 {
                transactions::own_changes(rng, &mut sessions, &mut world);
            }
            if rng.random_range(0..4) == 0 {
                given::round(rng, &mut sessions, &mut world);
            }
        }));
        if let Err(cause) = outcome {
            eprintln!("property: {name}, round {round}");
            resume_unwind(cause);
        }
        *round += 1;
    }
}
