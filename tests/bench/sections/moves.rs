//! Reorganisations in a database of their own: a subtree of 5,000 among 100,000 members moves, against the closure
//! computed anew by leadguard.rebuild_closure(), and against a plain one that is deleted and filled again by the recursive
//! query, which is what a nightly job does.

use crate::Bench;
use crate::book::Spot;
use crate::race::{Lane, Pace, Timing, race_tidying};
use crate::session::{Ran, Result, Session};

const SECTION: &str = "moves";
const NAME: &str = "moves";

pub fn run(bench: &mut Bench) -> Result<()> {
    let mut server = Session::connect("postgres", "postgres")?;
    server.run(&format!("DROP DATABASE IF EXISTS {NAME} WITH (FORCE)"))?;
    server.run(&format!("CREATE DATABASE {NAME} TEMPLATE template0"))?;
    let result = measure(bench);
    server.run(&format!("DROP DATABASE IF EXISTS {NAME} WITH (FORCE)"))?;
    result
}

fn measure(bench: &mut Bench) -> Result<()> {
    let mut admin = Session::connect("postgres", NAME)?;
    admin.run("CREATE EXTENSION leadguard")?;
    once(bench, &mut admin, "load 100,000 members", include_str!("../sql/moves_members.sql"))?;
    once(bench, &mut admin, "load 20,000 territories", include_str!("../sql/moves_territories.sql"))?;
    admin.run(include_str!("../sql/moves_leads.sql"))?;
    admin.run("VACUUM (ANALYZE)")?;
    let before = stored(&mut admin)?;

    let pace = Pace::exactly(if bench.options.quick { 3 } else { 7 });
    let spot = Spot::new(SECTION, "", "move 5,000 of 100,000");
    let mut mover = Session::connect("postgres", NAME)?;
    let mut rebuilder = Session::connect("postgres", NAME)?;
    let mut by_hand = Session::connect("postgres", NAME)?;
    // Every run moves the subtree to the manager where it is not.
    let mut lanes = [
        Lane::new(
            "leadguard",
            &mut mover,
            "UPDATE leadguard.member SET manager_id = CASE manager_id WHEN 10 THEN 20 ELSE 10 END WHERE id = 95001",
        ),
        Lane::new("rebuild", &mut rebuilder, "SELECT leadguard.rebuild_closure()"),
        Lane::new("refill by hand", &mut by_hand, include_str!("../sql/moves_rebuild.sql")),
    ];
    let timings =
        race_tidying(&mut lanes, pace, &mut || admin.run("VACUUM leadguard.member_closure, naive.closure").map(drop))?;
    bench.book.enter(&spot, &timings);
    bench.book.faster(&spot, &timings[0], &timings[1], 50.0);

    let region = "UPDATE leadguard.territory SET parent_id = 3 WHERE id = 2";
    once(bench, &mut admin, "move a region of the map", region)?;
    let owners = "UPDATE leadguard.territory SET owner_id = owner_id % 95000 + 1";
    once(bench, &mut admin, "other owners for all territories", owners)?;

    let written = stored(&mut admin)? != before;
    let found = if written { "leads were written" } else { "0 lead rows written" };
    let spot = Spot::new(SECTION, "", "all of the above");
    bench.book.judge(&spot, "leadguard", f64::from(u8::from(written)), found.to_string(), "0 rows written", !written);
    let wrong: i64 = admin.number("SELECT count(*) FROM leadguard.verify_closure()")?;
    if wrong > 0 {
        bench.book.disagreement(&spot, "the closure", "the hierarchy");
    }
    Ok(())
}

/// What is done once and only reported.
fn once(bench: &mut Bench, admin: &mut Session, what: &str, sql: &str) -> Result<()> {
    if let Ran::Took { ms, .. } = admin.time(sql)? {
        bench.book.enter(&Spot::new(SECTION, "", what), &[Timing::of("leadguard", vec![ms])]);
    }
    Ok(())
}

/// Changes with any write to the leads, even one that changes no value.
fn stored(admin: &mut Session) -> Result<String> {
    admin.value("SELECT md5(string_agg(format('%s %s %s', ctid, xmin, xmax), ',' ORDER BY ctid)) FROM crm.lead")
}
