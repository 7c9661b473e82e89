//! The people around an item: contacts, guests, teams, and who joins as what.

mod access;
mod contacts;
mod domains;
mod dump;
mod guests;
mod joining;
mod lab;
mod reading;
mod teams;
mod types;
