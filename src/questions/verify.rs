//! Whether the two ways of telling who may do what agree: the sets on which policies and guards rest, and the walk from the
//! record to everybody who reaches it, on which questions about one record rest.

use super::asker::Asker;
use super::paths::{self, Whose};
use super::reach::{self, Fetched};
use super::record::{Target, as_caller};
use crate::errors::{bad_argument, refused};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::identity::Mode;
use crate::model::rights::Rights;
use crate::visibility::Part;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::Oid;
use pgrx::{name, pg_extern};
use std::collections::HashMap;

type Differences = TableIterator<
    'static,
    (name!(record, String), name!(member, String), name!(by_sets, String), name!(by_paths, String)),
>;

/// Compares both for records of a table, chosen at random, and every active member; no row when they agree. Superusers and
/// members with administer (42501), who compare what they see; 22023.
#[pg_extern(sql = false)]
fn verify(target: Option<Oid>, samples: Option<i32>) -> Differences {
    let asker = Asker::find();
    if !asker.administers() {
        refused("verify refused").hint("A superuser or a member with the capability administer can.").raise();
    }
    let samples = samples
        .filter(|samples| *samples > 0)
        .unwrap_or_else(|| bad_argument("the number of samples must be positive").raise());
    let target = Target::find(target, Sees::Statement);
    let text = format!(
        "SELECT {} FROM {} ORDER BY pg_catalog.random() LIMIT {samples}",
        target.select_list(),
        target.relation
    );
    let mut rows = Vec::new();
    as_caller(|| sql::query_once(&text, &[], Sees::Statement, &mut |row| rows.push(Fetched::of(&target, row))));
    let records: Vec<_> = rows
        .iter()
        .filter_map(|row| {
            let record = target.read(row.text(Part::Id)?, Sees::Statement)?;
            let mut by_paths: HashMap<i64, Rights> = HashMap::new();
            for reached in paths::reached(&target, &record, Whose::Everybody, Sees::Statement) {
                *by_paths.entry(reached.member).or_default() |= reached.rights;
            }
            Some((row, record, by_paths))
        })
        .collect();
    let mut differences = Vec::new();
    for (id, key, org) in members(asker.member.as_ref().map(|member| member.org_id)) {
        let subject = reach::other(id, Mode::Person, false, &target);
        for (row, record, by_paths) in &records {
            let by_sets = subject.rights(&target.table, &row.mapped());
            let by_paths = by_paths.get(&id).copied().unwrap_or_default();
            if by_sets != by_paths && record.organization.is_none_or(|of| of == org || !by_sets.is_empty()) {
                differences.push((record.id.clone(), key.clone(), by_sets.shown(), by_paths.shown()));
            }
        }
    }
    TableIterator::new(differences)
}

/// The active members of one organization, or of all.
fn members(organization: Option<i64>) -> Vec<(i64, String, i64)> {
    let mut found = Vec::new();
    as_extension(|| {
        sql::query(
            "SELECT id, key, org_id FROM leadguard.member WHERE active AND ($1::bigint IS NULL OR org_id = $1) ORDER BY id",
            &[Param::Int(organization)],
            Sees::Statement,
            &mut |row| {
                if let (Some(id), Some(key), Some(org)) = (row.int(0), row.text(1), row.int(2)) {
                    found.push((id, key, org));
                }
            },
        )
    });
    found
}
