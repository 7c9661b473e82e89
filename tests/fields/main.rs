//! Who may write which field, with which values; approvals.

mod approvals;
mod approvals_used;
mod enforce_attacks;
mod enforce_columns;
mod enforce_forms;
mod enforce_insert;
mod enforce_keys;
mod enforce_lab;
mod enforce_names;
mod enforce_tags;
mod enforce_triggers;
mod enforce_values;
mod manage_matrix;
mod manage_rights;
mod manage_values;
mod manage_versions;
mod property;
mod property_model;
mod rules;
