//! The same query with one parallel worker and with none. Where a worker cannot help it must not harm.

use crate::Bench;
use crate::book::Spot;
use crate::queries::*;
use crate::race::{Lane, race};
use crate::session::Result;
use crate::variants::{Entrant, Variant};

const SECTION: &str = "parallel";

pub fn run(bench: &mut Bench) -> Result<()> {
    for name in ["vp", "ceo", "analyst", "director", "manager", "rep"] {
        let person = bench.person(name);
        let mut entrants = Vec::new();
        for (lane, variant, workers) in [
            ("one worker", Variant::Leadguard, 1),
            ("serial", Variant::Leadguard, 0),
            ("unprotected, one worker", Variant::Unprotected, 1),
            ("unprotected, serial", Variant::Unprotected, 0),
        ] {
            let mut entrant = Entrant::new(&mut bench.admin, &person, variant)?;
            entrant.session.run(&format!("SET max_parallel_workers_per_gather = {workers}"))?;
            entrants.push((lane, entrant));
        }
        for query in [COUNT, DASHBOARD] {
            let spot = Spot::new(SECTION, name, query.name);
            let mut lanes: Vec<Lane> = entrants
                .iter_mut()
                .map(|(lane, e)| Lane::new(lane, &mut e.session, query.sql(&e.lead, &person)))
                .collect();
            let timings = race(&mut lanes, bench.options.pace())?;
            bench.book.enter(&spot, &timings);
            match name {
                "vp" | "ceo" => bench.book.faster(&spot, &timings[0], &timings[1], 1.5),
                _ => bench.book.not_slower(&spot, &timings[0], &timings[1]),
            }
        }
    }
    Ok(())
}
