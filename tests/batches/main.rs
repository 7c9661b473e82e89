//! Limits of batches, templates, exports, approvals of many rows.
