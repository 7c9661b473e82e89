//! Which state of the hierarchies a snapshot sees.
//!
//! Every writer of a hierarchy updates its revision row first and holds it until the end of his transaction.
//! So the revision that a snapshot sees names exactly one committed state of everything that revisions
//! cover: members, territories, teams, who belongs to them, and roles. What is registered, login roles and
//! protected tables, has a row too. Record grants have none.

use crate::ffi::scan::Table;

/// The number, and the transaction that wrote it. With the table they tell a number apart from the same number in
/// another life of the extension.
type Entry = (u32, i64);

/// Equal revisions mean equal sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Revision {
    table: u32,
    member: Entry,
    territory: Entry,
}

/// Equal registries mean the same login roles and protected tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Registry {
    table: u32,
    entry: Entry,
}

/// What the active snapshot sees.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub revision: Revision,
    /// None where it cannot be told: changed by the running transaction, or before the update to 0.2.0.
    pub registry: Option<Registry>,
    /// The running transaction itself has changed a hierarchy: such a state is nobody else's and may yet be rolled
    /// back.
    pub own: bool,
}

pub(super) fn read() -> Seen {
    let table = Table::open(c"hierarchy_revision");
    let (name, number) = (table.column(c"hierarchy"), table.column(c"revision"));
    let identity = table.oid().to_u32();
    let mut seen = Seen { revision: Revision { table: identity, ..Revision::default() }, registry: None, own: false };
    let mut hierarchies = 0;
    let index = if table.is_tiny() { None } else { Some(c"hierarchy_revision_pkey") };
    table.scan(index, &[], |row| {
        let (writer, is_own) = row.writer();
        let entry = (writer, row.int(number).unwrap_or_default());
        row.with_text(name, |name| match name {
            "registration" => seen.registry = (!is_own).then_some(Registry { table: identity, entry }),
            name => {
                hierarchies += 1;
                seen.own |= is_own;
                let of = if name == "member" { &mut seen.revision.member } else { &mut seen.revision.territory };
                *of = entry;
            }
        });
        true
    });
    // Without its rows nothing says when sets are out of date: then none is kept.
    seen.own |= hierarchies != 2;
    seen
}
