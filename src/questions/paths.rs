//! The paths by which members reach one record, with what the rules of its table give on them.

use super::asker::About;
use super::record::{self, Record, Target};
use super::standing::{self, Person, Roles, Standing};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Row, Sees};
use crate::model::access::Access;
use crate::model::level::Level;
use crate::model::path::Path;
use crate::model::rights::Rights;
use crate::rules;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::rc::Rc;

/// Whether a record of the table can be reached this way at all.
pub(crate) fn exists_in(path: Path, target: &Target) -> bool {
    let table = &target.table;
    let has = |columns: &[&Option<String>]| columns.iter().any(|column| column.is_some());
    match path {
        Path::Own | Path::Manager | Path::Colleague => has(&[&table.owner_column]),
        Path::Created => has(&[&table.creator_column]),
        Path::Territory | Path::TerritoryAncestor | Path::TerritoryManager => has(&[&table.territory_column]),
        Path::Scope => has(&[&table.territory_column, &table.segment_column, &table.parent_column]),
        Path::Team => has(&[&table.team_column]),
        Path::Parent => table.parent.is_some(),
        _ => true,
    }
}

/// One way in which one member reaches a record.
#[derive(Debug, Clone)]
pub(crate) struct Reached {
    pub member: i64,
    pub key: String,
    pub path: Path,
    /// What counts, after the caps of the member's roles; nothing where the record is hidden from him.
    pub rights: Rights,
    pub given: Rights,
    pub standing: Rc<Standing>,
    /// The hiding rule that keeps the record from the member.
    pub hidden: Option<&'static str>,
    /// The owner, holder or territory person from whom the path comes.
    pub through: i64,
    pub territory: Option<i64>,
    pub team: Option<i64>,
    pub until: Option<String>,
    pub retained: bool,
    pub reason: Option<String>,
    /// What is written down of it in record_grant.
    pub grant: Option<i64>,
}

impl Reached {
    /// Higher is stronger: the level first, then the order of the paths.
    pub(crate) fn strength(&self) -> (Level, u32, Reverse<Path>) {
        (self.rights.level(), self.rights.count(), Reverse(self.path))
    }
}

/// Who is asked about.
#[derive(Clone, Copy)]
pub(crate) enum Whose<'a> {
    Everybody,
    Member(i64),
    /// A member of whom more is known: who asks about himself sees what his session sees.
    About(&'a About),
}

impl Whose<'_> {
    fn only(self) -> Option<i64> {
        match self {
            Whose::Everybody => None,
            Whose::Member(id) => Some(id),
            Whose::About(about) => Some(about.id),
        }
    }
}

/// Every path of every active member, or of one, to a record; nobody reaches one without organization.
pub(crate) fn reached(target: &Target, record: &Record, whose: Whose, sees: Sees) -> Vec<Reached> {
    let mut found = Vec::new();
    let (Some(organization), only) = (record.organization, whose.only()) else { return found };
    let roles = standing::roles(organization, only, sees);
    let mut standings: HashMap<i64, Rc<Standing>> = HashMap::new();
    let mut rows: Vec<(i64, String, Way)> = Vec::new();
    let parents = readers_of_parent(target, record, whose, sees);
    let params = [
        Param::Oid(target.table.target),
        Param::Text(Some(&record.id)),
        Param::Int(record.owner),
        Param::Int(record.territory),
        Param::Int(Some(organization)),
        Param::Int(only),
        Param::Int(record.creator),
        Param::Text(record.segment.as_deref()),
        Param::Int(record.team),
        Param::Text(record.parent.as_deref()),
        Param::Ints(&parents),
        Param::Bool(target.table.rules.switches.team_access),
    ];
    let text = if rules::load::are_there() {
        include_str!("../../sql/query/record_paths.sql")
    } else {
        include_str!("../../sql/query/record_paths_before_rules.sql")
    };
    as_extension(|| {
        sql::query(text, &params, sees, &mut |row| {
            let (Some(member), Some(key), Some(way)) = (row.int(0), row.text(1), Way::of(row)) else { return };
            standings.entry(member).or_insert_with(|| {
                let kind = row.text(2).unwrap_or_default();
                let person = match whose {
                    Whose::About(about) => Person::about(about),
                    _ => Person { kind: &kind, organization_view: row.bool(3), ..Person::default() },
                };
                let none = Roles::default();
                Rc::new(Standing::of(&target.table, roles.get(&member).unwrap_or(&none), person))
            });
            rows.push((member, key, way));
        })
    });
    for (member, key, way) in rows {
        let standing = &standings[&member];
        let given = way.rights(&standing.uncapped, record);
        if !given.has(Rights::READ) {
            continue;
        }
        let hidden = hidden(&standing.access, record, member);
        let rights = if hidden.is_some() { Rights::NONE } else { way.rights(&standing.access, record) };
        found.push(Reached {
            member,
            key,
            path: way.path,
            rights,
            given,
            standing: Rc::clone(standing),
            hidden,
            through: way.through,
            territory: way.territory,
            team: way.team,
            until: way.until,
            retained: way.retained,
            reason: way.reason,
            grant: way.grant,
        });
    }
    found
}

/// A way as the directory has it, before the rules.
struct Way {
    path: Path,
    level: Option<Level>,
    depth: i64,
    through: i64,
    territory: Option<i64>,
    team: Option<i64>,
    until: Option<String>,
    retained: bool,
    reason: Option<String>,
    grant: Option<i64>,
}

impl Way {
    fn of(row: &Row) -> Option<Way> {
        Some(Way {
            path: row.text(4).as_deref().and_then(Path::parse)?,
            level: row.text(5).as_deref().and_then(Level::parse),
            through: row.int(6)?,
            territory: row.int(7),
            team: row.int(8),
            until: row.text(9),
            retained: row.bool(10),
            reason: row.text(11),
            grant: row.int(13),
            depth: row.int(12).unwrap_or_default(),
        })
    }

    fn rights(&self, access: &Access, record: &Record) -> Rights {
        let below = self.depth > 0;
        if below && !access.below.is_some_and(|depth| depth == 0 || self.depth <= i64::from(depth)) {
            return Rights::NONE;
        }
        let status = record.status.as_deref();
        match self.level {
            Some(level) => access.granted(self.path, level, below, status),
            None => access.on(self.path).rights(status),
        }
    }
}

fn hidden(access: &Access, record: &Record, member: i64) -> Option<&'static str> {
    if record.has_stage && access.hidden.hides_stage(record.stage.as_deref()) {
        return Some("stage");
    }
    access.hidden.hides_sensitive(record.sensitive, record.owner == Some(member)).then_some("sensitive")
}

/// Who reads the record of the parent table that this one belongs to.
fn readers_of_parent(target: &Target, record: &Record, whose: Whose, sees: Sees) -> Vec<i64> {
    let (Some(parent), Some(id)) = (target.table.parent, &record.parent) else { return Vec::new() };
    let uses_path = |rule: &crate::model::rules::Rule| rule.path == Some(Path::Parent);
    if !target.table.rules.rules.iter().any(uses_path) || record::subject(sees).table(parent).is_none() {
        return Vec::new();
    }
    let parent = Target::find(Some(parent), sees);
    let Some(found) = parent.read_whole(id, sees) else { return Vec::new() };
    let readers = reached(&parent, &found, whose, sees);
    let reads =
        |reached: &&Reached| reached.rights.has(Rights::READ) && (!found.archived || reached.standing.sees_archived);
    let mut ids: Vec<i64> = readers.iter().filter(reads).map(|reached| reached.member).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// What one member may do with a record.
pub(crate) fn rights_of(target: &Target, record: &Record, whose: Whose, sees: Sees) -> Rights {
    reached(target, record, whose, sees).iter().fold(Rights::NONE, |sum, reached| sum | reached.rights)
}
