//! Which loaded rows are there already: among all records of the organization, archived and disqualified ones too,
//! whatever the member sees (K43). Which record it is, is told for those only that he reads.

use super::secret::Secrecy;
use super::target::ImportTarget;
use crate::directory;
use crate::errors::failure;
use crate::ffi::session::as_extension;
use crate::ffi::snapshot;
use crate::ffi::sql::{self, Param, Sees};
use crate::ffi::whole::{self, Gone};
use crate::model::value::{Kind, parse_int};
use crate::questions::record::{Target, as_caller};
use crate::visibility::{Member, Part};
use std::collections::{HashMap, HashSet};

/// How a record is there; what a member should know first comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum How {
    Archived,
    Disqualified,
    There,
}

impl How {
    fn name(self) -> &'static str {
        match self {
            How::Archived => "exists (archived)",
            How::Disqualified => "exists (disqualified)",
            How::There => "exists",
        }
    }
}

pub(super) struct Existing {
    pub line: i64,
    pub key: usize,
    pub problem: &'static str,
    pub record: Option<String>,
}

/// Compares the match keys of lines with all records of the member's organization, in the newest state.
pub(super) fn find(
    target: &ImportTarget,
    member: &Member,
    keyed: &[HashMap<String, Vec<i64>>],
    secrecy: &[Secrecy],
) -> Vec<Existing> {
    if keyed.iter().all(HashMap::is_empty) {
        return Vec::new();
    }
    let table = &target.table;
    let mut columns = vec![table.id_column.clone()];
    let mut place = |column: &str| {
        columns.iter().position(|held| held == column).unwrap_or_else(|| {
            columns.push(column.to_owned());
            columns.len() - 1
        })
    };
    let archived = table.archived_at_column.as_deref().map(&mut place);
    let organization = table.organization_column.as_deref().map(&mut place);
    let states = [Part::Status, Part::Stage].map(|part| table.column(part).map(&mut place));
    let keys: Vec<Vec<usize>> =
        target.keys.iter().map(|key| key.columns.iter().map(|column| place(column)).collect()).collect();
    let own = [member.org_id.to_string(), member.org_key.clone()];
    let kind =
        table.organization_column.as_ref().and_then(|column| crate::ffi::session::column_kind(table.target, column));
    let is_own = |value: &str| match kind {
        // A column of type uuid shows keys in lower case; other keys that differ in case are other organizations'.
        Some(Kind::Uuid) => value.eq_ignore_ascii_case(&own[1]),
        Some(Kind::Text) => value == own[1],
        _ => value == own[0],
    };
    // By line and key: how, and which record.
    let mut matched: HashMap<(i64, usize), (How, String)> = HashMap::new();
    let mut look = |row: &[Option<String>]| {
        let said = |place: Option<usize>| place.and_then(|place| row[place].as_deref());
        if organization.is_some() && !said(organization).is_some_and(is_own) {
            return;
        }
        for (index, (key, keyed)) in target.keys.iter().zip(keyed).enumerate() {
            let of = key.of(keys[index].iter().map(|place| row[*place].as_deref()));
            let Some(lines) = of.and_then(|of| keyed.get(&of)) else { continue };
            let is_disqualified = states
                .iter()
                .any(|state| said(*state).is_some_and(|value| target.disqualified.iter().any(|d| d == value)));
            let how = match (said(archived).is_some(), is_disqualified) {
                (true, _) => How::Archived,
                (_, true) => How::Disqualified,
                _ => How::There,
            };
            for line in lines {
                let held = matched.entry((*line, index)).or_insert_with(|| (how, row[0].clone().unwrap_or_default()));
                if held.0 < how {
                    *held = (how, row[0].clone().unwrap_or_default());
                }
            }
        }
    };
    for leaf in as_extension(|| directory::leaves(table.target, Sees::Now)) {
        if let Err(Gone(column)) = snapshot::with_latest(|| whole::each(leaf, &columns, &mut look)) {
            gone(target, &column);
        }
    }
    let readable = readable(target, matched.values().map(|(_, record)| record.clone()).collect());
    let mut found: Vec<Existing> = matched
        .into_iter()
        .map(|((line, key), (how, record))| Existing {
            line,
            key,
            problem: if secrecy[key] == Secrecy::Closed { How::There.name() } else { how.name() },
            record: Some(record).filter(|record| secrecy[key] == Secrecy::Open && readable.contains(record)),
        })
        .collect();
    found.sort_by_key(|existing| (existing.line, existing.key));
    found
}

/// Those of the records that the caller reads.
fn readable(target: &ImportTarget, records: HashSet<String>) -> HashSet<String> {
    let mut found = HashSet::new();
    if records.is_empty() {
        return found;
    }
    let target = Target::find(Some(target.table.target), Sees::Now);
    let records: Vec<String> = records.into_iter().collect();
    let ids: Vec<i64> = records.iter().filter_map(|record| parse_int(record)).collect();
    let (param, cast) = match target.id.kind {
        kind if kind.is_int() => (Param::Ints(&ids), ""),
        Kind::Uuid => (Param::Texts(&records), "::pg_catalog.uuid[]"),
        _ => (Param::Texts(&records), ""),
    };
    let id = &target.id.quoted;
    let text = format!(
        "SELECT {id}::pg_catalog.text FROM {} WHERE {id} OPERATOR(pg_catalog.=) ANY ($1{cast})",
        target.relation
    );
    as_caller(|| sql::query_once(&text, &[param], Sees::Now, &mut |row| found.extend(row.text(0))));
    found
}

/// 55000 for a table whose columns are not what they were.
fn gone(target: &ImportTarget, column: &str) -> ! {
    failure("55000", format!("column \"{}\" of {} is gone", column, target.shown()))
        .hint("The table's owner calls leadguard.prepare_imports again.")
        .raise()
}
