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

use crate::errors::failure;
use crate::names;
use crate::visibility::Table;
use pgrx::pg_sys::Oid;

/// The role that owns the views; nobody can log in as it or become it.
pub(crate) const VIEW_OWNER: &str = "leadguard_view";

/// Makes the view of a concealed table anew, after the field rules changed.
pub(crate) use crate::protect::refresh_view as refresh;

/// Refuses a concealed table whose view somebody has dropped: nothing else shows members what is masked or closed.
pub(crate) fn require_view(table: &Table) {
    if table.has_lost_its_view() {
        view_is_gone(table.target);
    }
}

pub(crate) fn view_is_gone(target: Oid) -> ! {
    let table = names::shown(target);
    failure("55000", format!("the view that stands for {table} is gone"))
        .detail("The table is concealed: members reach it through that view alone.")
        .hint(format!(
            "The owner of the table or a superuser makes it again: SELECT * FROM leadguard.conceal({}).",
            names::literal(&table)
        ))
        .raise()
}
