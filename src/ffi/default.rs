//! The value that a column gets where an INSERT says nothing.

use super::row::{Attribute, Kept};
use pgrx::pg_sys;

/// The default of a column, as the table has it now. Not for longer than the running call: it lives in the memory
/// context in which it was read.
pub(crate) struct ColumnDefault {
    expression: *mut pg_sys::Node,
    /// A sequence, a random value: another one each time.
    pub is_volatile: bool,
}

impl ColumnDefault {
    /// None where the column has none and is null then.
    pub(crate) fn of(relation: pg_sys::Oid, number: i16) -> Option<ColumnDefault> {
        // SAFETY: the relation exists: its trigger runs, or that of its partition.
        let open = unsafe { pg_sys::table_open(relation, pg_sys::AccessShareLock as i32) };
        // SAFETY: an open relation and a column of it.
        let expression = unsafe { pg_sys::build_column_default(open, i32::from(number)) };
        // SAFETY: opened above; the lock stays until the end of the transaction.
        unsafe { pg_sys::table_close(open, pg_sys::NoLock as i32) };
        if expression.is_null() {
            return None;
        }
        // SAFETY: an expression.
        let is_volatile = unsafe { pg_sys::contain_volatile_functions(expression) };
        Some(ColumnDefault { expression, is_volatile })
    }

    /// Computes the default as the current user, who would have done so by leaving the column out.
    pub(crate) fn compute(&self, attribute: &Attribute) -> Kept {
        // SAFETY: makes a state that is freed below; after an error it goes with its memory context.
        let state = unsafe { pg_sys::CreateExecutorState() };
        // SAFETY: a copy, because preparing may change the expression.
        let expression = unsafe { pg_sys::copyObjectImpl(self.expression.cast()) }.cast::<pg_sys::Expr>();
        // SAFETY: an expression without variables.
        let prepared = unsafe { pg_sys::ExecPrepareExpr(expression, state) };
        // SAFETY: as above.
        let context = unsafe { pg_sys::MakePerTupleExprContext(state) };
        let mut is_null = false;
        // SAFETY: prepared above.
        let evaluate = unsafe { (*prepared).evalfunc };
        // SAFETY: the function is the one that belongs to the prepared expression.
        let value = evaluate.map(|evaluate| unsafe { evaluate(prepared, context, &mut is_null) });
        let kept = match value {
            Some(value) if !is_null => Kept::of(value, attribute),
            _ => Kept::Null,
        };
        // SAFETY: made above; the value was copied.
        unsafe { pg_sys::FreeExecutorState(state) };
        kept
    }
}
