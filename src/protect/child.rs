//! Putting the protection on a table of notes or tags, and taking it off.

use super::check::{self, NO_COLUMN};
use super::conceal;
use super::grants_on_tables::{self, Roles};
use super::inspect::{self, Column, Relation};
use super::plan;
use super::registry;
use super::step::{self, Step, Steps};
use super::view_grants;
use crate::arguments::given;
use crate::children::{self, Kind};
use crate::errors::{bad_argument, failure, refused};
use crate::ffi::raise::notice;
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::masks;
use crate::names::{literal, quote, shown};
use crate::schema_changes;
use pgrx::pg_sys::Oid;

const POLICIES: [&str; 5] =
    ["leadguard_open", "leadguard_select", "leadguard_insert", "leadguard_update", "leadguard_delete"];
const STATEMENT: &str = "leadguard_10_statement";
const ROW: &str = "leadguard_90_row";
const STORED: &str = "leadguard_99_stored";

/// What the caller asks for.
struct Request {
    kind: Kind,
    target: Oid,
    parent: Oid,
    parent_column: String,
    content: String,
    author: Option<String>,
    time: Option<String>,
    id: Option<String>,
}

/// Secures a table of notes. Who owns it and its parent or a superuser, else 42501; 22023, 42703, 42704, 42710, 42809.
#[allow(clippy::too_many_arguments)] // The argument list is public surface.
#[pgrx::pg_extern(sql = false)]
fn protect_notes(
    target: Option<Oid>,
    parent: Option<Oid>,
    parent_column: Option<String>,
    content: Option<String>,
    author: Option<String>,
    created_at: Option<String>,
    id: Option<String>,
    dry_run: Option<bool>,
) -> Steps {
    let request = Request {
        kind: Kind::Notes,
        target: given(target, "target"),
        parent: given(parent, "parent"),
        parent_column: given(parent_column, "parent_column"),
        content: given(content, "content"),
        author,
        time: created_at,
        id,
    };
    let dry_run = given(dry_run, "dry_run");
    super::changing(request.target, "protect_notes", Some(format!("of {}", shown(request.parent))), dry_run);
    step::listed(plan::pinned(|| secure(request, dry_run)), dry_run)
}

/// Secures a table of tags. Who may call and errors: as protect_notes.
#[pgrx::pg_extern(sql = false)]
fn protect_tags(
    target: Option<Oid>,
    parent: Option<Oid>,
    parent_column: Option<String>,
    tag: Option<String>,
    dry_run: Option<bool>,
) -> Steps {
    let request = Request {
        kind: Kind::Tags,
        target: given(target, "target"),
        parent: given(parent, "parent"),
        parent_column: given(parent_column, "parent_column"),
        content: given(tag, "tag"),
        author: None,
        time: None,
        id: None,
    };
    let dry_run = given(dry_run, "dry_run");
    super::changing(request.target, "protect_tags", Some(format!("of {}", shown(request.parent))), dry_run);
    step::listed(plan::pinned(|| secure(request, dry_run)), dry_run)
}

fn secure(mut request: Request, dry_run: bool) -> Vec<Step> {
    request.parent = conceal::resolved(request.parent);
    check::securable(&check::owned(request.target));
    let patience = plan::patience();
    step::run(&patience);
    let relation = plan::still(request.target, !dry_run);
    if relation.is_partitioned() {
        failure("42809", format!("{} is partitioned", relation.name))
            .hint("Tables of notes and tags are ordinary tables.")
            .raise();
    }
    if children::find(request.target).is_some() || registry::find(request.target).is_some() {
        failure("42710", format!("{} is protected already", relation.name)).hint("leadguard.unprotect first.").raise();
    }
    let Some(parent) = registry::find(request.parent) else {
        failure("42704", "the parent is not a protected table").hint("leadguard.protect comes first.").raise()
    };
    let Some(parent_relation) = inspect::relation(request.parent) else {
        failure("42704", "the parent is not a protected table").raise()
    };
    require_owner_of_both(&relation, &parent_relation);
    let columns = inspect::columns(request.target);
    let id = check_columns(&relation, &columns, &mut request);
    let tree = inspect::tree(request.target);
    plan::refuse_taken_names(&tree);
    if let Some(policy) = tree.iter().flat_map(|m| &m.policies).find(|p| p.permissive) {
        failure("55000", format!("{} has a permissive policy {} of its own", relation.name, quote(&policy.name)))
            .hint("Drop it, or make it restrictive.")
            .raise();
    }
    let (was_on, was_forced) = tree.first().map_or((false, false), |m| (m.row_security, m.forced));

    let mut steps = patience;
    steps.push(registration(&request, &relation, &parent_relation.name, id.as_deref(), was_on, was_forced));
    steps.extend(policies(&request, &relation, &parent_relation.name, &parent.mapping.id));
    steps.extend(triggers(&relation.name));
    for clause in ["ENABLE ROW LEVEL SECURITY", "FORCE ROW LEVEL SECURITY"] {
        let statement = format!("ALTER TABLE {} {clause}", relation.name);
        steps.push(Step::new("row_security", statement, "Puts the policies into effect, for the owner too."));
    }
    let roles = Roles::registered();
    steps.extend(grants_on_tables::usage_by_caller(&relation.schema, &relation.quoted_schema, &roles));
    steps.extend(grants_on_tables::missing(request.target, &parent_relation.name, None, &roles));
    if let Some(view) = parent.concealed_by {
        if inspect::relation(view).is_none() {
            masks::view_is_gone(request.parent);
        }
        steps.extend(view_grants::missing_id(request.parent, &parent_relation.name, &parent.mapping.id, &roles));
    }
    if !dry_run {
        step::run(&steps);
        schema_changes::know();
    }
    steps
}

/// Purging a record deletes its notes and tags with the rights of whoever purges, and so runs their triggers: they must
/// be in hands that could put triggers on the parent. Nor may anybody hang a table of his on the table of somebody else.
fn require_owner_of_both(relation: &Relation, parent: &Relation) {
    check::owned(parent.oid);
    if let Some(owners) = children::strangers(relation.oid, parent.oid) {
        refused(format!("{} belongs to {}, who does not own {}", relation.name, owners.child, parent.name))
            .detail("Purging a record runs the triggers of its notes and tags with the rights of whoever purges.")
            .hint(format!("ALTER TABLE {} OWNER TO {}, when its triggers are known.", relation.name, owners.parent))
            .raise();
    }
}

/// Refuses columns that cannot serve; the id column, by default the primary key.
fn check_columns(relation: &Relation, columns: &[Column], request: &mut Request) -> Option<String> {
    let find = |name: &str| {
        columns.iter().find(|c| c.name == name).unwrap_or_else(|| {
            failure(NO_COLUMN, format!("column \"{name}\" of {} does not exist", relation.name))
                .hint("Names are taken as they are, in upper and lower case.")
                .raise()
        })
    };
    check::supported(relation, columns, "parent_column", &request.parent_column);
    let content = find(&request.content);
    if content.type_name != "text" && !content.type_name.starts_with("character varying") {
        bad_argument(format!("column \"{}\" of {} is not text", content.name, relation.name)).raise();
    }
    if let Some(author) = &request.author {
        check::supported(relation, columns, "author", author);
    }
    if let Some(time) = &request.time
        && find(time).type_name != "timestamp with time zone"
    {
        bad_argument(format!("column \"{time}\" of {} cannot say when a note was written", relation.name))
            .hint("It must be of type timestamp with time zone.")
            .raise();
    }
    if request.kind == Kind::Tags {
        return None;
    }
    let id = request.id.clone().or_else(|| columns.iter().find(|c| c.is_primary_key).map(|c| c.name.clone()));
    let Some(id) = id else {
        bad_argument(format!("{} has no primary key of one column", relation.name))
            .hint("Pass id => with the name of a column that is NOT NULL and unique.")
            .raise()
    };
    let column = check::supported(relation, columns, "id", &id);
    if !column.unique || !column.not_null {
        bad_argument(format!("column \"{id}\" of {} does not identify a note", relation.name)).raise();
    }
    Some(id)
}

fn registration(
    request: &Request,
    relation: &Relation,
    parent: &str,
    id: Option<&str>,
    row_security: bool,
    forced: bool,
) -> Step {
    let column = |name: Option<&str>| name.map_or("NULL".to_owned(), literal);
    let kind = if request.kind == Kind::Notes { "notes" } else { "tags" };
    let statement = format!(
        "INSERT INTO leadguard.protected_child (target, parent, kind, id_column, parent_column, content_column, \
         author_column, time_column, row_security, forced) \
         VALUES ({}::regclass, {}::regclass, '{kind}', {}, {}, {}, {}, {}, {row_security}, {forced})",
        literal(&relation.name),
        literal(parent),
        column(id),
        literal(&request.parent_column),
        literal(&request.content),
        column(request.author.as_deref()),
        column(request.time.as_deref())
    );
    Step::new("register", statement, "The guards find the columns here; unprotect finds how the table was.")
        .by_extension()
}

fn policies(request: &Request, relation: &Relation, parent: &str, parent_id: &str) -> Vec<Step> {
    let (name, column) = (&relation.name, quote(&request.parent_column));
    let follows = format!("EXISTS (SELECT FROM {parent} p WHERE p.{} = {column})", quote(parent_id));
    // The parent too, at no cost: the restrictive policies fall with it and with its id, and the permissive one must.
    let mapped = format!(
        "leadguard.mapped({}::regclass) AND leadguard.mapped({column}) \
         AND leadguard.mapped((SELECT p.{} FROM {parent} p LIMIT 0))",
        literal(name),
        quote(parent_id)
    );
    let clauses = |policy: &str| match policy {
        "leadguard_select" => format!("AS RESTRICTIVE FOR SELECT TO PUBLIC USING ({follows})"),
        "leadguard_insert" => format!("AS RESTRICTIVE FOR INSERT TO PUBLIC WITH CHECK ({follows})"),
        "leadguard_update" => format!("AS RESTRICTIVE FOR UPDATE TO PUBLIC USING ({follows})"),
        "leadguard_delete" => format!("AS RESTRICTIVE FOR DELETE TO PUBLIC USING ({follows})"),
        _ => format!("AS PERMISSIVE FOR ALL TO PUBLIC USING ({mapped}) WITH CHECK ({mapped})"),
    };
    POLICIES
        .iter()
        .map(|policy| {
            let statement = format!("CREATE POLICY {policy} ON {name} {}", clauses(policy));
            let reason = if *policy == "leadguard_open" {
                "Lets the restrictive policies decide, and falls with the extension, the column and the parent."
            } else {
                "A row is reached with its record, by whoever reaches that."
            };
            Step::new("policy", statement, reason)
        })
        .collect()
}

fn triggers(name: &str) -> Vec<Step> {
    let create = |trigger: &str, when: &str, function: &str, reason: &str| {
        let statement = format!("CREATE TRIGGER {trigger} {when} EXECUTE FUNCTION leadguard.{function}()");
        Step::new("trigger", statement, reason)
    };
    vec![
        create(
            STATEMENT,
            &format!("BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {name} FOR EACH STATEMENT"),
            "guard_child_statement",
            "Refuses what is never allowed, even where no row is met.",
        ),
        create(
            ROW,
            &format!("BEFORE INSERT OR UPDATE OR DELETE ON {name} FOR EACH ROW"),
            "guard_child_row",
            "Judges who writes to which record, and sets author and time.",
        ),
        create(
            STORED,
            &format!("AFTER INSERT OR UPDATE OR DELETE ON {name} FOR EACH ROW"),
            "guard_child_stored",
            "Judges the stored row again, and writes it down in the audit.",
        ),
        Step::new(
            "trigger",
            format!(
                "ALTER TABLE {name} ENABLE ALWAYS TRIGGER {STATEMENT}, ENABLE ALWAYS TRIGGER {ROW}, ENABLE ALWAYS TRIGGER {STORED}"
            ),
            "The guards hold whatever session_replication_role says.",
        ),
    ]
}

/// The steps of unprotect for a table of notes or tags; None for any other.
pub(super) fn release(target: Oid, dry_run: bool) -> Option<Vec<Step>> {
    children::find(target)?;
    let relation = plan::still(target, !dry_run);
    let (mut was_on, mut was_forced, mut revocations) = (false, false, Vec::new());
    as_extension(|| {
        sql::query(
            "SELECT row_security, forced FROM leadguard.protected_child WHERE target = $1",
            &[Param::Oid(target)],
            Sees::Now,
            &mut |row| (was_on, was_forced) = (row.bool(0), row.bool(1)),
        );
        sql::query(
            include_str!("../../sql/query/child_privileges.sql"),
            &[Param::Oid(target)],
            Sees::Now,
            &mut |row| revocations.extend(row.text(0)),
        );
    });
    let name = &relation.name;
    let mut steps: Vec<Step> =
        revocations.into_iter().map(|text| Step::new("revoke", text, "leadguard had granted it.")).collect();
    for trigger in [STATEMENT, ROW, STORED] {
        steps.push(Step::new("trigger", format!("DROP TRIGGER {trigger} ON {name}"), "Ends the guard on writes."));
    }
    for (keep, clause) in [(was_forced, "NO FORCE ROW LEVEL SECURITY"), (was_on, "DISABLE ROW LEVEL SECURITY")] {
        if !keep {
            steps.push(Step::new("row_security", format!("ALTER TABLE {name} {clause}"), "As it was before."));
        }
    }
    for policy in POLICIES {
        steps.push(Step::new("policy", format!("DROP POLICY {policy} ON {name}"), "Ends row security by leadguard."));
    }
    for text in [
        format!(
            "DELETE FROM leadguard.table_grant g WHERE g.object = {0}::regclass OR g.object IN (SELECT d.objid FROM pg_depend d \
             WHERE d.refobjid = {0}::regclass AND d.deptype = 'a')",
            literal(name)
        ),
        format!("DELETE FROM leadguard.protected_child WHERE target = {}::regclass", literal(name)),
    ] {
        steps.push(Step::new("register", text, "Forgets the table.").by_extension());
    }
    if !dry_run {
        step::run_on(target, &steps);
    }
    Some(steps)
}

/// What becomes of tables of notes and tags when their parent is no longer protected: 55000 while one follows it. One in
/// the hands of somebody who does not own the parent has no say in that: it is forgotten, and nobody reads or writes it
/// until its owner calls leadguard.unprotect.
pub(super) fn parted(parent: &Relation) -> Vec<Step> {
    let mut steps = Vec::new();
    for child in children::of(parent.oid) {
        let name = shown(child.target);
        let Some(owners) = children::strangers(child.target, parent.oid) else {
            failure("55000", format!("rows of {name} follow those of {}", parent.name))
                .hint(format!("leadguard.unprotect({}) first.", literal(&name)))
                .raise()
        };
        let whose = format!("{name} belongs to {}, who does not own {}", owners.child, parent.name);
        notice(&format!("{whose}: it stays closed until leadguard.unprotect({})", literal(&name)));
        let close = format!("DROP POLICY IF EXISTS leadguard_open ON {name}");
        steps.push(Step::new("policy", close, "Closes the table, whose parent is protected no more.").by_extension());
        let forget = format!("DELETE FROM leadguard.protected_child WHERE target = {}::regclass", literal(&name));
        steps.push(Step::new("register", forget, whose).by_extension());
    }
    steps
}
