//! Columns of text.

/// A table with the first `left` columns flush left and the others flush right; empty columns are left out.
pub struct Table {
    left: usize,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(left: usize) -> Table {
        Table { left, rows: Vec::new() }
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    pub fn print(&self) {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |c: usize| self.rows.iter().filter_map(|r| r.get(c)).map(|t| t.chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let mut line = String::from(" ");
            for (c, cell) in row.iter().enumerate().filter(|(c, _)| widths[*c] > 0) {
                let width = widths[c];
                line += &if c < self.left { format!(" {cell:<width$} ") } else { format!(" {cell:>width$} ") };
            }
            println!("{}", line.trim_end());
        }
    }
}
