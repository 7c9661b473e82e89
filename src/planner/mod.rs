//! What the planner is told about the policies.
//!
//! The policy names one function with all mapped columns. While a query is planned it becomes an OR of arms,
//! each of which can use the index on its column, so that cost follows the visible rows and not the table; for
//! a member who sees every row it becomes a gate that looks at no column. Which rows pass is decided at
//! execution only: of who is planning, a plan holds nothing but guesses and, in the gate, a claim that is
//! checked. plans: which kept plans still fit who is asking.

pub(crate) mod plans;

use crate::ffi::call::Call;
use crate::ffi::expr::{Expr, function, function_if_any};
use crate::ffi::invalidation;
use crate::ffi::planner::{self as ffi, Request, no_answer};
use crate::ffi::session;
use crate::ffi::snapshot;
use crate::ffi::statistics::{Place, Spot};
use crate::model::estimate;
use crate::model::value::{Kind, ValueSet};
use crate::visibility::arm::{self, Arm};
use crate::visibility::policy;
use crate::visibility::{self, Part, Subject, Table};
use pgrx::pg_sys::{self, Datum, Oid};
use std::cell::{Cell, RefCell};
use std::ffi::CStr;
use std::rc::Rc;

const ARMS: [Arm; 9] = [
    Arm::Owner,
    Arm::Creator,
    Arm::Territory,
    Arm::Segment,
    Arm::Team,
    Arm::Parent,
    Arm::Record,
    Arm::Admin,
    Arm::Organization,
];

impl Arm {
    /// The function of the policy.
    fn function(self) -> &'static CStr {
        match self {
            Arm::Owner => c"visible_owner",
            Arm::Creator => c"visible_creator",
            Arm::Territory => c"visible_territory",
            Arm::Segment => c"visible_segment",
            Arm::Team => c"visible_team",
            Arm::Parent => c"visible_parent",
            Arm::Record => c"visible_record",
            Arm::Admin => c"visible_admin",
            Arm::Organization => c"visible_organization",
        }
    }

    /// The function that lists what the arm lets pass.
    fn set(self) -> Option<&'static CStr> {
        match self {
            Arm::Owner => Some(c"visible_owners"),
            Arm::Creator => Some(c"visible_creators"),
            Arm::Territory => Some(c"visible_territories"),
            Arm::Segment => Some(c"visible_segments"),
            Arm::Team => Some(c"visible_teams"),
            Arm::Parent => Some(c"visible_parents"),
            Arm::Record => Some(c"visible_records"),
            Arm::Organization => Some(c"visible_organizations"),
            Arm::Admin => None,
        }
    }

    /// In built-in operators: a call, the look at the call site, a probe of the set.
    fn cost(self) -> f64 {
        match self {
            Arm::Owner | Arm::Creator | Arm::Territory | Arm::Segment | Arm::Team | Arm::Parent => 2.5,
            Arm::Record => 4.0, // sometimes it has to ask the index on grants
            Arm::Admin | Arm::Organization => 1.0,
        }
    }

    /// Whether its set may be large.
    pub(crate) fn has_set(self) -> bool {
        !matches!(self, Arm::Admin | Arm::Organization)
    }

    fn number(self) -> usize {
        self as usize
    }
}

/// The OIDs of the functions, looked up again when functions changed: an update of the extension that is rolled back
/// takes its functions with it. Those that a database which is not updated lacks are none.
#[derive(Clone, Copy, Default)]
struct Functions {
    /// `function_changes` when they were looked up; 0: never.
    changes: u64,
    /// How the plan cache knows the gates and the arm that every OR has: every plan has one of them.
    hashes: [u32; 3],
    all: Oid,
    unmarked: Oid,
    arms: [Oid; ARMS.len()],
    stage: Oid,
    sensitive: Oid,
}

thread_local! {
    static FUNCTIONS: Cell<Functions> = Cell::new(Functions::default());
}

fn functions() -> Functions {
    let known = FUNCTIONS.get();
    let changes = invalidation::function_changes();
    if known.changes == changes {
        return known;
    }
    let all = function(c"visible_all", &[pg_sys::REGCLASSOID]);
    let arms = ARMS.map(|arm| function_if_any(arm.function(), &[pg_sys::REGCLASSOID, pg_sys::ANYOID]));
    let unmarked = function_if_any(c"visible_unmarked", &[pg_sys::REGCLASSOID]);
    let hashes = [all, unmarked, arms[Arm::Record.number()]].map(invalidation::plan_cache_hash);
    let hiding =
        |name, columns| function_if_any(name, &[&[pg_sys::REGCLASSOID], &[pg_sys::ANYOID; 3][..columns]].concat());
    let (stage, sensitive) = (hiding(c"visible_stage", 2), hiding(c"visible_sensitive", 3));
    let found = Functions { changes, hashes, all, unmarked, arms, stage, sensitive };
    FUNCTIONS.set(found);
    found
}

/// Has every plan of this backend that a policy shaped made anew at its next use.
fn forget_plans() {
    let known = FUNCTIONS.get();
    if known.changes != 0 {
        known.hashes.into_iter().for_each(invalidation::forget_plans);
        if known.changes + 2 == invalidation::function_changes() {
            // Only what was just said counted as a change of functions.
            FUNCTIONS.set(Functions { changes: invalidation::function_changes(), ..known });
        }
    }
}

/// The arm that a function is, as far as plans of this backend have met it.
pub(crate) fn arm_of(function: Oid) -> Option<Arm> {
    let known = FUNCTIONS.get();
    ARMS.into_iter().find(|arm| known.arms[arm.number()] == function && function != pg_sys::InvalidOid)
}

/// The asking member while a query is planned; None where nothing can be known of him.
fn planning() -> Option<Rc<Subject>> {
    snapshot::active().map(|_| visibility::statement())
}

/// Support function of leadguard.mapped, which is always true. As an SQL function it would be parsed anew for
/// every mapped column of every query, 20 us of planning.
pub(crate) fn mapped(call: &Call) -> Datum {
    match ffi::request(call) {
        Request::Simplify(_) => Expr::always().answer(),
        _ => no_answer(),
    }
}

/// Support function of leadguard.visible(target, id, owner, territory, organization).
pub(crate) fn visible(call: &Call) -> Datum {
    simplified(call, |request| {
        let plain = [Part::Id, Part::Owner, Part::Territory, Part::Organization];
        plain.into_iter().zip(1..).filter_map(|(part, index)| Some((part, request.argument(index)?))).collect()
    })
}

/// Support function of leadguard.may_read(target, names of parts, a column for each).
pub(crate) fn may_read(call: &Call) -> Datum {
    simplified(call, |request| {
        let names = request.argument(1).and_then(Expr::text).unwrap_or_default();
        policy::parts(&names)
            .into_iter()
            .zip(2..)
            .filter_map(|(part, index)| Some((part, request.argument(index)?)))
            .collect()
    })
}

fn simplified(call: &Call, columns: impl FnOnce(&ffi::Simplify) -> Vec<(Part, Expr)>) -> Datum {
    match ffi::request(call) {
        Request::Simplify(request) => {
            let columns = columns(&request);
            let column = |part: Part| columns.iter().find(|(held, _)| *held == part).map(|(_, column)| *column);
            let (Some(target), Some(id)) = (request.argument(0), column(Part::Id)) else { return no_answer() };
            let (once, at_hand) = (request.is_planned_once(), request.is_at_hand(id));
            let columns = columns.into_iter().filter(|(_, column)| !column.is_null_constant()).collect();
            let policy = Policy { target, id, columns, once, at_hand };
            policy.simplified(&functions()).map_or_else(no_answer, Expr::answer)
        }
        // As it stands it is only in plans that have their row.
        Request::Selectivity(request) => request.answer(1.0),
        Request::Cost(request) => request.answer(20.0),
        _ => no_answer(),
    }
}

struct Policy {
    target: Expr,
    id: Expr,
    /// The mapped ones.
    columns: Vec<(Part, Expr)>,
    once: bool,
    at_hand: bool,
}

impl Policy {
    fn column(&self, part: Part) -> Option<Expr> {
        self.columns.iter().find(|(held, _)| *held == part).map(|(_, column)| *column)
    }

    fn simplified(&self, functions: &Functions) -> Option<Expr> {
        let target = self.target.relation()?;
        let subject = planning()?;
        DEMANDS.take();
        let table = subject.table(target);
        plans::planned_by(&subject);
        let arm = |arm: Arm, column: Expr| Expr::call(functions.arms[arm.number()], &[self.target, column]);
        if may_claim(&subject, &table, arm::sees_all) {
            // A plan that cannot outlive this state needs no gate, which would keep other predicates from indexes.
            let all = if self.once { Expr::always() } else { Expr::call(functions.all, &[self.target]) };
            let organization = self.column(Part::Organization).map(|column| arm(Arm::Organization, column));
            return Some(organization.map_or(all, |organization| Expr::and(&[organization, all])));
        }
        if self.at_hand {
            // One call for one row: no index is asked for, and the plan fits every member.
            return None;
        }
        let mut conditions: Vec<Expr> =
            self.column(Part::Organization).map(|column| arm(Arm::Organization, column)).into_iter().collect();
        if may_claim(&subject, &table, arm::sees_all_unmarked) {
            conditions.push(Expr::call(functions.unmarked, &[self.target]));
        } else {
            let of_columns = Arm::OF_COLUMNS.into_iter().filter_map(|of| Some(arm(of, self.column(of.part())?)));
            let paths: Vec<Expr> = of_columns.chain([arm(Arm::Record, self.id), arm(Arm::Admin, self.id)]).collect();
            conditions.push(Expr::or(&paths));
            if let Some(stage) = self.column(Part::Stage) {
                conditions.push(Expr::call(functions.stage, &[self.target, stage, self.id]));
            }
        }
        if let Some(mark) = self.column(Part::Sensitive) {
            let owner = self.column(Part::Owner).unwrap_or_else(Expr::null);
            // Most rows are not marked, and need no call.
            conditions.push(Expr::or(&[
                Expr::is_no_mark(mark),
                Expr::call(functions.sensitive, &[self.target, mark, self.id, owner]),
            ]));
        }
        Some(if let [one] = conditions.as_slice() { *one } else { Expr::and(&conditions) })
    }
}

/// Whether a plan may rest on the planning member's seeing every row. Plans are made anew when the role changes;
/// within a SECURITY DEFINER function it stays the same whoever asks. And a transaction that has written may have
/// changed who it is: functions plan their queries in the state before it.
fn may_claim(subject: &Subject, table: &Option<Table>, sees: fn(&Subject, &Option<Table>) -> bool) -> bool {
    sees(subject, table) && !session::is_switched() && !session::has_written()
}

/// Support function of the re-check: a row that was visible almost always still is. It takes a new snapshot for
/// each row, 0.2 us.
pub(crate) fn still_visible(call: &Call) -> Datum {
    match ffi::request(call) {
        Request::Selectivity(request) => request.answer(1.0),
        Request::Cost(request) => request.answer(30.0),
        _ => no_answer(),
    }
}

/// Support function of the gate.
pub(crate) fn gate(call: &Call) -> Datum {
    match ffi::request(call) {
        Request::Selectivity(request) => request.answer(1.0),
        Request::Cost(request) => request.answer(1.0),
        _ => no_answer(),
    }
}

/// Support function of the hiding rules: most rows are hidden from nobody.
pub(crate) fn hiding(call: &Call) -> Datum {
    match ffi::request(call) {
        Request::Selectivity(request) => request.answer(0.9),
        Request::Cost(request) => request.answer(2.0),
        _ => no_answer(),
    }
}

/// Support function of an arm (target, column).
pub(crate) fn arm(call: &Call, arm: Arm) -> Datum {
    match ffi::request(call) {
        Request::Index(request) => {
            let Some((target, column)) = request.call() else { return no_answer() };
            if request.is_needless() || is_most(&request.place(), arm, target, column) {
                return no_answer();
            }
            let condition = match arm.set() {
                Some(set) => request.equals_any(set, target, column),
                None => request.at_least(c"visible_from", target, column),
            };
            let Some(condition) = condition else { return no_answer() };
            // Equal texts may differ in bytes under some collations; and the lowest id is no id at all.
            if arm.set().is_some() && column.kind().is_some_and(|kind| kind != Kind::Text) {
                request.exact();
            }
            request.answer(condition)
        }
        Request::Selectivity(request) => {
            let (Some(target), Some(column)) = (request.argument(0), request.argument(1)) else { return no_answer() };
            match demand(&request.place(), arm, target, column) {
                Some(demand) => request.answer(demand.share),
                None => no_answer(),
            }
        }
        Request::Cost(request) => request.answer(arm.cost()),
        _ => no_answer(),
    }
}

/// An index is no way to this part of the rows: not building such paths spares a wide member's short queries some of
/// their planning.
const MOST: f64 = 0.6;

fn is_most(place: &Place, arm: Arm, target: Expr, column: Expr) -> bool {
    demand(place, arm, target, column).is_some_and(|demand| demand.share >= MOST)
}

/// What an arm asks of an index for the planning member.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Demand {
    /// How many values its column may have.
    pub values: f64,
    /// Which part of the rows that is.
    pub share: f64,
}

thread_local! {
    /// The planner asks for the same column several times while it plans a query.
    static DEMANDS: RefCell<Vec<(Asked, Option<Demand>)>> = const { RefCell::new(Vec::new()) };
}

/// The arm and the place of its column in the query that is being planned.
type Asked = (Arm, Oid, Spot);

/// None where nothing is known: the planner then takes its own defaults.
pub(crate) fn demand(place: &Place, arm: Arm, target: Expr, column: Expr) -> Option<Demand> {
    let Some(asked) = place.spot(column).and_then(|spot| Some((arm, target.relation()?, spot))) else {
        return find_demand(place, arm, target, column);
    };
    let known = DEMANDS.with_borrow(|demands| demands.iter().find(|(a, _)| *a == asked).map(|(_, d)| *d));
    known.unwrap_or_else(|| {
        let demand = find_demand(place, arm, target, column);
        DEMANDS.with_borrow_mut(|demands| demands.push((asked, demand)));
        demand
    })
}

fn find_demand(place: &Place, arm: Arm, target: Expr, column: Expr) -> Option<Demand> {
    let (target, kind) = (target.relation()?, column.kind()?);
    let subject = planning()?;
    let table = subject.table(target);
    if arm::sees_nothing(&subject, &table) {
        return Some(Demand { values: 0.0, share: 0.0 });
    }
    match arm {
        Arm::Admin => {
            let all = table.as_ref().as_ref().is_some_and(|table| subject.access(table).reads_everything());
            Some(Demand { values: 1.0, share: if all { 1.0 } else { 0.0 } })
        }
        Arm::Record => {
            let granted = subject.granted_estimate(table.as_ref().as_ref()?, kind);
            let rows = place.table_rows(column)?;
            Some(Demand { values: granted, share: (granted / rows).min(1.0) })
        }
        _ => of_set(place, column, &arm::values(&subject, &table, arm, kind), arm, &subject),
    }
}

/// For so few values the index is asked instead of the statistics.
const FEW_VALUES: u64 = 4;
/// Up to so many rows; more of them are as many as an average tells.
const FEW_ROWS: usize = 500;

fn of_set(place: &Place, column: Expr, set: &ValueSet, arm: Arm, subject: &Subject) -> Option<Demand> {
    let values = set.len() as f64;
    if (1..=FEW_VALUES).contains(&set.len())
        && let Some(table) = place.table(column)
        && let Some(share) =
            subject.counted(table, arm, || place.counted_share(column, &set.values().collect::<Vec<_>>(), FEW_ROWS))
    {
        return Some(Demand { values, share });
    }
    let statistics = place.column(column, |value| set.contains(value))?;
    Some(Demand { values, share: estimate::share(&statistics, values) })
}
