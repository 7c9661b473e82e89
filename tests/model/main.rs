//! The algorithms of src/model, without a server: their own unit tests, and the decision on a changed forest
//! against a walk that knows nothing of components.

#[allow(dead_code)]
#[path = "../../src/model/mod.rs"]
mod model;

use model::forest::{Broken, Moved, Under, check};
use proptest::prelude::*;
use std::collections::HashMap;

type Parents = HashMap<i64, Option<i64>>;

/// Steps from a node to the top, or None when it never gets there.
fn depth(parents: &Parents, mut node: i64) -> Option<i64> {
    for steps in 0..=parents.len() as i64 {
        match parents[&node] {
            Some(parent) => node = parent,
            None => return Some(steps),
        }
    }
    None
}

fn ancestors(parents: &Parents, node: i64) -> Vec<i64> {
    std::iter::successors(Some(node), |n| parents[n]).collect()
}

/// The change as the closure of the old state describes it.
fn describe(old: &Parents, new: &Parents) -> Vec<Moved> {
    let moved: Vec<i64> = old.keys().copied().filter(|n| old[n] != new[n]).collect();
    let component = |node: i64| {
        let up = ancestors(old, node);
        up.iter().position(|a| moved.contains(a)).map(|steps| (up[steps], steps as i64))
    };
    moved
        .iter()
        .map(|&id| {
            let under = match new[&id] {
                None => Under::Nothing,
                Some(parent) => match component(parent) {
                    Some((root, below)) => Under::Component { root, below },
                    None => Under::Kept { depth: ancestors(old, parent).len() as i64 - 1 },
                },
            };
            let height = old.keys().filter_map(|&n| component(n).filter(|(r, _)| *r == id).map(|(_, s)| s)).max();
            Moved { id, under, height: height.unwrap_or(0) }
        })
        .collect()
}

/// A random forest: each node's parent has a smaller number, under a random renaming.
fn forest(size: usize) -> impl Strategy<Value = Parents> {
    proptest::collection::vec(any::<prop::sample::Index>(), size).prop_map(move |picks| {
        picks
            .iter()
            .enumerate()
            .map(|(node, pick)| (node as i64, (node > 0).then(|| pick.index(node + 1) as i64 - 1).filter(|p| *p >= 0)))
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_decision_equals_a_walk_over_the_new_forest(
        old in forest(14),
        moves in proptest::collection::vec((0i64..14, proptest::option::of(0i64..14)), 1..6),
        max_depth in 1i64..10,
    ) {
        prop_assume!(old.keys().all(|&n| depth(&old, n).is_some_and(|d| d <= max_depth)));
        let mut new = old.clone();
        for (node, parent) in moves {
            new.insert(node, parent);
        }
        let depths: Vec<Option<i64>> = new.keys().map(|&n| depth(&new, n)).collect();
        match check(&describe(&old, &new), max_depth) {
            Ok(()) => prop_assert!(depths.iter().all(|d| d.is_some_and(|d| d <= max_depth))),
            Err(Broken::TooDeep { depth, .. }) => {
                prop_assert!(depth > max_depth);
                prop_assert!(depths.iter().any(|d| d.is_none_or(|d| d > max_depth)));
            }
            Err(Broken::Cycle(roots)) => {
                for root in roots {
                    prop_assert!(depth(&new, root).is_none(), "{root} is on no cycle");
                }
            }
        }
    }
}
