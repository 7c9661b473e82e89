//! Privileges on a table whose name a view has taken: who had them on the table has them on the view, and on the table
//! itself the little that writes of the view and the policies of notes and tags need.

use super::grants_on_tables::Roles;
use super::step::Step;
use crate::ffi::sql::{self, Param, Sees};
use crate::names::quote;
use pgrx::pg_sys::Oid;

const BY_ID: &str = "By its id a write finds its row, and the policies of notes and tags their record.";

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
    listed(privileges.iter().map(|p| p.grantee.as_str()))
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.collect();
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

/// Those to write, for their holders alone.
pub(super) fn writing(privileges: &[Privilege]) -> Vec<Privilege> {
    let writes = |p: &&Privilege| ["INSERT", "UPDATE", "DELETE"].contains(&p.privilege.as_str());
    let alone = |p: &Privilege| Privilege {
        grantee: p.grantee.clone(),
        privilege: p.privilege.clone(),
        column: p.column.clone(),
        grantable: false,
    };
    privileges.iter().filter(writes).map(alone).collect()
}

/// What those who use a concealed table through its view need on the table itself: their privileges to write, and
/// SELECT on the id alone.
pub(super) fn used_through(base: &str, schema: &str, id: &str, privileges: &[Privilege]) -> Vec<Step> {
    const REASON: &str = "Writes of the view are the caller's own.";
    let writing = writing(privileges);
    let reading = privileges
        .iter()
        .filter(|p| p.privilege == "SELECT" && p.column.as_deref().is_none_or(|column| column == id))
        .map(|p| p.grantee.as_str());
    let finding = listed(reading.chain(writing.iter().map(|p| p.grantee.as_str())));
    let mut steps = granted(base, &writing, REASON, false);
    if !finding.is_empty() {
        steps.push(Step::new("grant", format!("GRANT SELECT ({id}) ON {base} TO {finding}"), BY_ID));
    }
    if !writing.is_empty() {
        let to = grantees(&writing);
        steps.push(Step::new("grant", format!("GRANT USAGE ON SCHEMA {schema} TO {to}"), REASON).by_extension());
    }
    steps
}

/// SELECT on the id of a table behind its view, for those of the roles that lack it: the policies of notes and tags
/// look for the record there, in the name of whoever reads.
pub(super) fn missing_id(target: Oid, name: &str, id: &str, roles: &Roles) -> Option<Step> {
    let [names, _] = roles.parameters();
    let mut grantees = None;
    sql::query(
        "SELECT string_agg(quote_ident(r.rolname), ', ' ORDER BY r.rolname) FROM unnest($1) AS w (role) \
         JOIN pg_roles r ON r.rolname = w.role WHERE NOT has_column_privilege(r.oid, $2, $3, 'SELECT')",
        &[names, Param::Oid(target), Param::Text(Some(id))],
        Sees::Now,
        &mut |row| grantees = row.text(0),
    );
    grantees.map(|to| Step::new("grant", format!("GRANT SELECT ({}) ON {name} TO {to}", quote(id)), BY_ID))
}

/// Takes SELECT on the id back from those of the roles that have nothing left on the view.
pub(super) fn id_taken_back(target: Oid, name: &str, id: &str, view: Oid, roles: &[String]) -> Option<Step> {
    let mut grantees = None;
    sql::query(
        include_str!("../../sql/query/id_without_view.sql"),
        &[Param::Oid(target), Param::Text(Some(id)), Param::Oid(view), Param::Texts(roles)],
        Sees::Now,
        &mut |row| grantees = row.text(0),
    );
    grantees.map(|from| {
        let statement = format!("REVOKE SELECT ({}) ON {name} FROM {from}", quote(id));
        Step::new("revoke", statement, "It went with what leadguard had granted on the view.")
    })
}
