//! Keys of jsonb values, compared by their texts as Postgres writes them.
//!
//! Values are never parsed into numbers: two that differ in any digit are two.

use serde_json::value::RawValue;
use std::collections::BTreeMap;

type Object = BTreeMap<String, Box<RawValue>>;

/// What differs between two values of a jsonb column.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// Both are objects. Empty where they differ as a whole only, as NULL and an object without keys do.
    Keys(Vec<String>),
    /// One of them is no object.
    Whole,
}

fn object(text: Option<&str>) -> Option<Object> {
    text.map_or_else(|| Some(Object::new()), |text| serde_json::from_str(text).ok())
}

/// Compares two values that are not the same; NULL has no keys.
pub fn changed(old: Option<&str>, new: Option<&str>) -> Change {
    let (Some(old), Some(new)) = (object(old), object(new)) else { return Change::Whole };
    let differs = |key: &&String| old.get(*key).map(|v| v.get()) != new.get(*key).map(|v| v.get());
    let mut keys: Vec<String> = old.keys().chain(new.keys()).filter(differs).cloned().collect();
    keys.sort_unstable();
    keys.dedup();
    Change::Keys(keys)
}

/// Whether the value is an object with the key.
pub fn has(value: Option<&str>, key: &str) -> bool {
    object(value).is_some_and(|object| object.contains_key(key))
}

/// The value of a key as `->>` gives it.
pub fn text(value: &str, key: &str) -> Option<String> {
    let raw = object(Some(value))?.remove(key)?;
    match raw.get() {
        "null" => None,
        text if text.starts_with('"') => serde_json::from_str(text).ok(),
        text => Some(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(names: &str) -> Change {
        Change::Keys(names.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn keys_differ_one_by_one() {
        let old = Some(r#"{"a": 1, "b": "x", "c": {"d": 1}}"#);
        assert_eq!(changed(old, Some(r#"{"a": 1, "b": "y", "c": {"d": 1}}"#)), keys("b"));
        assert_eq!(changed(old, Some(r#"{"a": 1, "c": {"d": 2}}"#)), keys("b c"));
        assert_eq!(changed(None, Some(r#"{"a": null}"#)), keys("a"));
        assert_eq!(changed(old, None), keys("a b c"));
        assert_eq!(changed(None, Some("{}")), keys(""));
    }

    #[test]
    fn digits_are_not_rounded() {
        let (old, new) = (r#"{"a": 9007199254740993}"#, r#"{"a": 9007199254740992}"#);
        assert_eq!(changed(Some(old), Some(new)), keys("a"));
        assert_eq!(changed(Some(r#"{"a": 1.0}"#), Some(r#"{"a": 1.00}"#)), keys("a"));
        let long = format!(r#"{{"a": {}}}"#, "9".repeat(400));
        assert_eq!(changed(Some(&long), Some(&long.replacen('9', "8", 1))), keys("a"));
    }

    #[test]
    fn what_is_no_object_is_whole() {
        for other in ["[]", "1", "null", r#""a""#, "not json"] {
            assert_eq!(changed(Some("{}"), Some(other)), Change::Whole, "{other}");
            assert_eq!(changed(Some(other), None), Change::Whole, "{other}");
        }
    }

    #[test]
    fn a_key_has_a_text() {
        let value = r#"{"a": "x\u00e9\"", "b": 1.50, "c": null, "d": [1]}"#;
        assert_eq!(text(value, "a").as_deref(), Some("x\u{e9}\""));
        assert_eq!(text(value, "b").as_deref(), Some("1.50"));
        assert_eq!(text(value, "c"), None);
        assert_eq!(text(value, "d").as_deref(), Some("[1]"));
        assert_eq!(text(value, "e"), None);
        assert!(has(Some(value), "c") && !has(Some(value), "e") && !has(Some("[]"), "c") && !has(None, "c"));
    }
}
