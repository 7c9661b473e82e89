//! Partitions that come to a protected table after protect.

use super::inspect;
use super::mend;
use super::plan;
use super::ready;
use super::registry;
use super::render::Protection;
use super::step;
use crate::errors::failure;
use crate::ffi::session::{self, as_extension};
use crate::ffi::snapshot;
use crate::ffi::sql::{self, Param, Sees};
use crate::rules;
use crate::schema_changes;
use pgrx::pg_sys::Oid;

/// Puts the protection of a partitioned table on those of its partitions that lack it, or have come and brought
/// something under its names along, which need not be what it was. Called by the event trigger, in the name of the
/// extension: whoever creates a partition need not have rights in its schema, and none of the statements runs code of
/// his. Of a concealed table: refuses partitions that can be read without the view.
#[pgrx::pg_extern(sql = false)]
fn extend_protection(root: Oid) {
    as_extension(|| {
        let (Some(mut entry), Some(relation)) = (registry::find(root), inspect::relation(root)) else { return };
        if entry.concealed_by.is_some() {
            ready::refuse_open_partitions(root, &relation.name);
        }
        // Within the statements below the event trigger calls again: what came is being put in order then.
        let came =
            if session::is_governed() && !schema_changes::is_at_work() { inspect::attached(root) } else { Vec::new() };
        let partitions = inspect::newcomers(root, &came);
        plan::refuse_foreign_partitions(&partitions);
        mend::refuse_permissive(&partitions);
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
        // The flags of one that was protected before are leadguard's.
        for partition in partitions.iter().filter(|p| !mend::is_marked(p)) {
            entry.undo.remember(partition);
        }
        let removal = partitions.iter().flat_map(mend::removal);
        let bare: Vec<_> = partitions.iter().map(mend::bare).collect();
        // Policies first: each ALTER TABLE calls the event trigger again, which must find nothing left to do.
        let policies = bare.iter().flat_map(|p| protection.policies(p));
        let triggers = bare.iter().flat_map(|p| protection.triggers(p));
        let row_security = bare.iter().flat_map(|p| protection.row_security(p));
        step::run_within(&removal.chain(policies).chain(triggers).chain(row_security).collect::<Vec<_>>());
        if entry.undo.partitions.len() > known {
            registry::keep(root, &entry.undo);
        }
        for partition in &partitions {
            mend::note(root, partition);
        }
    });
}

/// A protected table that is one of the relations, or the root of one, and that the transaction does not see as protected,
/// being older. Internal.
#[pgrx::pg_extern(sql = false)]
fn protected_since(relations: Vec<Option<Oid>>) -> Option<Oid> {
    let ids: Vec<i64> = relations.into_iter().flatten().map(|relation| i64::from(relation.to_u32())).collect();
    let roots = "SELECT DISTINCT p.target::bigint FROM unnest($1) AS u (id) \
                 JOIN leadguard.protected_table p ON p.target IN (u.id::oid, pg_partition_root(u.id::oid))";
    let seen = "SELECT target::bigint FROM leadguard.protected_table WHERE target = $1::oid";
    as_extension(|| {
        let mut targets = Vec::new();
        sql::query(roots, &[Param::Ints(&ids)], Sees::Now, &mut |row| targets.extend(row.int(0)));
        let is_new = |target: &i64| {
            let find = || sql::first_int(seen, &[Param::Int(Some(*target))], Sees::Statement);
            !snapshot::knows(find)
        };
        targets.into_iter().find(is_new).and_then(|target| u32::try_from(target).ok()).map(Oid::from_u32)
    })
}
