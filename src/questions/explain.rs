//! Why, and why not: every path by which a member reaches a record, with the people on it.

use super::asker::{About, Asker};
use super::paths::{self, Reached};
use super::standing::{Standing, counted};
use super::record::{Record, Target};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::model::level::Action;
use crate::model::path::Path;
use crate::model::rights::Rights;
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
    let sum = paths.iter().fold(Rights::NONE, |sum, reached| sum | reached.rights);
    let allowed = about.may(action, sum, &target.table, found.is_some_and(|f| f.archived));
    // The strongest path decides, or the first that gives what the action takes.
    let needed = Rights::for_action(action);
    let decisive = paths.iter().position(|reached| reached.rights.has(needed)).filter(|_| allowed);
    let mut lines: Vec<Line> = Vec::new();
    for (index, reached) in paths.iter().enumerate() {
        let rights = counted(reached.rights, about.analyst);
        lines.push(Line {
            path: reached.path.name().to_owned(),
            via: found.map(|record| via(asker, reached, record)),
            level: Some(rights.level().name()),
            decisive: decisive == Some(index),
            detail: Some(detail(asker, reached, rights)),
        });
    }
    if allowed {
        return lines;
    }
    let standing = Standing::about(&target.table, about);
    for path in Path::ALL.into_iter().filter(|path| is_tried(*path, target, &standing)) {
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
    lines.extend(obstacles(about, &standing, &paths, action));
    lines.extend(around_the_archive(about, &standing, target, found, &paths, action));
    lines
}

/// Of paths that the rules give the member nothing on, nothing is said; but everybody may wonder about the privilege.
fn is_tried(path: Path, target: &Target, standing: &Standing) -> bool {
    let given = standing.uncapped.reads(path) || (path == Path::Admin && target.table.rules.switches.admin);
    given && path != Path::Contact && paths::exists_in(path, target)
}

fn sum(paths: &[Reached], of: impl Fn(&Reached) -> Rights) -> Rights {
    paths.iter().fold(Rights::NONE, |sum, reached| sum | of(reached))
}

/// What stands in the way of rights that would suffice.
fn around_the_archive(
    about: &About,
    standing: &Standing,
    target: &Target,
    found: Option<&Record>,
    paths: &[Reached],
    action: Action,
) -> Option<Line> {
    let rights = counted(sum(paths, |reached| reached.rights), about.analyst);
    let record = found.filter(|_| !rights.is_empty() && rights.has(Rights::for_action(action)))?;
    let has_archive = target.table.archived_at_column.is_some();
    if record.archived && !action.leaves_as_it_is() {
        return Some(Line::reason("archived", "the record is archived; leadguard.restore takes it back"));
    }
    if record.archived && !standing.sees_archived {
        let why = "the record is archived, and no role of the member has the capability see_archived";
        return Some(Line::reason("archived", why));
    }
    match action {
        Action::Archive if !has_archive => Some(Line::reason("archive", "the table has no archive")),
        Action::Delete if !has_archive && !standing.hard_deletes => {
            let why = "the table has no archive, and no role of the member has the capability hard_delete";
            Some(Line::reason("capability", why))
        }
        _ => None,
    }
}

/// What stands in the way although a path is there.
fn obstacles(about: &About, standing: &Standing, paths: &[Reached], action: Action) -> Vec<Line> {
    let mut lines = Vec::new();
    let needed = Rights::for_action(action);
    let given = sum(paths, |reached| reached.given);
    let rights = sum(paths, |reached| reached.rights);
    if let Some(hidden) = paths.iter().find_map(|reached| reached.hidden) {
        lines.push(Line::reason(hidden, hiding(hidden)));
    } else if given.has(needed) && !rights.has(needed) {
        lines.push(Line::reason("role", format!("a role of the member caps every level at {}", rights.level().name())));
    } else if !paths.is_empty() && !given.has(needed) {
        lines.push(Line::reason("rules", format!("the rules give {}; {} is needed", given.shown(), needed.names())));
    }
    if rights.has(needed) && !counted(rights, about.analyst).has(needed) {
        lines.push(Line::reason("login", "this login is registered as an analyst and only reads"));
    }
    if action == Action::Export && rights.has(Rights::READ) && !standing.exports {
        lines.push(Line::reason("capability", "no role of the member has the capability export"));
    }
    if about.active && standing.uncapped.is_nothing() {
        lines.push(Line::reason("role", "no role of the member has a rule in this table"));
    }
    if !about.active {
        lines.push(Line::reason("member", "the member is not active"));
    }
    lines
}

fn hiding(rule: &str) -> &'static str {
    match rule {
        "stage" => "a role of the member does not see records of this stage",
        _ => "the record is sensitive, and the member has neither the rank nor the capability see_sensitive",
    }
}

/// The answer about inserting, which is not about a record.
pub(crate) fn creation(about: &About, target: &Target) -> Vec<Line> {
    if let Some(why) = about.why_not_create(&target.table) {
        return vec![Line::reason(Path::Own.name(), why)];
    }
    let own = Standing::about(&target.table, about).access.on(Path::Own).at_most();
    vec![Line {
        path: Path::Own.name().to_owned(),
        via: Some(about.key.clone()),
        level: Some(counted(own, about.analyst).level().name()),
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

fn detail(asker: &Asker, reached: &Reached, rights: Rights) -> String {
    let mut text = match reached.path {
        Path::Own => "owns the record".to_owned(),
        Path::Manager => "stands above the owner".to_owned(),
        Path::RecordTeam => "is on the record team".to_owned(),
        Path::RecordTeamManager => "stands above a member of the record team".to_owned(),
        Path::Territory => "owns or belongs to the territory of the record".to_owned(),
        Path::TerritoryAncestor => "owns or belongs to a territory above the one of the record".to_owned(),
        Path::TerritoryManager => "stands above the owner or a member of such a territory".to_owned(),
        Path::Created => "created the record".to_owned(),
        Path::Colleague => "has the same manager as the owner".to_owned(),
        Path::Contact => "is a contact of the record".to_owned(),
        Path::Scope => "the record is in the scope of the member".to_owned(),
        Path::Team => "the team of the record is open to the member".to_owned(),
        Path::Parent => "reads the record that this one belongs to".to_owned(),
        Path::Organization => "the rules give every record of the organization".to_owned(),
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
    if reached.hidden.is_none() && rights != reached.given {
        text.push_str(&format!("; gives {}, capped at {}", reached.given.shown(), rights.shown()));
    }
    if rights != Rights::of(rights.level()) {
        text.push_str(&format!("; gives {}", rights.names()));
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
        Path::Created => "did not create the record",
        Path::Colleague => "does not have the same manager as the owner",
        Path::Contact => "is no contact of the record",
        Path::Scope => "the record is in no scope of the member",
        Path::Team => "the record belongs to no team that is open to the member",
        Path::Parent => "does not read the record that this one belongs to",
        Path::Organization => "the record belongs to another organization",
        Path::Admin => "no role of the member has the capability all_records",
    }
}
