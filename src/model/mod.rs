//! Algorithms and values. No Postgres, no SQL, no unsafe: tested by plain `cargo test`.

pub mod access;
pub mod batch;
pub mod bulk;
pub mod change;
pub mod digest;
pub mod estimate;
pub mod fingerprint;
pub mod forest;
pub mod ids;
pub mod keys;
pub mod level;
pub mod matrix;
mod owner_change;
pub mod path;
pub mod rights;
mod role;
pub mod rules;
pub mod seal;
pub mod spreadsheet;
pub mod text_array;
pub mod value;
pub mod window;
