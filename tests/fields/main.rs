//! Who may write which field, with which values; approvals.
