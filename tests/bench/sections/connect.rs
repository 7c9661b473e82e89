//! A new connection finds no cache. Its first query, by id, without the time to connect.

use crate::Bench;
use crate::book::Spot;
use crate::queries::BY_ID;
use crate::race::Timing;
use crate::session::{DATABASE, Ran, Result, Session};

const SECTION: &str = "connect";

pub fn run(bench: &mut Bench) -> Result<()> {
    let rounds = bench.options.runs(30).most;
    for (name, bound) in [
        ("rep", Some(5.0)),
        ("manager", None),
        ("director", None),
        ("vp", None),
        ("ceo", Some(25.0)),
        ("analyst", None),
    ] {
        let person = bench.person(name);
        let spot = Spot::new(SECTION, name, BY_ID.name);
        let mut timings = [Timing::empty("leadguard"), Timing::empty("unprotected")];
        for round in 0..rounds + 1 {
            for (timing, login, table) in
                [(0, person.login(), "crm.lead"), (1, "bench_plain".to_string(), "plain.lead")]
            {
                let mut session = Session::connect(&login, DATABASE)?;
                match session.time(&BY_ID.sql(table, &person))? {
                    Ran::Took { ms, .. } if round > 0 => timings[timing].ms.push(ms),
                    _ => {}
                }
            }
        }
        bench.book.enter(&spot, &timings);
        if let Some(bound) = bound {
            bench.book.more(&spot, &timings[0], &timings[1], bound);
        }
    }
    Ok(())
}
