//! What policies and triggers add to writes, on two tables of 200,000 leads with five indexes.

use crate::Bench;
use crate::book::Spot;
use crate::data;
use crate::directory;
use crate::race::{Lane, Pace, race_tidying};
use crate::session::{Result, Session};

const SECTION: &str = "writes";
const ROWS: i64 = 200_000;

pub fn run(bench: &mut Bench) -> Result<()> {
    arrange(bench)?;
    let quick = bench.options.quick;
    let few = Pace::exactly(if quick { 30 } else { 200 });
    let many = Pace::exactly(if quick { 5 } else { 15 });
    // The sixtieth lead of the rep, see lead_rows.sql.
    let own = 7 + 60 * ROWS / 100;
    let one = format!("UPDATE {{table}} SET status = 'working', updated_at = now() WHERE id = {own}");
    let ten_thousand =
        "UPDATE {table} SET status = 'working', updated_at = now() WHERE id BETWEEN 50001 AND 60000".to_string();
    let insert = "INSERT INTO {table} SELECT * FROM writes.source".to_string();
    for (member, what, sql, bound, pace) in [
        ("rep", "update 1 row", &one, 1.4, few),
        ("ceo", "update 1 row", &one, 1.4, few),
        ("ceo", "update 10,000 rows", &ten_thousand, 1.5, many),
        ("ceo", "insert 20,000 rows", &insert, 1.2, many),
    ] {
        measure(bench, member, what, sql, bound, pace)?;
    }
    bench.admin.run("SET client_min_messages = error; DROP SCHEMA writes CASCADE; RESET client_min_messages")?;
    Ok(())
}

fn measure(bench: &mut Bench, member: &'static str, what: &str, sql: &str, bound: f64, pace: Pace) -> Result<()> {
    let spot = Spot::new(SECTION, member, what);
    let mut ours = Session::open(&bench.person(member).login())?;
    let mut plain = Session::open("bench_plain")?;
    let lane = |name, session, table| {
        let lane = Lane::new(name, session, sql.replace("{table}", table));
        // What is inserted goes again; updates stay, the same on both tables.
        if sql.starts_with("INSERT") { lane.between("BEGIN", "ROLLBACK") } else { lane }
    };
    let mut lanes = [lane("leadguard", &mut ours, "writes.guarded"), lane("unprotected", &mut plain, "writes.plain")];
    let admin = &mut bench.admin;
    let timings = race_tidying(&mut lanes, pace, &mut || admin.run("VACUUM writes.guarded, writes.plain").map(drop))?;
    bench.book.enter(&spot, &timings);
    bench.book.at_most(&spot, &timings[0], &timings[1], bound);
    Ok(())
}

fn arrange(bench: &mut Bench) -> Result<()> {
    let admin = &mut bench.admin;
    admin.run("SET client_min_messages = error; DROP SCHEMA IF EXISTS writes CASCADE; RESET client_min_messages")?;
    admin.run("CREATE SCHEMA writes; GRANT USAGE ON SCHEMA writes TO PUBLIC")?;
    data::make_leads(admin, "writes.plain", ROWS, &bench.options)?;
    data::copy_leads(admin, "writes.guarded", "SELECT * FROM writes.plain")?;
    // What the CEO may insert: leads with an owner and a territory, all of them below.
    admin.run(&format!(
        "CREATE TABLE writes.source AS
         SELECT id + {ROWS} AS id, account_id, owner_id, territory_id, created_at, updated_at, email, company, status, amount
         FROM writes.plain WHERE owner_id IS NOT NULL AND territory_id IS NOT NULL ORDER BY id LIMIT 20000"
    ))?;
    directory::protect(admin, "writes.guarded")?;
    admin.run(&directory::grants(
        "writes.guarded",
        &format!("SELECT lead_id, member_id FROM org.lead_team WHERE lead_id <= {ROWS}"),
    ))?;
    admin
        .run("GRANT SELECT, INSERT, UPDATE ON writes.plain TO bench_plain; GRANT SELECT ON writes.source TO PUBLIC")?;
    admin.run("VACUUM (ANALYZE)")?;
    Ok(())
}
