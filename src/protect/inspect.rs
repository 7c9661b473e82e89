//! What the catalogs say about a table: its kind, columns, partitions, policies and triggers.
//!
//! Runs as the caller with a pinned search path and sees what the running command has done so far.

use crate::ffi::call::kind_of;
use crate::ffi::sql::{self, Param, Sees};
use crate::model::value::Kind;
use pgrx::pg_sys::Oid;

/// The table as a whole.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    pub oid: Oid,
    pub kind: String,
    pub schema: String,
    pub plain_name: String,
    /// Qualified, quoted where needed.
    pub name: String,
    pub quoted_schema: String,
    pub temporary: bool,
    pub system: bool,
    pub partition_of: Option<String>,
    pub is_child: bool,
    pub has_children: bool,
    pub schema_oid: Oid,
}

impl Relation {
    pub(super) fn is_partitioned(&self) -> bool {
        self.kind == "p"
    }
}

pub(super) fn relation(oid: Oid) -> Option<Relation> {
    let mut found = None;
    sql::query(include_str!("../../sql/query/protect_relation.sql"), &[Param::Oid(oid)], Sees::Now, &mut |row| {
        found = Some(Relation {
            oid,
            kind: row.text(0).unwrap_or_default(),
            schema: row.text(1).unwrap_or_default(),
            plain_name: row.text(2).unwrap_or_default(),
            name: row.text(3).unwrap_or_default(),
            quoted_schema: row.text(4).unwrap_or_default(),
            temporary: row.bool(5),
            system: row.bool(6),
            partition_of: row.text(7),
            is_child: row.bool(8),
            has_children: row.bool(9),
            schema_oid: row.oid(10).unwrap_or(Oid::INVALID),
        });
    });
    found
}

/// One column, and which indexes there are on it.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub name: String,
    /// None for a type that cannot be mapped.
    pub kind: Option<Kind>,
    pub type_name: String,
    pub not_null: bool,
    pub generated: bool,
    pub unique: bool,
    pub in_primary_key: bool,
    pub is_primary_key: bool,
    pub indexed: bool,
}

pub(super) fn columns(oid: Oid) -> Vec<Column> {
    let mut columns = Vec::new();
    sql::query(include_str!("../../sql/query/protect_columns.sql"), &[Param::Oid(oid)], Sees::Now, &mut |row| {
        columns.push(Column {
            name: row.text(0).unwrap_or_default(),
            kind: row.oid(1).and_then(kind_of),
            type_name: row.text(2).unwrap_or_default(),
            not_null: row.bool(3),
            generated: row.bool(4),
            unique: row.bool(5),
            in_primary_key: row.bool(6),
            is_primary_key: row.bool(7),
            indexed: row.bool(8),
        });
    });
    columns
}

/// A policy as the clauses of CREATE POLICY.
#[derive(Debug, Clone)]
pub(super) struct Policy {
    pub name: String,
    pub permissive: bool,
    pub command: String,
    pub roles: String,
    pub using: Option<String>,
    pub check: Option<String>,
    pub comment: Option<String>,
}

/// A trigger of leadguard.
#[derive(Debug, Clone)]
pub(super) struct Trigger {
    pub name: String,
    pub always: bool,
    /// Made by Postgres from the trigger of the partitioned table; goes with it.
    pub cloned: bool,
    /// Calls leadguard's function, whenever protect makes it do so.
    pub sound: bool,
    pub disabled: bool,
    pub definition: String,
}

/// The table itself or one of its partitions, at any depth.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub oid: Oid,
    pub name: String,
    pub kind: String,
    pub row_security: bool,
    pub forced: bool,
    pub is_root: bool,
    pub policies: Vec<Policy>,
    pub triggers: Vec<Trigger>,
}

impl Member {
    pub(super) fn has_policy(&self, name: &str) -> bool {
        self.policies.iter().any(|p| p.name == name)
    }

    pub(super) fn trigger(&self, name: &str) -> Option<&Trigger> {
        self.triggers.iter().find(|t| t.name == name)
    }
}

/// The table, which comes first, and its partitions.
pub(super) fn tree(root: Oid) -> Vec<Member> {
    members(root, &|_, _| true)
}

/// Those of the partitions that do not carry the policies yet, and those that came, whatever they carry.
pub(super) fn newcomers(root: Oid, came: &[Oid]) -> Vec<Member> {
    members(root, &|oid, is_open| oid != root && (is_open || came.contains(&oid)))
}

/// The partitions that this transaction attached, alone or below another one, and that are not known yet.
pub(super) fn attached(root: Oid) -> Vec<Oid> {
    let mut attached = Vec::new();
    sql::query(include_str!("../../sql/query/protect_attached.sql"), &[Param::Oid(root)], Sees::Now, &mut |row| {
        attached.extend(row.oid(0));
    });
    attached
}

fn members(root: Oid, wanted: &dyn Fn(Oid, bool) -> bool) -> Vec<Member> {
    let mut members = Vec::new();
    sql::query(include_str!("../../sql/query/protect_tree.sql"), &[Param::Oid(root)], Sees::Now, &mut |row| {
        if let (Some(oid), Some(name)) = (row.oid(0), row.text(1))
            && wanted(oid, row.bool(6))
        {
            members.push(Member {
                oid,
                name,
                kind: row.text(2).unwrap_or_default(),
                row_security: row.bool(3),
                forced: row.bool(4),
                is_root: row.bool(5),
                policies: Vec::new(),
                triggers: Vec::new(),
            });
        }
    });
    for member in &mut members {
        member.policies = policies(member.oid);
        member.triggers = triggers(member.oid);
    }
    members
}

/// What the relation carries now.
pub(super) fn reread(member: &Member) -> Option<Member> {
    members(member.oid, &|oid, _| oid == member.oid).pop()
}

fn policies(relation: Oid) -> Vec<Policy> {
    let mut policies = Vec::new();
    sql::query(include_str!("../../sql/query/protect_policies.sql"), &[Param::Oid(relation)], Sees::Now, &mut |row| {
        policies.push(Policy {
            name: row.text(1).unwrap_or_default(),
            permissive: row.bool(2),
            command: row.text(3).unwrap_or_default(),
            roles: row.text(4).unwrap_or_default(),
            using: row.text(5),
            check: row.text(6),
            comment: row.text(7),
        });
    });
    policies
}

fn triggers(relation: Oid) -> Vec<Trigger> {
    let mut triggers = Vec::new();
    sql::query(include_str!("../../sql/query/protect_triggers.sql"), &[Param::Oid(relation)], Sees::Now, &mut |row| {
        triggers.push(Trigger {
            name: row.text(0).unwrap_or_default(),
            always: row.bool(1),
            cloned: row.bool(2),
            sound: row.bool(3),
            disabled: row.bool(4),
            definition: row.text(5).unwrap_or_default(),
        });
    });
    triggers
}

/// Whether a relation of this name exists in the schema.
pub(super) fn name_is_taken(schema: Oid, name: &str) -> bool {
    sql::first_text(
        "SELECT 'yes' FROM pg_class WHERE relnamespace = $1 AND relname = $2",
        &[Param::Oid(schema), Param::Text(Some(name))],
        Sees::Now,
    )
    .is_some()
}

/// The index of this name on the relation, qualified and quoted.
pub(super) fn index_on(relation: Oid, name: &str) -> Option<String> {
    sql::first_text(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
         JOIN pg_namespace n ON n.oid = c.relnamespace WHERE i.indrelid = $1 AND c.relname = $2",
        &[Param::Oid(relation), Param::Text(Some(name))],
        Sees::Now,
    )
}
