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

/// The keys of an object.
pub fn names(value: Option<&str>) -> Vec<String> {
    object(value).unwrap_or_default().into_keys().collect()
}

/// What is stored where somebody to whom keys are hidden writes a value: it keeps those of the old one's hidden keys
/// that it lacks. To him NULL is an object without keys, and so is one of which all keys are hidden: none of the three
/// may become another one by what he writes. None where the new value is stored as it is.
pub fn restored(old: Option<&str>, new: Option<&str>, is_hidden: impl Fn(&str) -> bool) -> Option<Option<String>> {
    let (before, mut after) = (object(old)?, object(new)?);
    let count = after.len();
    if before.is_empty() && after.is_empty() {
        return (old != new).then(|| old.map(str::to_owned));
    }
    for (key, value) in before {
        if is_hidden(&key) {
            after.entry(key).or_insert(value);
        }
    }
    if after.len() == count && new.is_some() { None } else { serde_json::to_string(&after).ok().map(Some) }
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
        assert_eq!(names(Some(value)), ["a", "b", "c", "d"]);
        assert!(names(Some("[]")).is_empty() && names(None).is_empty());
    }

    #[test]
    fn hidden_keys_stay() {
        let old = Some(r#"{"a": 1, "h": 1.50, "i": 2}"#);
        let is_hidden = |key: &str| key == "h" || key == "i";
        let restored = |new| restored(old, new, is_hidden).map(Option::unwrap_or_default);
        assert_eq!(restored(Some(r#"{"b": 2}"#)).as_deref(), Some(r#"{"b":2,"h":1.50,"i":2}"#));
        assert_eq!(restored(Some(r#"{"h": 3}"#)).as_deref(), Some(r#"{"h":3,"i":2}"#));
        assert_eq!(restored(None).as_deref(), Some(r#"{"h":1.50,"i":2}"#));
        assert_eq!(restored(Some(r#"{"h": 3, "i": 4}"#)), None);
        assert_eq!(restored(Some("[]")), None);
    }

    #[test]
    fn hidden_keys_make_no_difference() {
        fn restored(old: Option<&str>, new: Option<&str>) -> Option<Option<String>> {
            super::restored(old, new, |key| key == "h")
        }
        let shown = |old: Option<&str>, new: Option<&str>| {
            let stored = restored(old, new).unwrap_or_else(|| new.map(str::to_owned));
            stored.map_or_else(|| "{}".to_owned(), |text| text.replace(r#""h":1"#, ""))
        };
        for old in [None, Some("{}"), Some(r#"{"h":1}"#)] {
            for new in [None, Some("{}")] {
                assert_eq!(shown(old, new), "{}", "{old:?} {new:?}");
                assert_eq!(restored(old, new).unwrap_or(new.map(str::to_owned)).as_deref(), old);
            }
        }
        for old in [Some(r#"{"a":2}"#), Some(r#"{"a":2,"h":1}"#)] {
            assert_eq!(shown(old, None), "{}", "{old:?}");
            assert_eq!(shown(old, Some("{}")), "{}", "{old:?}");
        }
        assert_eq!(restored(None, None), None);
        assert_eq!(restored(None, Some(r#"{"a": 1}"#)), None);
    }
}
