//! Somebody else reaches what a member owns, for a time. Each record has a grant of kind delegated, which counts as a
//! share and ends by itself. What the delegate shares by it carries the delegation too (grants::lasting).
//!
//! begin   everything that the member owns
//! follow  what he gets and hands over meanwhile
//! end     before its time

mod begin;
mod end;
mod follow;

pub(crate) use end::member_changed;
pub(super) use end::of_member as end_of_member;
pub(crate) use follow::{is_any, owned_anew, settle};
