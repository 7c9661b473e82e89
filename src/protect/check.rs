//! What can be secured, and by whom.

use super::archive;
use super::arguments::Names;
use super::inspect::{self, Column, Relation};
use crate::errors::{REFUSED, bad_argument, failure};
use crate::ffi::session;
use crate::visibility::Part;
use crate::visibility::mapping::Form;
use pgrx::pg_sys::Oid;

const WRONG_KIND: &str = "42809";
pub(super) const NO_COLUMN: &str = "42703";

/// The columns that carry the rules of a table, as they are written in its policies.
#[derive(Debug, Clone)]
pub(super) struct Mapping {
    pub id: String,
    pub owner: Option<String>,
    pub creator: Option<String>,
    pub territory: Option<String>,
    pub organization: Option<String>,
    pub segment: Option<String>,
    pub team: Option<String>,
    pub parent: Option<String>,
    pub stage: Option<String>,
    pub status: Option<String>,
    pub sensitive: Option<String>,
    pub archive: Option<Archive>,
}

impl Mapping {
    pub(super) fn column(&self, part: Part) -> Option<&String> {
        match part {
            Part::Id => Some(&self.id),
            Part::Owner => self.owner.as_ref(),
            Part::Creator => self.creator.as_ref(),
            Part::Territory => self.territory.as_ref(),
            Part::Organization => self.organization.as_ref(),
            Part::Segment => self.segment.as_ref(),
            Part::Team => self.team.as_ref(),
            Part::Parent => self.parent.as_ref(),
            Part::Stage => self.stage.as_ref(),
            Part::Status => self.status.as_ref(),
            Part::Sensitive => self.sensitive.as_ref(),
        }
    }

    /// The columns as the policies name them.
    pub(super) fn form(&self, uses_creator: bool) -> Form {
        Form::of(|part| self.column(part).cloned(), uses_creator)
    }
}

/// The columns that say that a row is archived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Archive {
    pub at: String,
    pub by: Option<String>,
}

/// The relation, if it exists and the caller may change how it is secured.
pub(super) fn owned(target: Oid) -> Relation {
    let Some(relation) = inspect::relation(target) else {
        failure("42P01", format!("relation with OID {} does not exist", target.to_u32())).raise()
    };
    let caller = session::current_role();
    if !session::is_superuser(caller) && !session::owns_relation(target, caller) {
        failure(REFUSED, format!("must be owner of {}", relation.name))
            .hint("The owner of a table or a superuser decides how it is secured.")
            .raise();
    }
    relation
}

/// Refuses what policies and triggers cannot secure.
pub(super) fn securable(relation: &Relation) {
    let name = &relation.name;
    let wrong = |message: String, hint: &str| -> ! { failure(WRONG_KIND, message).hint(hint).raise() };
    match relation.kind.as_str() {
        "r" | "p" => {}
        "v" => wrong(
            format!("{name} is a view"),
            "Protect the tables it reads and create it WITH (security_invoker = true).",
        ),
        "m" => wrong(
            format!("{name} is a materialized view"),
            "It holds a copy that row security does not cover; protect its tables and use a plain view.",
        ),
        "f" => wrong(
            format!("{name} is a foreign table"),
            "Row security has no effect on foreign tables; protect the table where it lives.",
        ),
        _ => wrong(format!("{name} is not a table"), "Ordinary and partitioned tables can be protected."),
    }
    if relation.system {
        wrong(format!("{name} is a table of the system or of leadguard"), "Protect tables of your own.");
    }
    if relation.temporary {
        wrong(format!("{name} is a temporary table"), "Protect tables that outlive the session.");
    }
    if let Some(root) = &relation.partition_of {
        wrong(
            format!("{name} is a partition of {root}"),
            &format!("Protect {root}; its partitions are protected with it."),
        );
    }
    if relation.is_child || relation.has_children {
        wrong(
            format!("{name} takes part in table inheritance"),
            "A query of the parent reads children without their policies. Use partitions, or end it with ALTER TABLE ... NO INHERIT.",
        );
    }
}

/// Finds the mapped columns and refuses those that cannot carry a rule.
pub(super) fn mapping(relation: &Relation, columns: &[Column], names: &Names) -> Mapping {
    if names.owner.is_none() && names.territory.is_none() {
        bad_argument("neither owner nor territory is mapped")
            .detail("Without them nobody but administrators would reach a row.")
            .hint("Pass owner => or territory => with the name of a column.")
            .raise();
    }
    let id = id_column(relation, columns, names.id.as_deref());
    let mapping = Mapping {
        id: id.name.clone(),
        owner: mapped(relation, columns, "owner", &names.owner),
        creator: mapped(relation, columns, "creator", &names.creator),
        territory: mapped(relation, columns, "territory", &names.territory),
        organization: mapped(relation, columns, "organization", &names.organization),
        segment: mapped(relation, columns, "segment", &names.segment),
        team: mapped(relation, columns, "team", &names.team),
        parent: mapped(relation, columns, "parent_column", &names.parent),
        stage: mapped(relation, columns, "stage", &names.stage),
        status: mapped(relation, columns, "status", &names.status),
        sensitive: names.sensitive.as_ref().map(|name| mark(relation, columns, name)),
        archive: archive::columns(relation, columns, names.archived_at.as_deref(), names.archived_by.as_deref()),
    };
    distinct(&mapping);
    mapping
}

/// A column that marks sensitive rows: yes or no, or the reason.
fn mark(relation: &Relation, columns: &[Column], name: &str) -> String {
    let column = present(relation, columns, "sensitive", name);
    if !["boolean", "text"].contains(&column.type_name.as_str()) {
        bad_argument(format!(
            "column \"{name}\" of {} has type {}, which cannot mark sensitive rows",
            relation.name, column.type_name
        ))
        .hint("Supported are boolean, and text for the reason.")
        .raise();
    }
    refuse_generated(relation, column, "sensitive");
    name.to_owned()
}

fn mapped(relation: &Relation, columns: &[Column], part: &str, name: &Option<String>) -> Option<String> {
    name.as_ref().map(|name| supported(relation, columns, part, name).name.clone())
}

pub(super) fn supported<'a>(relation: &Relation, columns: &'a [Column], part: &str, name: &str) -> &'a Column {
    let column = present(relation, columns, part, name);
    if column.kind.is_none() {
        bad_argument(format!(
            "column \"{name}\" of {} has type {}, which cannot be mapped as {part}",
            relation.name, column.type_name
        ))
        .hint("Supported are smallint, integer, bigint, text, varchar, uuid and domains over them.")
        .raise();
    }
    refuse_generated(relation, column, part);
    column
}

fn present<'a>(relation: &Relation, columns: &'a [Column], part: &str, name: &str) -> &'a Column {
    columns.iter().find(|c| c.name == name).unwrap_or_else(|| {
        failure(NO_COLUMN, format!("column \"{name}\" of {} does not exist", relation.name))
            .detail(format!("It is mapped as {part}."))
            .hint("Names are taken as they are, in upper and lower case.")
            .raise()
    })
}

fn refuse_generated(relation: &Relation, column: &Column, part: &str) {
    if column.generated {
        let name = &column.name;
        bad_argument(format!("column \"{name}\" of {} is generated and cannot be mapped as {part}", relation.name))
            .detail("Its value is computed after the guards have looked at the row.")
            .hint("Map the column it is computed from.")
            .raise();
    }
}

fn id_column<'a>(relation: &Relation, columns: &'a [Column], name: Option<&str>) -> &'a Column {
    let Some(name) = name else {
        let Some(key) = columns.iter().find(|c| c.is_primary_key) else {
            bad_argument(format!("{} has no primary key of one column", relation.name))
                .hint("Pass id => with the name of a column that is NOT NULL and unique, or add a primary key.")
                .raise()
        };
        return supported(relation, columns, "id", &key.name);
    };
    let column = supported(relation, columns, "id", name);
    // A unique index of a partitioned table must hold the partition key, so its ids are part of the key.
    let identifies = column.unique || (relation.is_partitioned() && column.in_primary_key);
    if !identifies || !column.not_null {
        bad_argument(format!("column \"{name}\" of {} does not identify a row", relation.name))
            .detail("Shares, the record team and reassign name records by this column.")
            .hint("Use a column that is NOT NULL and has a unique index of its own (in a partitioned table: one of the primary key).")
            .raise();
    }
    column
}

/// One column for two meanings would let a rule about the one decide about the other.
pub(super) fn distinct(mapping: &Mapping) {
    let archive = mapping.archive.as_ref();
    let archived = [("archived_at", archive.map(|a| &a.at)), ("archived_by", archive.and_then(|a| a.by.as_ref()))];
    let parts = Part::ALL.into_iter().map(|part| (part.name(), mapping.column(part)));
    let all: Vec<(&str, Option<&String>)> = archived.into_iter().chain(parts).collect();
    for (index, (part, column)) in all.iter().enumerate() {
        let twin = all[..index].iter().find(|(_, other)| column.is_some() && other == column);
        // A sales stage may be the status that conditions name.
        if let (Some(column), Some((other, _))) = (column, twin)
            && (*other, *part) != ("stage", "status")
        {
            bad_argument(format!("column \"{column}\" is mapped both as {other} and as {part}"))
                .hint("Map each column once.")
                .raise();
        }
    }
}
