//! Values of any type, compared as the type's default order has them.

use super::row::Attribute;
use pgrx::pg_sys;
use std::cmp::Ordering;

/// The default order of a type.
#[derive(Clone, Copy)]
pub(crate) struct Order {
    entry: *mut pg_sys::TypeCacheEntry,
}

impl Order {
    /// None for a type without an order.
    pub(crate) fn of(attribute: &Attribute) -> Option<Order> {
        Order::of_type(attribute.type_oid)
    }

    fn of_type(type_oid: pg_sys::Oid) -> Option<Order> {
        // SAFETY: a catalog look-up; entries live as long as the backend.
        let entry = unsafe { pg_sys::lookup_type_cache(type_oid, pg_sys::TYPECACHE_CMP_PROC_FINFO as i32) };
        // SAFETY: never null.
        let function = unsafe { (*entry).cmp_proc };
        (function != pg_sys::InvalidOid).then_some(Order { entry })
    }

    /// Both must be values of the type.
    pub(crate) fn compare(self, one: pg_sys::Datum, two: pg_sys::Datum) -> Ordering {
        // SAFETY: the entry has the function, which compares two values of the type; NULLs are not passed.
        let answer = unsafe {
            let collation = (*self.entry).typcollation;
            pg_sys::FunctionCall2Coll(&mut (*self.entry).cmp_proc_finfo, collation, one, two)
        };
        (answer.value() as i32).cmp(&0)
    }
}
