//! The view that takes a table's name, as SQL.

use super::generated;
use super::inspect;
use super::registry::{self, Entry};
use crate::errors::{bad_argument, refused};
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::masks::VIEW_OWNER;
use crate::names::{self, literal, quote};
use crate::rulebook;
use crate::visibility;
use pgrx::pg_sys::{self, Oid};

/// How a column is masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mask {
    pub name: String,
    pub keep: i64,
}

/// A mask that is about to be set on a column or taken away.
pub(super) type Change<'a> = Option<(&'a str, Option<&'a Mask>)>;

pub(super) struct Column {
    pub name: String,
    pub type_name: String,
    pub is_domain: bool,
    pub type_oid: Oid,
    pub mask: Option<Mask>,
    pub mapped: bool,
    /// Some member may not read it.
    pub closed: bool,
    /// A jsonb column of which some member may not read every key.
    pub closed_keys: bool,
    pub generated: bool,
    pub number: i64,
    modifier: i64,
    /// No member reads it: it follows the table's default, which is closed.
    pub shut: bool,
    /// Numbers of the columns that a generated one is computed from.
    pub sources: Vec<i64>,
}

const MASKS: &str = "full, partial, hash, year, null";
/// As many characters as a hash has.
const HASH: i64 = 32;
const HIDDEN: i64 = 3;
/// What the length of a varchar is stored with.
const HEADER: i64 = 4;

pub(super) fn columns(target: Oid) -> Vec<Column> {
    let mut found = Vec::new();
    as_extension(|| {
        sql::query(include_str!("../../sql/query/conceal_columns.sql"), &[Param::Oid(target)], Sees::Now, &mut |row| {
            let number = |column| row.text(column).and_then(|text| text.parse().ok()).unwrap_or_default();
            found.push(Column {
                name: row.text(0).unwrap_or_default(),
                type_name: row.text(1).unwrap_or_default(),
                is_domain: row.bool(2),
                type_oid: row.oid(3).unwrap_or(Oid::INVALID),
                mask: row.text(4).map(|name| Mask { name, keep: number(5) }),
                mapped: row.bool(6),
                closed: row.bool(7),
                closed_keys: row.bool(11),
                generated: row.bool(8),
                number: number(9),
                modifier: number(10),
                shut: row.bool(12),
                sources: row.text(13).unwrap_or_default().split(',').filter_map(|n| n.parse().ok()).collect(),
            });
        })
    });
    found
}

impl Column {
    /// 22023 for a mask that the column cannot carry.
    pub(super) fn require_fit(&self, mask: &Mask) {
        let refuse = |why: String, hint: &str| -> ! {
            bad_argument(format!("column \"{}\" cannot be masked with \"{}\"", self.name, mask.name))
                .detail(why)
                .hint(hint)
                .raise()
        };
        if self.mapped {
            refuse("Access is computed from it.".to_owned(), "Mask columns that are not mapped.");
        }
        if self.generated {
            refuse(
                "It is generated from other columns.".to_owned(),
                "Mask the columns it is computed from, and drop it.",
            );
        }
        let fits = match mask.name.as_str() {
            "full" | "partial" | "hash" => {
                [pg_sys::TEXTOID, pg_sys::VARCHAROID, pg_sys::BPCHAROID].contains(&self.type_oid)
            }
            "year" => [pg_sys::DATEOID, pg_sys::TIMESTAMPOID, pg_sys::TIMESTAMPTZOID].contains(&self.type_oid),
            "null" => !self.is_domain,
            other => {
                bad_argument(format!("unknown mask \"{other}\"")).hint(format!("Possible values: {MASKS}.")).raise()
            }
        };
        let hint = "full, partial and hash are for text, varchar and char, year for date and timestamps, null for all types but domains.";
        if !fits {
            refuse(format!("Its type is {}.", self.type_name), hint);
        }
        let needed = match mask.name.as_str() {
            "full" => HIDDEN,
            "partial" => HIDDEN + 1 + mask.keep,
            "hash" => HASH,
            _ => 0,
        };
        if needed > 0 && self.modifier > 0 && self.modifier - HEADER < needed {
            refuse(format!("Its type is {}; the masked value has {needed} characters.", self.type_name), hint);
        }
        if mask.name == "partial" && mask.keep < 1 {
            refuse("keep must be at least 1.".to_owned(), hint);
        }
    }

    fn masked(&self, mask: &Mask) -> String {
        let name = format!("b.{}", quote(&self.name));
        match (mask.name.as_str(), self.type_oid) {
            ("full", _) => format!("CASE WHEN {name} IS NOT NULL THEN '***'::text END"),
            ("partial", _) => format!("leadguard.mask_partial({name}::text, {})", mask.keep),
            ("hash", _) => format!("leadguard.mask_hash({name}::text)"),
            ("year", pg_sys::DATEOID) => format!("date_trunc('year', {name}::timestamp)::date"),
            ("year", _) => format!("date_trunc('year', {name})"),
            _ => "NULL".to_owned(),
        }
    }

    /// Without the keys that the member may not read; which these are is found once in each execution. To whom there
    /// are any, NULL looks as an object of which nothing can be read.
    fn clear(&self, table: &str) -> String {
        let name = format!("b.{}", quote(&self.name));
        if !self.closed_keys {
            return name;
        }
        let closed = format!("leadguard.closed_keys({table}, {})", literal(&self.name));
        format!(
            "CASE WHEN jsonb_typeof({name}) = 'object' THEN {name} - (SELECT {closed}) \
             WHEN {name} IS NULL AND (SELECT cardinality({closed})) > 0 THEN '{{}}' ELSE {name} END"
        )
    }

    fn expression(&self, table: &str, arguments: &str, masked: Option<&Mask>) -> String {
        let name = quote(&self.name);
        let clear = self.clear(table);
        if self.mapped || (masked.is_none() && !self.closed) {
            return format!("b.{name}");
        }
        let shown = format!("leadguard.shown({})", arguments.replacen("$column", &literal(&self.name), 1));
        let otherwise = masked.map(|mask| format!(" WHEN 'm' THEN {}", self.masked(mask))).unwrap_or_default();
        let cast = if self.is_domain { String::new() } else { format!("::{}", self.type_name) };
        format!("(CASE {shown} WHEN 'c' THEN {clear}{otherwise} END){cast} AS {name}")
    }
}

/// The query of the view; `change` is a mask that is about to be set or taken away.
pub(super) fn query(base: &str, entry: &Entry, columns: &[Column], change: Change) -> String {
    generated::refuse_telling(base, columns, change);
    let mapped = |column: &Option<String>| match column {
        Some(name) => format!("b.{}", quote(name)),
        None => "NULL::bigint".to_owned(),
    };
    let mapping = &entry.mapping;
    let table = format!("{}::regclass", literal(base));
    let arguments = format!(
        "{table}, $column, b.{}, {}, {}, {}",
        quote(&mapping.id),
        mapped(&mapping.owner),
        mapped(&mapping.territory),
        mapped(&mapping.organization)
    );
    let list: Vec<String> = columns
        .iter()
        .map(|column| match change {
            Some((name, mask)) if name == column.name => column.expression(&table, &arguments, mask),
            _ => column.expression(&table, &arguments, column.mask.as_ref()),
        })
        .collect();
    format!("SELECT {} FROM {base} b WHERE leadguard.concealed({table})", list.join(", "))
}

/// Makes the view of a concealed table anew after the field rules or the columns changed. For the extension.
pub(crate) fn refresh(target: Oid) {
    as_extension(|| {
        // Of two changes at once the second one must know of the first.
        rulebook::right::lock(target);
        let Some(entry) = registry::find(target).filter(|entry| entry.concealed_by.is_some()) else { return };
        let Some(by) = entry.concealed_by else { return };
        let (Some(relation), Some(stands)) = (inspect::relation(target), inspect::relation(by)) else { return };
        rename_columns(target, by);
        let query = query(&relation.name, &entry, &columns(target), None);
        let statement = format!("CREATE OR REPLACE VIEW {} AS {query}", stands.name);
        sql::query_once(&statement, &[], Sees::Now, &mut |_| {});
    });
}

/// The columns of the view have the names of those of the table, in the same order.
fn rename_columns(target: Oid, view: Oid) {
    let mut renames = Vec::new();
    sql::query(
        "SELECT format('ALTER VIEW %s RENAME COLUMN %I TO %I', $2::regclass, v.attname, t.attname) \
         FROM (SELECT attname, row_number() OVER (ORDER BY attnum) AS place FROM pg_attribute \
               WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped) t \
         JOIN pg_attribute v ON v.attrelid = $2 AND v.attnum = t.place WHERE v.attname <> t.attname",
        &[Param::Oid(target), Param::Oid(view)],
        Sees::Now,
        &mut |row| renames.extend(row.text(0)),
    );
    for rename in renames {
        sql::query_once(&rename, &[], Sees::Now, &mut |_| {});
    }
}

/// Whether the view may be read: it must belong to the role that row security binds. A restore without owners would
/// otherwise show every row to everybody.
pub(super) fn is_sound(target: Oid) -> bool {
    let registered = visibility::statement().table(target);
    let Some(table) = registered.as_ref() else { return false };
    let by = table.concealed_by.unwrap_or(Oid::INVALID);
    // It is a member of nothing, so that it owns what belongs to it and no more.
    let owner = session::role_named(c"leadguard_view");
    if [owner, by].contains(&Oid::INVALID) || !session::owns_relation(by, owner) {
        refused(format!("the view of {} does not belong to {VIEW_OWNER}", names::shown(target)))
            .hint(format!("A superuser runs ALTER VIEW ... OWNER TO {VIEW_OWNER}."))
            .raise();
    }
    if visibility::statement().member.is_none() && session::bypasses_row_security(session::current_role()) {
        refused(format!("{} is masked for members; this session is none", names::shown(by)))
            .hint(format!("Sessions that row security does not bind work with {}.", names::shown(target)))
            .raise();
    }
    true
}
