//! Which state of the hierarchies a snapshot sees.
//!
//! Every writer of a hierarchy updates its revision row first and holds it until the end of his transaction.
//! So the revision that a snapshot sees names exactly one committed state of everything that revisions
//! cover: members, territories, teams, who belongs to them, and roles. Record grants have no revision.

use crate::ffi::scan::Table;

/// Equal revisions mean equal sets. The writers' transactions and the table tell a number apart from the
/// same number in another life of the extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Revision {
    table: u32,
    member: (u32, i64),
    territory: (u32, i64),
}

/// The revision in the active snapshot, and whether the running transaction itself has changed a hierarchy:
/// such a state is nobody else's and may yet be rolled back.
pub(crate) fn read() -> (Revision, bool) {
    let table = Table::open(c"hierarchy_revision");
    let (name, number) = (table.column(c"hierarchy"), table.column(c"revision"));
    let mut revision = Revision { table: table.oid().to_u32(), ..Revision::default() };
    let (mut own, mut rows) = (false, 0);
    table.scan(Some(c"hierarchy_revision_pkey"), &[], |row| {
        let (writer, is_own) = row.writer();
        let entry = (writer, row.int(number).unwrap_or_default());
        match row.with_text(name, |name| name == "member") {
            Some(true) => revision.member = entry,
            _ => revision.territory = entry,
        }
        own |= is_own;
        rows += 1;
        true
    });
    // Without its rows nothing says when sets are out of date: then none is kept.
    (revision, own || rows != 2)
}
