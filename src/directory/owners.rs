//! A record never ends without an owner: a member who owns records is neither deleted nor deactivated, nor moved to
//! another organization, before they are somebody else's or archived. Where the switch owners_stay is on.

use crate::arguments::required;
use crate::errors::{bad_argument, failure, refused};
use crate::ffi::call::Call;
use crate::ffi::count::{self, Gone, Having};
use crate::ffi::session::{self, as_extension};
use crate::ffi::snapshot;
use crate::ffi::sql::{self, Param, Sees};
use crate::ffi::trigger::{Operation, TriggerCall, When};
use crate::identity;
use crate::model::value::{Value, ValueSet};
use crate::names;
use crate::visibility::{self, Table};
use pgrx::iter::TableIterator;
use pgrx::pg_sys::{Datum, Oid};
use pgrx::{name, pg_extern};

/// Members, or organizations, as columns of protected tables name them.
#[derive(Default)]
pub(crate) struct Named {
    pub ids: Vec<i64>,
    pub keys: Vec<String>,
}

/// A protected table and what must be known of it to count its records.
pub(crate) struct Counted {
    pub target: Oid,
    /// The table as everybody calls it.
    pub shown: Oid,
    pub archived_at: Option<String>,
}

/// What members own in one table, counted whatever the caller sees.
pub(crate) struct Counting {
    table: Counted,
    owner: Option<String>,
}

impl Counting {
    pub(crate) fn of(table: &Table) -> Counting {
        let shown = table.concealed_by.unwrap_or(table.target);
        let counted = Counted { target: table.target, shown, archived_at: table.archived_at_column.clone() };
        Counting { table: counted, owner: table.owner_column.clone() }
    }

    /// How many unarchived records a member owns.
    pub(crate) fn owned(&self, id: i64, key: &str) -> i64 {
        let Some(owner) = &self.owner else { return 0 };
        unarchived(&self.table, Some(owner), &Named { ids: vec![id], keys: vec![key.to_owned()] })
    }
}

/// Whether the running statement meets a record of this id, whoever sees it; yes where that cannot be found out.
pub(crate) fn is_there(table: &Table, id: &Value) -> bool {
    let Some(kind) = session::column_kind(table.target, &table.id_column) else { return true };
    let text = id.to_text().unwrap_or_default();
    let values = ValueSet::of_records([text.as_str()], kind);
    let having = Having { column: &table.id_column, kind, values: &values };
    let leaves = match count::is_plain_table(table.target) {
        true => vec![table.target],
        false => as_extension(|| leaves(table.target, Sees::Statement)),
    };
    leaves.iter().any(|leaf| count::unarchived(*leaf, None, Some(having)).map_or(true, |count| count > 0))
}

/// How many records of a table are not archived and name one of them in the column; all that are not archived without
/// a column. In the newest state, whatever the caller sees.
pub(crate) fn unarchived(table: &Counted, column: Option<&str>, named: &Named) -> i64 {
    counted(table, column, named).unwrap_or_else(|Gone(column)| {
        failure("55000", format!("the mapped column \"{column}\" of {} is gone", names::shown(table.shown)))
            .detail("Its records cannot be counted.")
            .hint("A superuser protects the table anew, after leadguard.unprotect.")
            .raise()
    })
}

/// As unarchived; an error where a mapped column is gone.
fn counted(table: &Counted, column: Option<&str>, named: &Named) -> Result<i64, Gone> {
    let leaves = leaves(table.target, Sees::Now);
    let count = |having| {
        let of = |leaf: &Oid| count::unarchived(*leaf, table.archived_at.as_deref(), having);
        snapshot::with_latest(|| leaves.iter().map(of).sum::<Result<i64, Gone>>())
    };
    match column {
        None => count(None),
        Some(column) => match session::column_kind(table.target, column) {
            None => Err(Gone(column.to_owned())),
            Some(kind) => {
                let values = if kind.is_int() {
                    ValueSet::of_ids(named.ids.iter().copied())
                } else {
                    ValueSet::of_keys(named.keys.iter().map(String::as_str), kind)
                };
                count(Some(Having { column, kind, values: &values }))
            }
        },
    }
}

/// The table itself, or the partitions that hold its rows; also those that DETACH .. CONCURRENTLY has begun to take
/// away, which pg_partition_tree leaves out: their records have owners until it is done.
pub(crate) fn leaves(table: Oid, sees: Sees) -> Vec<Oid> {
    let mut found = Vec::new();
    sql::query(
        "WITH RECURSIVE below AS ( \
             SELECT $1::oid AS oid UNION \
             SELECT i.inhrelid FROM below b JOIN pg_inherits i ON i.inhparent = b.oid \
                 JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition \
         ) SELECT c.oid FROM pg_class c JOIN below b ON b.oid = c.oid WHERE c.relkind = 'r'",
        &[Param::Oid(table)],
        sees,
        &mut |row| found.extend(row.oid(0)),
    );
    found
}

/// "3 records of crm.lead".
pub(crate) fn in_words(count: i64, what: &str) -> String {
    format!("{count} {}", if count == 1 { what.to_owned() } else { what.replacen(' ', "s ", 1) })
}

/// Tables with an owner column; only those where owners stay, or all. Of one organization, and those that several share:
/// what others did to their tables is no matter of this one.
pub(crate) fn tables(all: bool, organization: Option<i64>) -> Vec<(Counted, String)> {
    let mut found = Vec::new();
    let params = [Param::Bool(all), Param::Int(organization)];
    sql::query(include_str!("../../sql/query/owned_tables.sql"), &params, Sees::Now, &mut |row| {
        if let (Some(target), Some(shown), Some(owner)) = (row.oid(0), row.oid(1), row.text(2)) {
            found.push((Counted { target, shown, archived_at: row.text(3) }, owner));
        }
    });
    found
}

/// Whether records of the table are never without an owner: the switch owners_stay.
pub(crate) fn owners_stay(table: Oid) -> bool {
    as_extension(|| tables(false, None)).iter().any(|(held, _)| held.target == table)
}

/// AFTER STATEMENT of member.
pub(crate) fn keep(call: &Call) -> Datum {
    let trigger = TriggerCall::fired(call, When::AfterStatement);
    let text = match trigger.operation() {
        Operation::Update => include_str!("../../sql/query/owners_changed.sql"),
        _ => "SELECT id, key FROM old_rows",
    };
    as_extension(|| {
        let mut leaving = Named::default();
        trigger.with_transition_tables(|| {
            sql::query_once(text, &[], Sees::Now, &mut |row| {
                leaving.ids.extend(row.int(0));
                leaving.keys.extend(row.text(1));
            })
        });
        if !leaving.ids.is_empty() {
            wait_for_givers(&leaving.ids);
            refuse_owners(&leaving);
        }
    });
    trigger.skip()
}

/// Who gives a record to a member holds his row until that is committed (assignment::owners): then it counts.
pub(crate) fn wait_for_givers(members: &[i64]) {
    let text = "SELECT id FROM leadguard.member WHERE id = ANY ($1) ORDER BY id FOR UPDATE";
    sql::query(text, &[Param::Ints(members)], Sees::Now, &mut |_| {});
}

fn refuse_owners(leaving: &Named) {
    let counts: Vec<String> = tables(false, None)
        .iter()
        .map(|(table, owner)| (unarchived(table, Some(owner), leaving), table.shown))
        .filter(|(count, _)| *count > 0)
        .map(|(count, shown)| in_words(count, &format!("record of {}", names::shown(shown))))
        .collect();
    if counts.is_empty() {
        return;
    }
    let who = match leaving.keys.as_slice() {
        [key] => format!("member \"{key}\" still owns records"),
        _ => "members who would go still own records".to_owned(),
    };
    failure("23503", who)
        .detail(format!("They own {}.", counts.join(", ")))
        .hint(
            "Hand them over with leadguard.reassign, or archive them; leadguard.owned_records(member) counts them. The \
             switch owners_stay of a table lets owners leave.",
        )
        .raise()
}

type Owned = TableIterator<'static, (name!(target, Oid), name!(records, Option<i64>))>;

/// How many unarchived records a member owns in each protected table; NULL for one that lost a mapped column. Errors:
/// 42501, 22023.
#[pg_extern(sql = false)]
fn owned_records(member: Option<&str>) -> Owned {
    let superuser = identity::is_superuser();
    let subject = visibility::now();
    let manages = subject.has_capability("administer") || subject.has_capability("manage_members");
    if !superuser && !manages {
        refused("owned_records refused").hint("It needs the capability administer or manage_members.").raise();
    }
    let key = required(member, "the member");
    let organization = subject.member.as_ref().filter(|_| !superuser).map(|m| m.org_id);
    let rows = as_extension(|| {
        let mut found = None;
        sql::query(
            "SELECT id, org_id FROM leadguard.member WHERE key = $1 AND ($2::bigint IS NULL OR org_id = $2)",
            &[Param::Text(Some(key)), Param::Int(organization)],
            Sees::Now,
            &mut |row| found = row.int(0).zip(row.int(1)),
        );
        let Some((id, its)) = found else { bad_argument(format!("there is no member \"{key}\"")).raise() };
        let named = Named { ids: vec![id], keys: vec![key.to_owned()] };
        tables(true, Some(its))
            .iter()
            .map(|(table, owner)| (table.shown, counted(table, Some(owner), &named).ok()))
            .filter(|(_, count)| *count != Some(0))
            .collect::<Vec<_>>()
    });
    TableIterator::new(rows)
}
