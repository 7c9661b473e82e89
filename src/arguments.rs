//! Arguments of functions: which must be there, and how long a text may be. Errors: 22023.

use crate::errors::bad_argument;

/// The longest reason, justification, note or answer, in bytes.
pub(crate) const MOST_TEXT: usize = 10_000;

/// The longest name, address or id of a record that is kept, in bytes.
pub(crate) const MOST_NAME: usize = 1000;

/// An argument that a message names as people do.
pub(crate) fn required<T>(value: Option<T>, what: &str) -> T {
    value.unwrap_or_else(|| bad_argument(format!("{what} is missing")).raise())
}

/// An argument that a message names as the call does, mostly one with a default: NULL is no "false".
pub(crate) fn given<T>(value: Option<T>, argument: &str) -> T {
    value.unwrap_or_else(|| bad_argument(format!("argument \"{argument}\" must not be NULL")).raise())
}

/// A text that can be kept.
pub(crate) fn limited<'a>(text: &'a str, what: &str, most: usize) -> &'a str {
    if text.len() > most {
        bad_argument(format!("{what} is longer than {most} bytes")).raise();
    }
    text
}

/// A text that says something.
pub(crate) fn said<'a>(value: Option<&'a str>, what: &str) -> &'a str {
    let value = value.filter(|value| !value.trim().is_empty()).unwrap_or_else(|| {
        bad_argument(format!("{what} is missing"))
            .hint("A text that says something; NULL and blanks say nothing.")
            .raise()
    });
    limited(value, what, MOST_TEXT)
}

/// A text that says something, without the blanks around it; or none.
pub(crate) fn optional<'a>(value: Option<&'a str>, what: &str, most: usize) -> Option<&'a str> {
    let value = value.map(str::trim).filter(|value| !value.is_empty())?;
    Some(limited(value, what, most))
}
