//! Plans: what the planner makes of a policy, how well it guesses, and that no plan and no cache ever shows a row to
//! anybody but who may see it.
//!
//! A test that asserts on a plan asserts on the answer too. Every refusal or empty answer has a twin beside it.

mod caches;
mod direct;
mod estimates;
mod explain;
mod explain_layouts;
mod explain_queries;
mod grants;
mod lab;
mod parallel;
mod random;
mod search;
mod sees_all;
mod settings;
mod widths;
