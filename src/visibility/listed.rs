//! What a written row may name: the active members, the territories and the teams of an organization.
//!
//! A statement that writes a few rows asks for each value; one that writes thousands reads the list once.

use crate::ffi::scan::{Column, Equal, Table, Tuple};
use crate::model::value::{Kind, Value, ValueSet};
use std::cell::{Cell, OnceCell};
use std::ffi::{CStr, CString};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum List {
    ActiveMembers,
    Territories,
    Teams,
}

impl List {
    fn table(self) -> &'static CStr {
        match self {
            List::ActiveMembers => c"member",
            List::Territories => c"territory",
            List::Teams => c"team",
        }
    }

    fn index(self, kind: Kind) -> &'static CStr {
        match (self, kind.is_int()) {
            (List::ActiveMembers, true) => c"member_pkey",
            (List::ActiveMembers, false) => c"member_key_unique",
            (List::Territories, true) => c"territory_pkey",
            (List::Territories, false) => c"territory_key_unique",
            (List::Teams, true) => c"team_pkey",
            (List::Teams, false) => c"team_key_unique",
        }
    }
}

/// One list in one state of the database, as columns of one type name its entries.
pub(super) struct Listed {
    list: List,
    org_id: i64,
    kind: Kind,
    asked: Cell<u32>,
    all: OnceCell<ValueSet>,
}

/// Asking for an entry costs about as much as passing over this many.
const ASKING: f64 = 10.0;
/// So many are always asked for.
const FEW: f64 = 8.0;

impl Listed {
    pub(super) fn new(list: List, org_id: i64, kind: Kind) -> Listed {
        Listed { list, org_id, kind, asked: Cell::new(0), all: OnceCell::new() }
    }

    pub(super) fn contains(&self, value: &Value) -> bool {
        if let Some(all) = self.all.get() {
            return all.contains(value);
        }
        let reader = Reader::open(self);
        if f64::from(self.asked.get()) > (reader.table.estimated_rows() / ASKING).max(FEW) {
            let all = self.read_all(&reader);
            return self.all.get_or_init(|| all).contains(value);
        }
        self.asked.set(self.asked.get() + 1);
        self.ask(&reader, value)
    }

    fn ask(&self, reader: &Reader, value: &Value) -> bool {
        let mut found = false;
        let mut look = |keys: &[(Column, Equal)]| {
            reader.table.scan(Some(self.list.index(self.kind)), keys, |row| {
                found = reader.is_listed(row);
                false
            })
        };
        match (self.kind.is_int(), value) {
            (true, Value::Int(id)) => look(&[(reader.id, Equal::Int(*id))]),
            (false, Value::Text(_) | Value::Uuid(_)) => {
                let Some(Ok(key)) = value.to_text().map(CString::new) else { return false };
                let key = (reader.key, Equal::Text(&key));
                match self.list {
                    List::ActiveMembers => look(&[key]),
                    // Keys of territories and teams are unique in their organization.
                    List::Territories | List::Teams => look(&[(reader.org, Equal::Int(self.org_id)), key]),
                }
            }
            _ => {}
        }
        found
    }

    fn read_all(&self, reader: &Reader) -> ValueSet {
        let (mut ids, mut keys) = (Vec::new(), Vec::new());
        reader.table.scan(None, &[], |row| {
            if reader.is_listed(row) {
                if self.kind.is_int() { ids.extend(row.int(reader.id)) } else { keys.extend(row.text(reader.key)) }
            }
            true
        });
        if self.kind.is_int() {
            return ValueSet::of_ids(ids);
        }
        ValueSet::of_records(keys.iter().map(String::as_str), self.kind)
    }
}

struct Reader {
    table: Table,
    org_id: i64,
    id: Column,
    key: Column,
    org: Column,
    active: Option<Column>,
}

impl Reader {
    fn open(listed: &Listed) -> Reader {
        let table = Table::open(listed.list.table());
        Reader {
            org_id: listed.org_id,
            id: table.column(c"id"),
            key: table.column(c"key"),
            org: table.column(c"org_id"),
            active: (listed.list == List::ActiveMembers).then(|| table.column(c"active")),
            table,
        }
    }

    fn is_listed(&self, row: &Tuple) -> bool {
        row.int(self.org) == Some(self.org_id) && self.active.is_none_or(|active| row.bool(active))
    }
}
