//! How parallel workers learn for whom the leader acts.
//!
//! The server copies settings to its workers, so the binding travels as one. Nobody can set it: it takes only
//! what the extension writes, or what the server hands to a starting worker. It is read in workers only; in
//! the leader the binding stands where no SQL reaches.

use crate::ffi::setting::{Guarded, set_for_transaction};
use pgrx::pg_sys::Oid;

static ACTING: Guarded = Guarded::new(c"leadguard.acting");

pub(crate) fn register() {
    ACTING.define(
        c"For whom a trusted connector acts, on its way to parallel workers.",
        c"Cannot be set; leadguard.act_as binds a member.",
    );
}

pub(super) fn tell(member: i64, role: Oid) {
    set_for_transaction(&ACTING, &format!("{member} {}", role.to_u32()));
}

pub(super) fn told() -> Option<(i64, Oid)> {
    let text = ACTING.value()?;
    let (member, role) = text.split_once(' ')?;
    Some((member.parse().ok()?, Oid::from_u32(role.parse().ok()?)))
}
