//! A rep owns as many leads in a small company as in a large one: the table grows, the rep's queries should not.

use crate::Bench;
use crate::book::{Spot, times};
use crate::data;
use crate::directory;
use crate::people::Person;
use crate::queries::*;
use crate::race::{Lane, race};
use crate::session::{Result, Session};

const SECTION: &str = "sizes";

pub fn run(bench: &mut Bench) -> Result<()> {
    let rows = bench.options.rows;
    let mut tables = vec![("rows / 10", "crm.lead_small", rows / 10), ("rows", "crm.lead", rows)];
    if bench.options.large {
        tables.push(("rows x 10", "crm.lead_large", rows * 10));
    }
    let rep = bench.person("rep");
    let mut runners = Vec::new();
    for (name, table, rows) in tables {
        if table != "crm.lead" {
            ensure(bench, table, rows)?;
        }
        let person = sample(&mut bench.admin, &rep, table, rows)?;
        runners.push((name, table, person, Session::open(&rep.login())?));
    }
    for query in [COUNT, NEWEST, DASHBOARD, BY_EMAIL, BY_ID, ACCOUNTS, PAGE, LIST] {
        let spot = Spot::new(SECTION, &rep.name, query.name);
        let mut lanes: Vec<Lane> = runners
            .iter_mut()
            .map(|(name, table, person, session)| Lane::new(name, session, query.sql(table, person)))
            .collect();
        let timings = race(&mut lanes, bench.options.pace())?;
        bench.book.enter(&spot, &timings);
        if query.name == ACCOUNTS.name {
            continue; // which table is hashed is Postgres's choice, and costs more than the rest
        }
        let medians = || timings.iter().map(|t| t.median());
        let spread = medians().fold(0.0, f64::max) / medians().fold(f64::INFINITY, f64::min);
        let found = format!("{} between slowest and fastest", times(spread));
        bench.book.judge(&spot, "rows", spread, found, "within 1.5x", spread <= 1.5);
    }
    Ok(())
}

/// The table with the grants of those who are measured; the record teams of everybody else are those of the main table.
fn ensure(bench: &mut Bench, table: &str, rows: i64) -> Result<()> {
    if !data::exists(&mut bench.admin, table)? {
        println!("  making {table} with {rows} leads");
        data::make_leads(&mut bench.admin, table, rows, &bench.options)?;
    }
    directory::protect(&mut bench.admin, table)?;
    bench.admin.run(&directory::grants(
        table,
        &format!(
            "SELECT DISTINCT 1 + org.pick(123, member_id * 1000 + j, {rows}), member_id
             FROM org.cast_member CROSS JOIN generate_series(1, 32) AS j WHERE name IN ('rep', 'rep2')"
        ),
    ))?;
    bench.admin.run("VACUUM (ANALYZE) leadguard.record_grant")?;
    Ok(())
}

/// The rep asks for leads of this table: the sixtieth own one, the middle of all own ones, ten own and ten others.
fn sample(admin: &mut Session, rep: &Person, table: &str, rows: i64) -> Result<Person> {
    let stride = rows / 100;
    let lead = 7 + 60 * stride;
    let owned =
        format!("FROM {table} WHERE owner_id = {} ORDER BY created_at DESC, id DESC OFFSET 50 LIMIT 1", rep.member);
    let list = (1..=10).flat_map(|i| [7 + i * stride, 8 + i * stride]).map(|id| id.to_string()).collect::<Vec<_>>();
    Ok(Person {
        lead,
        email: admin.value(&format!("SELECT email FROM {table} WHERE id = {lead}"))?,
        page: (admin.value(&format!("SELECT created_at {owned}"))?, admin.number(&format!("SELECT id {owned}"))?),
        list: list.join(", "),
        ..rep.clone()
    })
}
