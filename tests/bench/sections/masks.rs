//! What masked columns add to reading 100,000 rows, for somebody who sees them in clear and somebody who does not.

use crate::Bench;
use crate::book::Spot;
use crate::data;
use crate::directory;
use crate::race::{Lane, Pace, race};
use crate::session::{Result, Session};

const SECTION: &str = "masks";
const ROWS: i64 = 100_000;

pub fn run(bench: &mut Bench) -> Result<()> {
    arrange(bench)?;
    let pace = Pace::exactly(if bench.options.quick { 7 } else { 25 });
    let read = "SELECT * FROM {table}";
    let inside = "SELECT count(*), sum(length(email)), sum(length(company)), count(amount) FROM {table}";
    for (member, what, sql, table, bound) in [
        ("ceo", "read 100,000 rows, three masks, in clear", read, "masks.masked", Some(1.2)),
        ("analyst", "read 100,000 rows, three masks", read, "masks.masked", Some(1.2)),
        ("analyst", "aggregate 100,000 rows, three masks", inside, "masks.masked", None),
        ("analyst", "read 100,000 rows, one hash mask", read, "masks.hashed", None),
    ] {
        let spot = Spot::new(SECTION, member, what);
        let login = bench.person(member).login();
        let (mut masked, mut clear) = (Session::open(&login)?, Session::open(&login)?);
        let mut lanes = [
            Lane::new("leadguard", &mut masked, sql.replace("{table}", table)),
            Lane::new("without masks", &mut clear, sql.replace("{table}", "masks.clear")),
        ];
        let timings = race(&mut lanes, pace)?;
        bench.book.enter(&spot, &timings);
        if let Some(bound) = bound {
            bench.book.at_most(&spot, &timings[0], &timings[1], bound);
        }
    }
    bench.admin.run(
        "SET client_min_messages = error; DROP SCHEMA masks_base CASCADE; DROP SCHEMA masks CASCADE; RESET client_min_messages",
    )?;
    Ok(())
}

fn arrange(bench: &mut Bench) -> Result<()> {
    let admin = &mut bench.admin;
    admin.run(
        "SET client_min_messages = error; DROP SCHEMA IF EXISTS masks_base CASCADE; DROP SCHEMA IF EXISTS masks CASCADE;
         RESET client_min_messages; CREATE SCHEMA masks; GRANT USAGE ON SCHEMA masks TO PUBLIC",
    )?;
    for table in ["masks.clear", "masks.masked", "masks.hashed"] {
        data::make_leads(admin, table, ROWS, &bench.options)?;
        directory::protect(admin, table)?;
    }
    for (table, column, mask) in [
        ("masks.masked", "email", "partial"),
        ("masks.masked", "company", "full"),
        ("masks.masked", "amount", "null"),
        ("masks.hashed", "email", "hash"),
    ] {
        admin.run(&format!("SELECT leadguard.mask('{table}', '{column}', '{mask}')"))?;
    }
    admin.run("VACUUM (ANALYZE)")?;
    Ok(())
}
