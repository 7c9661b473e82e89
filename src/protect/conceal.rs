//! Moving a table out of reach while a view takes its name, and the way back.

use super::again;
use super::check;
use super::inspect::{self, Relation};
use super::plan::{patience, still};
use super::ready;
use super::registry::{self, Entry};
use super::step::{self, Step};
use super::view::{self, Change};
use super::view_grants;
use crate::errors::failure;
use crate::ffi::sql::{self, Param, Sees};
use crate::masks::{self, VIEW_OWNER};
use crate::names::{self, literal, quote};
use crate::rulebook;
use crate::schema_changes;
use crate::visibility;
use pgrx::pg_sys::Oid;

pub(super) const NOT_READY: &str = "55000";
const SCHEMA_COMMENT: &str = "Tables that views of leadguard stand for. Made by leadguard.conceal.";

/// The table itself where the name is that of the view that stands for it.
pub(super) fn resolved(target: Oid) -> Oid {
    visibility::now()
        .table(target)
        .as_ref()
        .as_ref()
        .map_or(target, |table| if table.concealed_by == Some(target) { table.target } else { target })
}

/// The same; 55000 where that view is gone.
pub(super) fn present(target: Oid) -> Oid {
    if let Some(table) = visibility::now().table(target).as_ref() {
        masks::require_view(table);
    }
    resolved(target)
}

/// A protected table in the hands of somebody who may change how it is secured.
pub(super) struct Concealable {
    pub(super) relation: Relation,
    pub(super) entry: Entry,
    /// The name that everybody uses.
    pub(super) public: String,
    /// The name of the table behind it.
    pub(super) base: String,
    pub(super) base_schema: String,
    pub(super) concealed: bool,
    /// Somebody has dropped the view.
    is_lost: bool,
    owner: String,
    pub(super) owner_oid: Oid,
}

impl Concealable {
    pub(super) fn find(target: Oid, lock: bool) -> Concealable {
        let table = Concealable::find_without_view(target, lock);
        if table.is_lost {
            masks::view_is_gone(table.relation.oid);
        }
        table
    }

    /// The same where the view may be gone.
    fn find_without_view(target: Oid, lock: bool) -> Concealable {
        let target = resolved(target);
        check::securable(&check::owned(target));
        let relation = still(target, lock);
        if lock {
            rulebook::right::lock(target);
            schema_changes::look(target);
        }
        let Some(entry) = registry::find(target) else {
            failure("42704", format!("{} is not protected", relation.name))
                .hint("leadguard.protect comes first.")
                .raise()
        };
        let (owner_oid, owner) = owner(target);
        match entry.concealed_by {
            Some(by) => Concealable {
                public: name_of(by),
                is_lost: inspect::relation(by).is_none(),
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
                    is_lost: false,
                    relation,
                    entry,
                    owner,
                    owner_oid,
                }
            }
        }
    }

    pub(super) fn conceal(&self, change: Change) -> Vec<Step> {
        ready::require(&self.relation, self.owner_oid, &self.base_schema);
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
        let privileges = view_grants::privileges(self.relation.oid, self.owner_oid);
        steps.push(Step::new(
            "move",
            format!("ALTER TABLE {public} SET SCHEMA {schema}"),
            "The table keeps its OID, policies, triggers, indexes and foreign keys.",
        ));
        steps.extend(view_grants::revoked(base, &privileges, "What could be read directly is read through the view."));
        let id = quote(&self.entry.mapping.id);
        steps.extend(view_grants::used_through(base, &schema, &id, &privileges));
        steps.extend(self.view(change));
        steps.extend(view_grants::granted(public, &privileges, "As it was on the table.", true));
        steps.extend(comments(self.relation.oid, public));
        steps.push(self.register());
        steps.push(moved_records(base, public));
        steps
    }

    /// The view itself, which only its owner and the table's may use.
    pub(super) fn view(&self, change: Change) -> Vec<Step> {
        let (base, public) = (&self.base, &self.public);
        let schema = quote(&self.base_schema);
        let mut steps = Vec::new();
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
        steps
    }

    pub(super) fn register(&self) -> Step {
        let register = format!(
            "UPDATE leadguard.protected_table SET concealed_by = {}::regclass WHERE target = {}::regclass",
            literal(&self.public),
            literal(&self.base)
        );
        Step::new("register", register, "Everything that takes the table takes the view.").by_extension()
    }

    pub(super) fn view_again(&self, change: Change) -> Step {
        let query = view::query(&self.base, &self.entry, &view::columns(self.relation.oid), change);
        let statement = format!("CREATE OR REPLACE VIEW {} AS {query}", self.public);
        Step::new("view", statement, "Shows each column as it may be shown now.").by_extension()
    }

    fn reveal(&self) -> Vec<Step> {
        let (base, public) = (&self.base, &self.public);
        let view_oid = self.entry.concealed_by.unwrap_or(Oid::INVALID);
        let schema = quote(&self.base_schema);
        let (public_schema, _) = public_schema(view_oid);
        let was = view_grants::privileges(view_oid, self.owner_oid);
        let interim = view_grants::privileges(self.relation.oid, self.owner_oid);
        let mut steps = patience();
        steps.push(records_back(public));
        let register = format!(
            "UPDATE leadguard.protected_table SET concealed_by = NULL WHERE target = {}::regclass",
            literal(base)
        );
        steps.push(Step::new("register", register, "The table has its name again.").by_extension());
        steps.push(Step::new("view", format!("DROP VIEW {public}"), "The table takes its name back.").by_extension());
        steps.extend(view_grants::revoked(base, &interim, "Was for writes through the view."));
        let revoke = format!("REVOKE ALL ON {base} FROM {VIEW_OWNER}");
        steps.push(Step::new("revoke", revoke, "The view is gone.").by_extension());
        let back = format!("ALTER TABLE {base} SET SCHEMA {public_schema}");
        steps.push(Step::new("move", back, "As it was before conceal."));
        steps.extend(view_grants::granted(public, &was, "As it was on the view.", false));
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
pub(super) fn comments(table: Oid, public: &str) -> Vec<Step> {
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

pub(super) fn finish(steps: Vec<Step>, dry_run: bool) -> Vec<Step> {
    if !dry_run {
        step::run(&steps);
    }
    steps
}

pub(super) fn conceal(target: Oid, dry_run: bool) -> Vec<Step> {
    let table = Concealable::find_without_view(target, !dry_run);
    if table.is_lost {
        return again::conceal(table, dry_run);
    }
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
            .hint("leadguard.unmask them, and sign field rules without \"no access\" first; leadguard.set_field_default opens what no rule lists.")
            .raise();
    }
    // Whatever columns there are: the next one that is added would be closed in name only.
    if table.entry.closed_by_default {
        failure(NOT_READY, format!("what the field matrix of {} does not list is closed", table.public))
            .hint(format!("leadguard.set_field_default({}, 'editor') first.", literal(&table.public)))
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
