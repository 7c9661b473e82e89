//! Sets of ids.
//!
//! Members and territories have small, dense ids, for which a roaring bitmap takes a few bytes for a rep and
//! a bit for each id for the top of the tree, and answers in nanoseconds. Ids that do not fit into 32 bits
//! (record ids may be anything) stand in a sorted list beside it.

use roaring::RoaringBitmap;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct IdSet {
    small: RoaringBitmap,
    /// Sorted, without duplicates.
    large: Vec<i64>,
}

impl IdSet {
    #[inline]
    pub fn contains(&self, id: i64) -> bool {
        match u32::try_from(id) {
            Ok(small) => self.small.contains(small),
            Err(_) => self.large.binary_search(&id).is_ok(),
        }
    }

    pub fn len(&self) -> u64 {
        self.small.len() + self.large.len() as u64
    }

    pub fn is_empty(&self) -> bool {
        self.small.is_empty() && self.large.is_empty()
    }

    /// All ids in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = i64> + '_ {
        let (negative, positive) = self.large.split_at(self.large.partition_point(|id| *id < 0));
        negative.iter().copied().chain(self.small.iter().map(i64::from)).chain(positive.iter().copied())
    }

    pub fn bytes(&self) -> usize {
        let statistics = self.small.statistics();
        let containers = statistics.n_bytes_array_containers
            + statistics.n_bytes_run_containers
            + statistics.n_bytes_bitset_containers;
        size_of::<IdSet>() + containers as usize + self.large.capacity() * size_of::<i64>()
    }
}

impl FromIterator<i64> for IdSet {
    fn from_iter<I: IntoIterator<Item = i64>>(ids: I) -> IdSet {
        let mut set = IdSet::default();
        let mut small = Vec::new();
        for id in ids {
            match u32::try_from(id) {
                Ok(id) => small.push(id),
                Err(_) => set.large.push(id),
            }
        }
        // In order, an id costs a few nanoseconds to add; anywhere else it moves others.
        small.sort_unstable();
        set.small.extend(small);
        set.small.optimize();
        set.large.sort_unstable();
        set.large.dedup();
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn answers_as_a_tree_set_does() {
        let mut state = 1u64;
        for round in 0..50u32 {
            let mut model = BTreeSet::new();
            for _ in 0..round * 20 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let id = match state >> 62 {
                    0 => (state >> 40) as i64,
                    1 => -((state >> 50) as i64),
                    2 => (state >> 8) as i64,
                    _ => (state >> 58) as i64,
                };
                model.insert(id);
            }
            model.extend(
                [i64::MIN, -1, 0, i64::from(u32::MAX), i64::from(u32::MAX) + 1, i64::MAX]
                    .iter()
                    .take(round as usize % 7),
            );
            let set: IdSet = model.iter().rev().copied().collect();
            assert!(set.iter().eq(model.iter().copied()), "round {round}");
            assert_eq!(set.len(), model.len() as u64);
            for id in model.iter().flat_map(|id| [id.wrapping_sub(1), *id, id.wrapping_add(1)]) {
                assert_eq!(set.contains(id), model.contains(&id), "round {round}, {id}");
            }
        }
    }

    #[test]
    fn a_whole_organization_takes_little() {
        let set: IdSet = (1..=100_000).collect();
        assert!(set.bytes() < 30_000, "{}", set.bytes());
    }
}
