//! What was noted and is not written yet. Each entry belongs to the subtransaction that made the change.

use super::watched::Texts;
use crate::ffi::session;
use crate::ffi::sql;
use crate::model::change::{Change, are_enough};
use crate::names;
use crate::visibility;
use pgrx::pg_sys::Oid;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;

/// So many heads are compared with a new entry.
const HEADS: usize = 64;

/// Who does what, to be kept with an entry.
#[derive(PartialEq)]
pub(super) struct About<'a> {
    pub target: Option<Oid>,
    pub member: Option<(i64, Cow<'a, str>)>,
    pub organization: Option<i64>,
    pub action: &'a str,
    pub reason: Option<&'a str>,
    pub approval: Option<i64>,
    pub detail: Option<&'a str>,
}

/// The name that everybody uses for a table.
fn called(target: Oid) -> String {
    let table = visibility::statement().table(target);
    // The view is gone where the running statement has revealed the table.
    let view = Option::as_ref(&table).and_then(|table| table.concealed_by).and_then(names::relation);
    view.unwrap_or_else(|| names::shown(target))
}

/// The same, with what is known about the session: what entries of one statement have in common.
pub(super) struct Head {
    pub at: i64,
    /// Which roles the names belong to; none for a row that is read back.
    roles: Option<(Oid, Oid)>,
    pub session_role: String,
    pub outer_role: String,
    pub target: Option<Oid>,
    pub target_name: Option<String>,
    pub member: Option<i64>,
    pub member_key: Option<String>,
    pub organization: Option<i64>,
    pub action: String,
    pub reason: Option<String>,
    pub approval: Option<i64>,
    pub detail: Option<String>,
}

impl Head {
    pub(super) fn new(about: &About) -> Head {
        let (session, outer) = (session::session_role(), session::outer_role());
        let role = |oid: Oid| session::role_name(oid).unwrap_or_else(|| oid.to_u32().to_string());
        Head {
            at: session::statement_time(),
            roles: Some((session, outer)),
            session_role: role(session),
            outer_role: role(outer),
            target: about.target,
            target_name: about.target.map(called),
            member: about.member.as_ref().map(|(id, _)| *id),
            member_key: about.member.as_ref().map(|(_, key)| key.to_string()),
            organization: about.organization,
            action: about.action.to_owned(),
            reason: about.reason.map(str::to_owned),
            approval: about.approval,
            detail: about.detail.map(str::to_owned),
        }
    }

    /// As audit_verify reads it back.
    pub(super) fn read(row: &sql::Row) -> Head {
        Head {
            at: row.int(1).unwrap_or_default(),
            roles: None,
            session_role: row.text(3).unwrap_or_default(),
            outer_role: row.text(4).unwrap_or_default(),
            target: None,
            target_name: row.text(8),
            member: row.int(5),
            member_key: row.text(6),
            organization: row.int(7),
            action: row.text(10).unwrap_or_default(),
            reason: row.text(11),
            approval: row.int(12),
            detail: row.text(13),
        }
    }

    fn is(&self, about: &About) -> bool {
        self.at == session::statement_time()
            && self.roles == Some((session::session_role(), session::outer_role()))
            && self.target == about.target
            && self.member == about.member.as_ref().map(|(id, _)| *id)
            && self.organization == about.organization
            && self.action == about.action
            && self.reason.as_deref() == about.reason
            && self.approval == about.approval
            && self.detail.as_deref() == about.detail
    }
}

pub(super) struct Entry {
    sub: u32,
    /// What it takes, at most: values may be forgotten later.
    size: usize,
    pub head: Rc<Head>,
    pub record: String,
    pub change: Change,
}

impl Entry {
    pub(super) fn new(sub: u32, head: Rc<Head>, record: String, change: Change) -> Entry {
        Entry { sub, size: size_of::<Entry>() + record.len() + change.size(), head, record, change }
    }
}

#[derive(Default)]
struct Buffer {
    entries: Vec<Entry>,
    /// What they take together.
    size: usize,
    /// Those of the last entries: rows of several organizations come in any order.
    heads: VecDeque<Rc<Head>>,
    /// Rows on their way from one partition to another.
    departed: Vec<(u32, Oid, String, Texts)>,
}

thread_local! {
    static BUFFER: RefCell<Buffer> = RefCell::default();
}

/// Notes a change; true when enough have come together to be written.
pub(super) fn add(about: &About, record: String, change: Change) -> bool {
    let held = BUFFER.with_borrow(|buffer| buffer.heads.iter().find(|head| head.is(about)).cloned());
    let is_new = held.is_none();
    let head = held.unwrap_or_else(|| Rc::new(Head::new(about)));
    let sub = session::subtransaction();
    BUFFER.with_borrow_mut(|buffer| {
        if is_new {
            buffer.heads.push_front(Rc::clone(&head));
            buffer.heads.truncate(HEADS);
        }
        let entry = Entry::new(sub, head, record, change);
        buffer.size += entry.size;
        buffer.entries.push(entry);
        are_enough(buffer.entries.len(), buffer.size)
    })
}

impl Buffer {
    /// After some of the entries have left.
    fn weigh(&mut self) {
        self.size = self.entries.iter().map(|entry| entry.size).sum();
    }
}

/// The entries of one subtransaction.
pub(super) fn take(sub: u32) -> Vec<Entry> {
    let taken = BUFFER.with_borrow_mut(|buffer| {
        if buffer.entries.iter().all(|e| e.sub == sub) {
            buffer.size = 0;
            return std::mem::take(&mut buffer.entries);
        }
        let (taken, kept) = std::mem::take(&mut buffer.entries).into_iter().partition(|e| e.sub == sub);
        buffer.entries = kept;
        buffer.weigh();
        taken
    });
    together(taken)
}

pub(super) fn take_all() -> Vec<Entry> {
    together(BUFFER.with_borrow_mut(|buffer| {
        buffer.size = 0;
        std::mem::take(&mut buffer.entries)
    }))
}

/// Entries with one head next to each other, the heads in the order of their first entries; as they came where a record
/// has more than one, whose story has an order.
fn together(mut entries: Vec<Entry>) -> Vec<Entry> {
    let runs = entries.chunk_by(|a, b| Rc::ptr_eq(&a.head, &b.head)).count();
    if runs < 2 {
        return entries;
    }
    let mut places = HashMap::new();
    for entry in &entries {
        let next = places.len();
        places.entry(Rc::as_ptr(&entry.head)).or_insert(next);
    }
    let records: HashSet<_> = entries.iter().map(|e| (e.head.target, e.record.as_str())).collect();
    if places.len() < runs && records.len() == entries.len() {
        entries.sort_by_key(|entry| places.get(&Rc::as_ptr(&entry.head)).copied());
    }
    entries
}

pub(super) fn is_waiting() -> bool {
    BUFFER.with_borrow(|buffer| !buffer.entries.is_empty())
}

pub(super) fn depart(target: Oid, record: String, texts: Texts) {
    BUFFER.with_borrow_mut(|buffer| buffer.departed.push((session::subtransaction(), target, record, texts)));
}

pub(super) fn arrive(target: Oid, record: &str) -> Option<Texts> {
    BUFFER.with_borrow_mut(|buffer| {
        let found = buffer.departed.iter().rposition(|(_, t, r, _)| *t == target && r == record)?;
        Some(buffer.departed.swap_remove(found).3)
    })
}

/// Entries of these records that are not written yet lose their values too.
pub(super) fn forget_values(target: Oid, is_gone: impl Fn(&str) -> bool) {
    BUFFER.with_borrow_mut(|buffer| {
        for entry in buffer.entries.iter_mut().filter(|e| e.head.target == Some(target) && is_gone(&e.record)) {
            entry.change.forget_values();
        }
    });
}

pub(super) fn hand_over(sub: u32, parent: u32) {
    BUFFER.with_borrow_mut(|buffer| {
        buffer.entries.iter_mut().filter(|e| e.sub == sub).for_each(|e| e.sub = parent);
        buffer.departed.iter_mut().filter(|(s, ..)| *s == sub).for_each(|(s, ..)| *s = parent);
    });
}

pub(super) fn drop_of(sub: u32) {
    BUFFER.with_borrow_mut(|buffer| {
        buffer.entries.retain(|e| e.sub != sub);
        buffer.weigh();
        buffer.departed.retain(|(s, ..)| *s != sub);
    });
}

pub(super) fn clear() {
    let _ = BUFFER.take();
}
