//! Throughput of short transactions of an application server: eight clients, each transaction for one of 1,000
//! members, one read and one update by id. The unprotected script does the same with a harmless SELECT instead of
//! act_as. Through pgbouncer in transaction mode when pg_test_config/bench found one.

use crate::Bench;
use crate::book::Spot;
use crate::cores;
use crate::data;
use crate::directory;
use crate::race::{Timing, median};
use crate::session::{DATABASE, Result};
use leadguard_tests::server;
use std::io::Write;
use std::process::Stdio;

const SECTION: &str = "pooled";
const ROWS: i64 = 200_000;
const MEMBERS: i64 = 1_000;
const CLIENTS: u32 = 8;

pub fn run(bench: &mut Bench) -> Result<()> {
    // Leaves of the tree, none of them measured otherwise.
    let first = bench.options.members - 2 * MEMBERS;
    arrange(bench, first)?;
    let pooler = std::env::var("LEADGUARD_BENCH_POOLER_PORT").ok();
    let port = pooler.clone().unwrap_or_else(|| server().port.to_string());
    let way = if pooler.is_some() { "through pgbouncer" } else { "one connection per client" };
    let (rounds, seconds) = if bench.options.quick { (3, 3) } else { (5, 8) };

    let scripts = [
        ("leadguard", script("SELECT leadguard.act_as('m' || :member)", "pooled.guarded", first)),
        ("unprotected", script("SELECT length('m' || :member)", "pooled.plain", first)),
    ];
    let mut throughput = [Vec::new(), Vec::new()];
    for round in 0..=rounds {
        for i in [round % 2, 1 - round % 2] {
            let tps = pgbench(&scripts[i].1, &port, seconds)?;
            // The first round fills the caches of all backends.
            if round > 0 {
                throughput[i].push(tps);
            }
        }
    }
    let spot = Spot::new(SECTION, "1,000 members", way);
    let latency = |tps: &Vec<f64>| tps.iter().map(|t| 1000.0 * f64::from(CLIENTS) / t).collect();
    let timings: Vec<Timing> =
        scripts.iter().zip(&throughput).map(|((name, _), tps)| Timing::of(name, latency(tps))).collect();
    bench.book.enter(&spot, &timings);
    let (ours, plain) = (median(&throughput[0]), median(&throughput[1]));
    let found = format!("{:.0} % of the throughput ({ours:.0} of {plain:.0} per second)", 100.0 * ours / plain);
    bench.book.judge(&spot, "leadguard", ours / plain, found, "at least 80 %", ours / plain >= 0.8);
    bench.admin.run("SET client_min_messages = error; DROP SCHEMA pooled CASCADE; RESET client_min_messages")?;
    Ok(())
}

/// Lead number k belongs to pooled member (k - 1) % 1,000 + 1, so that the script knows who may change what.
fn arrange(bench: &mut Bench, first: i64) -> Result<()> {
    let admin = &mut bench.admin;
    admin.run("SET client_min_messages = error; DROP SCHEMA IF EXISTS pooled CASCADE; RESET client_min_messages")?;
    admin.run("CREATE SCHEMA pooled; GRANT USAGE ON SCHEMA pooled TO PUBLIC")?;
    data::make_leads(admin, "pooled.source", ROWS, &bench.options)?;
    for table in ["pooled.plain", "pooled.guarded"] {
        data::copy_leads(
            admin,
            table,
            &format!(
                "SELECT id, account_id, {first} + 1 + (id - 1) % {MEMBERS}, territory_id, created_at, updated_at, email,
                     company, status, amount
                 FROM pooled.source"
            ),
        )?;
    }
    admin.run("DROP TABLE pooled.source")?;
    directory::protect(admin, "pooled.guarded")?;
    admin.run("GRANT SELECT, UPDATE ON pooled.plain TO bench_app")?;
    Ok(())
}

fn script(identify: &str, table: &str, first: i64) -> String {
    format!(
        "\\set owner random(1, {MEMBERS})
\\set member :owner + {first}
\\set id :owner + {MEMBERS} * random(0, {last})
BEGIN;
{identify};
SELECT id, company, status FROM {table} WHERE id = :id;
UPDATE {table} SET status = 'working', updated_at = now() WHERE id = :id;
COMMIT;
",
        last = ROWS / MEMBERS - 1
    )
}

/// Transactions per second.
fn pgbench(script: &str, port: &str, seconds: u32) -> Result<f64> {
    let server = server();
    let mut child = cores::everywhere(&server.bin.join("pgbench"))
        .arg("-h")
        .arg(&server.socket)
        .args(["-p", port, "-U", "bench_app", "-n", "-f", "-", "-c", &CLIENTS.to_string(), "-j", "2"])
        .args(["-T", &seconds.to_string(), DATABASE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    child.stdin.take().ok_or_else(|| "pgbench takes no script".to_string())?.write_all(script.as_bytes())?;
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let tps = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    match tps {
        Some(tps) if output.status.success() => Ok(tps),
        _ => Err(format!("pgbench: {}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}
