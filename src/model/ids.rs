//! Sets of ids.
//!
//! Members and territories have small, dense ids, for which a roaring bitmap takes a few bytes for a rep and
//! a bit for each id for the top of the tree, and answers in nanoseconds. Ids that do not fit into 32 bits
//! (record ids may be anything) stand in a sorted list beside it.
//!
//! A large set with gaps, such as the records granted to somebody high up, is a flat bitmap besides: the roaring
//! one searches such an id in lists, which took a third of the time of counting a table.

use fixedbitset::FixedBitSet;
use roaring::RoaringBitmap;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct IdSet {
    small: RoaringBitmap,
    /// The same ids.
    flat: Option<FixedBitSet>,
    /// Sorted, without duplicates.
    large: Vec<i64>,
}

impl IdSet {
    #[inline]
    pub fn contains(&self, id: i64) -> bool {
        match u32::try_from(id) {
            Ok(small) => match &self.flat {
                Some(flat) => flat.contains(small as usize),
                None => self.small.contains(small),
            },
            Err(_) => self.large.binary_search(&id).is_ok(),
        }
    }

    pub fn len(&self) -> u64 {
        self.small.len() + self.large.len() as u64
    }

    /// All ids in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = i64> + '_ {
        let (negative, positive) = self.large.split_at(self.large.partition_point(|id| *id < 0));
        negative.iter().copied().chain(self.small.iter().map(i64::from)).chain(positive.iter().copied())
    }

    pub fn bytes(&self) -> usize {
        let flat = self.flat.as_ref().map_or(0, |flat| flat.len() / 8);
        size_of::<IdSet>() + bytes_of(&self.small) + flat + self.large.capacity() * size_of::<i64>()
    }
}

/// Smaller sets are searched as fast.
const FLAT_FROM: u64 = 64;
/// How many times the memory of the roaring bitmap the flat one may take.
const FLAT_FACTOR: usize = 8;

fn bytes_of(ids: &RoaringBitmap) -> usize {
    let statistics = ids.statistics();
    // Of bitset containers the library reports the bits as bytes.
    let bitsets = u64::from(statistics.n_bitset_containers) * (1 << 16) / 8;
    (statistics.n_bytes_array_containers + statistics.n_bytes_run_containers + bitsets) as usize
}

fn flattened(ids: &RoaringBitmap) -> Option<FixedBitSet> {
    let bits = ids.max()? as usize + 1;
    if ids.len() < FLAT_FROM || bits / 8 > bytes_of(ids) * FLAT_FACTOR {
        return None;
    }
    let mut flat = FixedBitSet::with_capacity(bits);
    ids.iter().for_each(|id| flat.insert(id as usize));
    Some(flat)
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
        set.flat = flattened(&set.small);
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
    fn a_flat_set_answers_as_the_list_does() {
        let model: BTreeSet<i64> = (0..20_000).map(|i| i * 37 % 100_003).collect();
        let set: IdSet = model.iter().copied().collect();
        assert!(set.flat.is_some());
        assert!(set.iter().eq(model.iter().copied()));
        for id in -1..100_100 {
            assert_eq!(set.contains(id), model.contains(&id), "{id}");
        }
        for outside in [i64::MIN, i64::from(u32::MAX), i64::MAX] {
            assert!(!set.contains(outside));
        }
        assert!(set.bytes() < 60_000, "{}", set.bytes());
        let far: IdSet = model.iter().map(|id| id * 1000).collect();
        assert!(far.flat.is_none(), "too much memory for what it saves");
    }

    #[test]
    fn a_whole_organization_takes_little() {
        let set: IdSet = (1..=100_000).collect();
        assert!(set.bytes() < 30_000, "{}", set.bytes());
    }
}
