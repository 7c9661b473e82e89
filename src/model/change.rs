//! What the audit writes down of one change: each field with both sides, as digests and, where they may be read, as
//! they are.

use super::digest::{self, LENGTH};
use std::rc::Rc;

/// Before and after.
pub type Sides<T> = [Option<T>; 2];

pub struct Field {
    pub name: Rc<str>,
    pub digests: Sides<[u8; LENGTH]>,
    /// None on both sides where they are not kept.
    pub values: Sides<String>,
}

/// Its fields in the order of their names.
#[derive(Default)]
pub struct Change(pub Vec<Field>);

/// A longer value is not kept in clear; its digest is.
const LONGEST: usize = 1 << 20;
/// Nor are those of one record that go beyond so many bytes together: what is stored of a record stays far from what a
/// value of Postgres may be, also as JSON that escapes each byte.
const MOST_KEPT: usize = 32 << 20;

/// What is left for values of one record.
pub struct Room(usize);

impl Default for Room {
    fn default() -> Room {
        Room(MOST_KEPT)
    }
}

impl Room {
    /// Whether both sides of a field are kept in clear.
    pub fn takes(&mut self, values: &Sides<String>) -> bool {
        let sizes = || values.iter().flatten().map(String::len);
        let left = self.0.checked_sub(sizes().sum());
        let fits = left.is_some() && sizes().all(|size| size <= LONGEST);
        if let Some(left) = left.filter(|_| fits) {
            self.0 = left;
        }
        fits
    }
}

/// As many changes wait at most until they are written, and as many bytes of them: a statement of any size, with values
/// of any size, fits into the memory.
const MOST: usize = 5_000;
const MOST_BYTES: usize = 32 << 20;

/// Whether so many changes are to be written now.
pub fn are_enough(changes: usize, bytes: usize) -> bool {
    changes >= MOST || bytes >= MOST_BYTES
}

impl Change {
    /// The memory that it takes.
    pub fn size(&self) -> usize {
        let values = self.0.iter().flat_map(|field| field.values.iter().flatten());
        self.0.len() * size_of::<Field>() + values.map(String::len).sum::<usize>()
    }

    pub fn keeps_values(&self) -> bool {
        self.0.iter().any(|field| field.values.iter().any(Option::is_some))
    }

    pub fn forget_values(&mut self) {
        self.0.iter_mut().for_each(|field| field.values = [None, None]);
    }

    /// `{"field":{"old":digest,"new":digest},…}`
    pub fn digests(&self) -> String {
        let hexadecimal = |digest: &Option<[u8; LENGTH]>| {
            digest.map(|bytes| {
                let mut text = String::with_capacity(2 * LENGTH);
                digest::hex(&bytes, &mut text);
                text
            })
        };
        let digests: Vec<_> = self.0.iter().map(|field| field.digests.each_ref().map(hexadecimal)).collect();
        let pairs = self.0.iter().zip(&digests);
        json(pairs.map(|(field, [old, new])| (&*field.name, old.as_deref(), new.as_deref())))
    }

    /// The same with the values that are kept; None without any.
    pub fn values(&self) -> Option<String> {
        let kept = self.0.iter().filter(|field| field.values.iter().any(Option::is_some));
        let pair = |field: &'_ Field| field.values.each_ref().map(|value| value.clone());
        self.keeps_values().then(|| {
            let pairs: Vec<_> = kept.map(|field| (&*field.name, pair(field))).collect();
            json(pairs.iter().map(|(name, [old, new])| (*name, old.as_deref(), new.as_deref())))
        })
    }
}

/// `{"field":{"old":…,"new":…},…}`
pub fn json<'a>(fields: impl Iterator<Item = (&'a str, Option<&'a str>, Option<&'a str>)>) -> String {
    let mut json = String::from("{");
    for (at, (name, old, new)) in fields.enumerate() {
        if at > 0 {
            json.push(',');
        }
        quote(&mut json, Some(name));
        json.push_str(":{\"old\":");
        quote(&mut json, old);
        json.push_str(",\"new\":");
        quote(&mut json, new);
        json.push('}');
    }
    json.push('}');
    json
}

fn quote(json: &mut String, text: Option<&str>) {
    match text {
        Some(text) => json.push_str(&serde_json::Value::from(text).to_string()),
        None => json.push_str("null"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, old: Option<&str>, new: Option<&str>) -> Field {
        let digest = |value: Option<&str>| value.map(|v| [v.len() as u8; LENGTH]);
        let values = [old.map(str::to_owned), new.map(str::to_owned)];
        Field { name: name.into(), digests: [digest(old), digest(new)], values }
    }

    #[test]
    fn values_are_kept_as_long_as_there_is_room() {
        let pair = |old: usize, new: usize| [Some("x".repeat(old)), Some("x".repeat(new))];
        let mut room = Room::default();
        assert!(!room.takes(&pair(1, LONGEST + 1)), "too long");
        assert!((0..15).all(|_| room.takes(&pair(LONGEST, LONGEST))));
        assert!(room.takes(&pair(LONGEST, LONGEST - 2)));
        assert!(!room.takes(&pair(2, 1)), "too many");
        assert!(room.takes(&pair(1, 1)), "a shorter one has its place");
        assert!(room.takes(&[None, None]) && room.takes(&[Some(String::new()), None]));
        assert!(!room.takes(&[None, Some("x".to_owned())]));
    }

    #[test]
    fn changes_wait_until_they_are_many_or_large() {
        let small = field("name", Some("old"), Some("new"));
        let change = Change(vec![small, field("amount", None, Some("1"))]);
        assert_eq!(change.size(), 2 * size_of::<Field>() + 7);
        assert_eq!(Change::default().size(), 0);
        let large = Change(vec![field("name", Some(&"x".repeat(LONGEST)), Some(&"y".repeat(LONGEST)))]);
        let waiting = |change: &Change| (1..).find(|count| are_enough(*count, count * change.size())).unwrap();
        assert_eq!(waiting(&Change::default()), MOST);
        assert_eq!(waiting(&change), MOST);
        assert_eq!(waiting(&large), 16);
    }

    #[test]
    fn both_sides_are_written_as_json() {
        let mut change = Change(vec![field("a\"b", None, Some("x\ny")), field("c", Some("é"), None)]);
        assert_eq!(
            change.digests(),
            format!(
                r#"{{"a\"b":{{"old":null,"new":"{}"}},"c":{{"old":"{}","new":null}}}}"#,
                "03".repeat(16),
                "02".repeat(16)
            )
        );
        let values = r#"{"a\"b":{"old":null,"new":"x\ny"},"c":{"old":"é","new":null}}"#;
        assert_eq!(change.values().as_deref(), Some(values));
        change.0[0].values = [None, None];
        assert_eq!(change.values().as_deref(), Some(r#"{"c":{"old":"é","new":null}}"#));
        change.forget_values();
        assert_eq!((change.values(), change.keeps_values()), (None, false));
        assert_eq!(Change::default().digests(), "{}");
    }
}
