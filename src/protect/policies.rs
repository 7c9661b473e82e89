//! Policies that follow the rules of their table: they name the columns that rules ask for, and no other.

use super::check;
use super::inspect;
use super::plan;
use super::registry;
use super::render::Protection;
use super::step;
use crate::arguments::given;
use crate::errors::bad_argument;
use crate::ffi::policies;
use crate::ffi::session::as_extension;
use crate::masks;
use crate::names;
use crate::rulebook;
use crate::rules;
use crate::visibility::{self, Table};
use pgrx::pg_sys::Oid;

/// Makes the policies ask for the creator where rules do. In the name of the extension: whoever may change rules need not
/// own the table, and none of the statements runs code of its owner.
pub(crate) fn follow_rules(target: Oid) {
    let Some(entry) = registry::find(target) else { return };
    let uses_creator = rules::use_creator(target);
    let asks = |with_creator: bool| {
        let form = entry.mapping.form(with_creator);
        let columns: Vec<Option<&str>> = form.columns.iter().map(Option::as_deref).collect();
        policies::reads_columns(target, c"leadguard_select", form.parts.as_deref(), &columns) == Some(true)
    };
    // Policies that ask for the creator are right without such a rule, too: taking one back must not wait for every
    // reader of the table.
    if asks(uses_creator) || asks(true) {
        return;
    }
    as_extension(|| {
        let Some(relation) = inspect::relation(target) else { return };
        let protection = Protection::new(&relation.name, &entry.mapping, entry.force, uses_creator);
        let tree = inspect::tree(target);
        let steps: Vec<_> = tree.iter().flat_map(|member| protection.altered(member)).collect();
        step::run(&plan::patience());
        step::run_on(target, &steps);
    });
}

/// A protected table whose owner the caller is, or a superuser; 42501 for others, 22023 for what is not protected.
pub(crate) fn owned_table(target: Option<Oid>) -> Table {
    let target = given(target, "target");
    let table = visibility::now().table(target);
    let Some(table) = table.as_ref() else {
        bad_argument(format!("{} is not a protected table", names::shown(target)))
            .hint("leadguard.protected lists the protected tables.")
            .raise()
    };
    check::owned(table.target);
    masks::require_view(table);
    rulebook::right::lock(table.target);
    table.clone()
}
