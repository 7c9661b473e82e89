//! Requests of the planner to support functions.

use super::call::Call;
use super::expr::{Expr, collation_of, expressions, func, function, list, null, pointers};
use crate::model::value::Kind;
use pgrx::{pg_sys, pg_sys::Oid};
use std::ffi::CStr;

/// "I have nothing to say": the planner goes on as without support function.
pub(crate) fn no_answer() -> pg_sys::Datum {
    pg_sys::Datum::from(0usize)
}

/// What the planner asks a support function.
pub(crate) enum Request {
    Simplify(Simplify),
    Index(Index),
    Selectivity(Selectivity),
    Cost(Cost),
    Other,
}

pub(crate) fn request(call: &Call) -> Request {
    use pg_sys::NodeTag as T;
    let Some(datum) = call.argument(0) else { return Request::Other };
    let node = datum.cast_mut_ptr::<pg_sys::Node>();
    // SAFETY: the planner passes a request node, which begins with its tag.
    match unsafe { (*node).type_ } {
        T::T_SupportRequestSimplify => Request::Simplify(Simplify(node.cast())),
        T::T_SupportRequestIndexCondition => Request::Index(Index(node.cast())),
        T::T_SupportRequestSelectivity => Request::Selectivity(Selectivity(node.cast())),
        T::T_SupportRequestCost => Request::Cost(Cost(node.cast())),
        _ => Request::Other,
    }
}

fn nth(list: *mut pg_sys::List, index: usize) -> Option<Expr> {
    expressions(list).nth(index)
}

/// A call that could be written in another way.
pub(crate) struct Simplify(*mut pg_sys::SupportRequestSimplify);

impl Simplify {
    /// Whether the plan ends with the call that made it, in the state that is seen now.
    pub(crate) fn is_planned_once(&self) -> bool {
        // SAFETY: the query of the running planner, or null.
        unsafe { super::rows::is_planned_once((*self.0).root) }
    }

    /// Whether the query has the row with this id already.
    pub(crate) fn is_at_hand(&self, id: Expr) -> bool {
        // SAFETY: the query of the running planner, or null.
        unsafe { super::lookup::is_at_hand((*self.0).root, id) }
    }

    pub(crate) fn argument(&self, index: usize) -> Option<Expr> {
        // SAFETY: the request and its call are live.
        nth(unsafe { (*(*self.0).fcall).args }, index)
    }
}

/// Whether an index could find the rows for which the call is true.
pub(crate) struct Index(*mut pg_sys::SupportRequestIndexCondition);

impl Index {
    /// The call's arguments (target, column), when it is the column that the index is on, and a btree.
    pub(crate) fn call(&self) -> Option<(Expr, Expr)> {
        // SAFETY: the request is live.
        let request = unsafe { &*self.0 };
        // SAFETY: as is the index it is about.
        let method = unsafe { (*request.index).relam };
        if request.indexarg != 1
            || method != pg_sys::BTREE_AM_OID
            || !Expr::new(request.node).is(pg_sys::NodeTag::T_FuncExpr)
        {
            return None;
        }
        // SAFETY: the tag says that it is a FuncExpr.
        let arguments = unsafe { (*request.node.cast::<pg_sys::FuncExpr>()).args };
        // The condition is evaluated where no row is at hand: of the table only a constant will do.
        let target = nth(arguments, 0).filter(|target| target.relation().is_some())?;
        Some((target, nth(arguments, 1)?))
    }

    pub(crate) fn place(&self) -> super::statistics::Place {
        // SAFETY: the request is live.
        super::statistics::Place::new(unsafe { (*self.0).root }, 0)
    }

    /// Whether the query looks up about one row by an indexed column anyway, which no set of values can better:
    /// not looking for a way saves a third of the planning of such queries.
    pub(crate) fn is_needless(&self) -> bool {
        // SAFETY: the request is live, as are its index, that index's table and its clauses.
        let rel = unsafe { &*(*(*self.0).index).rel };
        pointers::<pg_sys::RestrictInfo>(rel.baserestrictinfo).any(|clause| {
            // SAFETY: an item of the list.
            let clause = unsafe { &*clause };
            let may_go_first = clause.leakproof || clause.security_level <= rel.baserestrict_min_security;
            let finds_one = clause.norm_selec >= 0.0 && clause.norm_selec * rel.tuples <= ABOUT_ONE;
            may_go_first && finds_one && !clause.mergeopfamilies.is_null() && leads_an_index(rel, clause)
        })
    }

    /// `column = ANY (set(target, NULL))`.
    pub(crate) fn equals_any(&self, set: &CStr, target: Expr, column: Expr) -> Option<Expr> {
        let (left, element, operator) = self.operands(column, pg_sys::BTEqualStrategyNumber)?;
        // SAFETY: a catalog look-up.
        let array_type = unsafe { pg_sys::get_array_type(element) };
        let set = function(set, &[pg_sys::REGCLASSOID, pg_sys::ANYELEMENTOID]);
        let array = func(set, array_type, &[target, null(element)], collation_of(element));
        // SAFETY: zeroed memory of the planner for the node that is filled in below.
        let node =
            unsafe { pg_sys::palloc0(size_of::<pg_sys::ScalarArrayOpExpr>()) }.cast::<pg_sys::ScalarArrayOpExpr>();
        // SAFETY: freshly allocated and zeroed, which is a valid value of every field but the tag.
        let expr = unsafe { &mut *node };
        expr.xpr.type_ = pg_sys::NodeTag::T_ScalarArrayOpExpr;
        expr.opno = operator;
        // SAFETY: a catalog look-up.
        expr.opfuncid = unsafe { pg_sys::get_opcode(operator) };
        expr.useOr = true;
        expr.inputcollid = self.collation();
        expr.args = list(&[left, array]);
        expr.location = -1;
        Some(Expr::new(node.cast()))
    }

    /// `column >= lowest(target, NULL)`.
    pub(crate) fn at_least(&self, lowest: &CStr, target: Expr, column: Expr) -> Option<Expr> {
        let (left, element, operator) = self.operands(column, pg_sys::BTGreaterEqualStrategyNumber)?;
        let lowest = function(lowest, &[pg_sys::REGCLASSOID, pg_sys::ANYELEMENTOID]);
        let bound = func(lowest, element, &[target, null(element)], collation_of(element));
        // SAFETY: the operands fit the operator.
        let node = unsafe {
            pg_sys::make_opclause(
                operator,
                pg_sys::BOOLOID,
                false,
                left.pointer().cast(),
                bound.pointer().cast(),
                pg_sys::InvalidOid,
                self.collation(),
            )
        };
        // SAFETY: make_opclause makes an OpExpr, and leaves this field to whoever needs it.
        unsafe { pg_sys::set_opfuncid(node.cast()) };
        Some(Expr::new(node.cast()))
    }

    /// The column as left operand, the type of the right one, and the operator of the index between them.
    fn operands(&self, column: Expr, strategy: u32) -> Option<(Expr, Oid, Oid)> {
        // SAFETY: a node of the planner.
        let declared = unsafe { pg_sys::exprType(column.pointer()) };
        // SAFETY: a catalog look-up; domains count as their base type.
        let base = unsafe { pg_sys::getBaseType(declared) };
        let (operand, element) = match column.kind()? {
            Kind::Int2 | Kind::Int4 | Kind::Int8 => (base, pg_sys::INT8OID),
            Kind::Text => (pg_sys::TEXTOID, pg_sys::TEXTOID),
            Kind::Uuid => (pg_sys::UUIDOID, pg_sys::UUIDOID),
        };
        // SAFETY: the request is live; a catalog look-up.
        let operator = unsafe { pg_sys::get_opfamily_member((*self.0).opfamily, operand, element, strategy as i16) };
        if operator == pg_sys::InvalidOid {
            return None;
        }
        let copy = column.copy();
        if declared == operand {
            return Some((copy, element, operator));
        }
        // SAFETY: the types are binary compatible: varchar and text, a domain and its base type.
        let relabelled = unsafe {
            pg_sys::makeRelabelType(
                copy.pointer().cast(),
                operand,
                -1,
                self.collation(),
                pg_sys::CoercionForm::COERCE_IMPLICIT_CAST,
            )
        };
        Some((Expr::new(relabelled.cast()), element, operator))
    }

    fn collation(&self) -> Oid {
        // SAFETY: the request is live.
        unsafe { (*self.0).indexcollation }
    }

    /// Says that rows found by the condition need no further look.
    pub(crate) fn exact(&self) {
        // SAFETY: the request is live, and this field is for the answer.
        unsafe { (*self.0).lossy = false };
    }

    /// The conditions that answer the request.
    pub(crate) fn answer(&self, condition: Expr) -> pg_sys::Datum {
        pg_sys::Datum::from(list(&[condition]))
    }
}

const ABOUT_ONE: f64 = 2.0;

/// Whether a comparison with a constant is on the leading column of a btree.
fn leads_an_index(rel: &pg_sys::RelOptInfo, clause: &pg_sys::RestrictInfo) -> bool {
    let node = Expr::new(clause.clause.cast());
    if !node.is(pg_sys::NodeTag::T_OpExpr) {
        return false;
    }
    // SAFETY: the tag says what it is.
    let operands = expressions(unsafe { (*node.pointer().cast::<pg_sys::OpExpr>()).args });
    operands.filter_map(|operand| operand.as_column()).any(|column| {
        pointers::<pg_sys::IndexOptInfo>(rel.indexlist).any(|index| {
            // SAFETY: an item of the list, which has at least one key.
            let (method, partial, first) =
                unsafe { ((*index).relam, !(*index).indpred.is_null(), *(*index).indexkeys) };
            method == pg_sys::BTREE_AM_OID && !partial && first == i32::from(column.varattno)
        })
    })
}

/// Which part of the rows pass the call.
pub(crate) struct Selectivity(*mut pg_sys::SupportRequestSelectivity);

impl Selectivity {
    pub(crate) fn argument(&self, index: usize) -> Option<Expr> {
        // SAFETY: the request is live.
        nth(unsafe { (*self.0).args }, index)
    }

    /// The query whose statistics count.
    pub(crate) fn place(&self) -> super::statistics::Place {
        // SAFETY: the request is live.
        let request = unsafe { &*self.0 };
        super::statistics::Place::new(request.root, request.varRelid)
    }

    pub(crate) fn answer(&self, share: f64) -> pg_sys::Datum {
        // SAFETY: the request is live, and this field is for the answer.
        unsafe { (*self.0).selectivity = share };
        pg_sys::Datum::from(self.0)
    }
}

/// What a call costs.
pub(crate) struct Cost(*mut pg_sys::SupportRequestCost);

impl Cost {
    /// In units of cpu_operator_cost for each row.
    pub(crate) fn answer(&self, operators: f64) -> pg_sys::Datum {
        // SAFETY: the request is live, and these fields are for the answer; the cost is a plain setting.
        unsafe {
            (*self.0).startup = 0.0;
            (*self.0).per_tuple = operators * pg_sys::cpu_operator_cost;
        }
        pg_sys::Datum::from(self.0)
    }
}
