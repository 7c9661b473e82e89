//! Joining, changing, leaving, delegation, access requests.

mod broken;
mod delegates;
mod delegation;
mod guests;
mod joining;
mod kept;
#[allow(dead_code)]
#[path = "../presets/lab.rs"]
mod lab;
mod leaving;
mod limits;
#[allow(dead_code)]
#[path = "../real_data/load.rs"]
mod load;
mod migration;
mod races;
mod real_data;
mod requests;
mod roles;
