//! Table privileges of registered login roles.
//!
//! A registered role needs privileges before row security can decide. What leadguard grants is recorded, so
//! that unprotect takes back exactly that. Partitions get no privileges: access goes through their table.

use super::arguments;
use super::step::{self, Step};
use super::view_grants;
use crate::errors::{bad_argument, failure};
use crate::ffi::raise::notice;
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::names::{literal, quote};
use pgrx::pg_sys::Oid;

/// Registered roles with their modes, as two parallel lists.
#[derive(Debug, Default)]
pub(super) struct Roles {
    names: Vec<String>,
    modes: Vec<String>,
}

impl Roles {
    pub(super) fn registered() -> Roles {
        let mut roles = Roles::default();
        as_extension(|| {
            sql::query(
                "SELECT b.db_role, b.mode FROM leadguard.role_binding b \
                 JOIN pg_roles r ON r.oid = b.role_oid AND r.rolname = b.db_role ORDER BY 1",
                &[],
                Sees::Now,
                &mut |row| {
                    if let (Some(name), Some(mode)) = (row.text(0), row.text(1)) {
                        roles.names.push(name);
                        roles.modes.push(mode);
                    }
                },
            )
        });
        roles
    }

    /// Those that do more than read.
    fn writing(&self) -> Roles {
        let kept = self.names.iter().zip(&self.modes).filter(|(_, mode)| *mode != "analyst");
        let (names, modes) = kept.map(|(name, mode)| (name.clone(), mode.clone())).unzip();
        Roles { names, modes }
    }

    pub(super) fn count(&self) -> usize {
        self.names.len()
    }

    pub(super) fn parameters(&self) -> [Param<'_>; 2] {
        [Param::Texts(&self.names), Param::Texts(&self.modes)]
    }
}

const REASON: &str = "Registered login roles need the privilege; row security decides on the rows.";

/// What the roles lack on one table and the sequences of its columns.
pub(super) fn missing(target: Oid, target_name: &str, view: Option<Oid>, roles: &Roles) -> Vec<Step> {
    let mut steps = Vec::new();
    let [names, modes] = roles.parameters();
    sql::query(
        include_str!("../../sql/query/protect_missing_privileges.sql"),
        &[Param::Oid(target), names, modes, Param::Oid(view.unwrap_or(target))],
        Sees::Now,
        &mut |row| {
            let [kind, object, privileges, grantees, array] = [0, 1, 2, 3, 4].map(|i| row.text(i).unwrap_or_default());
            steps.push(Step::new("grant", format!("GRANT {privileges} ON {kind} {object} TO {grantees}"), REASON));
            let record = format!(
                "INSERT INTO leadguard.table_grant (target, object, grantee, privilege) \
                 SELECT {}::regclass, {}::regclass, grantee, privilege \
                 FROM unnest({}::name[]) AS grantee, unnest(string_to_array({}, ', ')) AS privilege \
                 ON CONFLICT ON CONSTRAINT table_grant_pkey DO NOTHING",
                literal(target_name),
                literal(&object),
                literal(&array),
                literal(&privileges)
            );
            steps.push(Step::new("register", record, "unprotect takes back what is recorded here.").by_extension());
        },
    );
    steps
}

/// Whether the current role may grant USAGE on a schema.
pub(super) fn may_grant_usage(schema: &str) -> bool {
    sql::first_text(
        "SELECT 'yes' FROM pg_namespace n WHERE n.nspname = $1 AND has_schema_privilege(n.oid, 'USAGE WITH GRANT OPTION')",
        &[Param::Text(Some(schema))],
        Sees::Now,
    )
    .is_some()
}

/// USAGE on the schema of a table that the caller protects. The owner of a table need not own its schema, and it is not
/// leadguard's to give away what he could not: the table is protected, and he is told what is missing.
pub(super) fn usage_by_caller(schema: &str, quoted_schema: &str, roles: &Roles) -> Vec<Step> {
    if may_grant_usage(schema) {
        return missing_usage(schema, quoted_schema, roles);
    }
    if let Some(grantees) = lacking_usage(schema, roles) {
        notice(&format!(
            "registered login roles do not reach the table: the owner of schema {quoted_schema} runs \
             GRANT USAGE ON SCHEMA {quoted_schema} TO {grantees}"
        ));
    }
    Vec::new()
}

fn lacking_usage(schema: &str, roles: &Roles) -> Option<String> {
    let mut grantees = None;
    let [names, _] = roles.parameters();
    sql::query(
        "SELECT string_agg(quote_ident(r.rolname), ', ' ORDER BY r.rolname) FROM unnest($1) AS w (role) \
         JOIN pg_roles r ON r.rolname = w.role JOIN pg_namespace n ON n.nspname = $2 \
         WHERE NOT has_schema_privilege(r.oid, n.oid, 'USAGE')",
        &[names, Param::Text(Some(schema))],
        Sees::Now,
        &mut |row| grantees = row.text(0),
    );
    grantees
}

/// USAGE on a schema for those of the roles that lack it; without it the privileges on the table are of no use.
fn missing_usage(schema: &str, quoted_schema: &str, roles: &Roles) -> Vec<Step> {
    let grant = |to: String| {
        let statement = format!("GRANT USAGE ON SCHEMA {quoted_schema} TO {to}");
        Step::new("grant", statement, "Registered login roles must reach the schema of the table.").by_extension()
    };
    lacking_usage(schema, roles).map(grant).into_iter().collect()
}

/// Takes back what leadguard granted on one table.
pub(super) fn take_back(target: Oid) -> Vec<Step> {
    revocation(Some(target), None, &[]).0
}

/// REVOKE for the recorded privileges, and for each the records it settles.
fn revocation(target: Option<Oid>, roles: Option<&[String]>, keep: &[String]) -> (Vec<Step>, Vec<Step>) {
    let mut found = Vec::new();
    let roles = roles.map(array);
    as_extension(|| {
        sql::query(
            include_str!("../../sql/query/protect_recorded_privileges.sql"),
            &[Param::Int(target.map(|t| i64::from(t.to_u32()))), Param::Text(roles.as_deref()), Param::Texts(keep)],
            Sees::Now,
            &mut |row| {
                found.push((
                    row.oid(5).unwrap_or(Oid::INVALID),
                    [0, 1, 2, 3, 4].map(|i| row.text(i).unwrap_or_default()),
                ));
            },
        )
    });
    let (mut steps, mut records) = (Vec::new(), Vec::new());
    let caller = session::current_role();
    for (oid, [kind, object, privileges, grantees, array]) in found {
        let statement = format!("REVOKE {privileges} ON {kind} {object} FROM {grantees}");
        let mut taken = vec![Step::new("revoke", statement, "leadguard had granted it.")];
        taken.extend(column_privileges(oid, &array, &privileges));
        // Notes and tags of the table may be in other hands by now.
        if !session::owns_relation(oid, caller) {
            taken = taken.into_iter().map(Step::by_extension).collect();
        }
        steps.extend(taken);
        let record = format!(
            "DELETE FROM leadguard.table_grant WHERE object = {}::regclass AND grantee = ANY ({}::name[]) \
             AND privilege = ANY (string_to_array({}, ', '))",
            literal(&object),
            literal(&array),
            literal(&privileges)
        );
        records.push(Step::new("register", record, "The privilege is gone.").by_extension());
    }
    (steps, records)
}

/// The text form of an array; a parameter of array type cannot be NULL.
fn array(items: &[String]) -> String {
    let quoted: Vec<_> =
        items.iter().map(|item| format!("\"{}\"", item.replace('\\', "\\\\").replace('"', "\\\""))).collect();
    format!("{{{}}}", quoted.join(","))
}

/// REVOKE on a table takes privileges on its columns with it; those were not leadguard's to take.
fn column_privileges(relation: Oid, grantees: &str, privileges: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    sql::query(
        include_str!("../../sql/query/protect_column_privileges.sql"),
        &[Param::Oid(relation), Param::Text(Some(grantees)), Param::Text(Some(privileges))],
        Sees::Now,
        &mut |row| {
            if let Some(statement) = row.text(0) {
                steps.push(Step::new("grant", statement, "REVOKE on the table took the column privilege with it."));
            }
        },
    );
    steps
}

/// Grants a newly registered login role what its mode needs on all protected tables. Internal: called by the
/// triggers of the directory. 22023 for an unknown mode, 42704 for an unknown role.
#[pgrx::pg_extern(sql = false)]
fn grant_tables(role_names: Vec<Option<String>>, mode: &str) {
    let role_names = arguments::names("role_names", Some(role_names));
    if !["person", "analyst", "trusted"].contains(&mode) {
        bad_argument(format!("unknown mode \"{mode}\" of a login role"))
            .hint("Possible values: person, analyst, trusted.")
            .raise();
    }
    as_extension(|| {
        let unknown = sql::first_text(
            "SELECT w.role FROM unnest($1) AS w (role) WHERE NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = w.role)",
            &[Param::Texts(&role_names)],
            Sees::Now,
        );
        if let Some(role_name) = unknown {
            failure("42704", format!("role \"{role_name}\" does not exist")).raise();
        }
        let roles = Roles { names: role_names.clone(), modes: vec![mode.to_owned(); role_names.len()] };
        if mode == "analyst" {
            // A role that was something else before keeps no privilege to write.
            revoke(&role_names, &["SELECT".to_owned()]);
        }
        step::run(&missing_usage("leadguard", "leadguard", &roles));
        for table in protected() {
            step::run(&needed(&table, &roles));
        }
        for child in children() {
            if !is_withheld(child.target, &child.schema, child.foreign_schema) {
                step::run(&missing_usage(&child.schema, &quote(&child.schema), &roles));
            }
            step::run(&missing(child.target, &child.parent, None, &roles));
        }
    });
}

/// What roles lack on a protected table and on the view that took its name. To be run as the extension.
fn needed(table: &Protected, roles: &Roles) -> Vec<Step> {
    let mut steps = Vec::new();
    let public_schema = table.view_schema.as_ref().unwrap_or(&table.schema);
    if !is_withheld(table.target, public_schema, table.foreign_schema) {
        steps.extend(missing_usage(public_schema, &quote(public_schema), roles));
    }
    steps.extend(missing(table.target, &table.name, table.view, roles).into_iter().map(Step::by_extension));
    if table.view.is_some() {
        // Who only reads does not name the table behind the view.
        if !is_withheld(table.target, &table.schema, true) {
            steps.extend(missing_usage(&table.schema, &quote(&table.schema), &roles.writing()));
        }
        let id = view_grants::missing_id(table.target, &table.name, &table.id, roles);
        steps.extend(id.map(Step::by_extension));
    }
    steps
}

/// The same for all registered roles on one table.
pub(super) fn grant_again(target: Oid) -> Vec<Step> {
    let roles = Roles::registered();
    as_extension(|| {
        let tables = protected();
        let steps = tables.iter().find(|table| table.target == target).map(|table| needed(table, &roles));
        let steps = steps.unwrap_or_default();
        step::run(&steps);
        steps
    })
}

/// Whether USAGE on a schema is not leadguard's to give: whoever protected the table could not, or it was moved there since,
/// and its owner cannot now.
fn is_withheld(table: Oid, schema: &str, foreign_schema: bool) -> bool {
    foreign_schema
        && sql::first_text(
            "SELECT 'yes' FROM pg_class c, pg_namespace n WHERE c.oid = $1 AND n.nspname = $2 \
             AND has_schema_privilege(c.relowner, n.oid, 'USAGE WITH GRANT OPTION')",
            &[Param::Oid(table), Param::Text(Some(schema))],
            Sees::Now,
        )
        .is_none()
}

/// A table of notes or tags, and the qualified name of its parent.
struct Follower {
    target: Oid,
    schema: String,
    parent: String,
    foreign_schema: bool,
}

fn children() -> Vec<Follower> {
    let mut tables = Vec::new();
    if !session::is_updated() {
        return tables;
    }
    sql::query(
        "SELECT c.oid, n.nspname, format('%I.%I', pn.nspname, p.relname), t.undo ? 'foreign_schema' OR coalesce(t.undo ->> 'schema', n.nspname) <> n.nspname \
         FROM leadguard.protected_child h JOIN leadguard.protected_table t ON t.target = h.parent \
         JOIN pg_class c ON c.oid = h.target JOIN pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_class p ON p.oid = h.parent JOIN pg_namespace pn ON pn.oid = p.relnamespace ORDER BY 1",
        &[],
        Sees::Now,
        &mut |row| {
            if let (Some(target), Some(schema), Some(parent)) = (row.oid(0), row.text(1), row.text(2)) {
                tables.push(Follower { target, schema, parent, foreign_schema: row.bool(3) });
            }
        },
    );
    tables
}

/// Takes back from login roles all that leadguard granted them on tables. Internal.
#[pgrx::pg_extern(sql = false)]
fn revoke_tables(role_names: Vec<Option<String>>) {
    let role_names = arguments::names("role_names", Some(role_names));
    as_extension(|| revoke(&role_names, &[]));
}

fn revoke(role_names: &[String], keep: &[String]) {
    let (revoke, forget) = revocation(None, Some(role_names), keep);
    step::run(&revoke);
    step::run(&forget);
    for table in protected() {
        let Some(view) = table.view else { continue };
        step::run(view_grants::id_taken_back(table.target, &table.name, &table.id, view, role_names).as_slice());
    }
}

/// A protected table, and the view that took its name.
struct Protected {
    target: Oid,
    name: String,
    schema: String,
    id: String,
    view: Option<Oid>,
    view_schema: Option<String>,
    foreign_schema: bool,
}

/// Without tables whose view is gone: what is needed on the view gives nothing on the table behind it.
fn protected() -> Vec<Protected> {
    let mut tables = Vec::new();
    let text = if session::is_updated() {
        "SELECT c.oid, format('%I.%I', n.nspname, c.relname), n.nspname, p.id_column, v.oid, vn.nspname, \
                p.undo ? 'foreign_schema' \
                OR coalesce(p.undo ->> 'schema', vn.nspname, n.nspname) <> coalesce(vn.nspname, n.nspname) \
         FROM leadguard.protected_table p \
         JOIN pg_class c ON c.oid = p.target JOIN pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN pg_class v ON v.oid = p.concealed_by LEFT JOIN pg_namespace vn ON vn.oid = v.relnamespace \
         WHERE p.concealed_by IS NULL OR v.oid IS NOT NULL ORDER BY 2"
    } else {
        "SELECT c.oid, format('%I.%I', n.nspname, c.relname), n.nspname, p.id_column, NULL::oid, NULL::name, \
                p.undo ? 'foreign_schema' \
         FROM leadguard.protected_table p \
         JOIN pg_class c ON c.oid = p.target JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY 2"
    };
    sql::query(text, &[], Sees::Now, &mut |row| {
        if let (Some(target), Some(name), Some(schema)) = (row.oid(0), row.text(1), row.text(2)) {
            let (id, view, view_schema) = (row.text(3).unwrap_or_default(), row.oid(4), row.text(5));
            let foreign_schema = row.bool(6);
            tables.push(Protected { target, name, schema, id, view, view_schema, foreign_schema });
        }
    });
    tables
}
