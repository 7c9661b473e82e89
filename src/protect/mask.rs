//! Which columns the view masks, and for whom.

use super::conceal::{Concealable, finish};
use super::step::Step;
use super::view::{self, Mask};
use crate::errors::{bad_argument, failure};
use crate::names::literal;
use pgrx::pg_sys::Oid;

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
