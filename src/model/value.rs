//! Values of mapped columns and sets of them.
//!
//! An owner column may hold ids (smallint, integer, bigint) or keys (text, varchar, uuid); a set answers
//! for whichever kind it was filled with.

use super::ids::IdSet;
use std::collections::HashSet;

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

    /// Columns of one family share their sets.
    pub fn family(self) -> Kind {
        if self.is_int() { Kind::Int8 } else { self }
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

impl Value<'_> {
    /// The canonical text form, as record grants name a record.
    pub fn to_text(self) -> Option<String> {
        match self {
            Value::Null => None,
            Value::Int(id) => Some(id.to_string()),
            Value::Text(text) => Some(text.to_owned()),
            Value::Uuid(bytes) => Some(uuid::Uuid::from_bytes(bytes).to_string()),
        }
    }
}

/// The canonical decimal form only: no sign but minus, no leading zeros, no blanks.
pub fn parse_int(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = match digits.as_bytes() {
        [b'0'] => digits.len() == text.len(),
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if canonical { text.parse().ok() } else { None }
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

/// A set of the values of one column; it answers for the kind it was filled with.
#[derive(Debug, Clone)]
pub enum ValueSet {
    Ids(IdSet),
    Texts(HashSet<Box<str>>),
    Uuids(HashSet<[u8; 16]>),
}

impl ValueSet {
    pub fn of_ids(ids: impl IntoIterator<Item = i64>) -> ValueSet {
        ValueSet::Ids(ids.into_iter().collect())
    }

    /// The keys as a column of `kind` would hold them; keys that such a column cannot hold are left out.
    pub fn of_keys<'a>(keys: impl IntoIterator<Item = &'a str>, kind: Kind) -> ValueSet {
        let keys = keys.into_iter();
        match kind {
            Kind::Text => ValueSet::Texts(keys.map(Box::from).collect()),
            Kind::Uuid => ValueSet::Uuids(keys.filter_map(parse_uuid).collect()),
            _ => ValueSet::Ids(keys.filter_map(parse_int).collect()),
        }
    }

    /// The records that grants name: canonical forms only, as Value::to_text writes them.
    pub fn of_records<'a>(records: impl IntoIterator<Item = &'a str>, kind: Kind) -> ValueSet {
        let canonical = |record: &&str| kind != Kind::Uuid || !record.bytes().any(|b| b.is_ascii_uppercase());
        ValueSet::of_keys(records.into_iter().filter(canonical), kind)
    }

    #[inline]
    pub fn contains(&self, value: &Value) -> bool {
        match (self, value) {
            (ValueSet::Ids(ids), Value::Int(id)) => ids.contains(*id),
            (ValueSet::Texts(texts), Value::Text(text)) => texts.contains(*text),
            (ValueSet::Uuids(uuids), Value::Uuid(bytes)) => uuids.contains(bytes),
            _ => false,
        }
    }

    pub fn len(&self) -> u64 {
        match self {
            ValueSet::Ids(ids) => ids.len(),
            ValueSet::Texts(texts) => texts.len() as u64,
            ValueSet::Uuids(uuids) => uuids.len() as u64,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What any of the sets has, for a column of `kind`.
    pub fn union<'a>(sets: impl IntoIterator<Item = &'a ValueSet>, kind: Kind) -> ValueSet {
        let values = sets.into_iter().flat_map(ValueSet::values);
        match kind {
            Kind::Text => ValueSet::Texts(
                values.filter_map(|value| if let Value::Text(text) = value { Some(Box::from(text)) } else { None }).collect(),
            ),
            Kind::Uuid => ValueSet::Uuids(
                values.filter_map(|value| if let Value::Uuid(bytes) = value { Some(bytes) } else { None }).collect(),
            ),
            _ => ValueSet::of_ids(values.filter_map(|value| if let Value::Int(id) = value { Some(id) } else { None })),
        }
    }

    /// All values; ids in ascending order.
    pub fn values(&self) -> Box<dyn Iterator<Item = Value<'_>> + '_> {
        match self {
            ValueSet::Ids(ids) => Box::new(ids.iter().map(Value::Int)),
            ValueSet::Texts(texts) => Box::new(texts.iter().map(|text| Value::Text(text))),
            ValueSet::Uuids(uuids) => Box::new(uuids.iter().map(|bytes| Value::Uuid(*bytes))),
        }
    }

    /// About how much memory it takes.
    pub fn bytes(&self) -> usize {
        const SLOT: usize = 1; // of a hash table, beside the entry
        match self {
            ValueSet::Ids(ids) => ids.bytes(),
            ValueSet::Texts(texts) => {
                texts.capacity() * (size_of::<Box<str>>() + SLOT) + texts.iter().map(|t| t.len()).sum::<usize>()
            }
            ValueSet::Uuids(uuids) => uuids.capacity() * (16 + SLOT),
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
        let texts = ValueSet::of_keys(["7"], Kind::Text);
        assert!(texts.contains(&Value::Text("7")));
        assert!(!texts.contains(&Value::Int(7)));
        assert!(!texts.contains(&Value::Null));
        let ids = ValueSet::of_keys(["7", "07", "x"], Kind::Int8);
        assert!(ids.contains(&Value::Int(7)));
        assert_eq!(ids.len(), 1);
        assert!(ids.values().eq([Value::Int(7)]));
    }
}
