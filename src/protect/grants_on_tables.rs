//! Table privileges of registered login roles.
//!
//! A registered role needs privileges before row security can decide. What leadguard grants is recorded, so
//! that unprotect takes back exactly that. Partitions get no privileges: access goes through their table.

use super::arguments;
use super::step::{self, Step};
use crate::errors::{bad_argument, failure};
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

    fn parameters(&self) -> [Param<'_>; 2] {
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

/// USAGE on a schema for those of the roles that lack it. As the extension: the owner of a table need not own
/// its schema, and without USAGE the privileges on the table are of no use.
pub(super) fn missing_usage(schema: &str, quoted_schema: &str, roles: &Roles) -> Vec<Step> {
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
    let grant = |to: String| {
        let statement = format!("GRANT USAGE ON SCHEMA {quoted_schema} TO {to}");
        Step::new("grant", statement, "Registered login roles must reach the schema of the table.").by_extension()
    };
    grantees.map(grant).into_iter().collect()
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
    for (oid, [kind, object, privileges, grantees, array]) in found {
        let statement = format!("REVOKE {privileges} ON {kind} {object} FROM {grantees}");
        steps.push(Step::new("revoke", statement, "leadguard had granted it."));
        steps.extend(column_privileges(oid, &array, &privileges));
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
            // Who only reads needs the view alone.
            let writes = mode != "analyst";
            if table.view.is_none() || writes {
                step::run(&missing_usage(&table.schema, &quote(&table.schema), &roles));
            }
            step::run(&missing(table.target, &table.name, table.view, &roles));
            let Some(view_schema) = &table.view_schema else { continue };
            step::run(&missing_usage(view_schema, &quote(view_schema), &roles));
            if writes {
                let to: Vec<String> = role_names.iter().map(|role| quote(role)).collect();
                let statement = format!("GRANT SELECT ({}) ON {} TO {}", quote(&table.id), table.name, to.join(", "));
                step::run(&[Step::new("grant", statement, REASON)]);
            }
        }
        for (child, schema, parent) in children() {
            step::run(&missing_usage(&schema, &quote(&schema), &roles));
            step::run(&missing(child, &parent, None, &roles));
        }
    });
}

/// Tables of notes and tags: OID, schema, and the qualified name of the parent.
fn children() -> Vec<(Oid, String, String)> {
    let mut tables = Vec::new();
    if !session::is_updated() {
        return tables;
    }
    sql::query(
        "SELECT c.oid, n.nspname, format('%I.%I', pn.nspname, p.relname) FROM leadguard.protected_child h \
         JOIN pg_class c ON c.oid = h.target JOIN pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_class p ON p.oid = h.parent JOIN pg_namespace pn ON pn.oid = p.relnamespace ORDER BY 1",
        &[],
        Sees::Now,
        &mut |row| {
            if let (Some(target), Some(schema), Some(parent)) = (row.oid(0), row.text(1), row.text(2)) {
                tables.push((target, schema, parent));
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
}

/// A protected table, and the view that took its name.
struct Protected {
    target: Oid,
    name: String,
    schema: String,
    id: String,
    view: Option<Oid>,
    view_schema: Option<String>,
}

fn protected() -> Vec<Protected> {
    let mut tables = Vec::new();
    let text = if session::is_updated() {
        "SELECT c.oid, format('%I.%I', n.nspname, c.relname), n.nspname, p.id_column, v.oid, vn.nspname \
         FROM leadguard.protected_table p \
         JOIN pg_class c ON c.oid = p.target JOIN pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN pg_class v ON v.oid = p.concealed_by LEFT JOIN pg_namespace vn ON vn.oid = v.relnamespace ORDER BY 2"
    } else {
        "SELECT c.oid, format('%I.%I', n.nspname, c.relname), n.nspname, p.id_column, NULL::oid, NULL::name \
         FROM leadguard.protected_table p \
         JOIN pg_class c ON c.oid = p.target JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY 2"
    };
    sql::query(text, &[], Sees::Now, &mut |row| {
        if let (Some(target), Some(name), Some(schema)) = (row.oid(0), row.text(1), row.text(2)) {
            let (id, view, view_schema) = (row.text(3).unwrap_or_default(), row.oid(4), row.text(5));
            tables.push(Protected { target, name, schema, id, view, view_schema });
        }
    });
    tables
}

/// One privilege on a relation or a column.
pub(super) struct Privilege {
    grantee: String,
    privilege: String,
    column: Option<String>,
    grantable: bool,
}

/// All privileges on a relation but those of its owner.
pub(super) fn privileges(relation: Oid, owner: Oid) -> Vec<Privilege> {
    let mut found = Vec::new();
    sql::query(
        include_str!("../../sql/query/conceal_privileges.sql"),
        &[Param::Oid(relation), Param::Oid(owner)],
        Sees::Now,
        &mut |row| {
            found.push(Privilege {
                grantee: row.text(0).unwrap_or_default(),
                privilege: row.text(1).unwrap_or_default(),
                column: row.text(2),
                grantable: row.bool(3),
            });
        },
    );
    found
}

fn grantees(privileges: &[Privilege]) -> String {
    let mut names: Vec<&str> = privileges.iter().map(|p| p.grantee.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

/// Takes everything on a relation from those who hold something.
pub(super) fn revoked(relation: &str, privileges: &[Privilege], reason: &str) -> Vec<Step> {
    if privileges.is_empty() {
        return Vec::new();
    }
    vec![Step::new("revoke", format!("REVOKE ALL ON {relation} FROM {} CASCADE", grantees(privileges)), reason)]
}

/// The same privileges on another relation; as the extension where that belongs to somebody else.
pub(super) fn granted(relation: &str, privileges: &[Privilege], reason: &str, by_extension: bool) -> Vec<Step> {
    let mut groups: Vec<(String, bool, Vec<String>)> = Vec::new();
    for held in privileges {
        let one = match &held.column {
            Some(column) => format!("{} ({column})", held.privilege),
            None => held.privilege.clone(),
        };
        match groups.iter_mut().find(|(to, option, _)| *to == held.grantee && *option == held.grantable) {
            Some((_, _, list)) => list.push(one),
            None => groups.push((held.grantee.clone(), held.grantable, vec![one])),
        }
    }
    groups
        .into_iter()
        .map(|(to, grantable, list)| {
            let option = if grantable { " WITH GRANT OPTION" } else { "" };
            let step = Step::new("grant", format!("GRANT {} ON {relation} TO {to}{option}", list.join(", ")), reason);
            if by_extension { step.by_extension() } else { step }
        })
        .collect()
}

/// What those who write a concealed table through its view need on the table itself: their privileges to write, and
/// SELECT on the id alone, by which a row is found.
pub(super) fn written_through(base: &str, schema: &str, id: &str, privileges: &[Privilege]) -> Vec<Step> {
    const REASON: &str = "Writes of the view are the caller's own; they find the row by its id.";
    let writing: Vec<Privilege> = privileges
        .iter()
        .filter(|p| ["INSERT", "UPDATE", "DELETE"].contains(&p.privilege.as_str()))
        .map(|p| Privilege {
            grantee: p.grantee.clone(),
            privilege: p.privilege.clone(),
            column: p.column.clone(),
            grantable: false,
        })
        .collect();
    if writing.is_empty() {
        return Vec::new();
    }
    let to = grantees(&writing);
    let mut steps = granted(base, &writing, REASON, false);
    steps.push(Step::new("grant", format!("GRANT SELECT ({id}) ON {base} TO {to}"), REASON));
    steps.push(Step::new("grant", format!("GRANT USAGE ON SCHEMA {schema} TO {to}"), REASON).by_extension());
    steps
}
