//! Thousands of random changes, each followed by the same questions to the database and to a brute-force reference.
//!
//! LEADGUARD_TEST_SEED repeats a run or makes a new one (random), LEADGUARD_TEST_ROUNDS makes it shorter or longer.
//! A difference names the seed, the round, the member, the record and every path that the reference found.

mod build;
mod checks;
mod edits;
mod facts;
mod facts_rules;
mod generate;
mod given;
mod matrix;
mod questions;
mod record_edits;
mod reference;
mod resolve;
mod rich;
mod rich_edits;
mod rule_edits;
mod rulebook;
mod sessions;
mod tally;
mod transactions;
mod world;
mod writes;

use leadguard_tests::rand::rngs::StdRng;
use leadguard_tests::rand::{Rng, SeedableRng};
use leadguard_tests::{Db, accepted, seed};
use rulebook::Presets;
use sessions::Sessions;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

/// Rounds over the preset sales_hierarchy as it is shipped, and over rules, presets, switches and hiding. Both together
/// take about eight minutes on two cores.
const PLAIN_ROUNDS: u32 = 1_500;
const RICH_ROUNDS: u32 = 1_000;
/// Then a new database with new organizations and tables, because edits wear a world out.
const ROUNDS_PER_WORLD: u32 = 250;

#[test]
fn property_access_equals_the_reference_after_random_changes() {
    run("property", false, PLAIN_ROUNDS);
}

#[test]
fn property_rules_presets_switches_and_hiding_equal_the_reference() {
    run("property_rules", true, RICH_ROUNDS);
}

fn run(name: &str, rich: bool, rounds: u32) {
    let rounds = std::env::var("LEADGUARD_TEST_ROUNDS")
        .map_or(rounds, |text| text.trim().parse().expect("LEADGUARD_TEST_ROUNDS is a whole number"));
    let seed = seed(name);
    let mut round = 0;
    let mut number = 0;
    while round < rounds {
        // A seed per world: a failure repeats without the worlds before it being the same length.
        let mut rng = StdRng::seed_from_u64(seed.wrapping_add(number));
        number += 1;
        // Rules change everything at once, so rich worlds are worn out sooner.
        let until = rounds.min(round + if rich { ROUNDS_PER_WORLD / 2 } else { ROUNDS_PER_WORLD });
        one_world(&mut rng, name, rich, &format!("{name}, seed {seed}, world {number}"), &mut round, until);
    }
    println!("{name}: {round} rounds over {number} databases agree with the reference");
    tally::report(name, rich, seed, round);
}

fn one_world(rng: &mut StdRng, db: &str, rich: bool, name: &str, round: &mut u32, until: u32) {
    let db = Db::new(db);
    let mut admin = db.admin();
    // Members who own records come and go here; tests/organizations says what keeps them.
    accepted(&mut admin, "UPDATE leadguard.access_switch SET default_value = 'off' WHERE name = 'owners_stay'");
    // So do the last Owner and whoever answers for the data.
    for table in ["member", "member_role"] {
        accepted(
            &mut admin,
            &format!(
                "ALTER TABLE leadguard.{table} DISABLE TRIGGER directory_45_holders_update, DISABLE TRIGGER directory_45_holders_delete"
            ),
        );
    }
    // Contacts are granted at any level to anybody, which leadguard.contact_add never does; tests/contacts has those.
    accepted(&mut admin, "ALTER TABLE leadguard.record_grant DROP CONSTRAINT record_grant_contact_kind");
    let presets = Arc::new(Presets::read(&mut admin));
    let mut world = generate::world(rng, presets, rich);
    build::build(&db, &mut admin, &world);
    let mut sessions = Sessions::open(&db, admin, &world);
    // Most presets give little to most members: rules of the tables' own make the worlds dense.
    for _ in 0..if rich { 60 } else { 0 } {
        transactions::rules(rng, &mut sessions, &mut world);
    }
    while *round < until {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            if rich && rng.random_range(0..4) == 0 {
                sessions.view(&mut world, rng.random_range(0..world::LOGINS + world::ANALYSTS));
            }
            transactions::round(rng, &db, &mut sessions, &mut world);
            checks::round(rng, &mut sessions, &world);
            writes::round(rng, &mut sessions, &world);
            if rng.random_range(0..4) == 0 {
                transactions::own_changes(rng, &mut sessions, &mut world);
            }
            if rng.random_range(0..4) == 0 {
                given::round(rng, &mut sessions, &mut world);
            }
            if rich && rng.random_range(0..4) == 0 {
                rule_edits::by_member(rng, &mut sessions, &mut world);
            }
        }));
        if let Err(cause) = outcome {
            eprintln!("{name}, round {round}");
            resume_unwind(cause);
        }
        *round += 1;
    }
}
