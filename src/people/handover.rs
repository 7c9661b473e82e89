//! Everything that somebody owns becomes another one's. Records are found and updated as the caller, table by table in
//! one statement each, through all triggers; what the caller does not reach makes all of it fail.

use super::member::Managed;
use crate::batches::{self, Cover};
use crate::directory::{self, Named};
use crate::errors::{bad_argument, failure, refused};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::guard::{self, Purpose, Sanction};
use crate::model::batch::Operation;
use crate::model::rights::Rights;
use crate::model::value::{Kind, parse_int, parse_uuid};
use crate::names;
use crate::questions::reach::{self, Owned};
use crate::questions::record::{Column, Target};
use pgrx::pg_sys::Oid;
use std::collections::HashSet;
use std::rc::Rc;

/// A table in which somebody owns unarchived records, and how many.
pub(super) struct Holding {
    pub target: Oid,
    pub shown: Oid,
    pub count: i64,
}

/// Whatever the caller sees of them.
pub(super) fn holdings(member: i64, key: &str, organization: i64) -> Vec<Holding> {
    let named = Named { ids: vec![member], keys: vec![key.to_owned()] };
    as_extension(|| {
        directory::owned_tables(true, Some(organization))
            .iter()
            .map(|(table, owner)| Holding {
                target: table.target,
                shown: table.shown,
                count: directory::unarchived(table, Some(owner), &named),
            })
            .filter(|holding| holding.count > 0)
            .collect()
    })
}

/// One member as an owner column names him; 22023 when it cannot.
struct Owner<'a> {
    id: i64,
    key: &'a str,
}

impl Owner<'_> {
    fn param(&self, column: &Column) -> Param<'_> {
        let fits = if column.kind.is_int() {
            column.kind.fits(self.id)
        } else {
            column.kind == Kind::Text || parse_uuid(self.key).is_some()
        };
        if !fits {
            bad_argument(format!("the owner column {} cannot hold \"{}\"", column.quoted, self.key))
                .hint("Name a new owner whose id or key is of the type of the column.")
                .raise();
        }
        if column.kind.is_int() { Param::Int(Some(self.id)) } else { Param::Text(Some(self.key)) }
    }
}

/// Hands over all records; how many in which table.
pub(super) fn records(leaver: &Managed, new_owner: (i64, &str), reason: &str) -> Vec<Holding> {
    let holdings = holdings(leaver.id, &leaver.key, leaver.org_id);
    let mut found = Vec::new();
    let mut lacking = Vec::new();
    for holding in &holdings {
        let target = Target::find(Some(holding.target), Sees::Now);
        let owned = reach::owned_by(&target, leaver.id, &leaver.key);
        let within = owned.iter().filter(|record| record.rights.has(Rights::REASSIGN)).count() as i64;
        if within < holding.count {
            let (table, all) = (names::shown(holding.shown), holding.count);
            lacking.push(format!("{} of {all} records of {table}", all - within));
        }
        found.push((target, owned));
    }
    if !lacking.is_empty() {
        refused(format!("what \"{}\" owns is not all yours to hand over", leaver.key))
            .detail(format!("You do not see, or may not reassign, {}.", lacking.join(", ")))
            .hint("A member with the capability all_records (an administrator) can; nothing was changed.")
            .raise();
    }
    for (target, owned) in &found {
        // That somebody leaves is decided (the plan, its reason and who gets what are in the audit, the manager is told), and
        // each record takes the right to reassign it: no second person is asked, however many there are.
        let cover = Cover { self_approved: true, ..Cover::default() };
        let moved = batches::covered(target.table.target, Operation::Reassign, cover, owned.len() as u64, || {
            update(target, owned, leaver, new_owner, reason)
        });
        if moved != owned.len() as u64 {
            changed_meanwhile(target, &leaver.key);
        }
    }
    // What came in the meantime, or was moved on by a trigger of the table.
    if let Some(holding) = self::holdings(leaver.id, &leaver.key, leaver.org_id).first() {
        changed_meanwhile(&Target::find(Some(holding.target), Sees::Now), &leaver.key);
    }
    holdings
}

fn changed_meanwhile(target: &Target, key: &str) -> ! {
    failure("55000", format!("records of {} changed while those of \"{key}\" were handed over", target.table.shown()))
        .hint("Nothing was changed; try again.")
        .raise()
}

fn update(target: &Target, owned: &[Owned], leaver: &Managed, new_owner: (i64, &str), reason: &str) -> u64 {
    let Some(column) = &target.owner else { return 0 };
    let old = Owner { id: leaver.id, key: &leaver.key };
    let new = Owner { id: new_owner.0, key: new_owner.1 };
    let texts: Vec<String> = owned.iter().map(|record| record.record.clone()).collect();
    let ints: Vec<i64> = texts.iter().filter_map(|text| parse_int(text)).collect();
    let of = |kind: Kind, array: &'static str, one: &'static str| match kind {
        Kind::Uuid => (array, one),
        _ => ("", ""),
    };
    let (ids, _) = of(target.id.kind, "::pg_catalog.uuid[]", "");
    let (_, cast) = of(column.kind, "", "::pg_catalog.uuid");
    let text = format!(
        "UPDATE {} SET {owner} = $1{cast} WHERE {} OPERATOR(pg_catalog.=) ANY ($2{ids}) \
         AND {owner} OPERATOR(pg_catalog.=) $3{cast}",
        target.relation,
        target.id.quoted,
        owner = column.quoted
    );
    let param = if target.id.kind.is_int() { Param::Ints(&ints) } else { Param::Texts(&texts) };
    let sanction = Sanction {
        target: target.table.target,
        records: Rc::new(texts.iter().cloned().collect::<HashSet<String>>()),
        purpose: Purpose::Reassign,
        reason: Some(reason.to_owned()),
        approval: None,
    };
    // With the caller's search path, on which triggers of the table may rely: the text itself needs none.
    let params = [new.param(column), param, old.param(column)];
    guard::sanction(sanction, || sql::query_once(&text, &params, Sees::Now, &mut |_| {}))
}
