//! Keeps the closures equal to the trees.
//!
//! One implementation for managers and for territories: statement-level triggers that decide a whole
//! statement at once. Rust decides (src/model/forest.rs), set-based SQL (sql/query/closure_*.sql) writes only
//! the pairs that differ. Every writer first locks the hierarchy's revision row: that serialises writers at
//! every isolation level, where a table lock would let a cycle through under REPEATABLE READ.
//! Tests: tests/directory, tests/isolation, src/model/forest.rs.

use crate::errors::{CYCLE, TOO_DEEP, bug, failure};
use crate::ffi::call::Call;
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::ffi::trigger::{Operation, TriggerCall, When};
use crate::guc;
use crate::identity;
use crate::model::forest::{self, Broken, Moved, Under};
use pgrx::pg_sys::Datum;
use std::collections::HashSet;
use std::sync::OnceLock;

/// The texts of one hierarchy's queries.
struct Texts {
    lock: String,
    bump: String,
    changed_by_insert: String,
    changed_by_update: String,
    changed_by_delete: String,
    dangling: String,
    other_organization: String,
    forget: String,
    add_self: String,
    describe: String,
    apply: String,
    clear: String,
    node: String,
}

pub(crate) struct Hierarchy {
    pub name: &'static str,
    table: &'static str,
    parent: &'static str,
    closure: &'static str,
    /// What a parent is called in messages.
    parent_word: &'static str,
    texts: OnceLock<Texts>,
}

static MEMBER: Hierarchy = Hierarchy {
    name: "member",
    table: "leadguard.member",
    parent: "manager_id",
    closure: "leadguard.member_closure",
    parent_word: "manager",
    texts: OnceLock::new(),
};

static TERRITORY: Hierarchy = Hierarchy {
    name: "territory",
    table: "leadguard.territory",
    parent: "parent_id",
    closure: "leadguard.territory_closure",
    parent_word: "parent territory",
    texts: OnceLock::new(),
};

pub(crate) const ALL: [&Hierarchy; 2] = [&MEMBER, &TERRITORY];

impl Hierarchy {
    fn of(trigger: &TriggerCall) -> &'static Hierarchy {
        let name = trigger.argument(0).unwrap_or_default();
        match ALL.into_iter().find(|h| h.name == name) {
            Some(hierarchy) => hierarchy,
            None => bug("a closure trigger without a hierarchy"),
        }
    }

    /// A query text for this hierarchy.
    pub(crate) fn text(&self, template: &str) -> String {
        template
            .replace("{table}", self.table)
            .replace("{parent}", self.parent)
            .replace("{closure}", self.closure)
            .replace("{hierarchy}", self.name)
    }

    fn texts(&self) -> &Texts {
        self.texts.get_or_init(|| Texts {
            lock: self
                .text("SELECT revision FROM leadguard.hierarchy_revision WHERE hierarchy = '{hierarchy}' FOR UPDATE"),
            bump: self.text(
                "UPDATE leadguard.hierarchy_revision SET revision = revision + 1 WHERE hierarchy = '{hierarchy}'",
            ),
            changed_by_insert: self.text("SELECT 'moved', id FROM new_rows"),
            changed_by_update: self.text(include_str!("../sql/query/closure_changed_by_update.sql")),
            changed_by_delete: self.text("SELECT 'removed', id FROM old_rows"),
            dangling: self.text(include_str!("../sql/query/closure_dangling.sql")),
            other_organization: self.text(include_str!("../sql/query/closure_other_organization.sql")),
            forget: self.text(include_str!("../sql/query/closure_forget.sql")),
            add_self: self.text(include_str!("../sql/query/closure_add_self.sql")),
            describe: self.text(include_str!("../sql/query/closure_describe.sql")),
            apply: self.text(include_str!("../sql/query/closure_apply.sql")),
            clear: self.text("DELETE FROM {closure}"),
            node: self.text("SELECT key, {parent} FROM {table} WHERE id = $1"),
        })
    }

    fn lock(&self) {
        identity::mark_hierarchy_touched();
        sql::query_once(&self.texts().lock, &[], Sees::Now, &mut |_| {});
    }

    fn bump(&self) {
        sql::query_once(&self.texts().bump, &[], Sees::Now, &mut |_| {});
    }
}

/// BEFORE STATEMENT: waits for other writers of the hierarchy before this statement changes anything.
pub(crate) fn lock(call: &Call) -> Datum {
    let trigger = TriggerCall::fired(call, When::BeforeStatement);
    let hierarchy = Hierarchy::of(&trigger);
    as_extension(|| hierarchy.lock());
    trigger.skip()
}

/// AFTER STATEMENT: brings the closure up to date with the whole statement.
pub(crate) fn maintain(call: &Call) -> Datum {
    let trigger = TriggerCall::fired(call, When::AfterStatement);
    let hierarchy = Hierarchy::of(&trigger);
    as_extension(|| match trigger.operation() {
        Operation::Truncate => {
            hierarchy.lock();
            sql::query_once(&hierarchy.texts().clear, &[], Sees::Now, &mut |_| {});
            hierarchy.bump();
        }
        operation => {
            let change = trigger.with_transition_tables(|| Change::read(hierarchy, operation));
            change.carry_out(hierarchy);
        }
    });
    trigger.skip()
}

/// From here on a change is worked on as a whole, not row by row.
const LARGE: usize = 500;

/// Statistics are stale right after a load, and a nested loop over a changed tree takes minutes instead of
/// seconds (measured: 50,000 moved nodes 206 s, with these settings 4 s). Undone with the extension's switch.
fn plan_for_many_rows() {
    session::set_local(c"enable_nestloop", c"off");
    session::set_local(c"work_mem", c"64MB");
    session::set_local(c"jit", c"off");
}

/// What a statement did to a tree.
#[derive(Default)]
struct Change {
    /// Nodes that are new or have another parent or organization.
    moved: Vec<i64>,
    /// Ids that are gone: deleted rows and old values of changed keys.
    removed: Vec<i64>,
    /// Something else that decides access changed (activity, the owner of a territory).
    access: bool,
}

impl Change {
    fn read(hierarchy: &Hierarchy, operation: Operation) -> Change {
        let texts = hierarchy.texts();
        let text = match operation {
            Operation::Insert => &texts.changed_by_insert,
            Operation::Update => &texts.changed_by_update,
            _ => &texts.changed_by_delete,
        };
        let mut change = Change::default();
        sql::query_once(text, &[], Sees::Now, &mut |row| match (row.text(0).as_deref(), row.int(1)) {
            (Some("moved"), Some(id)) => change.moved.push(id),
            (Some("removed"), Some(id)) => change.removed.push(id),
            _ => change.access = true,
        });
        change
    }

    fn carry_out(mut self, hierarchy: &Hierarchy) {
        if self.moved.is_empty() && self.removed.is_empty() {
            if self.access {
                hierarchy.bump();
            }
            return;
        }
        hierarchy.lock();
        if self.moved.len() + self.removed.len() > LARGE {
            plan_for_many_rows();
        }
        self.add_dangling(hierarchy);
        self.check_organizations(hierarchy);
        let texts = hierarchy.texts();
        if !self.removed.is_empty() {
            sql::query_once(&texts.forget, &[Param::Ints(&self.removed)], Sees::Now, &mut |_| {});
        }
        if !self.moved.is_empty() {
            sql::query_once(&texts.add_self, &[Param::Ints(&self.moved)], Sees::Now, &mut |_| {});
            let described = describe(hierarchy, &self.moved);
            if let Err(broken) = forest::check(&described, guc::max_depth()) {
                refuse(hierarchy, &broken);
            }
            sql::query_once(&texts.apply, &[Param::Ints(&self.moved)], Sees::Now, &mut |_| {});
        }
        hierarchy.bump();
    }

    /// Children of a parent that came or went in a deferred load, or whose key changed, move too.
    fn add_dangling(&mut self, hierarchy: &Hierarchy) {
        let mut ids = self.removed.clone();
        ids.extend(&self.moved);
        let mut more = Vec::new();
        sql::query_once(&hierarchy.texts().dangling, &[Param::Ints(&ids)], Sees::Now, &mut |row| {
            more.extend(row.int(0))
        });
        self.moved.extend(more);
        self.moved.sort_unstable();
        self.moved.dedup();
    }

    fn check_organizations(&self, hierarchy: &Hierarchy) {
        let mut found = None;
        sql::query_once(&hierarchy.texts().other_organization, &[Param::Ints(&self.moved)], Sees::Now, &mut |row| {
            found = Some(row.text(0).unwrap_or_default())
        });
        if let Some(child) = found {
            // Whose key the parent has is not for an administrator of another organization.
            failure(
                "23514",
                format!(
                    "{} \"{child}\" and its {} belong to different organizations",
                    hierarchy.name, hierarchy.parent_word
                ),
            )
            .hint("Nothing crosses an organization.")
            .raise();
        }
    }
}

fn describe(hierarchy: &Hierarchy, moved: &[i64]) -> Vec<Moved> {
    let mut described = Vec::with_capacity(moved.len());
    sql::query_once(&hierarchy.texts().describe, &[Param::Ints(moved)], Sees::Now, &mut |row| {
        let Some(id) = row.int(0) else { return };
        let under = match (row.int(1), row.int(2), row.int(3)) {
            (Some(root), Some(below), _) => Under::Component { root, below },
            (_, _, Some(depth)) => Under::Kept { depth },
            _ => Under::Nothing,
        };
        described.push(Moved { id, under, height: row.int(4).unwrap_or(0) });
    });
    described
}

fn refuse(hierarchy: &Hierarchy, broken: &Broken) -> ! {
    match broken {
        Broken::Cycle(roots) => {
            let names = cycle(hierarchy, roots.first().copied().unwrap_or_default());
            failure(CYCLE, format!("the change makes a cycle of {}s", hierarchy.name))
                .detail(format!("The cycle is {}.", names.join(" -> ")))
                .hint(format!("Each arrow points to the {}. Move one of them elsewhere first.", hierarchy.parent_word))
                .raise()
        }
        Broken::TooDeep { id, depth } => {
            let (key, _) = node(hierarchy, *id);
            failure(TOO_DEEP, format!("the change makes a chain of {depth} levels below the top"))
                .detail(format!("leadguard.max_depth is {}; the chain runs through \"{key}\".", guc::max_depth()))
                .hint("A chain of n needs n*n/2 closure pairs. A superuser can raise leadguard.max_depth.")
                .raise()
        }
    }
}

/// Key and parent of a node.
fn node(hierarchy: &Hierarchy, id: i64) -> (String, Option<i64>) {
    let mut found = (String::new(), None);
    sql::query_once(&hierarchy.texts().node, &[Param::Int(Some(id))], Sees::Now, &mut |row| {
        found = (row.text(0).unwrap_or_default(), row.int(1));
    });
    found
}

/// Names the members of the cycle that the way up from a node ends in; a long one is cut.
fn cycle(hierarchy: &Hierarchy, from: i64) -> Vec<String> {
    const WALKED: usize = 10_000;
    const SHOWN: usize = 20;
    let mut way: Vec<(i64, String)> = Vec::new();
    let mut seen = HashSet::new();
    let mut at = Some(from);
    while let Some(id) = at
        && seen.insert(id)
        && way.len() < WALKED
    {
        let (key, parent) = node(hierarchy, id);
        way.push((id, key));
        at = parent;
    }
    let start = way.iter().position(|(id, _)| Some(*id) == at).unwrap_or(0);
    let mut keys: Vec<String> = way.into_iter().skip(start).map(|(_, key)| key).collect();
    let first = keys.first().cloned();
    if keys.len() > SHOWN {
        keys.truncate(SHOWN);
        keys.push("...".to_owned());
    }
    keys.extend(first);
    keys
}

type Differences = pgrx::iter::TableIterator<
    'static,
    (
        pgrx::name!(hierarchy, String),
        pgrx::name!(ancestor_id, i64),
        pgrx::name!(descendant_id, i64),
        pgrx::name!(stored_depth, Option<i64>),
        pgrx::name!(real_depth, Option<i64>),
    ),
>;

/// Differences between closures and trees; no row when they are sound. An administrator is told of those that concern
/// his organization.
#[pgrx::pg_extern(sql = false)]
fn verify_closure() -> Differences {
    require_administrator("verify_closure");
    let subject = crate::visibility::statement();
    let organization = subject.member.as_ref().filter(|_| !identity::is_superuser()).map(|m| m.org_id);
    let mut rows = Vec::new();
    for hierarchy in ALL {
        let text = hierarchy.text(include_str!("../sql/query/closure_verify.sql"));
        as_extension(|| {
            plan_for_many_rows();
            sql::query_once(&text, &[Param::Int(organization)], Sees::Statement, &mut |row| {
                if let (Some(ancestor), Some(descendant)) = (row.int(0), row.int(1)) {
                    rows.push((hierarchy.name.to_owned(), ancestor, descendant, row.int(2), row.int(3)));
                }
            })
        });
    }
    pgrx::iter::TableIterator::new(rows)
}

/// Computes both closures anew from the trees; returns how many pairs were wrong.
#[pgrx::pg_extern(sql = false)]
fn rebuild_closure() -> i64 {
    require_administrator("rebuild_closure");
    let mut repaired = 0;
    as_extension(|| {
        plan_for_many_rows();
        for hierarchy in ALL {
            hierarchy.lock();
        }
        for hierarchy in ALL {
            let looping = hierarchy.text(include_str!("../sql/query/closure_unreachable.sql"));
            let mut bad = None;
            sql::query_once(&looping, &[], Sees::Now, &mut |row| bad = bad.or(row.int(0)));
            if let Some(id) = bad {
                refuse(hierarchy, &Broken::Cycle(vec![id]));
            }
            let text = hierarchy.text(include_str!("../sql/query/closure_rebuild.sql"));
            let mut wrong = 0;
            sql::query_once(&text, &[], Sees::Now, &mut |row| wrong = row.int(0).unwrap_or(0));
            repaired += wrong;
            // Also where nothing was wrong: whoever repairs may have changed what no trigger saw.
            hierarchy.bump();
        }
    });
    crate::planner::plans::forget_in_all_backends();
    repaired
}

/// Superuser, or a member with `administer`.
fn require_administrator(what: &str) {
    if !identity::is_superuser() && !crate::visibility::statement().has_capability("administer") {
        crate::errors::refused(format!("{what} needs the capability administer")).raise();
    }
}
