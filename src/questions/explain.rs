//! Why, and why not: every path by which a member reaches a record, with the people on it.

use super::asker::{About, Asker};
use super::paths::{Path, Reached};
use super::record::{Record, Target};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::model::level::{Action, Level};
use std::cmp::Reverse;

/// One row of explain_access.
pub(crate) struct Line {
    pub path: String,
    pub via: Option<String>,
    pub level: Option<&'static str>,
    pub decisive: bool,
    pub detail: Option<String>,
}

impl Line {
    fn reason(path: &str, detail: impl Into<String>) -> Line {
        Line { path: path.to_owned(), via: None, level: None, decisive: false, detail: Some(detail.into()) }
    }
}

/// Stands for whom and what the asking member may not list.
const HIDDEN: &str = "(hidden)";

/// The answer about a record. `paths` is empty for one that is not there, or that the asking one cannot read.
pub(crate) fn record(
    asker: &Asker,
    about: &About,
    target: &Target,
    found: Option<&Record>,
    paths: Vec<Reached>,
    action: Action,
) -> Vec<Line> {
    let mut paths = paths;
    paths.sort_by_key(|r| Reverse((r.strength(), Reverse((r.through, r.territory)))));
    let allowed = paths
        .first()
        .is_some_and(|best| about.may(action, best.level, &target.table, found.is_some_and(|f| f.archived)));
    let mut lines: Vec<Line> = Vec::new();
    for (index, reached) in paths.iter().enumerate() {
        let level = about.counted(reached.level);
        lines.push(Line {
            path: reached.path.name().to_owned(),
            via: found.map(|record| via(asker, reached, record)),
            level: Some(level.name()),
            decisive: allowed && index == 0,
            detail: Some(detail(asker, reached, level)),
        });
    }
    if allowed {
        return lines;
    }
    for path in Path::ALL.into_iter().filter(|p| p.exists_in(target)) {
        if !paths.iter().any(|r| r.path == path) {
            lines.push(Line::reason(
                path.name(),
                if about.active { tried(path) } else { "counts for active members only" },
            ));
        }
    }
    if found.is_some_and(|record| record.organization != Some(about.org_id)) {
        lines.push(Line::reason("organization", "the record belongs to another organization"));
    }
    lines.extend(obstacles(about, &paths, action));
    lines.extend(around_the_archive(about, target, found, &paths, action));
    lines
}

/// What stands in the way of a level that would suffice.
fn around_the_archive(
    about: &About,
    target: &Target,
    found: Option<&Record>,
    paths: &[Reached],
    action: Action,
) -> Option<Line> {
    let counted = paths.iter().map(|r| about.counted(r.level)).max().unwrap_or_default();
    let record = found.filter(|_| counted != Level::None && counted >= action.needs())?;
    let has_archive = target.table.archived_at_column.is_some();
    if record.archived && !action.leaves_as_it_is() {
        return Some(Line::reason("archived", "the record is archived; leadguard.restore takes it back"));
    }
    if record.archived && !about.sees_archived {
        let why = "the record is archived, and no role of the member has the capability see_archived";
        return Some(Line::reason("archived", why));
    }
    match action {
        Action::Archive if !has_archive => Some(Line::reason("archive", "the table has no archive")),
        Action::Delete if !has_archive && !about.hard_deletes => {
            let why = "the table has no archive, and no role of the member has the capability hard_delete";
            Some(Line::reason("capability", why))
        }
        _ => None,
    }
}

/// What stands in the way although a path is there.
fn obstacles(about: &About, paths: &[Reached], action: Action) -> Vec<Line> {
    let mut lines = Vec::new();
    let given = paths.iter().map(|r| r.given).max().unwrap_or_default();
    let counted = paths.iter().map(|r| r.level).max().unwrap_or_default();
    if given >= action.needs() && counted < action.needs() {
        lines.push(Line::reason("role", format!("a role of the member caps every level at {}", counted.name())));
    }
    if counted >= action.needs() && about.counted(counted) < action.needs() {
        lines.push(Line::reason("login", "this login is registered as an analyst and only reads"));
    }
    if action == Action::Export && counted >= Level::Read && !about.exports {
        lines.push(Line::reason("capability", "no role of the member has the capability export"));
    }
    if !about.active {
        lines.push(Line::reason("member", "the member is not active"));
    }
    lines
}

/// The answer about inserting, which is not about a record.
pub(crate) fn creation(about: &About, target: &Target) -> Vec<Line> {
    if let Some(why) = about.why_not_create(&target.table) {
        return vec![Line::reason(Path::Own.name(), why)];
    }
    vec![Line {
        path: Path::Own.name().to_owned(),
        via: Some(about.key.clone()),
        level: Some(about.counted(Level::Full).capped(about.cap).name()),
        decisive: true,
        detail: Some("who inserts a record without naming an owner owns it".to_owned()),
    }]
}

/// The chain from the reaching member down to the owner, the holder or the person of the territory.
fn via(asker: &Asker, reached: &Reached, record: &Record) -> String {
    let asking = Param::Int(asker.id());
    let rights = [Param::Bool(asker.superuser), Param::Bool(asker.administers())];
    let [everything, administers] = rights;
    let between = |from: i64, to: i64| {
        [Param::Int(Some(from)), Param::Int(Some(to)), asking.clone(), everything.clone(), administers.clone()]
    };
    let people = names(include_str!("../../sql/query/member_chain.sql"), &between(reached.member, reached.through));
    if let (Some(held), Some(of)) = (reached.territory, record.territory) {
        let territories = names(include_str!("../../sql/query/territory_chain.sql"), &between(held, of));
        return format!("{people} (territory {territories})");
    }
    if let Some(team) = reached.team {
        let params = [Param::Int(Some(team)), asking.clone(), everything.clone(), administers.clone()];
        return format!("{people} (team {})", names(include_str!("../../sql/query/team_name.sql"), &params));
    }
    people
}

/// The result of a query of (key, may be listed), from the top down.
fn names(text: &'static str, params: &[Param]) -> String {
    let mut names = Vec::new();
    as_extension(|| {
        sql::query(text, params, Sees::Statement, &mut |row| {
            names.push(if row.bool(1) { row.text(0).unwrap_or_default() } else { HIDDEN.to_owned() });
        })
    });
    names.join(" > ")
}

fn detail(asker: &Asker, reached: &Reached, level: Level) -> String {
    let mut text = match reached.path {
        Path::Own => "owns the record".to_owned(),
        Path::Manager => "stands above the owner".to_owned(),
        Path::RecordTeam => "is on the record team".to_owned(),
        Path::RecordTeamManager => "stands above a member of the record team".to_owned(),
        Path::Territory => "owns or belongs to the territory of the record".to_owned(),
        Path::TerritoryAncestor => "owns or belongs to a territory above the one of the record".to_owned(),
        Path::TerritoryManager => "stands above the owner or a member of such a territory".to_owned(),
        Path::Share if reached.through == reached.member => "holds a share".to_owned(),
        Path::Share => "stands above the holder of a share".to_owned(),
        Path::Admin => "a role of the member has the capability all_records".to_owned(),
    };
    if let Some(until) = &reached.until {
        text.push_str(&format!(", until {until}"));
    }
    if reached.retained {
        text.push_str(", retained");
    }
    // What was written about somebody else's grant is for those who administer it.
    if let Some(reason) = reached.reason.as_ref().filter(|_| asker.administers() || asker.id() == Some(reached.through))
    {
        text.push_str(&format!(" ({reason})"));
    }
    if level < reached.given {
        text.push_str(&format!("; gives {}, capped at {}", reached.given.name(), level.name()));
    }
    text
}

/// What is said of a path that gives nothing: the same for every record, there or not.
fn tried(path: Path) -> &'static str {
    match path {
        Path::Own => "is not the owner",
        Path::Manager => "does not stand above the owner",
        Path::RecordTeam => "is not on the record team",
        Path::RecordTeamManager => "does not stand above a member of the record team",
        Path::Territory => "neither owns nor belongs to the territory of the record",
        Path::TerritoryAncestor => "neither owns nor belongs to a territory above the one of the record",
        Path::TerritoryManager => "does not stand above the owner or a member of such a territory",
        Path::Share => "holds no share and stands above no holder of one",
        Path::Admin => "no role of the member has the capability all_records",
    }
}
