//! Whether a change of parents leaves a forest, decided before any pair is written.
//!
//! A change moves some nodes. Each moved node takes along the part of its old subtree that is not below
//! another moved node: its component. Inside a component nothing changes, so a new cycle can only run
//! through components, and a node is too deep only if its component's root is. One pass over the moved
//! nodes decides both, however large the subtrees are.

use std::collections::HashMap;

/// A moved node, as the closure of the old state describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    pub id: i64,
    pub under: Under,
    /// The longest way down inside the component.
    pub height: i64,
}

/// Where a moved node hangs after the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Under {
    /// At the top, or below a parent that does not exist yet (a deferred load).
    Nothing,
    /// Below a node that keeps its place, at this depth (0: a root).
    Kept { depth: i64 },
    /// Below a node of the component of `root`, `below` steps under it.
    Component { root: i64, below: i64 },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// Roots of the components on the cycle, in order upwards.
    Cycle(Vec<i64>),
    TooDeep {
        id: i64,
        depth: i64,
    },
}

/// Checks a change; `max_depth` is the longest allowed chain of steps.
pub fn check(moved: &[Moved], max_depth: i64) -> Result<(), Broken> {
    let index: HashMap<i64, usize> = moved.iter().enumerate().map(|(i, m)| (m.id, i)).collect();
    let mut depth: Vec<Option<i64>> = vec![None; moved.len()];
    let mut on_path = vec![false; moved.len()];
    for start in 0..moved.len() {
        let mut path = Vec::new();
        let mut at = start;
        // Walk up over components until one whose depth is known.
        let mut base = loop {
            if let Some(known) = depth[at] {
                break known;
            }
            if on_path[at] {
                let from = path.iter().position(|&p| p == at).unwrap_or(0);
                return Err(Broken::Cycle(path[from..].iter().map(|&p: &usize| moved[p].id).collect()));
            }
            on_path[at] = true;
            path.push(at);
            match moved[at].under {
                Under::Nothing => break -1,
                Under::Kept { depth } => break depth,
                Under::Component { root, .. } => match index.get(&root) {
                    Some(&next) => at = next,
                    None => break -1,
                },
            }
        };
        for &node in path.iter().rev() {
            let below = match moved[node].under {
                Under::Component { below, .. } => below,
                _ => 0,
            };
            base += below + 1;
            if base + moved[node].height > max_depth {
                return Err(Broken::TooDeep { id: moved[node].id, depth: base + moved[node].height });
            }
            depth[node] = Some(base);
            on_path[node] = false;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(id: i64, under: Under, height: i64) -> Moved {
        Moved { id, under, height }
    }

    #[test]
    fn depths_add_up_along_components() {
        let change = [moved(3, Under::Component { root: 2, below: 1 }, 2), moved(2, Under::Kept { depth: 4 }, 1)];
        // 2 at 5, 3 at 5 + 1 + 1 = 7, its deepest at 9.
        assert_eq!(check(&change, 9), Ok(()));
        assert_eq!(check(&change, 8), Err(Broken::TooDeep { id: 3, depth: 9 }));
    }

    #[test]
    fn a_cycle_names_its_components() {
        let change = [
            moved(1, Under::Component { root: 2, below: 0 }, 0),
            moved(2, Under::Component { root: 3, below: 5 }, 5),
            moved(3, Under::Component { root: 2, below: 0 }, 0),
        ];
        assert_eq!(check(&change, 64), Err(Broken::Cycle(vec![2, 3])));
    }

    #[test]
    fn a_long_chain_is_one_pass() {
        let n = 200_000;
        let change: Vec<_> = (0..n)
            .map(|i| moved(i, if i == 0 { Under::Nothing } else { Under::Component { root: i - 1, below: 0 } }, 0))
            .collect();
        assert_eq!(check(&change, n), Ok(()));
        assert_eq!(check(&change, 64), Err(Broken::TooDeep { id: 65, depth: 65 }));
    }
}
