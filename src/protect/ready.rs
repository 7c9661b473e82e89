//! What must hold before a view may take a table's name.

use super::conceal::NOT_READY;
use super::inspect::Relation;
use crate::errors::{failure, refused};
use crate::ffi::session;
use crate::ffi::sql::{self, Param, Sees};
use crate::masks::VIEW_OWNER;
use crate::names::quote;
use pgrx::pg_sys::Oid;

/// Refuses where a way around the view would be left.
pub(super) fn require(relation: &Relation, owner: Oid, base_schema: &str) {
    let name = &relation.name;
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
        &[Param::Oid(relation.oid)],
        Sees::Now,
    );
    if let Some(readers) = readers {
        failure(NOT_READY, format!("views read {name} and would go on reading the values that are masked"))
            .detail(format!("These are: {readers}."))
            .hint("Drop them, and create them again afterwards: they then read the view.")
            .raise();
    }
    refuse_open_partitions(relation.oid, name);
    require_schema(relation, owner, base_schema);
}

/// The schema of the tables behind views: the owner's alone, or to be made. It takes a name in the database and keeps it
/// from the owners of other tables, so that it is made only for those who could make a schema, or have this one's twin.
fn require_schema(relation: &Relation, owner: Oid, base_schema: &str) {
    let schema = sql::first_text(
        "SELECT CASE WHEN nspowner = $2 AND NOT EXISTS (SELECT FROM aclexplode(nspacl) x WHERE x.grantee <> nspowner AND x.privilege_type = 'CREATE') \
                THEN 'own' ELSE 'foreign' END FROM pg_namespace WHERE nspname = $1",
        &[Param::Text(Some(base_schema)), Param::Oid(owner)],
        Sees::Now,
    );
    if schema.as_deref() == Some("foreign") {
        refused(format!("schema {} exists and is not the table owner's alone", quote(base_schema)))
            .hint("Rename it, or give it to the owner of the table and revoke CREATE from others.")
            .raise();
    }
    if schema.is_none() && !may_create(relation, owner) && !session::is_superuser(session::current_role()) {
        refused(format!("permission denied to create schema {}", quote(base_schema)))
            .detail(format!(
                "The owner of {} neither owns schema {} nor may create schemas.",
                relation.name, relation.quoted_schema
            ))
            .hint("A superuser conceals the table, or grants its owner CREATE on the database.")
            .raise();
    }
}

fn may_create(relation: &Relation, owner: Oid) -> bool {
    sql::first_text(
        "SELECT 'yes' FROM pg_namespace n WHERE n.oid = $2 \
         AND (pg_has_role($1, n.nspowner, 'USAGE') OR has_database_privilege($1, current_database(), 'CREATE'))",
        &[Param::Oid(owner), Param::Oid(relation.schema_oid)],
        Sees::Now,
    )
    .is_some()
}

/// Refuses privileges on partitions: whoever reads one of them directly reads no view. Also for partitions that come later.
pub(super) fn refuse_open_partitions(root: Oid, name: &str) {
    let query = include_str!("../../sql/query/conceal_open_partitions.sql");
    if let Some(open) = sql::first_text(query, &[Param::Oid(root)], Sees::Now) {
        failure(NOT_READY, format!("roles have privileges on partitions of {name}"))
            .detail(format!("These are: {open}."))
            .hint(
                "REVOKE them; access goes through the partitioned table. Default privileges count for new partitions: \
                 create the table by itself, REVOKE, and ATTACH it, or ALTER DEFAULT PRIVILEGES.",
            )
            .raise();
    }
}

fn role_exists() -> bool {
    sql::first_text("SELECT 'yes' FROM pg_roles WHERE rolname = 'leadguard_view'", &[], Sees::Now).is_some()
}
