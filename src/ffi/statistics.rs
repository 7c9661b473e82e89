//! What the planner knows of a column and of a table.

use super::call::{kind_of, value_of};
use super::expr::Expr;
use crate::model::estimate::Column;
use crate::model::value::Value;
use pgrx::pg_sys;

/// A query that is being planned, as an estimate of one of its clauses sees it.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    root: *mut pg_sys::PlannerInfo,
    relation: i32,
}

/// A column of a relation of a query, while that query is being planned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spot {
    query: usize,
    relation: u32,
    column: i16,
}

impl Place {
    /// Where a column stands; None for anything but a plain column.
    pub(crate) fn spot(&self, column: Expr) -> Option<Spot> {
        let var = column.as_column()?;
        Some(Spot { query: self.root as usize, relation: u32::try_from(var.varno).ok()?, column: var.varattno })
    }

    pub(super) fn new(root: *mut pg_sys::PlannerInfo, relation: i32) -> Place {
        Place { root, relation }
    }

    /// The statistics of a column, with the most common values that `is_hit` chooses. None without a query.
    pub(crate) fn column(&self, column: Expr, mut is_hit: impl FnMut(&Value) -> bool) -> Option<Column> {
        if self.root.is_null() {
            return None;
        }
        let mut data = pg_sys::VariableStatData::default();
        // SAFETY: a query and an expression of the running planner.
        unsafe { pg_sys::examine_variable(self.root, column.pointer(), self.relation, &mut data) };
        let mut is_default = false;
        // SAFETY: data was filled above.
        let distinct = unsafe { pg_sys::get_variable_numdistinct(&mut data, &mut is_default) };
        let mut known = Column { distinct, ..Column::default() };
        if !data.statsTuple.is_null() {
            // SAFETY: the tuple is a row of pg_statistic.
            known.nulls = f64::from(unsafe {
                (*pg_sys::GETSTRUCT(data.statsTuple).cast::<pg_sys::FormData_pg_statistic>()).stanullfrac
            });
            common_values(data.statsTuple, &mut known, &mut is_hit);
            if let Some(free) = data.freefunc {
                // SAFETY: what examine_variable gave to free the tuple with.
                unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| free(data.statsTuple)) };
            }
        }
        Some(known)
    }

    /// How many rows of the column's own table have one of these values, counted in an index, and which part of it that
    /// is. None where that is no plain table with such an index, or there are more than `most`.
    pub(crate) fn counted_share(&self, column: Expr, values: &[Value], most: usize) -> Option<f64> {
        let var = column.as_column()?;
        let (relation, kind) = (u32::try_from(var.varno).ok()?, column.kind()?);
        let rows = self.rows(relation)?;
        // SAFETY: rows() found the relation in both arrays of the query.
        let (rel, entry) = unsafe {
            let root = &*self.root;
            (&**root.simple_rel_array.add(relation as usize), &**root.simple_rte_array.add(relation as usize))
        };
        if entry.rtekind != pg_sys::RTEKind::RTE_RELATION || entry.relkind != pg_sys::RELKIND_RELATION as i8 {
            return None;
        }
        // SAFETY: the relation and its table, which is locked while the query is planned.
        let found = unsafe { super::entries::count(rel, entry.relid, var.varattno, kind, values, most) }?;
        Some((found as f64 / rows).min(1.0))
    }

    /// The table that the column belongs to.
    pub(crate) fn table(&self, column: Expr) -> Option<pg_sys::Oid> {
        if self.root.is_null() {
            return None;
        }
        // SAFETY: the query is being planned.
        let root = unsafe { &*self.root };
        let relation = u32::try_from(column.as_column()?.varno).ok()?;
        if root.simple_rte_array.is_null() || relation == 0 || relation as i32 >= root.simple_rel_array_size {
            return None;
        }
        // SAFETY: the array has an entry for every relation.
        Some(unsafe { (**root.simple_rte_array.add(relation as usize)).relid })
    }

    /// The rows of the table that the column belongs to, of all its partitions together.
    pub(crate) fn table_rows(&self, column: Expr) -> Option<f64> {
        if self.root.is_null() {
            return None;
        }
        let relation = u32::try_from(column.as_column()?.varno).ok()?;
        let mut top = relation;
        while let Some(parent) = self.parent(top) {
            top = parent;
        }
        if top == relation {
            return self.rows(relation);
        }
        // Partitions that were pruned are not here, so that a partitioned table that was analysed knows better.
        let here: f64 = self.relations().filter(|r| self.descends(*r, top)).filter_map(|r| self.rows(r)).sum();
        Some(here.max(self.counted(top)))
    }

    fn relations(&self) -> impl Iterator<Item = u32> + use<> {
        // SAFETY: the query is being planned.
        1..(unsafe { (*self.root).simple_rel_array_size } as u32)
    }

    fn rows(&self, relation: u32) -> Option<f64> {
        // SAFETY: the query is being planned.
        let root = unsafe { &*self.root };
        if root.simple_rel_array.is_null() || relation as i32 >= root.simple_rel_array_size {
            return None;
        }
        // SAFETY: the array has simple_rel_array_size entries.
        let rel = unsafe { *root.simple_rel_array.add(relation as usize) };
        // SAFETY: null for an entry that is no relation.
        unsafe { rel.as_ref() }.map(|r| r.tuples).filter(|rows| *rows > 0.0)
    }

    fn parent(&self, relation: u32) -> Option<u32> {
        // SAFETY: the query is being planned.
        let root = unsafe { &*self.root };
        if root.append_rel_array.is_null() || relation as i32 >= root.simple_rel_array_size {
            return None;
        }
        // SAFETY: the array has simple_rel_array_size entries.
        let info = unsafe { *root.append_rel_array.add(relation as usize) };
        // SAFETY: null for a relation that is no child.
        unsafe { info.as_ref() }.map(|i| i.parent_relid)
    }

    fn descends(&self, relation: u32, from: u32) -> bool {
        std::iter::successors(self.parent(relation), |r| self.parent(*r)).any(|r| r == from)
    }

    /// What ANALYZE counted in a table.
    fn counted(&self, relation: u32) -> f64 {
        // SAFETY: the query is being planned.
        let entries = unsafe { (*self.root).simple_rte_array };
        // SAFETY: the array has an entry for every relation.
        let entry = unsafe { *entries.add(relation as usize) };
        // SAFETY: relations of the query are locked, so that their cache entries can be opened.
        let table = unsafe { pg_sys::RelationIdGetRelation((*entry).relid) };
        if table.is_null() {
            return 0.0;
        }
        // SAFETY: an open relation.
        let rows = unsafe { (*(*table).rd_rel).reltuples };
        // SAFETY: opened above.
        unsafe { pg_sys::RelationClose(table) };
        f64::from(rows).max(0.0)
    }
}

fn common_values(statistics: pg_sys::HeapTuple, known: &mut Column, is_hit: &mut dyn FnMut(&Value) -> bool) {
    let mut slot = pg_sys::AttStatsSlot::default();
    let flags = pg_sys::ATTSTATSSLOT_VALUES | pg_sys::ATTSTATSSLOT_NUMBERS;
    // SAFETY: the tuple is a row of pg_statistic.
    let found = unsafe {
        pg_sys::get_attstatsslot(
            &mut slot,
            statistics,
            pg_sys::STATISTIC_KIND_MCV as i32,
            pg_sys::InvalidOid,
            flags as i32,
        )
    };
    if !found {
        return;
    }
    let count = slot.nvalues.min(slot.nnumbers).max(0) as usize;
    // SAFETY: as many values and numbers as the slot says.
    let (values, numbers) =
        unsafe { (std::slice::from_raw_parts(slot.values, count), std::slice::from_raw_parts(slot.numbers, count)) };
    if let Some(kind) = kind_of(slot.valuetype) {
        for (value, frequency) in values.iter().zip(numbers) {
            let frequency = f64::from(*frequency);
            known.common = (known.common.0 + 1.0, known.common.1 + frequency);
            if is_hit(&value_of(*value, kind)) {
                known.hit = (known.hit.0 + 1.0, known.hit.1 + frequency);
            }
        }
    }
    // SAFETY: filled by get_attstatsslot.
    unsafe { pg_sys::free_attstatsslot(&mut slot) };
}
