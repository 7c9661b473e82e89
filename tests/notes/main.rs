//! Notes and tags in tables of their own.

mod append_only;
mod closed;
mod concealed;
mod dump;
mod erase;
mod erase_limits;
mod everybody;
mod lab;
mod owners;
mod reading;
mod tags;
mod writing;
