//! Moving a table out of reach while a view takes its name, and the way back.

use super::check;
use super::grants_on_tables;
use super::inspect::{self, Relation};
use super::plan::{patience, still};
use super::registry::{self, Entry};
use super::step::{self, Step};
use super::view::{self, Mask};
use crate::errors::{bad_argument, failure, refused};
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::masks::VIEW_OWNER;
use crate::names::{self, literal, quote};
use crate::visibility;
use pgrx::pg_sys::Oid;

const NOT_READY: &str = "55000";
const SCHEMA_COMMENT: &str = "Tables that views of leadguard stand for. Made by leadguard.conceal.";

/// The table itself where the name is that of the view that stands for it.
pub(super) fn resolved(target: Oid) -> Oid {
    visibility::now()
        .table(target)
        .as_ref()
        .as_ref()
        .map_or(target, |table| if table.concealed_by == Some(target) { table.target } else { target })
}

/// A protected table in the hands of somebody who may change how it is secured.
struct Concealable {
    relation: Relation,
    entry: Entry,
    /// The name that everybody uses.
    public: String,
    /// The name of the table behind it.
    base: String,
    base_schema: String,
    concealed: bool,
    owner: String,
    owner_oid: Oid,
}

impl Concealable {
    fn find(target: Oid, lock: bool) -> Concealable {
        let target = resolved(target);
        check::securable(&check::owned(target));
        let relation = still(target, lock);
        let Some(entry) = registry::find(target) else {
            failure("42704", format!("{} is not protected", relation.name))
                .hint("leadguard.protect comes first.")
                .raise()
        };
        let (owner_oid, owner) = owner(target);
        match entry.concealed_by {
            Some(by) => Concealable {
                public: name_of(by),
                base: relation.name.clone(),
                base_schema: relation.schema.clone(),
                concealed: true,
                relation,
                entry,
                owner,
                owner_oid,
            },
            None => {
                let base_schema = format!("{}_base", relation.schema);
                Concealable {
                    public: relation.name.clone(),
                    base: format!("{}.{}", quote(&base_schema), quote(&relation.plain_name)),
                    base_schema,
                    concealed: false,
                    relation,
                    entry,
                    owner,
                    owner_oid,
                }
            }
        }
    }

    fn conceal(&self, change: Option<(&str, Option<&Mask>)>) -> Vec<Step> {
        self.require_room();
        let (base, public) = (&self.base, &self.public);
        let schema = quote(&self.base_schema);
        let mut steps = patience();
        if !schema_exists(&self.base_schema) {
            let reason = "Nobody but registered login roles and the owner reaches the table there.";
            steps.push(
                Step::new("schema", format!("CREATE SCHEMA {schema} AUTHORIZATION {}", self.owner), reason)
                    .by_extension(),
            );
            let comment = format!("COMMENT ON SCHEMA {schema} IS {}", literal(SCHEMA_COMMENT));
            steps.push(Step::new("comment", comment, "reveal removes a schema that is empty again.").by_extension());
        }
        let privileges = grants_on_tables::privileges(self.relation.oid, self.owner_oid);
        steps.push(Step::new(
            "move",
            format!("ALTER TABLE {public} SET SCHEMA {schema}"),
            "The table keeps its OID, policies, triggers, indexes and foreign keys.",
        ));
        steps.extend(grants_on_tables::revoked(
            base,
            &privileges,
            "What could be read directly is read through the view.",
        ));
        let id = quote(&self.entry.mapping.id);
        steps.extend(grants_on_tables::written_through(base, &schema, &id, &privileges));
        let reason = "The view reads as a role that nobody can become, under the policies of the session's member.";
        let usage = format!("GRANT USAGE ON SCHEMA {schema} TO {VIEW_OWNER}");
        steps.push(Step::new("grant", usage, reason).by_extension());
        steps
            .push(Step::new("grant", format!("GRANT SELECT, UPDATE ON {base} TO {VIEW_OWNER}"), reason).by_extension());
        let query = view::query(base, &self.entry, &view::columns(self.relation.oid), change);
        steps.push(
            Step::new("view", format!("CREATE VIEW {public} AS {query}"), "Takes the name of the table.")
                .by_extension(),
        );
        steps.push(Step::new("view", format!("ALTER VIEW {public} OWNER TO {VIEW_OWNER}"), reason).by_extension());
        for (name, when, function) in [
            (
                "leadguard_00_statement",
                "BEFORE INSERT OR UPDATE OR DELETE",
                "FOR EACH STATEMENT EXECUTE FUNCTION leadguard.guard_statement()",
            ),
            (
                "leadguard_10_through",
                "INSTEAD OF INSERT OR UPDATE OR DELETE",
                "FOR EACH ROW EXECUTE FUNCTION leadguard.write_through()",
            ),
        ] {
            let statement = format!("CREATE TRIGGER {name} {when} ON {public} {function}");
            steps.push(
                Step::new("trigger", statement, "Writes of the view are writes of the table, by the caller.")
                    .by_extension(),
            );
        }
        steps.push(
            Step::new(
                "grant",
                format!("GRANT SELECT, INSERT, UPDATE, DELETE ON {public} TO {}", self.owner),
                "The table's owner works with it as before.",
            )
            .by_extension(),
        );
        steps.extend(grants_on_tables::granted(public, &privileges, "As it was on the table.", true));
        steps.extend(comments(self.relation.oid, public));
        let register = format!(
            "UPDATE leadguard.protected_table SET concealed_by = {}::regclass WHERE target = {}::regclass",
            literal(public),
            literal(base)
        );
        steps.push(Step::new("register", register, "Everything that takes the table takes the view.").by_extension());
        steps.push(moved_records(base, public));
        steps
    }

    fn require_room(&self) {
        let name = &self.relation.name;
        let problem = sql::first_text(
            "SELECT CASE WHEN rolcanlogin OR rolsuper OR rolbypassrls OR rolinherit OR rolcreaterole OR rolreplication \
                    OR EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = r.oid OR m.member = r.oid) THEN 'unsafe' END \
             FROM pg_roles r WHERE rolname = 'leadguard_view'",
            &[],
            Sees::Now,
        );
        if problem.is_some() || !role_exists() {
            refused(format!("role {VIEW_OWNER} is missing or is not what it must be"))
                .detail("It must be NOLOGIN NOINHERIT, without attributes, without members and a member of nothing.")
                .hint(format!("A superuser runs CREATE ROLE or ALTER ROLE {VIEW_OWNER} NOLOGIN NOINHERIT."))
                .raise();
        }
        let readers = sql::first_text(
            "SELECT string_agg(DISTINCT d.objid::regclass::text, ', ') FROM ( \
                 SELECT w.ev_class AS objid FROM pg_depend d JOIN pg_rewrite w ON w.oid = d.objid \
                 WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = $1 \
                   AND w.ev_class <> $1) d",
            &[Param::Oid(self.relation.oid)],
            Sees::Now,
        );
        if let Some(readers) = readers {
            failure(NOT_READY, format!("views read {name} and would go on reading the values that are masked"))
                .detail(format!("These are: {readers}."))
                .hint("Drop them, and create them again afterwards: they then read the view.")
                .raise();
        }
        let open = sql::first_text(
            "SELECT string_agg(DISTINCT t.relid::regclass::text, ', ') FROM pg_partition_tree($1) t JOIN pg_class c ON c.oid = t.relid \
             WHERE t.relid <> $1 AND (EXISTS (SELECT FROM aclexplode(c.relacl) x WHERE x.grantee <> c.relowner) \
                OR EXISTS (SELECT FROM pg_attribute a, aclexplode(a.attacl) x WHERE a.attrelid = t.relid AND x.grantee <> c.relowner))",
            &[Param::Oid(self.relation.oid)],
            Sees::Now,
        );
        if let Some(open) = open {
            failure(NOT_READY, format!("roles have privileges on partitions of {name}"))
                .detail(format!("These are: {open}."))
                .hint("REVOKE them; access goes through the partitioned table.")
                .raise();
        }
        let schema = sql::first_text(
            "SELECT CASE WHEN nspowner = $2 AND NOT EXISTS (SELECT FROM aclexplode(nspacl) x WHERE x.grantee <> nspowner AND x.privilege_type = 'CREATE') \
                    THEN NULL ELSE 'foreign' END FROM pg_namespace WHERE nspname = $1",
            &[Param::Text(Some(&self.base_schema)), Param::Oid(self.owner_oid)],
            Sees::Now,
        );
        if schema.is_some() {
            refused(format!("schema {} exists and is not the table owner's alone", quote(&self.base_schema)))
                .hint("Rename it, or give it to the owner of the table and revoke CREATE from others.")
                .raise();
        }
    }

    fn view_again(&self, change: Option<(&str, Option<&Mask>)>) -> Step {
        let query = view::query(&self.base, &self.entry, &view::columns(self.relation.oid), change);
        let statement = format!("CREATE OR REPLACE VIEW {} AS {query}", self.public);
        Step::new("view", statement, "Shows each column as it may be shown now.").by_extension()
    }

    fn reveal(&self) -> Vec<Step> {
        let (base, public) = (&self.base, &self.public);
        let view_oid = self.entry.concealed_by.unwrap_or(Oid::INVALID);
        let schema = quote(&self.base_schema);
        let (public_schema, _) = public_schema(view_oid);
        let was = grants_on_tables::privileges(view_oid, self.owner_oid);
        let interim = grants_on_tables::privileges(self.relation.oid, self.owner_oid);
        let mut steps = patience();
        steps.push(records_back(public));
        let register = format!(
            "UPDATE leadguard.protected_table SET concealed_by = NULL WHERE target = {}::regclass",
            literal(base)
        );
        steps.push(Step::new("register", register, "The table has its name again.").by_extension());
        steps.push(Step::new("view", format!("DROP VIEW {public}"), "The table takes its name back.").by_extension());
        steps.extend(grants_on_tables::revoked(base, &interim, "Was for writes through the view."));
        let revoke = format!("REVOKE ALL ON {base} FROM {VIEW_OWNER}");
        steps.push(Step::new("revoke", revoke, "The view is gone.").by_extension());
        let back = format!("ALTER TABLE {base} SET SCHEMA {public_schema}");
        steps.push(Step::new("move", back, "As it was before conceal."));
        steps.extend(grants_on_tables::granted(public, &was, "As it was on the view.", false));
        if is_last_of(&self.base_schema, self.relation.oid) {
            let drop = format!("DROP SCHEMA {schema}");
            steps.push(Step::new("schema", drop, "conceal had made it, and it is empty.").by_extension());
        }
        steps
    }
}

/// The name of a view that the running statement itself may have made.
fn name_of(view: Oid) -> String {
    inspect::relation(view).map_or_else(|| names::shown(view), |relation| relation.name)
}

fn role_exists() -> bool {
    sql::first_text("SELECT 'yes' FROM pg_roles WHERE rolname = 'leadguard_view'", &[], Sees::Now).is_some()
}

fn schema_exists(name: &str) -> bool {
    sql::first_text("SELECT 'yes' FROM pg_namespace WHERE nspname = $1", &[Param::Text(Some(name))], Sees::Now)
        .is_some()
}

fn owner(relation: Oid) -> (Oid, String) {
    let mut found = (Oid::INVALID, String::new());
    sql::query(
        "SELECT relowner, quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = $1",
        &[Param::Oid(relation)],
        Sees::Now,
        &mut |row| found = (row.oid(0).unwrap_or(Oid::INVALID), row.text(1).unwrap_or_default()),
    );
    found
}

fn public_schema(view: Oid) -> (String, String) {
    inspect::relation(view).map(|r| (r.quoted_schema, r.plain_name)).unwrap_or_default()
}

/// Whether the schema was made by conceal and holds nothing but this table and what belongs to it.
fn is_last_of(schema: &str, table: Oid) -> bool {
    sql::first_text(
        "SELECT 'yes' FROM pg_namespace n WHERE n.nspname = $1 AND obj_description(n.oid, 'pg_namespace') = $3 \
         AND NOT EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.oid <> $2) \
         AND NOT EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = n.oid)",
        &[Param::Text(Some(schema)), Param::Oid(table), Param::Text(Some(SCHEMA_COMMENT))],
        Sees::Now,
    )
    .is_some()
}

/// The comments of the table on the view, for tools that show them.
fn comments(table: Oid, public: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    sql::query(
        "SELECT 0, NULL, obj_description($1, 'pg_class') UNION ALL \
         SELECT attnum, quote_ident(attname), col_description($1, attnum) FROM pg_attribute \
         WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY 1",
        &[Param::Oid(table)],
        Sees::Now,
        &mut |row| {
            let Some(comment) = row.text(2) else { return };
            let on = row.text(1).map_or_else(|| format!("VIEW {public}"), |column| format!("COLUMN {public}.{column}"));
            let statement = format!("COMMENT ON {on} IS {}", literal(&comment));
            steps.push(Step::new("comment", statement, "As on the table.").by_extension());
        },
    );
    steps
}

/// Privileges that leadguard granted are recorded on the view; on the table remain those to write.
fn moved_records(base: &str, public: &str) -> Step {
    let statement = format!(
        "WITH held AS (SELECT * FROM leadguard.table_grant WHERE object = {base}::regclass), \
         gone AS (DELETE FROM leadguard.table_grant WHERE object = {base}::regclass AND privilege = 'SELECT') \
         INSERT INTO leadguard.table_grant (target, object, grantee, privilege) \
         SELECT target, {public}::regclass, grantee, privilege FROM held",
        base = literal(base),
        public = literal(public)
    );
    Step::new("register", statement, "unprotect takes back what is recorded here.").by_extension()
}

fn records_back(public: &str) -> Step {
    let statement = format!(
        "WITH gone AS (DELETE FROM leadguard.table_grant WHERE object = {public}::regclass RETURNING *) \
         INSERT INTO leadguard.table_grant (target, object, grantee, privilege) \
         SELECT target, target, grantee, privilege FROM gone ON CONFLICT DO NOTHING",
        public = literal(public)
    );
    Step::new("register", statement, "unprotect takes back what is recorded here.").by_extension()
}

fn finish(steps: Vec<Step>, dry_run: bool) -> Vec<Step> {
    if !dry_run {
        step::run(&steps);
    }
    steps
}

pub(super) fn conceal(target: Oid, dry_run: bool) -> Vec<Step> {
    let table = Concealable::find(target, !dry_run);
    if table.concealed {
        failure("42710", format!("{} is concealed already", table.public)).raise();
    }
    finish(table.conceal(None), dry_run)
}

pub(super) fn reveal(target: Oid, dry_run: bool) -> Vec<Step> {
    let table = Concealable::find(target, !dry_run);
    if !table.concealed {
        failure("42704", format!("{} is not concealed", table.public)).raise();
    }
    let columns = view::columns(table.relation.oid);
    let hidden: Vec<&str> = columns
        .iter()
        .filter(|column| column.mask.is_some() || (column.closed && !column.mapped))
        .map(|column| column.name.as_str())
        .collect();
    if !hidden.is_empty() {
        failure(NOT_READY, format!("{} has columns that not everybody may read", table.public))
            .detail(format!("These are: {}.", hidden.join(", ")))
            .hint("leadguard.unmask them, and sign field rules without \"no access\" first.")
            .raise();
    }
    finish(table.reveal(), dry_run)
}

/// Before the protection goes, masks go and the table takes its name back.
pub(super) fn reveal_for_good(target: Oid, dry_run: bool) -> Vec<Step> {
    if registry::find(target).is_none_or(|entry| entry.concealed_by.is_none()) {
        return Vec::new();
    }
    let table = Concealable::find(target, !dry_run);
    let forget = format!("DELETE FROM leadguard.column_mask WHERE target = {}::regclass", literal(&table.base));
    let mut steps = vec![Step::new("register", forget, "Masks go with the protection.").by_extension()];
    steps.extend(table.reveal());
    finish(steps, dry_run)
}

const PATHS: [&str; 9] = [
    "own",
    "manager",
    "record_team",
    "record_team_manager",
    "territory",
    "territory_ancestor",
    "territory_manager",
    "share",
    "admin",
];

pub(super) fn mask(target: Oid, column: &str, mask: &Mask, clear_for: &[String], dry_run: bool) -> Vec<Step> {
    if let Some(unknown) = clear_for.iter().find(|path| !PATHS.contains(&path.as_str())) {
        bad_argument(format!("unknown path \"{unknown}\""))
            .hint(format!("Possible values: {}.", PATHS.join(", ")))
            .raise();
    }
    let table = Concealable::find(target, !dry_run);
    let columns = view::columns(table.relation.oid);
    let Some(found) = columns.iter().find(|held| held.name == column) else { no_column(&table, column) };
    found.require_fit(mask);
    let change = Some((column, Some(mask)));
    let mut steps = if table.concealed { Vec::new() } else { table.conceal(change) };
    let paths: Vec<String> = clear_for.iter().map(|path| literal(path)).collect();
    let register = format!(
        "INSERT INTO leadguard.column_mask (target, column_name, attnum, mask, keep, clear_for) \
         VALUES ({}::regclass, {}, {}, {}, {}, ARRAY[{}]::text[]) ON CONFLICT (target, column_name) DO UPDATE \
         SET attnum = excluded.attnum, mask = excluded.mask, keep = excluded.keep, clear_for = excluded.clear_for",
        literal(&table.base),
        literal(column),
        found.number,
        literal(&mask.name),
        mask.keep,
        paths.join(", ")
    );
    steps.push(Step::new("register", register, "Who sees the column in clear.").by_extension());
    if table.concealed {
        steps.push(table.view_again(change));
    }
    finish(steps, dry_run)
}

pub(super) fn unmask(target: Oid, column: &str, dry_run: bool) -> Vec<Step> {
    let table = Concealable::find(target, !dry_run);
    let columns = view::columns(table.relation.oid);
    if !columns.iter().any(|held| held.name == column && held.mask.is_some()) {
        no_column(&table, column)
    }
    let forget = format!(
        "DELETE FROM leadguard.column_mask WHERE target = {}::regclass AND column_name = {}",
        literal(&table.base),
        literal(column)
    );
    let steps = vec![
        table.view_again(Some((column, None))),
        Step::new("register", forget, "The column is no longer masked.").by_extension(),
    ];
    finish(steps, dry_run)
}

fn no_column(table: &Concealable, column: &str) -> ! {
    failure("42703", format!("{} has no such column to mask: \"{column}\"", table.public)).raise()
}

/// Makes the view of a concealed table anew after the field rules or the columns changed. For the extension.
pub(crate) fn refresh(target: Oid) {
    as_extension(|| {
        let Some(entry) = registry::find(target).filter(|entry| entry.concealed_by.is_some()) else { return };
        let Some(by) = entry.concealed_by else { return };
        let (Some(relation), Some(stands)) = (inspect::relation(target), inspect::relation(by)) else { return };
        rename_columns(target, by);
        let query = view::query(&relation.name, &entry, &view::columns(target), None);
        let statement = format!("CREATE OR REPLACE VIEW {} AS {query}", stands.name);
        sql::query_once(&statement, &[], Sees::Now, &mut |_| {});
    });
}

/// The columns of the view have the names of those of the table, in the same order.
fn rename_columns(target: Oid, view: Oid) {
    let mut renames = Vec::new();
    sql::query(
        "SELECT format('ALTER VIEW %s RENAME COLUMN %I TO %I', $2::regclass, v.attname, t.attname) \
         FROM (SELECT attname, row_number() OVER (ORDER BY attnum) AS place FROM pg_attribute \
               WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped) t \
         JOIN pg_attribute v ON v.attrelid = $2 AND v.attnum = t.place WHERE v.attname <> t.attname",
        &[Param::Oid(target), Param::Oid(view)],
        Sees::Now,
        &mut |row| renames.extend(row.text(0)),
    );
    for rename in renames {
        sql::query_once(&rename, &[], Sees::Now, &mut |_| {});
    }
}

/// Whether the view may be read: it must belong to the role that row security binds. A restore without owners would
/// otherwise show every row to everybody.
pub(super) fn is_sound(target: Oid) -> bool {
    let registered = visibility::statement().table(target);
    let Some(table) = registered.as_ref() else { return false };
    let by = table.concealed_by.unwrap_or(Oid::INVALID);
    let mut sound = false;
    as_extension(|| {
        sound = sql::first_text(
            "SELECT 'yes' FROM pg_class WHERE oid = $1 AND pg_get_userbyid(relowner) = 'leadguard_view'",
            &[Param::Oid(by)],
            Sees::Statement,
        )
        .is_some();
    });
    if !sound {
        refused(format!("the view of {} does not belong to {VIEW_OWNER}", names::shown(target)))
            .hint(format!("A superuser runs ALTER VIEW ... OWNER TO {VIEW_OWNER}."))
            .raise();
    }
    if visibility::statement().member.is_none() && session::bypasses_row_security(session::current_role()) {
        refused(format!("{} is masked for members; this session is none", names::shown(by)))
            .hint(format!("Sessions that row security does not bind work with {}.", names::shown(target)))
            .raise();
    }
    true
}
