//! Which fields of a table a member may read and write: what an application greys out in its form.

use super::asker::Asker;
use super::record::Target;
use super::whom;
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::fields::{self, Access, Rules};
use pgrx::iter::TableIterator;
use pgrx::pg_sys::Oid;
use pgrx::{name, pg_extern};

type Fields = TableIterator<'static, (name!(field, String), name!(access, String))>;

/// What the roles of a member allow on each field, beside the level on the record. Who may ask and errors: as can.
#[pg_extern(sql = false)]
fn field_access(target: Option<Oid>, member: Option<&str>) -> Fields {
    let asker = Asker::find();
    let target = Target::find(target, Sees::Statement);
    let Some(about) = asker.about(member) else { whom() };
    let rules = fields::rules(target.table.target);
    let (mut roles, mut found) = (Vec::new(), Vec::new());
    as_extension(|| {
        sql::query(
            "SELECT role FROM leadguard.member_role WHERE member_id = $1",
            &[Param::Int(Some(about.id))],
            Sees::Statement,
            &mut |row| roles.extend(row.text(0)),
        );
        sql::query(
            include_str!("../../sql/query/field_columns.sql"),
            &[Param::Oid(target.table.target)],
            Sees::Statement,
            &mut |row| {
                if let (Some(number), Some(name)) = (row.int(0).and_then(|n| i16::try_from(n).ok()), row.text(1)) {
                    found.extend(access(&rules, number, &name, &roles));
                }
            },
        );
    });
    TableIterator::new(found)
}

/// A column, and its keys that have rules of their own.
fn access(rules: &Rules, number: i16, name: &str, roles: &[String]) -> Vec<(String, String)> {
    let said = |access: Access| access.name().to_owned();
    let mut fields = vec![(name.to_owned(), said(rules.access(number, name, "", roles)))];
    for key in rules.keys(name) {
        let held = said(rules.access(number, name, &key, roles));
        fields.push((format!("{name}.{key}"), held));
    }
    fields
}
