//! Which part of a table a set of values of one column selects, from the column's statistics. In constant
//! time: the set may have half a million values, the list of most common ones has a hundred.

/// What ANALYZE knows of a column, and how the set meets its most common values.
#[derive(Debug, Clone, Copy, Default)]
pub struct Column {
    /// Fraction of NULLs.
    pub nulls: f64,
    /// Different values, without NULL.
    pub distinct: f64,
    /// The most common values: how many, and the fraction of rows that hold one.
    pub common: (f64, f64),
    /// Those of them that are in the set.
    pub hit: (f64, f64),
}

/// The fraction of rows whose value is in a set of this size.
pub fn share(column: &Column, size: f64) -> f64 {
    if size <= 0.0 {
        return 0.0;
    }
    let rare_rows = (1.0 - column.nulls - column.common.1).clamp(0.0, 1.0);
    let rare_values = (column.distinct - column.common.0).max(1.0);
    let rare_hit = ((size - column.hit.0).max(0.0) / rare_values).min(1.0);
    (column.hit.1 + rare_rows * rare_hit).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_many_values() {
        let column = Column { nulls: 0.1, distinct: 1000.0, ..Column::default() };
        assert!((share(&column, 1.0) - 0.0009).abs() < 1e-9);
        assert!((share(&column, 5000.0) - 0.9).abs() < 1e-9, "never more than the rows that are not NULL");
        assert_eq!(share(&column, 0.0), 0.0);
    }

    #[test]
    fn common_values_count_as_they_are() {
        let column = Column { nulls: 0.0, distinct: 12.0, common: (2.0, 0.9), hit: (1.0, 0.5) };
        assert!((share(&column, 1.0) - 0.5).abs() < 1e-9);
        assert!((share(&column, 2.0) - 0.51).abs() < 1e-9);
    }
}
