//! Columns that some may see and others only masked, or not at all.
//!
//! values   what a mask makes of a value
//! shown    whether a column of a row is shown in clear, masked or not at all
//! state    the same for people who ask
//! through  writes of the view, done on the table behind it
//!
//! The table itself moves out of reach and a view takes its name (protect::conceal). Whoever reads the view reads the
//! table as the role leadguard_view, under the policies, which take the member from the session. Must never be
//! weaker than the policies: the view only takes values away. Tests: tests/masks.

pub(crate) mod shown;
mod state;
pub(crate) mod through;
mod values;

/// The role that owns the views; nobody can log in as it or become it.
pub(crate) const VIEW_OWNER: &str = "leadguard_view";

/// Makes the view of a concealed table anew, after the field rules changed.
pub(crate) use crate::protect::refresh_view as refresh;
