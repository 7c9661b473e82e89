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

impl Change {
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
