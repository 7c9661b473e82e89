//! Notes and tags in tables of their own.

mod append_only;
mod erase;
mod lab;
mod reading;
mod tags;
mod writing;
