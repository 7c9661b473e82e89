//! Values of mapped columns and sets of them.
//!
//! An owner column may hold ids (smallint, integer, bigint) or keys (text, varchar, uuid); a set answers
//! for whichever kind it was filled with.

use std::collections::HashMap;
use std::hash::Hash;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Int2,
    Int4,
    Int8,
    Text,
    Uuid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    Null,
    Int(i64),
    Text(&'a str),
    Uuid([u8; 16]),
}

impl Kind {
    pub fn is_int(self) -> bool {
        matches!(self, Kind::Int2 | Kind::Int4 | Kind::Int8)
    }

    /// Whether an id fits into a column of this kind.
    pub fn fits(self, id: i64) -> bool {
        match self {
            Kind::Int2 => i16::try_from(id).is_ok(),
            Kind::Int4 => i32::try_from(id).is_ok(),
            _ => true,
        }
    }
}

/// The canonical decimal form only: no sign but minus, no leading zeros, no blanks.
pub fn parse_int(text: &str) -> Option<i64> {
    let value: i64 = text.parse().ok()?;
    (value.to_string() == text).then_some(value)
}

/// The hyphenated form, in either case.
pub fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    if text.len() != 36 {
        return None;
    }
    let mut out = [0u8; 16];
    let mut nibbles = 0usize;
    for (position, byte) in text.bytes().enumerate() {
        if matches!(position, 8 | 13 | 18 | 23) {
            if byte != b'-' {
                return None;
            }
            continue;
        }
        let digit = (byte as char).to_digit(16)? as u8;
        out[nibbles / 2] |= if nibbles.is_multiple_of(2) { digit << 4 } else { digit };
        nibbles += 1;
    }
    Some(out)
}

/// A map from values to whatever is known of them; a set is a map to ().
#[derive(Debug, Clone)]
pub struct ValueMap<T> {
    ints: HashMap<i64, T, BuildFast>,
    texts: HashMap<Box<str>, T>,
    uuids: HashMap<[u8; 16], T, BuildFast>,
}

pub type ValueSet = ValueMap<()>;

impl<T> Default for ValueMap<T> {
    fn default() -> Self {
        ValueMap { ints: HashMap::default(), texts: HashMap::default(), uuids: HashMap::default() }
    }
}

impl<T> ValueMap<T> {
    pub fn insert_int(&mut self, id: i64, value: T) {
        self.ints.insert(id, value);
    }

    /// Adds a key as a column of `kind` would hold it; a key that such a column cannot hold is left out.
    pub fn insert_key(&mut self, key: &str, kind: Kind, value: T) {
        match kind {
            Kind::Text => {
                self.texts.insert(key.into(), value);
            }
            Kind::Uuid => {
                if let Some(bytes) = parse_uuid(key) {
                    self.uuids.insert(bytes, value);
                }
            }
            _ => {
                if let Some(id) = parse_int(key) {
                    self.ints.insert(id, value);
                }
            }
        }
    }

    pub fn get(&self, value: &Value) -> Option<&T> {
        match value {
            Value::Null => None,
            Value::Int(id) => self.ints.get(id),
            Value::Text(text) => self.texts.get(*text),
            Value::Uuid(bytes) => self.uuids.get(bytes),
        }
    }

    pub fn contains(&self, value: &Value) -> bool {
        self.get(value).is_some()
    }
}

/// Multiplicative hashing: ids come from our own tables or are looked up only, so nobody can flood a bucket
/// of a stored set with rows of his own.
#[derive(Debug, Clone, Copy, Default)]
pub struct BuildFast;

impl std::hash::BuildHasher for BuildFast {
    type Hasher = Fast;
    fn build_hasher(&self) -> Fast {
        Fast(0)
    }
}

pub struct Fast(u64);

impl std::hash::Hasher for Fast {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0u8; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }
    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    fn write_i64(&mut self, word: i64) {
        self.write_u64(word as u64);
    }
    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }
}

/// Keeps the highest value seen.
pub fn keep_max<K: Eq + Hash, V: Ord, S: std::hash::BuildHasher>(map: &mut HashMap<K, V, S>, key: K, value: V) {
    match map.entry(key) {
        std::collections::hash_map::Entry::Occupied(mut held) => {
            if *held.get() < value {
                held.insert(value);
            }
        }
        std::collections::hash_map::Entry::Vacant(free) => {
            free.insert(value);
        }
    }
}

impl ValueMap<crate::model::level::Level> {
    /// Adds a record's id in its text form, keeping the highest level.
    pub fn keep_highest(&mut self, key: &str, kind: Kind, level: crate::model::level::Level) {
        match kind {
            Kind::Text => keep_max(&mut self.texts, key.into(), level),
            Kind::Uuid => {
                if let Some(bytes) = parse_uuid(key) {
                    keep_max(&mut self.uuids, bytes, level);
                }
            }
            _ => {
                if let Some(id) = parse_int(key) {
                    keep_max(&mut self.ints, id, level);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_integers_are_ids() {
        assert_eq!(parse_int("-3"), Some(-3));
        for alias in [" 3", "3 ", "+3", "03", "3.0", "0x3", "", "-0", "99999999999999999999", "٣"] {
            assert_eq!(parse_int(alias), None, "{alias:?}");
        }
    }

    #[test]
    fn uuids_need_their_hyphens() {
        let bytes = parse_uuid("00010203-0405-0607-0809-0a0b0c0d0e0F").unwrap();
        assert_eq!(bytes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
        assert_eq!(parse_uuid("000102030405060708090a0b0c0d0e0f"), None);
        assert_eq!(parse_uuid("00010203-0405-0607-0809-0a0b0c0d0e0g"), None);
        assert_eq!(parse_uuid("00010203-0405-0607-0809+0a0b0c0d0e0f"), None);
    }

    #[test]
    fn a_set_answers_for_its_kind_only() {
        let mut set = ValueSet::default();
        set.insert_key("7", Kind::Text, ());
        assert!(set.contains(&Value::Text("7")));
        assert!(!set.contains(&Value::Int(7)));
        assert!(!set.contains(&Value::Null));
    }
}
