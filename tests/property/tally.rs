//! What the random run really met. A run in which no share was ever decisive, or no write ever refused, agrees with
//! every reference and proves nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;

thread_local! {
    static MET: RefCell<BTreeMap<String, u64>> = const { RefCell::new(BTreeMap::new()) };
}

pub fn met(what: impl Into<String>) {
    MET.with_borrow_mut(|met| *met.entry(what.into()).or_insert(0) += 1);
}

/// What every run of at least this many rounds meets, by a wide margin.
const ENOUGH_ROUNDS: u32 = 500;
const MUST_MEET: [&str; 27] = [
    "set: some",
    "set: none",
    "set: all",
    "decisive: admin",
    "decisive: own",
    "decisive: manager",
    "decisive: record_team",
    "decisive: record_team_manager",
    "decisive: share",
    "decisive: territory",
    "decisive: territory_ancestor",
    "decisive: territory_manager",
    "write: 0",
    "write: 1",
    "write: 42501",
    "insert: 1",
    "insert: 42501",
    "hand over: 1",
    "hand over: 42501",
    "about others: t",
    "about others: 42501",
    "act_as: ok",
    "act_as: 28000",
    "given: ok",
    "given: 42501",
    "edit: ok",
    "edit: LG001",
];

pub fn report(rounds: u32) {
    MET.with_borrow(|met| {
        let listed: Vec<String> = met.iter().map(|(what, times)| format!("{what} {times}")).collect();
        println!("property: met {}", listed.join(", "));
        if rounds >= ENOUGH_ROUNDS {
            let missing: Vec<&str> = MUST_MEET.into_iter().filter(|what| !met.contains_key(*what)).collect();
            assert!(missing.is_empty(), "the run never met {missing:?}");
        }
    });
}
