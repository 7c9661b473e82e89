//! The steps that secure a table.

use super::archive::{self, Archived};
use super::arguments::{Existing, Indexes, Request};
use super::check::{self, Mapping};
use super::child;
use super::grants_on_tables::{self, Roles};
use super::inspect::{self, Column, Member, Policy, Relation};
use super::parent;
use super::purge::Purge;
use super::registry;
use super::render::{self, Protection};
use super::step::{self, Step};
use super::undo::{self, Converted, Undo};
use crate::errors::{bad_argument, failure, refused};
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::identity;
use crate::names::{self, literal, quote};
use crate::rules;
use crate::visibility::mapping::Form;
use crate::visibility::{self, Part, table::SHAPE};
use pgrx::pg_sys::Oid;

/// Not in the state that protect needs; the caller can change that.
const NOT_READY: &str = "55000";

/// Secures the table, or only lists the steps.
pub(super) fn secure(request: &Request) -> Vec<Step> {
    check::securable(&check::owned(request.target));
    let patience = patience();
    step::run(&patience);
    let relation = still(request.target, !request.dry_run);
    if registry::find(request.target).is_some() {
        failure("42710", format!("{} is protected already", relation.name))
            .hint("leadguard.unprotect first, to protect it in another way.")
            .raise();
    }
    require_organization(&relation, &request.org_key);
    let columns = inspect::columns(request.target);
    let mapping = check::mapping(&relation, &columns, &request.names);
    let uses_creator = rules::preset_uses_creator(&request.preset, &request.object);
    parent::require(request, &relation, &columns, &mapping);
    let tree = inspect::tree(request.target);
    refuse_foreign_partitions(&tree);
    refuse_taken_names(&tree);

    let mut undo = Undo::of(&tree);
    undo.schema.clone_from(&relation.schema);
    undo.foreign_schema = !grants_on_tables::may_grant_usage(&relation.schema);
    let conversion = conversion(&tree, request.existing, &mut undo);
    let archive = archive::added(&relation, &columns, &mapping, &mut undo);
    let indexes = indexes(request, &relation, &columns, &mapping.form(uses_creator), &mut undo);
    let by_hand_first = request.dry_run && indexes.iter().any(|i| i.by_hand.is_some());
    let protection = Protection::new(&relation.name, &mapping, request.force, uses_creator);

    // CREATE INDEX CONCURRENTLY is not possible inside the transaction that the other steps are best run in.
    let mut steps = if by_hand_first { [indexes, patience].concat() } else { [patience, indexes].concat() };
    steps.extend(archive);
    steps.push(register(request, &relation, &mapping, &undo));
    steps.extend(conversion);
    steps.extend(tree.iter().flat_map(|member| protection.policies(member)));
    steps.extend(tree.iter().flat_map(|member| protection.triggers(member)));
    steps.extend(tree.iter().flat_map(|member| protection.row_security(member)));
    let roles = Roles::registered();
    steps.extend(grants_on_tables::usage_by_caller(&relation.schema, &relation.quoted_schema, &roles));
    steps.extend(grants_on_tables::missing(request.target, &relation.name, None, &roles));
    steps.extend(render::comments(&relation.name));
    if !request.dry_run {
        step::run(&steps);
    }
    steps
}

/// A limit on waiting for locks: behind a waiting ALTER TABLE every reader queues up.
pub(super) fn patience() -> Vec<Step> {
    let current = sql::first_text("SELECT current_setting('lock_timeout')", &[], Sees::Now);
    if current.as_deref() != Some("0") {
        return Vec::new();
    }
    vec![Step::new(
        "lock_timeout",
        "SET LOCAL lock_timeout = '5s'",
        "Gives up rather than make everybody wait behind a busy table.",
    )]
}

/// The relation, held so that nobody else changes its definition between looking and acting. Not a step: a
/// DBA who runs the statements one by one is not in a transaction block.
pub(super) fn still(target: Oid, lock: bool) -> Relation {
    let relation = check::owned(target);
    if !lock {
        return relation;
    }
    let statement = format!("LOCK TABLE {} IN SHARE UPDATE EXCLUSIVE MODE", relation.name);
    sql::query_once(&statement, &[], Sees::Now, &mut |_| {});
    let relation = check::owned(target);
    check::securable(&relation);
    relation
}

/// 42501 for a member who names an organization that is not his, whether it exists or not; 22023 for one that does not.
fn require_organization(relation: &Relation, key: &str) {
    let subject = visibility::now();
    let own = subject.member.as_ref().map(|member| member.org_key.as_str());
    let is_bound = identity::claimed().is_some() && !identity::is_superuser();
    if is_bound && own != Some(key) {
        let hint = own.map_or_else(
            || "A superuser can protect the table.".to_owned(),
            |own| format!("Pass org_key => {}, or have a superuser protect the table.", literal(own)),
        );
        refused(format!("protect of {} refused: \"{key}\" is not the caller's organization", relation.name))
            .hint(hint)
            .raise();
    }
    let mut found = None;
    as_extension(|| {
        found = sql::first_int(
            "SELECT id FROM leadguard.organization WHERE key = $1",
            &[Param::Text(Some(key))],
            Sees::Now,
        );
    });
    if found.is_none() {
        bad_argument(format!("there is no organization \"{key}\""))
            .hint("Insert it into leadguard.organization, or leave org_key out.")
            .raise();
    }
}

pub(super) fn refuse_foreign_partitions(tree: &[Member]) {
    if let Some(member) = tree.iter().find(|m| m.kind == "f") {
        failure("42809", format!("partition {} is a foreign table", member.name))
            .detail("Row security has no effect on foreign tables.")
            .hint("Detach it, or move its rows into an ordinary partition.")
            .raise();
    }
}

/// A policy or trigger of another origin under one of our names would be taken for ours.
pub(super) fn refuse_taken_names(tree: &[Member]) {
    for member in tree {
        let policy = member.policies.iter().map(|p| p.name.as_str()).find(|name| render::POLICIES.contains(name));
        let trigger = member.triggers.iter().find(|t| !t.cloned).map(|t| t.name.as_str());
        for (kind, name) in [("policy", policy), ("trigger", trigger)] {
            if let Some(name) = name {
                failure("42710", format!("{kind} {name} on {} exists already", member.name))
                    .hint("Drop or rename it; leadguard.unprotect takes away what an earlier protection left.")
                    .raise();
            }
        }
    }
}

/// What happens to permissive policies that are there already: next to leadguard's they would have no meaning
/// that anybody can foresee, so the caller says.
fn conversion(tree: &[Member], existing: Existing, undo: &mut Undo) -> Vec<Step> {
    let permissive: Vec<_> =
        tree.iter().flat_map(|m| m.policies.iter().filter(|p| p.permissive).map(move |p| (m, p))).collect();
    if permissive.is_empty() {
        return Vec::new();
    }
    if existing == Existing::Refuse {
        let list = permissive
            .iter()
            .map(|(member, policy)| format!("{} on {}", quote(&policy.name), member.name))
            .collect::<Vec<_>>()
            .join(", ");
        failure(NOT_READY, "the table has permissive policies of its own")
            .detail(format!("These are: {list}."))
            .hint("Drop them, or pass existing => 'restrictive' to keep them as additional conditions.")
            .raise();
    }
    let mut steps = Vec::new();
    for (member, policy) in permissive {
        undo.permissive
            .push(Converted { relation: (!member.is_root).then(|| member.name.clone()), policy: policy.name.clone() });
        let reason = "Narrows what leadguard allows; as a permissive policy it would have no effect.";
        steps.extend(undo::with_mode(&member.name, policy, false, reason));
    }
    steps
}

fn indexes(request: &Request, relation: &Relation, columns: &[Column], form: &Form, undo: &mut Undo) -> Vec<Step> {
    let lacking: Vec<&str> = columns
        .iter()
        .filter(|c| !c.indexed && form.searched().contains(&c.name.as_str()))
        .map(|c| c.name.as_str())
        .collect();
    match request.indexes {
        _ if lacking.is_empty() => return Vec::new(),
        Indexes::Skip => return Vec::new(),
        Indexes::Require => {
            failure(NOT_READY, format!("{} lacks indexes that the policies need", relation.name))
                .detail(format!("There is no btree index that begins with: {}.", lacking.join(", ")))
                .hint("Create them, or pass indexes => 'create'.")
                .raise();
        }
        Indexes::Create => {}
    }
    let may_create = sql::first_text(
        "SELECT 'yes' WHERE has_schema_privilege($1, 'CREATE')",
        &[Param::Oid(relation.schema_oid)],
        Sees::Now,
    );
    if may_create.is_none() && !request.dry_run {
        failure("42501", format!("permission denied to create indexes in schema {}", relation.quoted_schema))
            .detail(format!("Missing are indexes on: {}.", lacking.join(", ")))
            .hint("Get CREATE on the schema, have the indexes created, or pass indexes => 'skip'.")
            .raise();
    }
    lacking
        .into_iter()
        .map(|column| {
            let name = index_name(relation, column, &undo.indexes);
            let on = format!("{} ON {} ({})", quote(&name), relation.name, quote(column));
            undo.indexes.push(name);
            let step = Step::new(
                "index",
                format!("CREATE INDEX {on}"),
                "The cost of a query follows the rows that its member sees, not the table.",
            );
            if relation.is_partitioned() { step } else { step.by_hand(format!("CREATE INDEX CONCURRENTLY {on}")) }
        })
        .collect()
}

/// Longest name of anything, NAMEDATALEN - 1.
const LONGEST_NAME: usize = 63;

fn index_name(relation: &Relation, column: &str, chosen: &[String]) -> String {
    let full = format!("leadguard_{}_{column}", relation.plain_name);
    let mut number = 0;
    loop {
        let ending = if number == 0 { "_idx".to_owned() } else { format!("_idx{number}") };
        let mut room = LONGEST_NAME - ending.len();
        if full.len() < room {
            room = full.len();
        }
        while !full.is_char_boundary(room) {
            room -= 1;
        }
        let name = format!("{}{ending}", &full[..room]);
        if !chosen.contains(&name) && !inspect::name_is_taken(relation.schema_oid, &name) {
            return name;
        }
        number += 1;
    }
}

fn register(request: &Request, relation: &Relation, mapping: &Mapping, undo: &Undo) -> Step {
    let column = |name: &Option<String>| name.as_deref().map_or("NULL".to_owned(), literal);
    // A database that is not updated has no such columns.
    let parts = [Part::Segment, Part::Team, Part::Parent, Part::Stage, Part::Status, Part::Sensitive];
    let (rule_columns, rules) = if rules::load::are_there() {
        let parent =
            request.parent.map_or("NULL".to_owned(), |parent| format!("{}::regclass", literal(&names::shown(parent))));
        let columns = parts.map(|part| column(&mapping.column(part).cloned())).join(", ");
        (
            "object, parent, segment_column, team_column, parent_column, stage_column, status_column, sensitive_column, ",
            format!("{}, {parent}, {columns}, ", literal(&request.object)),
        )
    } else {
        ("", String::new())
    };
    let (later_columns, later) = if session::is_updated() {
        let at = column(&mapping.archive.as_ref().map(|archive| archive.at.clone()));
        let by = column(&mapping.archive.as_ref().and_then(|archive| archive.by.clone()));
        ("archived_at_column, archived_by_column, shape, ", format!("{at}, {by}, {SHAPE}, "))
    } else {
        ("", String::new())
    };
    let statement = format!(
        "INSERT INTO leadguard.protected_table (target, preset, org_id, id_column, owner_column, creator_column, \
         territory_column, organization_column, {later_columns}{rule_columns}force, undo) \
         VALUES ({}::regclass, {}, (SELECT id FROM leadguard.organization WHERE key = {}), {}, {}, {}, {}, {}, {later}{rules}{}, {}::jsonb)",
        literal(&relation.name),
        literal(&request.preset),
        literal(&request.org_key),
        literal(&mapping.id),
        column(&mapping.owner),
        column(&mapping.creator),
        column(&mapping.territory),
        column(&mapping.organization),
        request.force,
        literal(&undo.to_json())
    );
    Step::new(
        "register",
        statement,
        "The guards and the questions find the mapping here; unprotect finds how the table was.",
    )
    .by_extension()
}

/// The steps of unprotect, run unless it is a dry run.
pub(super) fn release(target: Oid, archived: Archived, dry_run: bool) -> Vec<Step> {
    let relation = check::owned(target);
    if let Some(root) = &relation.partition_of {
        failure("42809", format!("{} is a partition of {root}", relation.name))
            .hint(format!("Unprotect {root}; a detached partition can be unprotected by itself."))
            .raise();
    }
    let patience = patience();
    step::run(&patience);
    let registered = registry::find(target);
    if registered.is_none() && !left_behind(target) {
        failure("42704", format!("{} is not protected", relation.name))
            .hint("leadguard.protected lists the protected tables.")
            .raise();
    }
    if !dry_run {
        let statement = format!("LOCK TABLE {} IN SHARE UPDATE EXCLUSIVE MODE", relation.name);
        sql::query_once(&statement, &[], Sees::Now, &mut |_| {});
    }
    let mut steps = patience;
    let (mut purge, mut rest) = (None, Vec::new());
    match registered {
        Some(entry) => {
            steps.extend(child::parted(&relation));
            purge = Some(archived).filter(|a| *a == Archived::Purge).and_then(|_| Purge::of(&relation));
            steps.extend(undo::steps(&relation, &entry.undo));
            rest = archive::removal(&relation, &entry, archived);
        }
        // Once a partition of a protected table: how it was before went with its table.
        None => steps.extend(undo::removal(&inspect::tree(target), &Undo::default())),
    }
    if !dry_run {
        step::run_on(target, &steps);
        if let Some(purge) = &purge {
            purge.run();
        }
        step::run(&rest);
    }
    steps.extend(purge.map(|purge| purge.step()));
    steps.extend(rest);
    steps
}

/// Whether an unregistered relation carries policies or triggers of leadguard, as a detached partition does.
fn left_behind(target: Oid) -> bool {
    let ours = |policy: &Policy| render::POLICIES.contains(&policy.name.as_str());
    inspect::tree(target).iter().any(|m| !m.triggers.is_empty() || m.policies.iter().any(ours))
}

/// The setting on_denied of a table.
pub(super) fn set_on_denied(target: Oid, action: &str) {
    let relation = check::owned(target);
    let mut changed = 0;
    as_extension(|| {
        changed = sql::query(
            "UPDATE leadguard.protected_table SET on_denied = $2 WHERE target = $1",
            &[Param::Oid(target), Param::Text(Some(action))],
            Sees::Now,
            &mut |_| {},
        );
    });
    if changed == 0 {
        failure("42704", format!("{} is not protected", relation.name))
            .hint("leadguard.protected lists the protected tables.")
            .raise();
    }
}

/// Runs `body` as the caller with a search path on which nothing of the caller's is found.
pub(super) fn pinned<T>(body: impl FnOnce() -> T) -> T {
    session::with_pinned_path(body)
}
