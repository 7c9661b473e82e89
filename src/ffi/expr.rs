//! Expressions of a query tree.
//!
//! They live in the planner's memory context; an Expr is only used while the planner waits.

use super::call::{kind_of, text_of};
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
    pub(super) fn as_call(self) -> Option<impl Iterator<Item = Expr>> {
        // SAFETY: the tag says what it is.
        self.is(pg_sys::NodeTag::T_FuncExpr).then(|| expressions(unsafe { (*self.0.cast::<pg_sys::FuncExpr>()).args }))
    }

    /// The parts of an AND; none for anything else.
    pub(super) fn conjuncts(self) -> impl Iterator<Item = Expr> {
        // SAFETY: the tag says what it is.
        let parts = self.is(pg_sys::NodeTag::T_BoolExpr).then(|| unsafe { &*self.0.cast::<pg_sys::BoolExpr>() });
        let list = parts.filter(|p| p.boolop == pg_sys::BoolExprType::AND_EXPR).map(|p| p.args);
        expressions(list.unwrap_or(core::ptr::null_mut()))
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

    pub(super) fn is(self, tag: pg_sys::NodeTag) -> bool {
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

    /// The value of a constant of type text.
    pub(crate) fn text(self) -> Option<String> {
        let constant = self.constant().filter(|c| !c.constisnull && c.consttype == pg_sys::TEXTOID)?;
        // SAFETY: the constant is of type text.
        unsafe { text_of(constant.constvalue) }.map(str::to_owned)
    }

    /// NULL, of the type that every "any" takes.
    pub(crate) fn null() -> Expr {
        null(pg_sys::INT8OID)
    }

    /// Whether a column of marks, boolean or text, marks no row.
    pub(crate) fn is_no_mark(argument: Expr) -> Expr {
        // SAFETY: a node of the planner.
        if unsafe { pg_sys::getBaseType(pg_sys::exprType(argument.0)) } != pg_sys::BOOLOID {
            return Expr::is_null(argument);
        }
        let test = pg_sys::BooleanTest {
            xpr: pg_sys::Expr { type_: pg_sys::NodeTag::T_BooleanTest },
            arg: argument.copy().0.cast(),
            booltesttype: pg_sys::BoolTestType::IS_NOT_TRUE,
            location: -1,
        };
        // SAFETY: a node like those that the parser makes, in the planner's memory.
        unsafe {
            let node = pg_sys::palloc0(size_of::<pg_sys::BooleanTest>()).cast::<pg_sys::BooleanTest>();
            node.write(test);
            Expr(node.cast())
        }
    }

    pub(crate) fn kind(self) -> Option<Kind> {
        // SAFETY: a node of the planner.
        kind_of(unsafe { pg_sys::exprType(self.0) })
    }

    pub(super) fn copy(self) -> Expr {
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

    pub(crate) fn is_null(argument: Expr) -> Expr {
        let test = pg_sys::NullTest {
            xpr: pg_sys::Expr { type_: pg_sys::NodeTag::T_NullTest },
            arg: argument.copy().0.cast(),
            nulltesttype: pg_sys::NullTestType::IS_NULL,
            argisrow: false,
            location: -1,
        };
        // SAFETY: a node like those that the parser makes, in the planner's memory.
        unsafe {
            let node = pg_sys::palloc0(size_of::<pg_sys::NullTest>()).cast::<pg_sys::NullTest>();
            node.write(test);
            Expr(node.cast())
        }
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

pub(super) fn list(items: &[Expr]) -> *mut pg_sys::List {
    // SAFETY: lappend makes a list of the first item where there is none.
    items.iter().fold(core::ptr::null_mut(), |list, item| unsafe { pg_sys::lappend(list, item.0.cast()) })
}

pub(super) fn func(function: Oid, result: Oid, arguments: &[Expr], collation: Oid) -> Expr {
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
    let found = function_if_any(name, arguments);
    if found == pg_sys::InvalidOid {
        crate::errors::bug("a function of the extension is missing; ALTER EXTENSION leadguard UPDATE");
    }
    found
}

/// The same where a database that is not updated may lack it.
pub(crate) fn function_if_any(name: &CStr, arguments: &[Oid]) -> Oid {
    // SAFETY: a catalog look-up by a terminated name.
    let schema = unsafe { pg_sys::get_namespace_oid(c"leadguard".as_ptr(), false) };
    // SAFETY: as many types as announced.
    let types = unsafe { pg_sys::buildoidvector(arguments.as_ptr(), arguments.len() as i32) };
    // SAFETY: the keys are those of this cache: name, argument types, schema.
    unsafe {
        pg_sys::GetSysCacheOid(
            pg_sys::SysCacheIdentifier::PROCNAMEARGSNSP as i32,
            pg_sys::Anum_pg_proc_oid as i16,
            pg_sys::Datum::from(name.as_ptr()),
            pg_sys::Datum::from(types),
            pg_sys::Datum::from(schema),
            pg_sys::Datum::from(0usize),
        )
    }
}

pub(super) fn expressions(list: *mut pg_sys::List) -> impl Iterator<Item = Expr> + Clone {
    pointers(list).map(|item: *mut pg_sys::Node| Expr(item))
}

/// The items of a list of pointers, which must live until the last is read. Read where they stand: pgrx's own
/// list walks through guarded calls, a good part of planning a short query.
pub(super) fn pointers<T: 'static>(list: *mut pg_sys::List) -> impl Iterator<Item = *mut T> + Clone {
    // SAFETY: an empty list is null; every other holds `length` items.
    let items = unsafe { list.as_ref() }
        .map_or(&[][..], |list| unsafe { std::slice::from_raw_parts(list.elements, list.length.max(0) as usize) });
    // SAFETY: lists of nodes hold pointers.
    items.iter().map(|item| unsafe { item.ptr_value }.cast())
}

pub(super) fn null(type_oid: Oid) -> Expr {
    // SAFETY: makes a node.
    Expr(unsafe { pg_sys::makeNullConst(type_oid, -1, collation_of(type_oid)) }.cast())
}

pub(super) fn collation_of(type_oid: Oid) -> Oid {
    if type_oid == pg_sys::TEXTOID { pg_sys::DEFAULT_COLLATION_OID } else { pg_sys::InvalidOid }
}
