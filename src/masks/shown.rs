//! Whether a column of a row is shown in clear, masked or not at all.
//!
//! The field matrix comes first: a column that none of the member's roles may read is shown to nobody of them. A
//! masked column is shown in clear on the rows that the member reaches by one of the paths that the mask names.

use crate::errors::bug;
use crate::ffi::call::{self, Call};
use crate::ffi::scan::attribute_number;
use crate::ffi::session;
use crate::ffi::shown::Site;
use crate::ffi::snapshot;
use crate::fields;
use crate::model::path::Path;
use crate::model::value::{Kind, Value, ValueSet};
use crate::visibility::sets::Which;
use crate::visibility::{Subject, Table, subject};
use pgrx::pg_sys::Datum;
use std::cell::OnceCell;
use std::rc::Rc;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Clear,
    Masked,
    NotAtAll,
}

impl Shown {
    /// As the SQL type "char".
    pub(crate) fn datum(self) -> Datum {
        Datum::from(usize::from(match self {
            Shown::Clear => b'c',
            Shown::Masked => b'm',
            Shown::NotAtAll => b'n',
        }))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Shown::Clear => "clear",
            Shown::Masked => "masked",
            Shown::NotAtAll => "no access",
        }
    }
}

/// What decides about one column for one member in one state of the database.
pub(crate) struct Paths {
    /// The same for every row.
    pub always: Option<Shown>,
    pub owners: Option<Rc<ValueSet>>,
    pub territories: Option<Rc<ValueSet>>,
    /// Whether grants on single records clear, too. They are read only for a row that nothing else decides.
    pub asks_records: bool,
    /// Whose, and on which paths.
    grants: Option<(Rc<Subject>, Table, Vec<Path>)>,
    records: OnceCell<Rc<ValueSet>>,
}

impl Paths {
    fn always(shown: Shown) -> Paths {
        Paths {
            always: Some(shown),
            owners: None,
            territories: None,
            asks_records: false,
            grants: None,
            records: OnceCell::new(),
        }
    }

    /// The column for the member who asks. Without a member: everything for sessions that row security does not
    /// bind, nothing for others.
    pub(crate) fn find(subject: &Subject, table: &Option<Table>, column: &str, kinds: [Option<Kind>; 3]) -> Paths {
        let Some(table) = table else { return Paths::always(Shown::NotAtAll) };
        let Some(member) = &subject.member else {
            return Paths::always(if is_unbound(table) { Shown::Clear } else { Shown::NotAtAll });
        };
        let number = attribute_number(table.target, column);
        let rules = fields::rules(table.target);
        // A mask that was made for another column than the one that now has its number or its name hides this one.
        let is_broken = rules.masks.iter().any(|mask| mask.column.is_broken_by(number, column));
        if number <= 0 || is_broken || !rules.access(number, column, "", &member.roles).reads() {
            return Paths::always(Shown::NotAtAll);
        }
        match rules.masks.iter().find(|mask| mask.column.name == column) {
            None => Paths::always(Shown::Clear),
            Some(mask) => Paths::clear_for(subject, table, &mask.clear_for, kinds),
        }
    }

    fn clear_for(
        subject: &Subject,
        table: &Table,
        clear_for: &[String],
        [id, owner, territory]: [Option<Kind>; 3],
    ) -> Paths {
        // A path that the rules of the table close clears nothing either.
        let access = subject.access(table);
        let clears = |path: &Path| access.reads(*path) && clear_for.iter().any(|held| held == path.name());
        let of = |paths: &[Path]| -> Vec<Path> { paths.iter().copied().filter(clears).collect() };
        if clears(&Path::Admin) || clears(&Path::Organization) {
            return Paths::always(Shown::Clear);
        }
        let owners = of(&[Path::Own, Path::Manager, Path::Colleague]);
        let territories = of(&[Path::Territory, Path::TerritoryAncestor, Path::TerritoryManager, Path::Scope]);
        let grants = of(&[Path::RecordTeam, Path::RecordTeamManager, Path::Share, Path::Contact]);
        let asks_records = id.is_some() && !grants.is_empty();
        Paths {
            always: None,
            owners: owner
                .filter(|_| !owners.is_empty())
                .map(|kind| subject.set(Which::members(&owners, &access), kind)),
            territories: territory
                .filter(|_| !territories.is_empty())
                .map(|kind| subject.set(Which::territories(&territories, &access, table.target), kind)),
            asks_records,
            grants: asks_records.then(|| (subject::statement(), table.clone(), grants)),
            records: OnceCell::new(),
        }
    }

    pub(crate) fn loaded_records(&self) -> Option<&ValueSet> {
        self.records.get().map(Rc::as_ref)
    }

    fn records(&self, kind: Kind) -> &ValueSet {
        self.records.get_or_init(|| match &self.grants {
            Some((subject, table, paths)) => subject.granted_on(table, kind, paths),
            None => Rc::new(ValueSet::of_ids([])),
        })
    }

    pub(crate) fn of(&self, row: [Value; 3], [id, ..]: [Option<Kind>; 3]) -> Shown {
        if let Some(always) = self.always {
            return always;
        }
        let within = |set: Option<&ValueSet>, value: &Value| set.is_some_and(|set| set.contains(value));
        let clear = within(self.owners.as_deref(), &row[1])
            || within(self.territories.as_deref(), &row[2])
            || (self.asks_records && id.is_some_and(|kind| self.records(kind).contains(&row[0])));
        if clear { Shown::Clear } else { Shown::Masked }
    }
}

/// Whether row security does not bind a session that is no member.
pub(super) fn is_unbound(table: &Table) -> bool {
    session::bypasses_row_security(session::session_role())
        || (!table.force && session::owns_relation(table.target, session::session_role()))
}

/// (target, column, id, owner, territory, organization) to 'c', 'm' or 'n': the guarded way of ffi::shown.
pub(crate) fn judge(call: &Call) -> Datum {
    let (Some(target), Some(column)) = (call.oid_argument(0), call.text_argument(1)) else {
        return Shown::NotAtAll.datum();
    };
    let site = call::borrow(call.state(|| Site::new(call)));
    let kinds = site.kinds();
    let Some(state) = snapshot::active() else { bug("a mask without a snapshot") };
    let paths = site.paths(target).unwrap_or_else(|| {
        let subject = subject::statement();
        Rc::new(Paths::find(&subject, &subject.table(target), &column, kinds))
    });
    let row = [call.value(2, kinds[0]), call.value(3, kinds[1]), call.value(4, kinds[2])];
    let shown = paths.of(row, kinds);
    site.bind(target, state, &paths);
    shown.datum()
}

/// A column of one row, for those who ask.
pub(super) fn shown_state(
    subject: &Subject,
    table: &Table,
    column: &str,
    row: [Value; 3],
    kinds: [Option<Kind>; 3],
) -> Shown {
    Paths::find(subject, &Some(table.clone()), column, kinds).of(row, kinds)
}
