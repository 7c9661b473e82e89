//! Questions: who may do what with which record, and why.
//!
//! record   a record as the caller can read it
//! paths    every path to one record, from one query
//! asker    who asks, and about whom he may ask
//! reach    everything one member reaches in a table
//! standing what the rules come to for somebody
//! explain  the paths in words
//! verify   whether sets and paths agree
//! fields   which fields of a table a member may write
//!
//! All answers come from the statement's snapshot and agree with the policies; a record that the caller cannot
//! read is answered like one that does not exist. Tests: tests/property, tests/attacks (errors, two_worlds).

pub(crate) mod asker;
mod explain;
mod fields;
pub(crate) mod paths;
pub(crate) mod reach;
pub(crate) mod record;
pub(crate) mod standing;
mod verify;

pub(crate) use crate::arguments::required;
use crate::errors::bad_argument;
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::model::level::{Action, Level};
use crate::model::path::Path;
use crate::model::rights::Rights;
use asker::Asker;
use paths::{Reached, Whose};
use pgrx::iter::TableIterator;
use pgrx::pg_sys::Oid;
use pgrx::{name, pg_extern};
use record::{Record, Target};
use standing::{Person, Roles, Standing};
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

fn parse_action(action: Option<&str>) -> Action {
    action.and_then(Action::parse).unwrap_or_else(|| {
        bad_argument(format!("action \"{}\" is unknown", action.unwrap_or("NULL")))
            .hint(format!("Actions are {}.", Action::NAMES))
            .raise()
    })
}

/// Whether a member may do something with a record; without a member, whoever asks. About oneself anybody
/// with an identity, about others members above, administrators, superusers. Errors: 42501, 22023.
#[pg_extern(sql = false)]
fn can(action: Option<&str>, target: Option<Oid>, record: Option<&str>, member: Option<&str>) -> bool {
    let asker = Asker::find();
    let action = parse_action(action);
    let target = Target::find(target, Sees::Statement);
    let about = asker.about(member);
    if action == Action::Create {
        return about.is_none_or(|about| about.may_create(&target.table));
    }
    let Some(found) = asker.read(&target, required(record, "the record")) else { return false };
    let Some(about) = about else { return true };
    about.may(
        action,
        paths::rights_of(&target, &found, Whose::About(&about), Sees::Statement),
        &target.table,
        found.archived,
    )
}

type Explanation = TableIterator<
    'static,
    (
        name!(path, String),
        name!(via, Option<String>),
        name!(level, Option<String>),
        name!(decisive, bool),
        name!(detail, Option<String>),
    ),
>;

/// Why a member may, or may not, do something with a record. Who may ask and errors: as can.
#[pg_extern(sql = false)]
fn explain_access(
    target: Option<Oid>,
    record: Option<&str>,
    member: Option<&str>,
    action: Option<&str>,
) -> Explanation {
    let asker = Asker::find();
    let action = parse_action(action);
    let target = Target::find(target, Sees::Statement);
    let Some(about) = asker.about(member) else { whom() };
    let lines = if action == Action::Create {
        explain::creation(&about, &target)
    } else {
        let found = asker.read(&target, required(record, "the record"));
        let paths = found
            .as_ref()
            .map(|found| paths::reached(&target, found, Whose::About(&about), Sees::Statement))
            .unwrap_or_default();
        explain::record(&asker, &about, &target, found.as_ref(), paths, action)
    };
    TableIterator::new(lines.into_iter().map(|l| (l.path, l.via, l.level.map(str::to_owned), l.decisive, l.detail)))
}

/// A superuser who is no member must say about whom.
fn whom() -> ! {
    bad_argument("the member is missing")
        .hint("A superuser who is no member names the member that the question is about.")
        .raise()
}

type Members = TableIterator<'static, (name!(member, String), name!(level, String), name!(path, String))>;

/// Who may do something with a record: one row for each member, with the strongest path. Superusers and
/// administrators see everybody, others themselves and those below. Errors: 42501, 22023.
#[pg_extern(sql = false)]
fn who_can(action: Option<&str>, target: Option<Oid>, record: Option<&str>) -> Members {
    let asker = Asker::find();
    let action = parse_action(action);
    let target = Target::find(target, Sees::Statement);
    let rows = if action == Action::Create {
        creators(&asker, &target)
    } else {
        let found = asker.read(&target, required(record, "the record"));
        found
            .map(|found| {
                strongest(
                    &asker,
                    action,
                    &target,
                    &found,
                    paths::reached(&target, &found, Whose::Everybody, Sees::Statement),
                )
            })
            .unwrap_or_default()
    };
    TableIterator::new(
        rows.into_iter().map(|(key, level, path)| (key, level.name().to_owned(), path.name().to_owned())),
    )
}

/// The strongest path of every member whom the asking one may know and whose rights suffice.
fn strongest(
    asker: &Asker,
    action: Action,
    target: &Target,
    record: &Record,
    paths: Vec<Reached>,
) -> Vec<(String, Level, Path)> {
    let listable: Option<HashSet<i64>> = asker.listable().map(HashSet::from_iter);
    let mut best: HashMap<i64, (Reached, Rights)> = HashMap::new();
    for reached in paths {
        if reached.rights.is_empty() || listable.as_ref().is_some_and(|ids| !ids.contains(&reached.member)) {
            continue;
        }
        let rights = reached.rights;
        match best.get_mut(&reached.member) {
            Some((held, sum)) => {
                *sum |= rights;
                if held.strength() < reached.strength() {
                    *held = reached;
                }
            }
            None => {
                best.insert(reached.member, (reached, rights));
            }
        }
    }
    let enough = |(reached, rights): &(Reached, Rights)| {
        asker::suffices(action, *rights, &reached.standing, &target.table, record.archived)
    };
    let mut rows: Vec<_> =
        best.into_values().filter(enough).map(|(r, rights)| (r.key, rights.level(), r.path)).collect();
    rows.sort_by(|(a, x, p), (b, y, q)| (Reverse(x), p, a).cmp(&(Reverse(y), q, b)));
    rows
}

/// Who may insert: every active member whose roles let him write; the inserted record would be his own.
fn creators(asker: &Asker, target: &Target) -> Vec<(String, Level, Path)> {
    let of_table = target.organization.is_none().then_some(target.table.org_id);
    let own = asker.member.as_ref().filter(|_| !asker.superuser);
    if own.is_some_and(|own| of_table.is_some_and(|org| org != own.org_id)) {
        return Vec::new();
    }
    let guest = asker.about(None).is_some_and(|own| own.kind == "guest");
    let below = own.filter(|_| !asker.administers()).map(|own| own.id);
    let mut members: Vec<(i64, String, i64, String)> = Vec::new();
    as_extension(|| {
        sql::query(
            include_str!("../../sql/query/creators.sql"),
            &[Param::Int(own.map(|own| own.org_id).or(of_table)), Param::Int(below)],
            Sees::Statement,
            &mut |row| {
                if let (Some(id), Some(key), Some(org), Some(kind)) = (row.int(0), row.text(1), row.int(2), row.text(3))
                    && (!guest || below.is_none() || own.is_some_and(|own| own.key == key))
                {
                    members.push((id, key, org, kind));
                }
            },
        )
    });
    let mut roles: HashMap<i64, HashMap<i64, Roles>> = HashMap::new();
    let none = Roles::default();
    let mut rows = Vec::new();
    for (id, key, org, kind) in members {
        let of_organization = roles.entry(org).or_insert_with(|| standing::roles(org, None, Sees::Statement));
        let held = of_organization.get(&id).unwrap_or(&none);
        let person = Person { kind: &kind, ..Person::default() };
        let standing = Standing::of(&target.table, held, person);
        if standing.access.create {
            rows.push((key, standing.access.on(Path::Own).at_most().level(), Path::Own));
        }
    }
    rows
}

type Records = TableIterator<'static, (name!(record, String), name!(level, String), name!(path, String))>;

/// What a member may do something with: one row for each record that the asking one can read. Who may ask
/// and errors: as can.
#[pg_extern(sql = false)]
fn what_can(member: Option<&str>, target: Option<Oid>, action: Option<&str>) -> Records {
    let asker = Asker::find();
    let action = parse_action(action);
    if action == Action::Create {
        bad_argument("create is not about a record").hint("Ask leadguard.can('create', table, NULL).").raise();
    }
    let target = Target::find(target, Sees::Statement);
    let Some(about) = asker.about(member) else { whom() };
    let found = reach::everything(&asker, &about, &target);
    TableIterator::new(
        found
            .into_iter()
            .filter(move |found| about.may(action, found.rights, &target.table, found.archived))
            .map(|found| (found.record, found.rights.level().name().to_owned(), found.path.name().to_owned())),
    )
}
