//! What a partition brings along under leadguard's names: once protected and changed since, or never protected.
//!
//! All of it is made anew, and what was not as protect makes it is a change of the schema of its own. Runs as the
//! extension; no statement runs code of the table's owner. Invariant tests: tests/schema_changes/attached.rs.

use super::inspect::{self, Member, Policy};
use super::render::{POLICIES, STATEMENT_TRIGGER, TRIGGERS, WRITTEN_TRIGGER};
use super::step::Step;
use crate::errors::failure;
use crate::ffi::session;
use crate::ffi::sql::{self, Param, Sees};
use crate::names::quote;
use pgrx::pg_sys::Oid;
use serde_json::json;

/// A difference, in the words of leadguard.schema_change.
struct Change {
    kind: &'static str,
    object: String,
    came: Option<String>,
    made: String,
}

fn is_ours(policy: &Policy) -> bool {
    POLICIES.contains(&policy.name.as_str())
}

/// Whether something under leadguard's names came with the partition. Clones are Postgres' doing.
pub(super) fn is_marked(partition: &Member) -> bool {
    partition.policies.iter().any(is_ours) || partition.triggers.iter().any(|t| !t.cloned)
}

/// As protect does without existing => 'restrictive'.
pub(super) fn refuse_permissive(partitions: &[Member]) {
    let foreign = partitions.iter().find_map(|p| Some((p, p.policies.iter().find(|q| q.permissive && !is_ours(q))?)));
    if let Some((partition, policy)) = foreign {
        failure("55000", format!("partition {} has permissive policies of its own", partition.name))
            .detail(format!("One of them is {}.", quote(&policy.name)))
            .hint("Drop them, or create them AS RESTRICTIVE: then they are additional conditions.")
            .raise();
    }
}

/// The steps that take away what protect makes anew.
pub(super) fn removal(partition: &Member) -> Vec<Step> {
    let reason = "The partition brought it along; made anew in the next steps.";
    let policies = partition.policies.iter().filter(|p| is_ours(p));
    let policies = policies.map(|p| ("policy", format!("DROP POLICY {} ON {}", p.name, partition.name)));
    let triggers = partition.triggers.iter().filter(|t| !t.cloned && !t.sound);
    let triggers = triggers.map(|t| ("trigger", format!("DROP TRIGGER {} ON {}", t.name, partition.name)));
    policies.chain(triggers).map(|(kind, statement)| Step::new(kind, statement, reason)).collect()
}

/// The partition once that is done.
pub(super) fn bare(partition: &Member) -> Member {
    let mut bare = partition.clone();
    bare.policies.retain(|p| !is_ours(p));
    bare.triggers.retain(|t| t.cloned || t.sound);
    bare
}

/// Writes down how a partition that was marked came in another state than it is in now; LG004 where that is refused.
pub(super) fn note(root: Oid, partition: &Member) {
    if !session::is_governed() || !is_marked(partition) {
        return;
    }
    let Some(mended) = inspect::reread(partition) else { return };
    for change in differences(partition, &mended) {
        // As much as leadguard.shape_changes tells.
        let short = |text: &str| text.chars().take(2000).collect::<String>();
        let (came, made) = (change.came.as_deref().map(short), short(&change.made));
        let detail = json!({ "was": came, "is": made, "mended": true }).to_string();
        sql::query(
            "SELECT leadguard.note_change($1::regclass, coalesce((SELECT s.definition FROM leadguard.schema_shape s \
                 WHERE s.target = $1 AND s.relation = $1 AND s.kind = 'table'), $1::regclass::text), \
                 $2, $3, jsonb_strip_nulls($4::jsonb), true, false)",
            &[
                Param::Oid(root),
                Param::Text(Some(change.kind)),
                Param::Text(Some(&change.object)),
                Param::Text(Some(&detail)),
            ],
            Sees::Now,
            &mut |_| {},
        );
    }
}

fn differences(came: &Member, mended: &Member) -> Vec<Change> {
    let within = |name: &str| format!("{}.{name}", came.name);
    let mut changes = Vec::new();
    let (was, is) = (flags(came), flags(mended));
    if was != is {
        changes.push(Change {
            kind: "row security",
            object: came.name.clone(),
            came: Some(was.to_owned()),
            made: is.to_owned(),
        });
    }
    for policy in mended.policies.iter().filter(|p| is_ours(p)) {
        let made = definition(policy);
        let was = came.policies.iter().find(|p| p.name == policy.name).map(definition);
        if was.as_ref() != Some(&made) {
            let kind = if was.is_some() { "change policy" } else { "drop policy" };
            changes.push(Change { kind, object: within(&policy.name), came: was, made });
        }
    }
    for name in TRIGGERS.into_iter().filter(|t| [STATEMENT_TRIGGER, WRITTEN_TRIGGER].contains(t)) {
        let Some(made) = mended.trigger(name) else { continue };
        let was = came.trigger(name);
        let kind = match was {
            None => "drop trigger",
            Some(was) if was.sound && was.always => continue,
            Some(was) if was.sound && was.disabled => "disable trigger",
            Some(_) => "change trigger",
        };
        let came = was.map(|was| was.definition.clone());
        changes.push(Change { kind, object: within(name), came, made: made.definition.clone() });
    }
    changes
}

/// As leadguard.table_shape has them.
fn flags(member: &Member) -> &'static str {
    match (member.row_security, member.forced) {
        (false, _) => "off",
        (true, true) => "on, forced",
        (true, false) => "on, not forced",
    }
}

fn definition(policy: &Policy) -> String {
    let mode = if policy.permissive { "PERMISSIVE" } else { "RESTRICTIVE" };
    let mut text = format!("{mode} FOR {} TO {}", policy.command, policy.roles);
    for (clause, expression) in [("USING", &policy.using), ("WITH CHECK", &policy.check)] {
        if let Some(expression) = expression {
            text.push_str(&format!(" {clause} {expression}"));
        }
    }
    text
}
