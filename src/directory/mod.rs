//! The directory of members and organizations: what must not happen to it, and what happens to it as a whole.
//!
//! holders        the last Owner of an organization stays
//! owners         a member who owns records stays until they are handed over
//! organizations  deleting one, which archives it
//! merge          moving everything of one into another
//!
//! Who may write which row is decided in SQL (sql/install/71_directory_safety.sql). Tests: tests/organizations.

mod holders;
mod merge;
mod organizations;
mod owners;

pub(crate) use holders::keep as keep_holders;
pub(crate) use owners::{
    Counting, Named, in_words, is_there, keep as keep_owners, leaves, owners_stay, tables as owned_tables, unarchived,
    wait_for_givers,
};

use crate::errors::bad_argument;

/// A reason, which must say something.
fn reason<'a>(reason: Option<&'a str>, what: &str) -> &'a str {
    reason
        .filter(|text| !text.trim().is_empty())
        .unwrap_or_else(|| bad_argument(format!("{what} needs a reason")).raise())
}
