//! Limits of batches, templates, exports, approvals of many rows.

mod active;
mod asking;
mod dodging;
mod exports;
mod lab;
mod limits;
mod log;
mod switches;
