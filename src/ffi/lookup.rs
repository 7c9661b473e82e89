//! Whether a query has its row already, so that no policy needs to find any.

use super::expr::{Expr, expressions};
use pgrx::pg_sys;

/// A column of a relation of the query.
type Place = (i64, i16);

/// Whether the rows of the relation are looked up by an equality of this column with one value, or are those that
/// an INSERT is about to store. Nothing depends on the answer but which way of writing a condition is faster.
///
/// # Safety
/// `root` must be null or a query that is being planned.
pub(super) unsafe fn is_at_hand(root: *mut pg_sys::PlannerInfo, column: Expr) -> bool {
    // SAFETY: as the caller promises.
    let Some(root) = (unsafe { root.as_ref() }) else { return false };
    let Some(place) = column.as_column().map(|var| in_query(root, (i64::from(var.varno), var.varattno))) else {
        return false;
    };
    // SAFETY: a query that is being planned has a tree.
    let query = unsafe { &*root.parse };
    if query.commandType == pg_sys::CmdType::CMD_INSERT && i64::from(query.resultRelation) == place.0 {
        return true;
    }
    // SAFETY: every query has a join tree.
    let conditions = unsafe { (*query.jointree).quals };
    holds(Expr::new(conditions), place)
}

/// A partition's column as one of the table that the query names.
fn in_query(root: &pg_sys::PlannerInfo, (relation, column): Place) -> Place {
    if root.append_rel_array.is_null() || relation <= 0 || relation >= i64::from(root.simple_rel_array_size) {
        return (relation, column);
    }
    // SAFETY: the array has simple_rel_array_size entries, null for what is no child.
    let Some(child) = (unsafe { (*root.append_rel_array.add(relation as usize)).as_ref() }) else {
        return (relation, column);
    };
    if column <= 0 || i32::from(column) > child.num_child_cols {
        return (relation, column);
    }
    // SAFETY: the array has num_child_cols entries.
    let parent_column = unsafe { *child.parent_colnos.add(column as usize - 1) };
    in_query(root, (i64::from(child.parent_relid), parent_column))
}

/// Whether one of the conditions, of which all must hold, is such an equality.
fn holds(conditions: Expr, place: Place) -> bool {
    if conditions.is(pg_sys::NodeTag::T_List) {
        return expressions(conditions.pointer().cast()).any(|condition| holds(condition, place));
    }
    if conditions.is(pg_sys::NodeTag::T_BoolExpr) {
        // SAFETY: the tag says what it is.
        let parts = unsafe { &*conditions.pointer().cast::<pg_sys::BoolExpr>() };
        return parts.boolop == pg_sys::BoolExprType::AND_EXPR
            && expressions(parts.args).any(|condition| holds(condition, place));
    }
    if !conditions.is(pg_sys::NodeTag::T_OpExpr) {
        return false;
    }
    // SAFETY: the tag says what it is.
    let comparison = unsafe { &*conditions.pointer().cast::<pg_sys::OpExpr>() };
    let mut operands = expressions(comparison.args);
    let (Some(left), Some(right)) = (operands.next(), operands.next()) else { return false };
    let is_column = |e: Expr| e.as_column().is_some_and(|var| (i64::from(var.varno), var.varattno) == place);
    let is_value = |e: Expr| e.is(pg_sys::NodeTag::T_Const) || e.is(pg_sys::NodeTag::T_Param);
    ((is_column(left) && is_value(right)) || (is_value(left) && is_column(right)))
        // SAFETY: a catalog look-up for an operator of the query and the type of its operand.
        && unsafe { pg_sys::op_mergejoinable(comparison.opno, pg_sys::exprType(left.pointer())) }
}
