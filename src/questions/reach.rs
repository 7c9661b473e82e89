//! What one member reaches in a table: his sets are loaded once, one query fetches the rows that any of them
//! touches, and each row is judged in memory. Nothing is asked per record.

use super::asker::{About, Asker};
use super::paths::Path;
use super::record::{Column, Target, as_caller};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Row, Sees};
use crate::model::level::Level;
use crate::model::value::{Kind, parse_int, parse_uuid};
use std::cmp::Reverse;
use std::collections::HashMap;

/// A record with the strongest way to it.
pub(crate) struct Found {
    pub record: String,
    pub level: Level,
    pub path: Path,
    pub archived: bool,
}

/// Values of a column, in the text form in which the column shows them, with the ways in which each is reached.
type Ways = HashMap<String, Vec<(Level, Path)>>;

struct Reach {
    all_records: bool,
    active: bool,
    cap: Option<Level>,
    organizations: Vec<String>,
    owners: Ways,
    territories: Ways,
    grants: Ways,
}

/// The value that a column of `kind` holds for a row of the directory; None when it cannot hold one.
fn held(id: i64, key: &str, kind: Kind) -> Option<String> {
    match kind {
        Kind::Text => Some(key.to_owned()),
        Kind::Uuid => parse_uuid(key).map(|bytes| uuid::Uuid::from_bytes(bytes).to_string()),
        kind => kind.fits(id).then(|| id.to_string()),
    }
}

fn path(row: &Row, column: i32) -> Option<Path> {
    row.text(column).as_deref().and_then(Path::parse)
}

fn load(text: &'static str, params: &[Param], each: &mut dyn FnMut(&Row)) {
    as_extension(|| sql::query(text, params, Sees::Statement, each));
}

impl Reach {
    fn of(about: &About, target: &Target) -> Reach {
        let mut reach = Reach {
            all_records: about.all_records,
            active: about.active,
            cap: if about.analyst { Some(Level::Read) } else { about.cap },
            organizations: Vec::new(),
            owners: Ways::new(),
            territories: Ways::new(),
            grants: Ways::new(),
        };
        if let Some(column) = &target.organization {
            load(
                "SELECT id, key FROM leadguard.organization WHERE id = $1",
                &[Param::Int(Some(about.org_id))],
                &mut |row| {
                    if let (Some(id), Some(key)) = (row.int(0), row.text(1)) {
                        reach.organizations.extend(held(id, &key, column.kind));
                    }
                },
            );
        } else if target.table.org_id != about.org_id {
            reach.active = false;
        }
        let member = [Param::Int(Some(about.id))];
        if let Some(column) = &target.owner {
            let text = include_str!("../../sql/query/reach_owners.sql");
            load(text, &member, &mut |row| keep(&mut reach.owners, row, column.kind, Level::Full));
        }
        if let Some(column) = &target.territory {
            let text = include_str!("../../sql/query/reach_territories.sql");
            load(text, &member, &mut |row| keep(&mut reach.territories, row, column.kind, Level::Edit));
        }
        load(
            include_str!("../../sql/query/reach_grants.sql"),
            &[Param::Int(Some(about.id)), Param::Oid(target.table.target)],
            &mut |row| {
                let record = row.text(0).and_then(|record| target.canonical(&record));
                let level = row.text(1).as_deref().and_then(Level::parse);
                if let (Some(record), Some(level), Some(path)) = (record, level, path(row, 2)) {
                    reach.grants.entry(record).or_default().push((level, path));
                }
            },
        );
        reach
    }

    /// The strongest way to a row: the highest level after the cap, then the order of the paths.
    fn strongest(&self, target: &Target, row: &Fetched) -> Option<(Level, Path)> {
        let same_organization =
            target.organization.is_none() || row.organization.as_ref().is_some_and(|o| self.organizations.contains(o));
        if !self.active || !same_organization {
            return None;
        }
        of(row.owner.as_ref(), &self.owners)
            .iter()
            .chain(of(row.territory.as_ref(), &self.territories))
            .chain(of(Some(&row.id), &self.grants))
            .copied()
            .chain(self.all_records.then_some((Level::Full, Path::Admin)))
            .map(|(level, path)| (level.capped(self.cap), path))
            .max_by_key(|(level, path)| (*level, Reverse(*path)))
    }
}

fn of<'a>(value: Option<&String>, ways: &'a Ways) -> &'a [(Level, Path)] {
    value.and_then(|value| ways.get(value)).map_or(&[], Vec::as_slice)
}

/// Adds a row of (id, key, path).
fn keep(ways: &mut Ways, row: &Row, kind: Kind, level: Level) {
    if let (Some(id), Some(key), Some(path)) = (row.int(0), row.text(1), path(row, 2))
        && let Some(value) = held(id, &key, kind)
    {
        ways.entry(value).or_default().push((level, path));
    }
}

/// The mapped values of one row as text.
struct Fetched {
    id: String,
    owner: Option<String>,
    territory: Option<String>,
    organization: Option<String>,
    archived: bool,
}

/// Values for `column = ANY (parameter)`.
enum Values {
    Ints(Vec<i64>),
    Texts(Vec<String>),
}

impl Values {
    fn of(ways: &Ways, kind: Kind) -> Values {
        if kind.is_int() {
            Values::Ints(ways.keys().filter_map(|value| parse_int(value)).collect())
        } else {
            Values::Texts(ways.keys().cloned().collect())
        }
    }

    fn param(&self) -> Param<'_> {
        match self {
            Values::Ints(values) => Param::Ints(values),
            Values::Texts(values) => Param::Texts(values),
        }
    }
}

fn is_any(column: &Column, number: usize) -> String {
    let cast = if column.kind == Kind::Uuid { "::pg_catalog.uuid[]" } else { "" };
    format!("{} OPERATOR(pg_catalog.=) ANY (${number}{cast})", column.quoted)
}

/// Every record of the table that `about` reaches and the asking one can read, in order of the id.
pub(crate) fn everything(asker: &Asker, about: &About, target: &Target) -> Vec<Found> {
    let reach = Reach::of(about, target);
    if !reach.active {
        return Vec::new();
    }
    // Row security answers for what the caller reads, except for roles to which it does not apply.
    let readable = match asker.id() {
        Some(id) if !asker.superuser && id != about.id => asker.about(None).map(|own| Reach::of(&own, target)),
        _ => None,
    };
    let mut values = Vec::new();
    let mut arms = Vec::new();
    if !reach.all_records {
        let columns = [
            (target.owner.as_ref(), &reach.owners),
            (target.territory.as_ref(), &reach.territories),
            (Some(&target.id), &reach.grants),
        ];
        for (column, ways) in columns {
            if let Some(column) = column.filter(|_| !ways.is_empty()) {
                values.push(Values::of(ways, column.kind));
                arms.push(is_any(column, values.len()));
            }
        }
        if arms.is_empty() {
            return Vec::new();
        }
    }
    let condition = if arms.is_empty() { String::new() } else { format!(" WHERE {}", arms.join(" OR ")) };
    let text = format!("SELECT {} FROM {}{condition} ORDER BY 1", target.select_list(), target.relation);
    let params: Vec<Param> = values.iter().map(Values::param).collect();
    let mut found = Vec::new();
    as_caller(|| {
        sql::query_once(&text, &params, Sees::Statement, &mut |row| {
            let Some(id) = row.text(0) else { return };
            let row = Fetched {
                id,
                owner: row.text(1),
                territory: row.text(2),
                organization: row.text(3),
                archived: row.text(4).is_some(),
            };
            if readable.as_ref().is_some_and(|own| own.strongest(target, &row).is_none()) {
                return;
            }
            if let Some((level, path)) = reach.strongest(target, &row) {
                found.push(Found { record: row.id, level, path, archived: row.archived });
            }
        })
    });
    found
}
