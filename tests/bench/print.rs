//! What a run shows: the medians of every section, its targets, and a summary.

use crate::Bench;
use crate::book::{Book, Spot, word};
use crate::cores;
use crate::options::Options;
use crate::race::Timing;
use crate::session::{LIMIT_SECONDS, Result, Session};
use crate::table::Table;

/// What the figures depend on, for the header and the plot.
pub struct Facts {
    pub data: String,
    pub server: String,
}

pub fn facts(admin: &mut Session, o: &Options) -> Result<Facts> {
    let grants: i64 = admin.number("SELECT count(*) FROM org.lead_team")?;
    let pairs: i64 = admin.number("SELECT count(*) FROM leadguard.member_closure")?;
    let version = admin.value("SELECT extversion FROM pg_extension WHERE extname = 'leadguard'")?;
    let server = admin.value("SELECT current_setting('server_version_num')::int / 10000.0")?;
    let buffers = admin.value("SELECT current_setting('shared_buffers')")?;
    let major: f64 = server.parse().unwrap_or_default();
    let minor = ((major - major.floor()) * 10000.0).round();
    Ok(Facts {
        data: format!(
            "{} leads, {} members ({} closure pairs), {} territories, {} record grants",
            grouped(o.rows),
            grouped(o.members),
            grouped(pairs),
            grouped(o.territories),
            grouped(grants)
        ),
        server: format!(
            "leadguard {version}, PostgreSQL {}.{minor}, shared_buffers {buffers}, {} cores",
            major.floor(),
            cores::number()
        ),
    })
}

pub fn header(facts: &Facts, bench: &Bench) {
    println!("\n{}\n{}\n", facts.data, facts.server);
    let mut table = Table::new(1);
    table.row(["member", "leads", "share"]);
    for person in &bench.people {
        table.row([person.name.clone(), grouped(person.sees), format!("{:.4} %", person.share)]);
    }
    table.print();
    println!("\nMilliseconds, medians of alternating runs, warm, as a client sees them, planning included.");
    if bench.options.quick {
        println!("A quick run: few repetitions on a small table. Its verdicts are hints, not results.");
    }
}

pub fn section(book: &Book, name: &str) {
    let entries: Vec<_> = book.entries.iter().filter(|e| e.spot.section == name).collect();
    let mut variants: Vec<&str> = Vec::new();
    let mut spots: Vec<&Spot> = Vec::new();
    for entry in &entries {
        if !variants.contains(&entry.timing.name) {
            variants.push(entry.timing.name);
        }
        if !spots.contains(&&entry.spot) {
            spots.push(&entry.spot);
        }
    }
    if !spots.is_empty() {
        let mut table = Table::new(2);
        table.row(["member", "query"].into_iter().chain(variants.iter().copied()));
        for spot in spots {
            let figure = |variant: &&str| {
                let found = entries.iter().find(|e| e.spot == *spot && e.timing.name == *variant);
                found.map_or(String::new(), |e| shown(&e.timing))
            };
            table.row([spot.member.clone(), spot.query.clone()].into_iter().chain(variants.iter().map(figure)));
        }
        table.print();
    }
    let verdicts: Vec<_> = book.verdicts.iter().filter(|v| v.spot.section == name).collect();
    if !verdicts.is_empty() {
        println!();
        let mut table = Table::new(5);
        for v in verdicts {
            table.row([&v.spot.member, &v.spot.query, &v.found, &v.target, word(v.ok)].map(|t| t.to_string()));
        }
        table.print();
    }
}

pub fn summary(bench: &Bench, plotted: bool) {
    let book = &bench.book;
    let missed: Vec<_> = book.verdicts.iter().filter(|v| !v.ok).collect();
    println!("\n{} targets, {} missed", book.verdicts.len(), missed.len());
    if !missed.is_empty() {
        let mut table = Table::new(5);
        for v in missed {
            table.row([v.spot.section, &v.spot.member, &v.spot.query, &v.found, &v.target].map(|t| t.to_string()));
        }
        table.print();
    }
    for trouble in &book.troubles {
        println!("TROUBLE: {trouble}");
    }
    let plot = if plotted { " and bench.svg" } else { "" };
    println!("written to {}: bench.csv{plot}", bench.options.out.display());
}

/// Three digits that matter.
fn shown(timing: &Timing) -> String {
    match timing.median() {
        _ if timing.over => format!("> {LIMIT_SECONDS} s"),
        ms if ms < 10.0 => format!("{ms:.3}"),
        ms if ms < 100.0 => format!("{ms:.1}"),
        ms => format!("{ms:.0}"),
    }
}

fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
