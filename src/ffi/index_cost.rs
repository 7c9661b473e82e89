//! What it costs to find rows through an index by a set of values.
//!
//! The planner would evaluate the set for every index that it considers, 33 to 136 ms of planning for members
//! high up. So the cost function of btree indexes is wrapped: for conditions that come from an arm, size and
//! statistics of the set say in constant time what it would find out by counting.

use super::compat::{self, CostEstimate};
use super::expr::{expressions, pointers};
use super::statistics::Place;
use crate::planner::{self, Demand};
use crate::visibility::arm::Arm;
use pgrx::pg_sys;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The cost function of btree. Written once, by the one thread that a backend has.
static ORIGINAL: AtomicUsize = AtomicUsize::new(0);

static mut PREVIOUS_HOOK: pg_sys::get_relation_info_hook_type = None;

/// Has every later plan of this backend ask here. Called once, when the library is loaded.
pub(crate) fn install() {
    // SAFETY: plain variables of the backend, read and written by its one thread.
    unsafe {
        PREVIOUS_HOOK = pg_sys::get_relation_info_hook;
        pg_sys::get_relation_info_hook = Some(relation_info);
    }
}

/// The first OID that is not one of the catalogs'.
const FIRST_USER_OID: u32 = 16384;

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn relation_info(
    root: *mut pg_sys::PlannerInfo,
    relation: pg_sys::Oid,
    inherited: bool,
    rel: *mut pg_sys::RelOptInfo,
) {
    // SAFETY: the hook that was installed before, called as Postgres calls it.
    if let Some(previous) = unsafe { PREVIOUS_HOOK } {
        // SAFETY: as above.
        unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| previous(root, relation, inherited, rel)) };
    }
    if relation.to_u32() < FIRST_USER_OID {
        return;
    }
    // SAFETY: the relation's list of IndexOptInfo.
    for index in pointers::<pg_sys::IndexOptInfo>(unsafe { (*rel).indexlist }) {
        // SAFETY: an item of the list.
        let index = unsafe { &mut *index };
        let Some(estimate) = index.amcostestimate.filter(|_| index.relam == pg_sys::BTREE_AM_OID) else { continue };
        let address = estimate as usize;
        let known = ORIGINAL.load(Ordering::Relaxed);
        if known == 0 {
            ORIGINAL.store(address, Ordering::Relaxed);
        } else if known != address {
            continue;
        }
        index.amcostestimate = Some(compat::held(cost_estimate));
    }
}

/// Stands in for amcostestimate, whose arguments these are.
#[allow(clippy::too_many_arguments)]
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn cost_estimate(
    root: *mut pg_sys::PlannerInfo,
    path: *mut pg_sys::IndexPath,
    loops: f64,
    startup: *mut pg_sys::Cost,
    total: *mut pg_sys::Cost,
    selectivity: *mut pg_sys::Selectivity,
    correlation: *mut f64,
    pages: *mut f64,
) {
    // SAFETY: a path of the running planner.
    let scan = unsafe { Scan::new(root, path, loops) };
    if !scan.has_set() {
        // SAFETY: stored by relation_info before it put this function in place.
        let original: CostEstimate = unsafe { std::mem::transmute(ORIGINAL.load(Ordering::Relaxed)) };
        // SAFETY: the arguments are those of Postgres.
        return unsafe {
            pg_sys::ffi::pg_guard_ffi_boundary(|| {
                original(root, path, loops, startup, total, selectivity, correlation, pages)
            })
        };
    }
    let cost = scan.cost();
    // SAFETY: out-parameters of Postgres.
    unsafe {
        *startup = cost.startup;
        *total = cost.total;
        *selectivity = cost.selectivity;
        *pages = cost.pages;
        // These conditions are arms of an OR, and a bitmap does not ask in which order the rows lie.
        *correlation = 0.0;
    }
}

struct Estimated {
    startup: f64,
    total: f64,
    selectivity: f64,
    pages: f64,
}

/// One clause that an index scan uses.
struct Clause {
    column: i32,
    info: *mut pg_sys::RestrictInfo,
    demand: Option<Demand>,
}

struct Scan {
    root: *mut pg_sys::PlannerInfo,
    index: *mut pg_sys::IndexOptInfo,
    loops: f64,
    clauses: Vec<Clause>,
}

impl Scan {
    /// # Safety
    /// The arguments must be those that Postgres passes to a cost function.
    unsafe fn new(root: *mut pg_sys::PlannerInfo, path: *mut pg_sys::IndexPath, loops: f64) -> Scan {
        // SAFETY: as the caller promises.
        let path = unsafe { &*path };
        let place = Place::new(root, 0);
        let clauses = pointers::<pg_sys::IndexClause>(path.indexclauses)
            .map(|clause| {
                // SAFETY: an item of the list.
                let (column, info) = unsafe { (i32::from((*clause).indexcol), (*clause).rinfo) };
                // SAFETY: an index clause has the clause it was made of.
                let call = unsafe { (*info).clause }.cast::<pg_sys::Node>();
                Clause { column, info, demand: demand(&place, call) }
            })
            .collect();
        Scan { root, index: path.indexinfo, loops: loops.max(1.0), clauses }
    }

    /// Whether a condition compares with a set that may be large.
    fn has_set(&self) -> bool {
        self.clauses.iter().any(|c| c.demand.is_some())
    }

    fn selectivity_of(&self, clause: &Clause) -> f64 {
        match &clause.demand {
            Some(demand) => demand.share,
            None => {
                // SAFETY: a clause of the running planner.
                unsafe {
                    pg_sys::clause_selectivity(
                        self.root,
                        clause.info.cast(),
                        (*(*self.index).rel).relid as i32,
                        pg_sys::JoinType::JOIN_INNER,
                        core::ptr::null_mut(),
                    )
                }
            }
        }
    }

    fn is_equality(&self, clause: &Clause) -> bool {
        if clause.demand.is_some() {
            return true;
        }
        // SAFETY: an index clause has the clause it was made of.
        let node = unsafe { (*clause.info).clause }.cast::<pg_sys::Node>();
        // SAFETY: a node of the planner, which begins with its tag.
        match unsafe { (*node).type_ } {
            pg_sys::NodeTag::T_OpExpr => {}
            pg_sys::NodeTag::T_FuncExpr => {
                // SAFETY: the tag says what it is.
                let function = unsafe { (*node.cast::<pg_sys::FuncExpr>()).funcid };
                return planner::arm_of(function) == Some(Arm::Organization);
            }
            _ => return false,
        }
        // SAFETY: the tag says what it is; the index has an operator family for each key column.
        let (operator, family) =
            unsafe { ((*node.cast::<pg_sys::OpExpr>()).opno, *(*self.index).opfamily.add(clause.column as usize)) };
        // SAFETY: a catalog look-up; 0 for an operator outside the family.
        unsafe { pg_sys::get_op_opfamily_strategy(operator, family) == pg_sys::BTEqualStrategyNumber as i32 }
    }

    /// How often the tree is descended, and which part of the index is read: the clauses on the leading columns
    /// bound it, up to the first column that is not bound to single values.
    fn bounds(&self) -> (f64, f64) {
        let (mut descents, mut share) = (1.0, 1.0);
        // SAFETY: the index of the path.
        for column in 0..unsafe { (*self.index).nkeycolumns } {
            let mut bound = false;
            for clause in self.clauses.iter().filter(|c| c.column == column) {
                share *= self.selectivity_of(clause);
                descents *= clause.demand.as_ref().map_or(1.0, |d| d.values.max(1.0));
                bound |= self.is_equality(clause);
            }
            if !bound {
                break;
            }
        }
        (descents, share)
    }

    fn cost(&self) -> Estimated {
        // SAFETY: the index of the path, and its table.
        let (index, rel) = unsafe { (&*self.index, &*(*self.index).rel) };
        let (mut random_page, mut sequential_page) = (0.0, 0.0);
        // SAFETY: out-parameters; 0 stands for the database's tablespace.
        unsafe {
            pg_sys::get_tablespace_page_costs(index.reltablespace, &mut random_page, &mut sequential_page);
        }
        // SAFETY: plain settings.
        let (operator, per_entry) = unsafe { (pg_sys::cpu_operator_cost, pg_sys::cpu_index_tuple_cost) };

        let partial =
            if index.indpred.is_null() || rel.tuples <= 0.0 { 1.0 } else { (index.tuples / rel.tuples).min(1.0) };
        let selectivity = self.clauses.iter().map(|c| self.selectivity_of(c)).product::<f64>() * partial;
        let (descents, share) = self.bounds();
        let entries = (index.tuples * share).max(1.0);
        let leaf_pages = f64::from(index.pages).max(1.0);
        // Leaves that hold the entries of one value are neighbours; those of different values are anywhere. Inner
        // pages stay in memory and are charged as processor time.
        // SAFETY: plain arithmetic on the query's settings.
        let apart = unsafe { pg_sys::index_pages_fetched(descents * self.loops, index.pages, leaf_pages, self.root) }
            / self.loops;
        let together = (leaf_pages * share).min(leaf_pages);
        let pages = apart.max(together).max(1.0);

        let descent =
            (index.tuples.max(2.0).log2().ceil() + f64::from(index.tree_height + 1) * PAGE_OPERATORS) * operator;
        let quals = self.clauses.len() as f64;
        let startup = descent + descents * operator;
        let total = startup
            + (descents - 1.0).max(0.0) * descent
            + entries * (per_entry + quals * operator)
            + pages * random_page;
        Estimated { startup, total, selectivity: selectivity.clamp(0.0, 1.0), pages }
    }
}

/// What looking at one page of the tree costs, as btcostestimate has it.
const PAGE_OPERATORS: f64 = 50.0;

fn demand(place: &Place, call: *mut pg_sys::Node) -> Option<Demand> {
    // SAFETY: a clause of the running planner.
    if unsafe { (*call).type_ } != pg_sys::NodeTag::T_FuncExpr {
        return None;
    }
    // SAFETY: the tag says what it is.
    let call = unsafe { &*call.cast::<pg_sys::FuncExpr>() };
    let arm = planner::arm_of(call.funcid).filter(|arm| arm.has_set())?;
    let mut arguments = expressions(call.args);
    planner::demand(place, arm, arguments.next()?, arguments.next()?)
}
