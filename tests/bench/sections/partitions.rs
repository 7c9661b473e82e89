//! The same leads in eight hash partitions.

use crate::Bench;
use crate::book::Spot;
use crate::data;
use crate::directory;
use crate::queries::*;
use crate::race::{Lane, race};
use crate::session::{DATABASE, Result, Session};
use crate::variants::literals;
use std::collections::BTreeSet;

const SECTION: &str = "partitions";
pub const TABLE: &str = "crm.lead_parts";
const PARTITIONS: usize = 8;

pub fn run(bench: &mut Bench) -> Result<()> {
    ensure(bench)?;
    for name in ["rep", "grantee", "manager", "director", "ceo"] {
        let person = bench.person(name);
        let mut plain = Session::open(&person.login())?;
        let mut parts = Session::open(&person.login())?;
        // Row security does not apply to a superuser.
        let mut ideal = Session::connect("postgres", DATABASE)?;
        ideal.run("SET enable_seqscan = off")?;
        let visible = literals(&mut bench.admin, TABLE, person.member)?;
        for query in [COUNT, NEWEST, DASHBOARD, BY_EMAIL, BY_ID] {
            let spot = Spot::new(SECTION, name, query.name);
            ideal.run(&format!("DEALLOCATE ALL; PREPARE ideal AS {}", query.sql(&visible, &person)))?;
            let mut lanes = [
                Lane::new("partitioned", &mut parts, query.sql(TABLE, &person)),
                Lane::new("plain", &mut plain, query.sql("crm.lead", &person)),
                // What eight partitions cost without any policy; the plan is kept, which no policy is spared.
                Lane::new("ideal, partitioned", &mut ideal, "EXECUTE ideal"),
            ];
            let timings = race(&mut lanes, bench.options.pace())?;
            bench.book.enter(&spot, &timings);
            if timings[0].answer != timings[1].answer {
                bench.book.disagreement(&spot, "plain", "partitioned");
            }
            if query.name == "count" && ["rep", "grantee"].contains(&name) {
                bench.book.at_most(&spot, &timings[0], &timings[1], 3.0);
            }
        }
        let scanned = scanned(&mut parts, &BY_ID.sql(TABLE, &person))?;
        let spot = Spot::new(SECTION, name, "pruning by id");
        let found = format!("{scanned} of {PARTITIONS} partitions scanned");
        bench.book.judge(&spot, "partitioned", scanned as f64, found, "1 partition", scanned == 1);
    }
    Ok(())
}

/// The partitioned copy with the same record teams, protected.
pub fn ensure(bench: &mut Bench) -> Result<()> {
    let admin = &mut bench.admin;
    if !data::exists(admin, TABLE)? {
        println!("  making {TABLE}");
        let table = include_str!("../sql/lead_table.sql").replace("{table}", TABLE);
        admin.run(&format!("{table} PARTITION BY HASH (id)"))?;
        for i in 0..PARTITIONS {
            admin.run(&format!(
                "CREATE TABLE {TABLE}_{i} PARTITION OF {TABLE} FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER {i})"
            ))?;
        }
        admin.run(&format!("INSERT INTO {TABLE} SELECT * FROM plain.lead"))?;
        data::index(admin, TABLE)?;
    }
    let protected =
        admin.value(&format!("SELECT count(*) FROM leadguard.protected WHERE target = '{TABLE}'::regclass"))?;
    if protected == "0" {
        directory::protect(admin, TABLE)?;
        admin.run(&directory::grants(TABLE, "SELECT lead_id, member_id FROM org.lead_team"))?;
        admin.run("VACUUM (ANALYZE) leadguard.record_grant")?;
    }
    Ok(())
}

/// How many partitions a plan names.
fn scanned(session: &mut Session, sql: &str) -> Result<usize> {
    let plan = session.run(&format!("EXPLAIN {sql}"))?;
    let prefix = TABLE.split('.').nth(1).unwrap_or(TABLE).to_string() + "_";
    let partition = |line: &String| {
        let name: String = line.split(" on ").nth(1)?.chars().take_while(|c| !c.is_whitespace()).collect();
        // The alias carries a number as well, and so does the name of an index.
        name.strip_prefix(&prefix)?.parse::<usize>().ok()
    };
    Ok(plan.iter().filter_map(|row| partition(&row[0])).collect::<BTreeSet<_>>().len())
}
