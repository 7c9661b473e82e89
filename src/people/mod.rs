//! People who come, change and go. What touches only the directory is SQL (sql/install/84_*.sql); here is what
//! touches records.
//!
//! member      about whom it is, and who may
//! handover    everything that somebody owns becomes another one's
//! leaving     plan, last day, end
//! unfinished  what is in somebody's hands beside records
//! suggestion  who could take what is owned
//! requests    asking for access or a role, which is given with the decision
//! delegation  somebody else reaches what a member owns, for a time
//!
//! Invariants: nothing ends without an owner; records are written as the caller, through all guards; a request is
//! answered the same whether the record exists or not. Tests: tests/people.

mod delegation;
mod handover;
mod leaving;
mod member;
mod requests;
mod suggestion;
mod unfinished;

pub(crate) use delegation::{is_any as is_any_delegated, member_changed, owned_anew, settle};
pub(crate) use requests::decided;
