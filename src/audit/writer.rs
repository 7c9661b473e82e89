//! The two tables of the audit: what is written there, and what may be taken out.

use super::buffer::{Entry, Head};
use super::watched::Change;
use crate::ffi::scan::{self, Equal};
use crate::ffi::session::{self, as_extension};
use crate::ffi::snapshot;
use crate::ffi::sql::{self, Param, Sees};
use crate::ffi::trigger::Operation;
use crate::model::digest::{self, Digest, Key};
use pgrx::pg_sys::{self, Oid};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

thread_local! {
    static WRITING: Cell<Option<Operation>> = const { Cell::new(None) };
    static KEY: RefCell<Option<Key>> = const { RefCell::new(None) };
}

/// Whether the extension itself does this to the audit tables just now.
pub(super) fn is_writing(operation: Operation) -> bool {
    WRITING.get() == Some(operation)
}

fn writing<T>(operation: Operation, body: impl FnOnce() -> T) -> T {
    struct Restore(Option<Operation>);
    impl Drop for Restore {
        fn drop(&mut self) {
            WRITING.set(self.0);
        }
    }
    let _restore = Restore(WRITING.replace(Some(operation)));
    as_extension(body)
}

/// Runs `body` with the key of the digests. It is read once for each transaction.
pub(super) fn with_key<T>(body: impl FnOnce(&Key) -> T) -> T {
    let held = KEY.with_borrow(Clone::clone);
    let key = held.unwrap_or_else(|| {
        let key = snapshot::with_latest(read_key);
        KEY.set(Some(key.clone()));
        key
    });
    body(&key)
}

fn read_key() -> Key {
    let secrets = scan::Table::open(c"secret");
    let (name, key) = (secrets.column(c"name"), secrets.column(c"key"));
    let mut found = None;
    secrets.scan(Some(c"secret_pkey"), &[(name, Equal::Text(c"audit"))], |row| {
        found = row.bytes(key);
        false
    });
    match found.as_deref().and_then(Key::new) {
        Some(key) => key,
        None => crate::errors::failure("55000", "the audit has lost its key")
            .hint("Restore the row \"audit\" of leadguard.secret from a dump.")
            .raise(),
    }
}

pub(super) fn forget_key() {
    KEY.set(None);
}

/// The digest over what rows with this head have in common. The table by its name: a restore gives it another OID.
pub(super) fn digest_of_head(key: &Key, head: &Head, transaction: &str) -> Digest {
    key.digest("row")
        .number(Some(head.at))
        .text(transaction)
        .text(&head.session_role)
        .text(&head.outer_role)
        .number(head.member)
        .optional(head.member_key.as_deref())
        .number(head.organization)
        .optional(head.target_name.as_deref())
        .text(&head.action)
        .optional(head.reason.as_deref())
        .number(head.approval)
        .optional(head.detail.as_deref())
}

/// The digest over a whole row.
pub(super) fn digest_of_row(
    head: &Digest,
    id: i64,
    record: Option<&str>,
    changes: &str,
    has_values: bool,
) -> [u8; digest::LENGTH] {
    head.clone().number(Some(id)).optional(record).text(changes).number(Some(i64::from(has_values))).bytes()
}

/// Writes entries down, those of one statement together.
pub(super) fn write(entries: &[Entry]) {
    for entries in entries.chunk_by(|a, b| Rc::ptr_eq(&a.head, &b.head)) {
        match entries {
            [entry] => write_one(&entry.head, Some(&entry.record), &entry.change),
            entries => write_many(entries),
        }
    }
}

fn sequence() -> Oid {
    session::own_relation(c"audit_id_seq")
}

fn next(sequence: Oid) -> i64 {
    session::next_value(sequence).unwrap_or_else(|| crate::errors::bug("a sequence gave no value"))
}

fn head_params<'a>(head: &'a Head, transaction: &'a str) -> [Param<'a>; 13] {
    [
        Param::Timestamp(Some(head.at)),
        Param::Text(Some(transaction)),
        Param::Text(Some(&head.session_role)),
        Param::Text(Some(&head.outer_role)),
        Param::Int(head.member),
        Param::Text(head.member_key.as_deref()),
        Param::Int(head.organization),
        Param::Oid(head.target.unwrap_or(pg_sys::InvalidOid)),
        Param::Text(head.target_name.as_deref()),
        Param::Text(Some(&head.action)),
        Param::Text(head.reason.as_deref()),
        Param::Int(head.approval),
        Param::Text(head.detail.as_deref()),
    ]
}

pub(super) fn write_one(head: &Head, record: Option<&str>, change: &Change) {
    let transaction = session::transaction().to_string();
    writing(Operation::Insert, || {
        let id = next(sequence());
        let digest = with_key(|key| digest_of_head(key, head, &transaction));
        let mut mac = String::new();
        digest::hex(&digest_of_row(&digest, id, record, &change.changes, change.values.is_some()), &mut mac);
        let own = [
            Param::Int(Some(id)),
            Param::Text(record),
            Param::Text(Some(&change.changes)),
            Param::Text(change.values.as_deref()),
            Param::Text(Some(&mac)),
        ];
        let params = [head_params(head, &transaction).as_slice(), &own].concat();
        sql::query(include_str!("../../sql/query/audit_write_one.sql"), &params, Sees::Now, &mut |_| {});
    });
}

fn write_many(entries: &[Entry]) {
    let Some(first) = entries.first() else { return };
    let head = &first.head;
    let transaction = session::transaction().to_string();
    writing(Operation::Insert, || {
        let sequence = sequence();
        let digest = with_key(|key| digest_of_head(key, head, &transaction));
        let ids: Vec<i64> = entries.iter().map(|_| next(sequence)).collect();
        let column = |of: &dyn Fn(&Entry) -> &str| entries.iter().map(|e| of(e).to_owned()).collect::<Vec<_>>();
        let records = column(&|e| &e.record);
        let changes = column(&|e| &e.change.changes);
        let values = column(&|e| e.change.values.as_deref().unwrap_or_default());
        let macs: Vec<String> = ids
            .iter()
            .zip(entries)
            .map(|(id, e)| {
                let mut mac = String::new();
                let record = Some(e.record.as_str());
                digest::hex(
                    &digest_of_row(&digest, *id, record, &e.change.changes, e.change.values.is_some()),
                    &mut mac,
                );
                mac
            })
            .collect();
        let own = [
            Param::Ints(&ids),
            Param::Texts(&records),
            Param::Texts(&changes),
            Param::Texts(&values),
            Param::Texts(&macs),
        ];
        let params = [head_params(head, &transaction).as_slice(), &own].concat();
        sql::query(include_str!("../../sql/query/audit_write_many.sql"), &params, Sees::Now, &mut |_| {});
    });
}

pub(super) fn erase(target: Oid, record: &str) {
    writing(Operation::Delete, || {
        sql::query(
            "DELETE FROM leadguard.audit_value WHERE target = $1 AND record = $2",
            &[Param::Oid(target), Param::Text(Some(record))],
            Sees::Now,
            &mut |_| {},
        )
    });
}
