//! Algorithms and values. No Postgres, no SQL, no unsafe: tested by plain `cargo test`.

pub mod forest;
pub mod level;
pub mod value;
