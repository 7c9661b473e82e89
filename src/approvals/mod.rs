//! What somebody asks for and somebody else grants.

use crate::visibility::Table;
use crate::visibility::subject::Member;

/// Uses up an approval of the member for this record (and field), once for each transaction; None without one.
pub(crate) fn take(_member: &Member, _kind: &str, _table: &Table, _record: &str, _field: Option<&str>) -> Option<i64> {
    None
}
