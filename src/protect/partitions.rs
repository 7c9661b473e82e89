//! Partitions that come to a protected table after protect.

use super::inspect;
use super::plan;
use super::ready;
use super::registry;
use super::render::Protection;
use super::step;
use crate::errors::failure;
use crate::ffi::session::as_extension;
use crate::rules;
use pgrx::pg_sys::Oid;

/// Puts the protection of a partitioned table on those of its partitions that lack it. Called by the event
/// trigger, in the name of the extension: whoever creates a partition need not have rights in its schema, and
/// none of the statements runs code of his. Of a concealed table: refuses partitions that can be read without the
/// view, whether or not they bring the protection along.
#[pgrx::pg_extern(sql = false)]
fn extend_protection(root: Oid) {
    as_extension(|| {
        let (Some(mut entry), Some(relation)) = (registry::find(root), inspect::relation(root)) else { return };
        if entry.concealed_by.is_some() {
            ready::refuse_open_partitions(root, &relation.name);
        }
        let partitions = inspect::newcomers(root);
        plan::refuse_foreign_partitions(&partitions);
        plan::refuse_taken_names(&partitions);
        let columns = inspect::columns(root);
        let mapping = &entry.mapping;
        let form = mapping.form(rules::use_creator(root));
        let archived_at = mapping.archive.as_ref().map(|archive| &archive.at);
        if let Some(gone) =
            form.columns.iter().flatten().chain(archived_at).find(|name| !columns.iter().any(|c| c.name == **name))
        {
            failure("55000", format!("the mapped column \"{gone}\" of {} is gone", relation.name))
                .detail("New partitions cannot be protected without it.")
                .hint(format!("Protect {} anew, after leadguard.unprotect.", relation.name))
                .raise();
        }
        let protection = Protection::new(&relation.name, mapping, entry.force, rules::use_creator(root));
        let known = entry.undo.partitions.len();
        for partition in &partitions {
            entry.undo.remember(partition);
        }
        // Policies first: each ALTER TABLE calls the event trigger again, which must find nothing left to do.
        let policies = partitions.iter().flat_map(|p| protection.policies(p));
        let triggers = partitions.iter().flat_map(|p| protection.triggers(p));
        let row_security = partitions.iter().flat_map(|p| protection.row_security(p));
        step::run_within(&policies.chain(triggers).chain(row_security).collect::<Vec<_>>());
        if entry.undo.partitions.len() > known {
            registry::keep(root, &entry.undo);
        }
    });
}
