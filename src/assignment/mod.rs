//! Who gets a record: routing, handoffs, claims, and who is told.

use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use pgrx::pg_sys::{self, Oid};

/// Puts a notification for a member into the outbox. detail is JSON, never with a value of the record.
#[allow(dead_code)]
pub(crate) fn tell(member: i64, kind: &str, target: Option<Oid>, record: Option<&str>, detail: Option<&str>) {
    let params = [
        Param::Int(Some(member)),
        Param::Text(Some(kind)),
        Param::Oid(target.unwrap_or(pg_sys::InvalidOid)),
        Param::Text(record),
        Param::Text(Some(detail.unwrap_or("{}"))),
    ];
    as_extension(|| {
        sql::query(
            "SELECT leadguard.tell($1, $2, nullif($3, 0::oid)::regclass, $4, $5::jsonb)",
            &params,
            Sees::Now,
            &mut |_| {},
        )
    });
}
