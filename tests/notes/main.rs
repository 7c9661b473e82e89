//! Notes and tags in tables of their own.
