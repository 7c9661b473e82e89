//! The columns of the archive, and what becomes of archived rows when the protection ends.

use super::check::{self, Archive, Mapping};
use super::inspect::{self, Column, Relation};
use super::plan;
use super::registry::{self, Entry};
use super::render::{self, Protection};
use super::step::{self, Step};
use super::undo::Undo;
use crate::errors::{bad_argument, failure};
use crate::names::{literal, quote};
use crate::rules;
use crate::visibility::table::SHAPE;
use pgrx::pg_sys::Oid;

const AT_TYPE: &str = "timestamp with time zone";

/// What unprotect does with rows that are archived: without the policies everybody would see them again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Archived {
    Refuse,
    Keep,
    Purge,
}

impl Archived {
    pub(super) fn of(given: Option<&str>) -> Archived {
        match given {
            Some("refuse") => Archived::Refuse,
            Some("keep") => Archived::Keep,
            Some("purge") => Archived::Purge,
            other => super::arguments::unknown("archived", other, "refuse, keep, purge"),
        }
    }
}

/// Finds the columns of the archive; those that are not there will be added.
pub(super) fn columns(
    relation: &Relation,
    columns: &[Column],
    archived_at: Option<&str>,
    archived_by: Option<&str>,
) -> Option<Archive> {
    let Some(at) = archived_at else {
        if archived_by.is_some() {
            bad_argument("archived_by is mapped and archived_at is not")
                .hint("Pass archived_at => with the name of a column; one that does not exist is added.")
                .raise();
        }
        return None;
    };
    if let Some(column) = columns.iter().find(|c| c.name == at)
        && (column.type_name != AT_TYPE || column.generated || column.not_null)
    {
        bad_argument(format!("column \"{at}\" of {} cannot say when a row was archived", relation.name))
            .detail(format!("It must be of type {AT_TYPE}, empty for rows that are not archived, and not generated."))
            .hint("Name another column; one that does not exist is added.")
            .raise();
    }
    if let Some(by) = archived_by
        && columns.iter().any(|c| c.name == by)
    {
        check::supported(relation, columns, "archived_by", by);
    }
    Some(Archive { at: at.to_owned(), by: archived_by.map(str::to_owned) })
}

/// The steps that add the columns that are missing.
pub(super) fn added(relation: &Relation, columns: &[Column], mapping: &Mapping, undo: &mut Undo) -> Vec<Step> {
    let Some(archive) = &mapping.archive else { return Vec::new() };
    let owner = mapping.owner.as_ref().and_then(|name| columns.iter().find(|c| c.name == *name));
    // As the owner column names members, and wide enough for every one: not only owners archive.
    let by_id = owner.is_none_or(|column| ["smallint", "integer", "bigint"].contains(&column.type_name.as_str()));
    let wanted = [
        (Some(&archive.at), AT_TYPE.to_owned(), "When a row was archived: DELETE sets it."),
        (
            archive.by.as_ref(),
            if by_id { "bigint" } else { "text" }.to_owned(),
            "Who archived a row: the id or key of a member, as the owner column names him.",
        ),
    ];
    let mut steps = Vec::new();
    for (name, type_name, reason) in wanted {
        if let Some(name) = name.filter(|name| !columns.iter().any(|c| c.name == **name)) {
            let statement = format!("ALTER TABLE {} ADD COLUMN {} {type_name}", relation.name, quote(name));
            steps.push(Step::new("column", statement, reason));
            undo.columns.push(name.clone());
        }
    }
    steps
}

/// Gives a protected table an archive and brings its policies and triggers to the present shape.
pub(super) fn set(target: Oid, (at, by): (String, Option<String>), attribution: &[String], dry_run: bool) -> Vec<Step> {
    let patience = plan::patience();
    step::run(&patience);
    let relation = plan::still(target, !dry_run);
    let Some(mut entry) = registry::find(target) else {
        failure("42704", format!("{} is not protected", relation.name))
            .hint("leadguard.protected lists the protected tables.")
            .raise()
    };
    let columns = inspect::columns(target);
    if let Some(missing) = attribution.iter().find(|name| !columns.iter().any(|c| c.name == **name)) {
        failure(check::NO_COLUMN, format!("column \"{missing}\" of {} does not exist", relation.name)).raise();
    }
    let wanted = self::columns(&relation, &columns, Some(&at), by.as_deref());
    stays(&relation, entry.mapping.archive.as_ref(), wanted.as_ref());
    entry.mapping.archive = wanted;
    check::distinct(&entry.mapping);
    let tree = inspect::tree(target);
    let mut steps = patience;
    steps.extend(added(&relation, &columns, &entry.mapping, &mut entry.undo));
    steps.push(registration(&relation, &entry, attribution));
    let protection = Protection::new(&relation.name, &entry.mapping, entry.force, rules::use_creator(target));
    for member in &tree {
        for policy in render::POLICIES.iter().filter(|policy| member.has_policy(policy)) {
            let statement = format!("DROP POLICY {policy} ON {}", member.name);
            steps.push(Step::new("policy", statement, "Made anew in the next steps, all in one transaction."));
        }
        let mut bare = member.clone();
        bare.policies.clear();
        steps.extend(protection.policies(&bare));
        steps.extend(protection.old_triggers_away(member));
    }
    if !dry_run {
        step::run_on(target, &steps);
        let rest: Vec<Step> = inspect::tree(target).iter().flat_map(|member| protection.triggers(member)).collect();
        step::run(&rest);
        steps.extend(rest);
    }
    let comments = render::comments(&relation.name);
    if !dry_run {
        step::run(&comments);
    }
    steps.extend(comments);
    steps
}

/// Rows that are archived by one column would reappear with another.
fn stays(relation: &Relation, present: Option<&Archive>, wanted: Option<&Archive>) {
    let Some(present) = present else { return };
    if wanted.is_some_and(|wanted| wanted.at == present.at && (present.by.is_none() || wanted.by == present.by)) {
        return;
    }
    let by = present.by.as_ref().map(|by| format!(", archived_by => {}", literal(by))).unwrap_or_default();
    failure("55000", format!("{} has an archive in other columns", relation.name))
        .detail("Rows that are archived would reappear.")
        .hint(format!("Pass archived_at => {}{by}.", literal(&present.at)))
        .raise()
}

fn registration(relation: &Relation, entry: &Entry, attribution: &[String]) -> Step {
    let archive = entry.mapping.archive.as_ref();
    let column = |name: Option<&String>| name.map_or("NULL".to_owned(), |name| literal(name));
    let names: Vec<String> = attribution.iter().map(|name| literal(name)).collect();
    let statement = format!(
        "UPDATE leadguard.protected_table SET archived_at_column = {}, archived_by_column = {}, \
         attribution = ARRAY[{}]::name[], shape = {SHAPE}, undo = {}::jsonb WHERE target = {}::regclass",
        column(archive.map(|a| &a.at)),
        column(archive.and_then(|a| a.by.as_ref())),
        names.join(", "),
        literal(&entry.undo.to_json()),
        literal(&relation.name)
    );
    Step::new("register", statement, "The guards find the columns here; unprotect finds how the table was.")
        .by_extension()
}

/// What unprotect does about archived rows, at its end: only then does the owner see them.
pub(super) fn removal(relation: &Relation, entry: &Entry, archived: Archived) -> Vec<Step> {
    let Some(archive) = &entry.mapping.archive else { return Vec::new() };
    let (name, at) = (&relation.name, quote(&archive.at));
    let mut steps = Vec::new();
    match archived {
        Archived::Refuse => {
            let text = format!(
                "DO $$BEGIN IF EXISTS (SELECT FROM {name} WHERE {at} IS NOT NULL) THEN RAISE EXCEPTION \
                 'the table has archived rows' USING ERRCODE = '55000', \
                 DETAIL = 'Without the protection everybody who may read the table would see them again.', \
                 HINT = 'Restore or purge them, or pass archived => ''keep'' or ''purge''.'; END IF; END$$"
            );
            steps.push(Step::new("archive", text, "Archived rows must not reappear unasked."));
        }
        Archived::Keep => return steps,
        // See super::purge.
        Archived::Purge => {}
    }
    let columns = inspect::columns(relation.oid);
    for column in entry.undo.columns.iter().filter(|name| columns.iter().any(|c| c.name == **name)) {
        let text = format!("ALTER TABLE {name} DROP COLUMN {}", quote(column));
        steps.push(Step::new("column", text, "protect had added the column."));
    }
    steps
}
