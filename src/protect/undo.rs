//! How a table was before protect, kept in its registration, and the way back.

use super::grants_on_tables;
use super::inspect::{self, Member, Policy, Relation};
use super::render::{POLICIES, TRIGGERS};
use super::step::Step;
use crate::ffi::raise::notice;
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::names::{literal, quote};
use serde::{Deserialize, Serialize};

/// The flags of a partition that had row security of its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Before {
    pub relation: String,
    pub row_security: bool,
    pub forced: bool,
}

/// A permissive policy that was made restrictive; on the table itself when no relation is named, since a
/// table may be renamed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Converted {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relation: Option<String>,
    pub policy: String,
}

/// The state before. Names, not OIDs: it must survive dump and restore.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Undo {
    pub row_security: bool,
    pub forced: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<Before>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub permissive: Vec<Converted>,
    /// Columns of the archive that protect added.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Whoever protected the table could not let others use its schema: leadguard does not do it for him, later neither.
    #[serde(skip_serializing_if = "is_false")]
    pub foreign_schema: bool,
    /// Where the table was: whoever owns it may move it into somebody else's schema.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub schema: String,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
fn is_false(value: &bool) -> bool {
    !value
}

impl Undo {
    pub(super) fn of(tree: &[Member]) -> Undo {
        let mut undo = Undo::default();
        for member in tree {
            if member.is_root {
                (undo.row_security, undo.forced) = (member.row_security, member.forced);
            } else {
                undo.remember(member);
            }
        }
        undo
    }

    pub(super) fn remember(&mut self, partition: &Member) {
        if partition.row_security || partition.forced {
            self.partitions.push(Before {
                relation: partition.name.clone(),
                row_security: partition.row_security,
                forced: partition.forced,
            });
        }
    }

    fn flags(&self, member: &Member) -> (bool, bool) {
        if member.is_root {
            return (self.row_security, self.forced);
        }
        let before = self.partitions.iter().find(|b| b.relation == member.name);
        before.map_or((false, false), |b| (b.row_security, b.forced))
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self)
            .unwrap_or_else(|_| crate::errors::bug("the state before protect cannot be written down"))
    }

    pub(super) fn from_json(text: &str) -> Undo {
        serde_json::from_str(text).unwrap_or_else(|_| crate::errors::bug("the state before protect cannot be read"))
    }
}

/// A policy with the other mode, in place: policies cannot be altered from permissive to restrictive.
pub(super) fn with_mode(relation: &str, policy: &Policy, permissive: bool, reason: &str) -> Vec<Step> {
    let name = quote(&policy.name);
    let mode = if permissive { "PERMISSIVE" } else { "RESTRICTIVE" };
    let mut create = format!("CREATE POLICY {name} ON {relation} AS {mode} FOR {} TO {}", policy.command, policy.roles);
    if let Some(using) = &policy.using {
        create.push_str(&format!(" USING ({using})"));
    }
    if let Some(check) = &policy.check {
        create.push_str(&format!(" WITH CHECK ({check})"));
    }
    let mut steps = vec![
        Step::new("policy", format!("DROP POLICY {name} ON {relation}"), reason),
        Step::new("policy", create, reason),
    ];
    if let Some(comment) = &policy.comment {
        let statement = format!("COMMENT ON POLICY {name} ON {relation} IS {}", literal(comment));
        steps.push(Step::new("comment", statement, "Keeps the comment of the policy."));
    }
    steps
}

/// The steps of unprotect for a registered table.
pub(super) fn steps(relation: &Relation, undo: &Undo) -> Vec<Step> {
    let tree = inspect::tree(relation.oid);
    let mut steps = grants_on_tables::take_back(relation.oid);
    steps.extend(removal(&tree, undo));
    steps.extend(permissive_again(&tree, undo));
    for index in &undo.indexes {
        match inspect::index_on(relation.oid, index) {
            Some(name) => {
                steps.push(Step::new("index", format!("DROP INDEX {name}"), "protect had created the index."))
            }
            None => notice(&format!("index \"{index}\" of {} is gone or was renamed; it is left alone", relation.name)),
        }
    }
    steps.extend(unregister(relation));
    steps
}

/// Takes policies, triggers and flags away from the table and its partitions.
pub(super) fn removal(tree: &[Member], undo: &Undo) -> Vec<Step> {
    let mut steps = Vec::new();
    for member in tree {
        let name = &member.name;
        for trigger in TRIGGERS.iter().filter_map(|t| member.trigger(t)).filter(|t| !t.cloned) {
            let statement = format!("DROP TRIGGER {} ON {name}", trigger.name);
            steps.push(Step::new("trigger", statement, "Ends the guard on writes."));
        }
        let (row_security, forced) = undo.flags(member);
        if member.forced && !forced {
            let statement = format!("ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY");
            steps.push(Step::new("row_security", statement, "As it was before protect."));
        } else if forced && !member.forced {
            let statement = format!("ALTER TABLE {name} FORCE ROW LEVEL SECURITY");
            steps.push(Step::new("row_security", statement, "As it was before protect."));
        }
        if member.row_security != row_security {
            let verb = if row_security { "ENABLE" } else { "DISABLE" };
            let statement = format!("ALTER TABLE {name} {verb} ROW LEVEL SECURITY");
            steps.push(Step::new("row_security", statement, "As it was before protect."));
        }
        for policy in POLICIES.iter().filter(|p| member.has_policy(p)) {
            let statement = format!("DROP POLICY {policy} ON {name}");
            steps.push(Step::new("policy", statement, "Ends row security by leadguard."));
        }
    }
    steps
}

/// The policies that protect made restrictive, as they are now except for that.
fn permissive_again(tree: &[Member], undo: &Undo) -> Vec<Step> {
    let mut steps = Vec::new();
    for converted in &undo.permissive {
        let member = tree.iter().find(|m| match &converted.relation {
            Some(relation) => m.name == *relation,
            None => m.is_root,
        });
        let policy = member.and_then(|m| m.policies.iter().find(|p| p.name == converted.policy && !p.permissive));
        match (member, policy) {
            (Some(member), Some(policy)) => {
                steps.extend(with_mode(&member.name, policy, true, "It was permissive before protect."));
            }
            _ => notice(&format!("policy \"{}\" is gone or no longer restrictive; it is left alone", converted.policy)),
        }
    }
    steps
}

/// Shares and recorded privileges first: a table that is protected again must start without them.
fn unregister(relation: &Relation) -> Vec<Step> {
    let count = |text| as_extension(|| sql::first_int(text, &[Param::Oid(relation.oid)], Sees::Now)).unwrap_or(0);
    let shares = count("SELECT count(*) FROM leadguard.record_grant WHERE target = $1");
    let contacts = if crate::contacts::exist() {
        count("SELECT count(*) FROM leadguard.record_contact WHERE target = $1")
    } else {
        0
    };
    let delete = |table: &str, reason: String| {
        let statement = format!("DELETE FROM leadguard.{table} WHERE target = {}::regclass", literal(&relation.name));
        Step::new("register", statement, reason).by_extension()
    };
    let mut steps = Vec::new();
    if shares > 0 {
        steps.push(delete("record_grant", format!("Forgets {shares} shares and record-team entries of its records.")));
    }
    if contacts > 0 {
        steps.push(delete("record_contact", format!("Forgets {contacts} contacts of its records.")));
    }
    steps.push(delete("table_grant", "The privileges are taken back.".to_owned()));
    steps.push(delete("protected_table", "Forgets the mapping of the table.".to_owned()));
    steps
}
