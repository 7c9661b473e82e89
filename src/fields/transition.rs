//! Defined changes of a field.

use crate::model::matrix::Bound;
use serde_json::Value as Json;

/// What a column of the new row must say for a transition to be possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    Present,
    Absent,
    OneOf(Vec<String>),
    /// Not understood: never fulfilled.
    Unknown,
}

impl Wanted {
    /// Whether a value in its text form is wanted. An empty text is as good as none.
    pub(crate) fn is_met(&self, value: Option<&str>) -> bool {
        let present = value.filter(|text| !text.is_empty());
        match self {
            Wanted::Present => present.is_some(),
            Wanted::Absent => present.is_none(),
            Wanted::OneOf(values) => value.is_some_and(|text| values.iter().any(|v| v == text)),
            Wanted::Unknown => false,
        }
    }
}

pub(crate) struct Transition {
    pub column: Bound,
    /// None: a new row, or one without value.
    pub from: Option<String>,
    pub to: String,
    /// None: every role.
    pub role: Option<String>,
    pub condition: Vec<(String, Wanted)>,
}

impl Transition {
    pub(crate) fn is_from(&self, value: Option<&str>) -> bool {
        self.from.as_deref() == value
    }

    pub(crate) fn is_for(&self, roles: &[String]) -> bool {
        self.role.as_ref().is_none_or(|role| roles.contains(role))
    }
}

/// Reads a condition as it is stored: {"column": "present" | "absent" | ["value", …]}.
pub(super) fn condition(text: &str) -> Vec<(String, Wanted)> {
    match serde_json::from_str::<Json>(text) {
        Ok(Json::Object(columns)) => {
            columns.into_iter().map(|(column, wanted)| (column, self::wanted(wanted))).collect()
        }
        _ => vec![(String::new(), Wanted::Unknown)],
    }
}

fn wanted(json: Json) -> Wanted {
    match json {
        Json::String(word) if word == "present" => Wanted::Present,
        Json::String(word) if word == "absent" => Wanted::Absent,
        Json::Array(values) => {
            let texts: Option<Vec<String>> = values
                .into_iter()
                .map(|value| match value {
                    Json::String(text) => Some(text),
                    Json::Number(number) => Some(number.to_string()),
                    _ => None,
                })
                .collect();
            texts.map_or(Wanted::Unknown, Wanted::OneOf)
        }
        _ => Wanted::Unknown,
    }
}
