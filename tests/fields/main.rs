//! Who may write which field, with which values; approvals.

mod approvals;
mod approvals_used;
mod manage_matrix;
mod manage_rights;
mod manage_values;
mod manage_versions;
mod rules;
