//! Import sessions: loading, checking, approving, committing.

mod approving;
mod attacks;
mod checking;
mod dump;
mod guessing;
mod lab;
mod loading;
mod names;
mod olist;
mod racing;
mod raw;
mod targets;
