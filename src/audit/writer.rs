//! The tables of the audit: what is written there, and what may be taken out.

use super::buffer::{Entry, Head};
use super::bulk;
use crate::ffi::append;
use crate::ffi::scan::{self, Equal};
use crate::ffi::session::{self, as_extension};
use crate::ffi::snapshot;
use crate::ffi::sql::{self, Param, Sees};
use crate::ffi::trigger::Operation;
use crate::model::change::Change;
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

pub(super) fn writing<T>(operation: Operation, body: impl FnOnce() -> T) -> T {
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
pub(super) fn digest_of_head(key: &Key, purpose: &str, head: &Head, transaction: &str) -> Digest {
    key.digest(purpose)
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

/// The purpose of digests of rows with one record, or none.
pub(super) const PURPOSE: &str = "row";

/// The digest over such a row.
pub(super) fn digest_of_row(
    head: &Digest,
    id: i64,
    record: Option<&str>,
    changes: &str,
    has_values: bool,
) -> [u8; digest::LENGTH] {
    head.clone().number(Some(id)).optional(record).text(changes).number(Some(i64::from(has_values))).bytes()
}

/// A longer key may not fit into an index beside what else is in it. An index of nothing but keys, as pages have it,
/// takes what the unique index of the table took.
const LONG_KEY: usize = 2_000;

/// Whether a record is stored on a page, also alone.
fn needs_page(record: &str) -> bool {
    record.len() > LONG_KEY && session::is_governed()
}

/// Writes entries down, those of one statement together.
pub(super) fn write(entries: &[Entry]) {
    for entries in entries.chunk_by(|a, b| Rc::ptr_eq(&a.head, &b.head)) {
        match entries {
            entries if entries.iter().any(|entry| needs_page(&entry.record)) => bulk::write(entries),
            [entry] => {
                write_one(&entry.head, Some(&entry.record), &entry.change);
            }
            _ if !session::is_governed() => {
                for entry in entries {
                    write_one(&entry.head, Some(&entry.record), &entry.change);
                }
            }
            entries if entries.len() < bulk::FROM => write_some(entries),
            entries => bulk::write(entries),
        }
    }
}

pub(super) fn sequence() -> Oid {
    session::own_relation(c"audit_id_seq")
}

pub(super) fn next(sequence: Oid) -> i64 {
    session::next_value(sequence).unwrap_or_else(|| crate::errors::bug("a sequence gave no value"))
}

pub(super) fn head_params<'a>(head: &'a Head, transaction: &'a str) -> [Param<'a>; 13] {
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

/// Writes down what has no values.
pub(super) fn write_event(head: Head, record: Option<&str>) {
    match record.filter(|record| needs_page(record)) {
        Some(record) => bulk::write(&[Entry::new(0, Rc::new(head), record.to_owned(), Change::default())]),
        None => {
            write_one(&head, record, &Change::default());
        }
    }
}

/// Writes one row with a statement, which finds the partition; answers which it was.
fn write_one(head: &Head, record: Option<&str>, change: &Change) -> Option<Oid> {
    let transaction = session::transaction().to_string();
    writing(Operation::Insert, || {
        let id = next(sequence());
        let digest = with_key(|key| digest_of_head(key, PURPOSE, head, &transaction));
        let (changes, values) = (change.digests(), change.values());
        let mut mac = String::new();
        digest::hex(&digest_of_row(&digest, id, record, &changes, values.is_some()), &mut mac);
        let own = [
            Param::Int(Some(id)),
            Param::Text(record),
            Param::Text(Some(&changes)),
            Param::Text(values.as_deref()),
            Param::Text(Some(&mac)),
        ];
        let params = [head_params(head, &transaction).as_slice(), &own].concat();
        let mut partition = None;
        let text = if session::is_governed() {
            include_str!("../../sql/query/audit_write_one.sql")
        } else {
            include_str!("../../sql/query/audit_write_one_before_bulk.sql")
        };
        sql::query(text, &params, Sees::Now, &mut |row| partition = row.oid(0));
        partition
    })
}

/// Rows of one statement have one time, and so one partition. The first one finds it.
fn write_some(entries: &[Entry]) {
    let Some((first, rest)) = entries.split_first() else { return };
    let head = &first.head;
    let one = |entry: &Entry| write_one(head, Some(&entry.record), &entry.change);
    let partition = one(first);
    let tables =
        partition.and_then(append::Table::open).zip(append::Table::open(session::own_relation(c"audit_entry_value")));
    match tables {
        Some((log, values)) => as_extension(|| append_all(head, rest, log, values)),
        None => {
            for entry in rest {
                one(entry);
            }
        }
    }
}

fn append_all(head: &Head, entries: &[Entry], mut log: append::Table, mut values: append::Table) {
    let (sequence, transaction) = (sequence(), session::transaction());
    let digest = with_key(|key| digest_of_head(key, PURPOSE, head, &transaction.to_string()));
    fill(&mut log, head, transaction);
    let [id, record, changes, has_values, mac] =
        [c"id", c"record", c"changes", c"has_values", c"mac"].map(|name| log.column(name));
    let [of, at, organization, target, kept_record, kept] =
        [c"audit_id", c"at", c"organization", c"target", c"record", c"values"].map(|name| values.column(name));
    values.int(at, Some(head.at));
    values.int(organization, head.organization);
    values.oid(target, head.target);
    let mut entries = entries.iter();
    append::in_batches(|| {
        for Entry { record: name, change, .. } in entries.by_ref() {
            let number = next(sequence);
            let (digests, written) = (change.digests(), change.values());
            log.int(id, Some(number));
            log.text(record, Some(name));
            log.json(changes, &digests);
            log.bool(has_values, written.is_some());
            log.bytes(mac, Some(&digest_of_row(&digest, number, Some(name), &digests, written.is_some())));
            let mut full = log.append();
            if let Some(written) = &written {
                values.int(of, Some(number));
                values.text(kept_record, Some(name));
                values.json(kept, written);
                full |= values.append();
            }
            if full {
                break;
            }
        }
        log.store();
        values.store();
        entries.len() > 0
    });
    values.finish();
    log.finish();
}

/// What all rows with this head have in common.
pub(super) fn fill(log: &mut append::Table, head: &Head, transaction: u64) {
    let texts = [
        (c"session_role", Some(head.session_role.as_str())),
        (c"outer_role", Some(&head.outer_role)),
        (c"member_key", head.member_key.as_deref()),
        (c"target_name", head.target_name.as_deref()),
        (c"action", Some(&head.action)),
        (c"reason", head.reason.as_deref()),
        (c"detail", head.detail.as_deref()),
    ];
    for (name, text) in texts {
        log.text(log.column(name), text);
    }
    let numbers = [
        (c"at", Some(head.at)),
        (c"transaction", Some(transaction.cast_signed())),
        (c"member_id", head.member),
        (c"organization", head.organization),
        (c"approval", head.approval),
    ];
    for (name, number) in numbers {
        log.int(log.column(name), number);
    }
    log.oid(log.column(c"target"), head.target);
}

/// Takes the values of records out; the digests stay.
pub(super) fn erase(target: Oid, records: &[String]) {
    let params = [Param::Oid(target), Param::Texts(records)];
    let run = |operation, text| writing(operation, || sql::query(text, &params, Sees::Now, &mut |_| {}));
    if session::is_governed() {
        let text = "DELETE FROM leadguard.audit_entry_value WHERE target = $1 AND record = ANY ($2)";
        run(Operation::Delete, text);
        run(Operation::Update, include_str!("../../sql/query/audit_erase.sql"));
    } else {
        run(Operation::Delete, "DELETE FROM leadguard.audit_value WHERE target = $1 AND record = ANY ($2)");
    }
}
