//! What planning costs more than on the unprotected table, as EXPLAIN (SUMMARY) tells it. Judged is the query of each
//! member where it is most.

use crate::Bench;
use crate::book::Spot;
use crate::queries::*;
use crate::race::Timing;
use crate::session::{Result, Session};
use crate::variants::{Variant, enter};

const SECTION: &str = "planning";

pub fn run(bench: &mut Bench) -> Result<()> {
    let rounds = bench.options.runs(30).most;
    for person in bench.members() {
        let mut entrants = enter(&mut bench.admin, &person, &[Variant::Leadguard, Variant::Unprotected])?;
        let mut worst: Option<(f64, Spot, [Timing; 2])> = None;
        for query in [COUNT, NEWEST, BY_ID, ACCOUNTS] {
            let spot = Spot::new(SECTION, &person.name, query.name);
            let mut timings = [Timing::empty("leadguard"), Timing::empty("unprotected")];
            for round in 0..rounds + 2 {
                for (entrant, timing) in entrants.iter_mut().zip(&mut timings) {
                    let sql = query.sql(&entrant.lead, &person);
                    // The first after the other's turn warms the caches up again.
                    let times = [
                        planning_time(&mut entrant.session, &sql)?,
                        planning_time(&mut entrant.session, &sql)?,
                        planning_time(&mut entrant.session, &sql)?,
                    ];
                    if round >= 2 {
                        timing.ms.extend(&times[1..]);
                    }
                }
            }
            bench.book.enter(&spot, &timings);
            let more = timings[0].median() - timings[1].median();
            if worst.as_ref().is_none_or(|(most, ..)| more > *most) {
                worst = Some((more, spot, timings));
            }
        }
        if let Some((_, spot, [ours, base])) = worst {
            bench.book.more(&spot, &ours, &base, 0.1);
        }
    }
    Ok(())
}

fn planning_time(session: &mut Session, sql: &str) -> Result<f64> {
    let plan = session.run(&format!("EXPLAIN (SUMMARY) {sql}"))?;
    let line = plan.iter().rev().find_map(|row| row[0].strip_prefix("Planning Time: "));
    let ms = line.and_then(|rest| rest.strip_suffix(" ms")).and_then(|n| n.parse().ok());
    ms.ok_or_else(|| "EXPLAIN tells no planning time".to_string().into())
}
