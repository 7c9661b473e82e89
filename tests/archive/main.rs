//! DELETE archives; restore, purge, and what stays of purged rows.
