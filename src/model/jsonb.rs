//! Objects of the shape that the audit writes, `{"field": {"old": …, "new": …}}`, as Postgres stores them in a column
//! of type jsonb: what it would make of their text, without reading the text.

/// A field and its two sides; none is null.
pub struct Pair<'a> {
    pub name: &'a str,
    pub old: Option<&'a str>,
    pub new: Option<&'a str>,
}

const OBJECT: u32 = 0x2000_0000;
const STRING: u32 = 0;
const NULL: u32 = 0x4000_0000;
const CONTAINER: u32 = 0x5000_0000;
/// The entry says where its value ends, not how long it is; every 32nd does.
const HAS_OFFSET: u32 = 0x8000_0000;
const STRIDE: usize = 32;
const TYPE: u32 = 0x7000_0000;
/// Far below what the 28 bits of an entry hold.
const MOST: usize = 1 << 26;

/// The value without its varlena header; None for what is too large to be sure of. The names differ from each other.
pub fn pairs(pairs: &[Pair]) -> Option<Vec<u8>> {
    let size = |p: &Pair| p.name.len() + p.old.map_or(0, str::len) + p.new.map_or(0, str::len) + 64;
    let size: usize = pairs.iter().map(size).sum();
    if size > MOST {
        return None;
    }
    let mut sorted: Vec<&Pair> = pairs.iter().collect();
    sorted.sort_by(|a, b| (a.name.len(), a.name.as_bytes()).cmp(&(b.name.len(), b.name.as_bytes())));
    let mut out = Vec::with_capacity(size);
    let mut object = Object::begin(&mut out, sorted.len());
    for pair in &sorted {
        object.string(pair.name);
    }
    for pair in &sorted {
        object.sides(pair);
    }
    Some(out)
}

struct Object<'a> {
    out: &'a mut Vec<u8>,
    entries: usize,
    count: usize,
    total: u32,
}

impl Object<'_> {
    fn begin(out: &mut Vec<u8>, count: usize) -> Object<'_> {
        out.resize(out.len().next_multiple_of(4), 0);
        let fields = u32::try_from(count).unwrap_or_default();
        out.extend_from_slice(&(fields | OBJECT).to_ne_bytes());
        let entries = out.len();
        out.resize(entries + 8 * count, 0);
        Object { out, entries, count: 0, total: 0 }
    }

    /// The entry of what was written since `start`.
    fn entry(&mut self, kind: u32, start: usize) {
        let length = u32::try_from(self.out.len() - start).unwrap_or_default();
        self.total += length;
        let mut entry = kind | length;
        if self.count.is_multiple_of(STRIDE) {
            entry = (entry & TYPE) | self.total | HAS_OFFSET;
        }
        let at = self.entries + 4 * self.count;
        self.out[at..at + 4].copy_from_slice(&entry.to_ne_bytes());
        self.count += 1;
    }

    fn string(&mut self, text: &str) {
        let start = self.out.len();
        self.out.extend_from_slice(text.as_bytes());
        self.entry(STRING, start);
    }

    fn side(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.string(text),
            None => self.entry(NULL, self.out.len()),
        }
    }

    fn sides(&mut self, pair: &Pair) {
        let start = self.out.len();
        let mut inner = Object::begin(self.out, 2);
        inner.string("new");
        inner.string("old");
        inner.side(pair.new);
        inner.side(pair.old);
        self.entry(CONTAINER, start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // '{"b": {"old": null, "new": "x"}}' by the rules of utils/jsonb.h.
    #[test]
    fn it_is_what_postgres_stores() {
        let words = |bytes: &[u8]| -> Vec<u32> {
            bytes.chunks_exact(4).map(|w| u32::from_ne_bytes([w[0], w[1], w[2], w[3]])).collect()
        };
        let made = pairs(&[Pair { name: "b", old: None, new: Some("x") }]).unwrap();
        let head = words(&made[..12]);
        assert_eq!(head, [1 | OBJECT, 1 | HAS_OFFSET, CONTAINER | (3 + 4 + 16 + 7)]);
        assert_eq!(&made[12..16], b"b\0\0\0");
        assert_eq!(words(&made[16..36]), [2 | OBJECT, 3 | HAS_OFFSET, 3, 1, NULL]);
        assert_eq!(&made[36..], b"newoldx");
    }

    #[test]
    fn shorter_names_come_first_and_every_32nd_entry_says_where_it_ends() {
        let names: Vec<String> = (0..40).map(|n| format!("{n}")).collect();
        let list: Vec<Pair> = names.iter().map(|name| Pair { name, old: None, new: None }).collect();
        let made = pairs(&list).unwrap();
        let entry = |n: usize| u32::from_ne_bytes([0, 1, 2, 3].map(|b| made[4 + 4 * n + b]));
        assert_eq!(entry(9), 1);
        assert_eq!(entry(10), 2);
        assert_eq!(entry(32), HAS_OFFSET | (10 + 2 * 23));
        assert_eq!(&made[4 + 320..][..12], b"012345678910");
    }
}
