//! Archived rows: how they become so, how they come back, how they go for good.
//!
//! The guards judge each row of a DELETE and note it here; when the statement ends, all of them are archived by one
//! UPDATE of the caller's own, with his table privileges and through all triggers, of exactly these rows.
//! functions  archive, restore, purge
//! policy     who sees archived rows
//!
//! Invariant: a row that a DELETE reports is archived when the statement is over, or the transaction fails.
//! Tests: tests/archive.

pub(crate) mod functions;
pub(crate) mod policy;

use crate::errors::{bug, failure};
use crate::ffi::session::{self, Transaction};
use crate::ffi::snapshot;
use crate::ffi::sql::{self, Param, Sees};
use crate::guard::{self, Purpose, Sanction};
use crate::model::value::{Kind, parse_uuid};
use crate::names;
use crate::visibility::Member;
use crate::visibility::Table;
use pgrx::pg_sys::Oid;
use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

type Place = (u32, u16);

/// A row that a DELETE met and may archive.
#[derive(Clone)]
pub(crate) struct Row {
    sub: u32,
    command: u32,
    target: Oid,
    relation: Oid,
    place: Place,
    record: String,
    member: Option<(i64, String)>,
    approval: Option<i64>,
    columns: Rc<(String, String, Option<String>)>,
}

#[derive(Default)]
struct Noted {
    /// Judged, and not yet met by the executor, with the part of the statement that comes to it. A trigger in between
    /// may delete other rows.
    proposed: Vec<(usize, Row)>,
    accepted: Vec<Row>,
    known: HashSet<(u32, Oid, Place)>,
    /// Why, where a function was told.
    reason: Option<String>,
}

thread_local! {
    static NOTED: RefCell<Noted> = RefCell::default();
}

impl Row {
    pub(crate) fn new(
        table: &Table,
        relation: Oid,
        place: Place,
        record: String,
        member: Option<&Member>,
        approval: Option<i64>,
    ) -> Row {
        let Some(at) = &table.archived_at_column else { bug("a table without an archive") };
        Row {
            sub: session::subtransaction(),
            command: snapshot::command(),
            target: table.target,
            relation,
            place,
            record,
            member: member.map(|m| (m.id, m.key.clone())),
            approval,
            columns: Rc::new((table.id_column.clone(), at.clone(), table.archived_by_column.clone())),
        }
    }
}

/// The executor will say whether it really comes to the row. One at a time, in each part of each statement.
pub(crate) fn propose(part: usize, row: Row) {
    NOTED.with_borrow_mut(|noted| {
        noted.proposed.retain(|(of, held)| *of != part || held.command != row.command);
        noted.proposed.push((part, row));
    });
}

pub(crate) fn accept(row: Row) -> bool {
    NOTED.with_borrow_mut(|noted| {
        let fresh = noted.known.insert((row.command, row.relation, row.place));
        if fresh {
            noted.accepted.push(row);
        }
        fresh
    })
}

/// The executor deletes the row that was judged last; None when it did so already, through another row of a join.
pub(crate) fn accept_proposed(part: usize, relation: Oid) -> Option<Place> {
    let this = snapshot::command();
    let row = NOTED.with_borrow_mut(|noted| {
        let is_it = |(of, row): &(usize, Row)| *of == part && row.command == this && row.relation == relation;
        let at = noted.proposed.iter().position(is_it)?;
        Some(noted.proposed.swap_remove(at).1)
    })?;
    let place = row.place;
    accept(row).then_some(place)
}

/// Runs `body` with a reason for what it archives.
pub(crate) fn because<T>(reason: Option<&str>, body: impl FnOnce() -> T) -> T {
    struct Restore(Option<String>);
    impl Drop for Restore {
        fn drop(&mut self) {
            let held = self.0.take();
            NOTED.with_borrow_mut(|noted| noted.reason = held);
        }
    }
    let reason = reason.map(str::to_owned);
    let _restore = Restore(NOTED.with_borrow_mut(|noted| std::mem::replace(&mut noted.reason, reason)));
    body()
}

/// The statement ends: archives the rows that it deleted.
pub(crate) fn finish() {
    let this = snapshot::command();
    let (mine, reason) = NOTED.with_borrow_mut(|noted| {
        noted.proposed.retain(|(_, row)| row.command != this);
        if noted.accepted.is_empty() {
            return (Vec::new(), None);
        }
        noted.known.retain(|(command, ..)| *command != this);
        let (mine, others) = std::mem::take(&mut noted.accepted).into_iter().partition(|row| row.command == this);
        noted.accepted = others;
        (mine, noted.reason.clone())
    });
    let mut mine: Vec<Row> = mine;
    while let Some(first) = mine.first().cloned() {
        let alike =
            |row: &Row| row.target == first.target && row.relation == first.relation && row.approval == first.approval;
        let (group, rest): (Vec<Row>, Vec<Row>) = mine.into_iter().partition(alike);
        archive(&group, reason.as_deref());
        mine = rest;
    }
}

fn archive(rows: &[Row], reason: Option<&str>) {
    let Some(first) = rows.first() else { return };
    let (id, at, by) = first.columns.as_ref();
    let relation = names::shown(first.target);
    let kinds = |name: &str| session::column_kind(first.target, name);
    let mut sets = vec![format!("{} = pg_catalog.statement_timestamp()", names::quote(at))];
    let mut params = Vec::new();
    let texts: Vec<String>;
    let ints: Vec<i64>;
    let condition = if first.relation == first.target {
        let kind = kinds(id).unwrap_or_else(|| bug("an id without a kind"));
        let cast = if kind == Kind::Uuid { "::pg_catalog.uuid[]" } else { "" };
        if kind.is_int() {
            ints = rows.iter().filter_map(|row| row.record.parse().ok()).collect();
            params.push(Param::Ints(&ints));
        } else {
            texts = rows.iter().map(|row| row.record.clone()).collect();
            params.push(Param::Texts(&texts));
        }
        format!("{} OPERATOR(pg_catalog.=) ANY ($1{cast})", names::quote(id))
    } else {
        // Ids of partitions need not differ from each other.
        texts = rows.iter().map(|row| format!("({},{})", row.place.0, row.place.1)).collect();
        params.push(Param::Texts(&texts));
        format!(
            "ctid OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.tid[]) AND tableoid OPERATOR(pg_catalog.=) {}::pg_catalog.oid",
            first.relation.to_u32()
        )
    };
    if let (Some(by), Some((member, key))) = (by, &first.member) {
        let kind = kinds(by).unwrap_or(Kind::Text);
        // A column that cannot hold this member stays empty; the audit names him.
        let cast = match kind {
            Kind::Uuid if parse_uuid(key).is_none() => None,
            Kind::Uuid => Some("::pg_catalog.uuid"),
            kind => kind.fits(*member).then_some(""),
        };
        if let Some(cast) = cast {
            params.push(if kind.is_int() { Param::Int(Some(*member)) } else { Param::Text(Some(key)) });
            sets.push(format!("{} = $2{cast}", names::quote(by)));
        }
    }
    let sanction = Sanction {
        target: first.target,
        records: Rc::new(rows.iter().map(|row| row.record.clone()).collect()),
        purpose: Purpose::Archive,
        reason: reason.map(str::to_owned),
        approval: first.approval,
    };
    let text = format!("UPDATE {relation} SET {} WHERE {condition}", sets.join(", "));
    // With the caller's search path, on which triggers of the table may rely: the text itself needs none.
    let count = guard::sanction(sanction, || sql::query_once(&text, &params, Sees::Now, &mut |_| {}));
    if count != rows.len() as u64 {
        failure("27000", format!("{} of {} rows of {relation} could be archived", count, rows.len()))
            .detail("The statement, or a trigger, changed a row that it deletes.")
            .hint("Change and delete rows in statements of their own.")
            .raise();
    }
}

/// What was noted in a part that is rolled back is void; a DELETE that was reported and not carried out must not commit.
pub(crate) fn on_transaction(event: Transaction) {
    match event {
        Transaction::Committing | Transaction::Preparing => {
            if NOTED.with_borrow(|noted| !noted.accepted.is_empty()) {
                failure("55000", "rows that were deleted have not been archived")
                    .detail("The trigger leadguard_99_written of a protected table did not fire.")
                    .hint("Run leadguard.set_archive, which puts the protection in order.")
                    .raise();
            }
        }
        Transaction::Ended(_) => {
            let _ = NOTED.take();
        }
        Transaction::SubCommitted { sub, parent } => NOTED.with_borrow_mut(|noted| {
            noted.accepted.iter_mut().filter(|row| row.sub == sub).for_each(|row| row.sub = parent);
        }),
        Transaction::SubAborted { sub } => NOTED.with_borrow_mut(|noted| {
            noted.proposed.retain(|(_, row)| row.sub != sub);
            let gone: Vec<Row> = noted.accepted.extract_if(.., |row| row.sub == sub).collect();
            for row in gone {
                noted.known.remove(&(row.command, row.relation, row.place));
            }
        }),
    }
}
