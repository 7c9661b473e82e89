//! How many rows the planner expects, against how many there are. Joins are only planned well on good estimates.

use super::partitions;
use crate::Bench;
use crate::book::{Spot, times};
use crate::session::{Result, Session};

const SECTION: &str = "estimates";

pub fn run(bench: &mut Bench) -> Result<()> {
    partitions::ensure(bench)?;
    for (table, query, bound) in [("crm.lead", "one table", 1.2), (partitions::TABLE, "partitioned", 2.0)] {
        for person in bench.members() {
            let mut session = Session::open(&person.login())?;
            let estimated = rows(&mut session, &format!("SELECT * FROM {table}"))?;
            let actual = session.number::<f64>(&format!("SELECT count(*) FROM {table}"))?;
            // Postgres never expects less than one row.
            let (low, high) = (estimated.min(actual).max(1.0), estimated.max(actual).max(1.0));
            let value = high / low;
            let found = format!("{}, {estimated} estimated, {actual} found", times(value));
            let spot = Spot::new(SECTION, &person.name, query);
            bench.book.judge(&spot, "leadguard", value, found, format!("within {bound}x"), value <= bound);
        }
    }
    Ok(())
}

/// The estimate of the topmost node.
fn rows(session: &mut Session, sql: &str) -> Result<f64> {
    let plan = session.run(&format!("EXPLAIN {sql}"))?;
    let top = &plan[0][0];
    let estimate = top.split("rows=").nth(1).and_then(|rest| rest.split(' ').next()).and_then(|n| n.parse().ok());
    estimate.ok_or_else(|| format!("no estimate in \"{top}\"").into())
}
