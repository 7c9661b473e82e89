//! Requests of the planner to support functions, and the expressions that answer them.
//!
//! Expressions live in the planner's memory context; an Expr is only used while the planner waits.

use super::call::{Call, kind_of};
use crate::model::value::Kind;
use pgrx::{pg_sys, pg_sys::Oid};
use std::ffi::CStr;

/// Any expression of a query tree.
#[derive(Clone, Copy)]
pub(crate) struct Expr(*mut pg_sys::Node);

impl Expr {
    pub(super) fn new(node: *mut pg_sys::Node) -> Expr {
        Expr(node)
    }

    /// The arguments, if it is a call of a function.
    pub(super) fn as_call(self) -> Option<Vec<Expr>> {
        // SAFETY: the tag says what it is.
        self.is(pg_sys::NodeTag::T_FuncExpr).then(|| expressions(unsafe { (*self.0.cast::<pg_sys::FuncExpr>()).args }))
    }

    /// The column of the query itself that it is.
    pub(super) fn as_column(self) -> Option<&'static pg_sys::Var> {
        let mut node = self;
        while node.is(pg_sys::NodeTag::T_RelabelType) {
            // SAFETY: the tag says what it is.
            node = Expr(unsafe { (*node.0.cast::<pg_sys::RelabelType>()).arg }.cast());
        }
        if !node.is(pg_sys::NodeTag::T_Var) {
            return None;
        }
        // SAFETY: the tag says what it is; read before the planner goes on.
        let var = unsafe { &*node.0.cast::<pg_sys::Var>() };
        (var.varlevelsup == 0).then_some(var)
    }

    fn is(self, tag: pg_sys::NodeTag) -> bool {
        // SAFETY: null, or a node of the planner.
        !self.0.is_null() && unsafe { (*self.0).type_ } == tag
    }

    fn constant(self) -> Option<&'static pg_sys::Const> {
        // SAFETY: the tag says that it is a Const; read before the planner goes on.
        self.is(pg_sys::NodeTag::T_Const).then(|| unsafe { &*self.0.cast() })
    }

    pub(crate) fn is_null_constant(self) -> bool {
        self.constant().is_some_and(|c| c.constisnull)
    }

    /// The value of a constant of type regclass.
    pub(crate) fn relation(self) -> Option<Oid> {
        let constant = self.constant().filter(|c| !c.constisnull)?;
        Some(Oid::from_u32(constant.constvalue.value() as u32))
    }

    pub(crate) fn kind(self) -> Option<Kind> {
        // SAFETY: a node of the planner.
        kind_of(unsafe { pg_sys::exprType(self.0) })
    }

    fn copy(self) -> Expr {
        // SAFETY: a node of the planner.
        Expr(unsafe { pg_sys::copyObjectImpl(self.0.cast()) }.cast())
    }

    pub(crate) fn always() -> Expr {
        // SAFETY: makes a node.
        Expr(unsafe { pg_sys::makeBoolConst(true, false) }.cast())
    }

    pub(crate) fn or(arms: &[Expr]) -> Expr {
        // SAFETY: a list of boolean expressions.
        Expr(unsafe { pg_sys::make_orclause(list(arms)) }.cast())
    }

    pub(crate) fn and(parts: &[Expr]) -> Expr {
        // SAFETY: a list of boolean expressions.
        Expr(unsafe { pg_sys::make_andclause(list(parts)) }.cast())
    }

    /// A call of a boolean function, with copies of the arguments.
    pub(crate) fn call(function: Oid, arguments: &[Expr]) -> Expr {
        func(function, pg_sys::BOOLOID, arguments, pg_sys::InvalidOid)
    }

    pub(super) fn pointer(self) -> *mut pg_sys::Node {
        self.0
    }

    /// What a support function returns.
    pub(crate) fn answer(self) -> pg_sys::Datum {
        pg_sys::Datum::from(self.0)
    }
}

/// "I have nothing to say": the planner goes on as without support function.
pub(crate) fn no_answer() -> pg_sys::Datum {
    pg_sys::Datum::from(0usize)
}

fn list(items: &[Expr]) -> *mut pg_sys::List {
    // SAFETY: lappend makes a list of the first item where there is none.
    items.iter().fold(core::ptr::null_mut(), |list, item| unsafe { pg_sys::lappend(list, item.0.cast()) })
}

fn func(function: Oid, result: Oid, arguments: &[Expr], collation: Oid) -> Expr {
    let copies: Vec<Expr> = arguments.iter().map(|a| a.copy()).collect();
    // SAFETY: the arguments fit the function, which is one of the extension's.
    let node = unsafe {
        pg_sys::makeFuncExpr(
            function,
            result,
            list(&copies),
            collation,
            collation,
            pg_sys::CoercionForm::COERCE_EXPLICIT_CALL,
        )
    };
    Expr(node.cast())
}

/// A function of the extension by its name and argument types. Found without asking for privileges: whoever
/// plans may have none on the schema.
pub(crate) fn function(name: &CStr, arguments: &[Oid]) -> Oid {
    // SAFETY: a catalog look-up by a terminated name.
    let schema = unsafe { pg_sys::get_namespace_oid(c"leadguard".as_ptr(), false) };
    // SAFETY: as many types as announced.
    let types = unsafe { pg_sys::buildoidvector(arguments.as_ptr(), arguments.len() as i32) };
    // SAFETY: the keys are those of this cache: name, argument types, schema.
    let found = unsafe {
        pg_sys::GetSysCacheOid(
            pg_sys::SysCacheIdentifier::PROCNAMEARGSNSP as i32,
            pg_sys::Anum_pg_proc_oid as i16,
            pg_sys::Datum::from(name.as_ptr()),
            pg_sys::Datum::from(types),
            pg_sys::Datum::from(schema),
            pg_sys::Datum::from(0usize),
        )
    };
    if found == pg_sys::InvalidOid {
        crate::errors::bug("a function of the extension is missing; ALTER EXTENSION leadguard UPDATE");
    }
    found
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

pub(super) fn expressions(list: *mut pg_sys::List) -> Vec<Expr> {
    // SAFETY: a list of expressions of the planner.
    let list = unsafe { pgrx::PgList::<pg_sys::Node>::from_pg(list) };
    list.iter_ptr().map(Expr).collect()
}

fn nth(list: *mut pg_sys::List, index: usize) -> Option<Expr> {
    expressions(list).get(index).copied()
}

/// A call that could be written in another way.
pub(crate) struct Simplify(*mut pg_sys::SupportRequestSimplify);

impl Simplify {
    pub(crate) fn function(&self) -> Oid {
        // SAFETY: the request and its call are live.
        unsafe { (*(*self.0).fcall).funcid }
    }

    /// Whether the plan ends with the call that made it, in the state that is seen now.
    pub(crate) fn is_planned_once(&self) -> bool {
        // SAFETY: the query of the running planner, or null.
        unsafe { super::rows::is_planned_once((*self.0).root) }
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
            || !Expr(request.node).is(pg_sys::NodeTag::T_FuncExpr)
        {
            return None;
        }
        // SAFETY: the tag says that it is a FuncExpr.
        let arguments = unsafe { (*request.node.cast::<pg_sys::FuncExpr>()).args };
        Some((nth(arguments, 0)?, nth(arguments, 1)?))
    }

    /// Whether the query looks up about one row by an indexed column anyway, which no set of values can better:
    /// not looking for a way saves a third of the planning of such queries.
    pub(crate) fn is_needless(&self) -> bool {
        // SAFETY: the request is live, as are its index, that index's table and its clauses.
        let rel = unsafe { &*(*(*self.0).index).rel };
        // SAFETY: a list of RestrictInfo.
        let clauses = unsafe { pgrx::PgList::<pg_sys::RestrictInfo>::from_pg(rel.baserestrictinfo) };
        clauses.iter_ptr().any(|clause| {
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
        Some(Expr(node.cast()))
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
                left.0.cast(),
                bound.0.cast(),
                pg_sys::InvalidOid,
                self.collation(),
            )
        };
        // SAFETY: make_opclause makes an OpExpr, and leaves this field to whoever needs it.
        unsafe { pg_sys::set_opfuncid(node.cast()) };
        Some(Expr(node.cast()))
    }

    /// The column as left operand, the type of the right one, and the operator of the index between them.
    fn operands(&self, column: Expr, strategy: u32) -> Option<(Expr, Oid, Oid)> {
        // SAFETY: a node of the planner.
        let declared = unsafe { pg_sys::exprType(column.0) };
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
                copy.0.cast(),
                operand,
                -1,
                self.collation(),
                pg_sys::CoercionForm::COERCE_IMPLICIT_CAST,
            )
        };
        Some((Expr(relabelled.cast()), element, operator))
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
    let node = Expr(clause.clause.cast());
    if !node.is(pg_sys::NodeTag::T_OpExpr) {
        return false;
    }
    // SAFETY: the tag says what it is.
    let operands = expressions(unsafe { (*node.0.cast::<pg_sys::OpExpr>()).args });
    // SAFETY: a list of IndexOptInfo.
    let indexes = unsafe { pgrx::PgList::<pg_sys::IndexOptInfo>::from_pg(rel.indexlist) };
    operands.iter().filter_map(|operand| operand.as_column()).any(|column| {
        indexes.iter_ptr().any(|index| {
            // SAFETY: an item of the list, which has at least one key.
            let (method, partial, first) =
                unsafe { ((*index).relam, !(*index).indpred.is_null(), *(*index).indexkeys) };
            method == pg_sys::BTREE_AM_OID && !partial && first == i32::from(column.varattno)
        })
    })
}

fn null(type_oid: Oid) -> Expr {
    // SAFETY: makes a node.
    Expr(unsafe { pg_sys::makeNullConst(type_oid, -1, collation_of(type_oid)) }.cast())
}

fn collation_of(type_oid: Oid) -> Oid {
    if type_oid == pg_sys::TEXTOID { pg_sys::DEFAULT_COLLATION_OID } else { pg_sys::InvalidOid }
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
