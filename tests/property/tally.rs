//! What the random run really met. A run in which no share was ever decisive, or no write ever refused, agrees with
//! every reference and proves nothing.

use leadguard_tests::DEFAULT_SEED;
use std::cell::RefCell;
use std::collections::BTreeMap;

thread_local! {
    static MET: RefCell<BTreeMap<String, u64>> = const { RefCell::new(BTreeMap::new()) };
}

pub fn met(what: impl Into<String>) {
    MET.with_borrow_mut(|met| *met.entry(what.into()).or_insert(0) += 1);
}

/// What a run of at least this many rounds from the default seed meets; from others it may miss what is rare.
const ENOUGH_ROUNDS: u32 = 500;
const MUST_MEET: [&str; 26] = [
    "set: some",
    "set: none",
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

/// And rich worlds beside it.
const RICH_MUST_MEET: [&str; 35] = [
    "access_matrix",
    "member_rights",
    "mark_sensitive: true",
    "mark_sensitive: false",
    "unmark_sensitive: true",
    "move team: 1",
    "move segment: 1",
    "move parent: 1",
    "move creator: 42501",
    "set_rule by a member: ok",
    "set_rule by a member: 42501",
    "decisive: created",
    "decisive: colleague",
    "decisive: contact",
    "decisive: scope",
    "decisive: team",
    "decisive: organization",
    "decisive: parent",
    "hidden: stage",
    "hidden: sensitive",
    "write: LG004",
    "set_rule: Works",
    "set_rule: Cannot",
    "set_rule: Open",
    "either: ok",
    "edit: 22023",
    "set_switch: visibility",
    "set_switch: edit",
    "set_switch: delete_mode",
    "move stage: 1",
    "move stage: 42501",
    "move status: 1",
    "move status: 42501",
    "move sensitive: 1",
    "move sensitive: 42501",
];

pub fn report(name: &str, rich: bool, seed: u64, rounds: u32) {
    MET.with_borrow(|met| {
        let listed: Vec<String> = met.iter().map(|(what, times)| format!("{what} {times}")).collect();
        println!("{name}: met {}", listed.join(", "));
        if rounds >= ENOUGH_ROUNDS && seed == DEFAULT_SEED {
            let due = MUST_MEET.iter().chain(if rich { &RICH_MUST_MEET[..] } else { &[] });
            let missing: Vec<&&str> = due.filter(|what| !met.contains_key(**what)).collect();
            assert!(missing.is_empty(), "the run never met {missing:?}");
        }
    });
}
