//! Queries of members who see few, some, or all rows, beside what the same rows cost otherwise.

use crate::Bench;
use crate::book::Spot;
use crate::people::Person;
use crate::queries::*;
use crate::race::{Lane, Timing, race};
use crate::session::Result;
use crate::variants::{Entrant, Variant, Variant::*, enter};

/// The medians of one query for one person, by variant.
struct Heat {
    spot: Spot,
    timings: Vec<Timing>,
}

impl Heat {
    fn of(&self, variant: Variant) -> &Timing {
        self.timings.iter().find(|t| t.name == variant.name()).expect("the variant took part")
    }
}

/// The queries that every variant runs.
const MAIN: [Query; 5] = [COUNT, NEWEST, DASHBOARD, BY_EMAIL, BY_ID];

/// A function per row takes so long that it runs only where people would try it, and what is written by hand for
/// wider members is well known from the main queries.
fn worth_it(section: &str, variant: Variant, query: &Query) -> bool {
    match variant {
        Function => ["count", "by id"].contains(&query.name),
        Heap => query.name == "count",
        Exists | Any => section == "narrow" || MAIN.iter().any(|main| main.name == query.name),
        _ => true,
    }
}

/// Runs one query in all variants; the answers must agree.
fn heat(
    bench: &mut Bench,
    section: &'static str,
    person: &Person,
    entrants: &mut [Entrant],
    query: &Query,
) -> Result<Heat> {
    let spot = Spot::new(section, &person.name, query.name);
    let (mut lanes, mut agreeing) = (Vec::new(), Vec::new());
    for entrant in entrants.iter_mut().filter(|e| worth_it(section, e.variant, query)) {
        agreeing.push(entrant.variant.agrees(person));
        let sql = query.sql(&entrant.lead, person);
        let sql = entrant.statement(sql)?;
        lanes.push(Lane::new(entrant.variant.name(), &mut entrant.session, sql));
    }
    let timings = race(&mut lanes, bench.options.pace())?;
    bench.book.enter(&spot, &timings);
    let mut compared = timings.iter().zip(agreeing).filter(|(t, agrees)| *agrees && t.answer.is_some()).map(|(t, _)| t);
    if let Some(first) = compared.next() {
        for other in compared.filter(|t| t.answer != first.answer) {
            bench.book.disagreement(&spot, first.name, other.name);
        }
    }
    Ok(Heat { spot, timings })
}

pub fn narrow(bench: &mut Bench) -> Result<()> {
    const SECTION: &str = "narrow";
    for person in bench.people(&["rep", "grantee"]) {
        let mut entrants = enter(&mut bench.admin, &person, &[Leadguard, Limit, Ideal, Any, Exists, Function])?;
        for query in
            [COUNT, NEWEST, DASHBOARD, BY_EMAIL, BY_ID, PER_OWNER, OWNERS, ACCOUNTS, SEARCH, PAGE, LIST, TOP_THREE]
        {
            let h = heat(bench, SECTION, &person, &mut entrants, &query)?;
            let (ours, limit) = (h.of(Leadguard), h.of(Limit));
            match query.name {
                "count" | "newest 50" | "dashboard" => bench.book.at_most(&h.spot, ours, limit, 2.5),
                "by e-mail" | "by id" => bench.book.at_most(&h.spot, ours, limit, 1.5),
                _ => {}
            }
            if query.name == "count" {
                bench.book.faster(&h.spot, ours, h.of(Exists), 700.0);
            }
        }
    }
    Ok(())
}

pub fn middle(bench: &mut Bench) -> Result<()> {
    const SECTION: &str = "middle";
    for person in bench.people(&["manager", "director", "patchwork"]) {
        let mut entrants = enter(&mut bench.admin, &person, &[Leadguard, Ideal, Limit, Any, Exists])?;
        for query in
            [COUNT, DASHBOARD, NEWEST, BY_EMAIL, BY_ID, PER_OWNER, OWNERS, ACCOUNTS, SEARCH, PAGE, LIST, TOP_THREE]
        {
            let h = heat(bench, SECTION, &person, &mut entrants, &query)?;
            // Somebody with a quarter of all rows is in the table, but in no target.
            if person.share < 10.0 && ["count", "dashboard"].contains(&query.name) {
                bench.book.at_most(&h.spot, h.of(Leadguard), h.of(Ideal), 1.25);
                bench.book.not_slower(&h.spot, h.of(Leadguard), h.of(Any));
            }
        }
    }
    Ok(())
}

pub fn everything(bench: &mut Bench) -> Result<()> {
    const SECTION: &str = "everything";
    let person = bench.person("analyst");
    let mut entrants = enter(&mut bench.admin, &person, &[Leadguard, Unprotected, Column])?;
    for (query, bound) in [
        (COUNT, Some(1.25)),
        (PER_OWNER, Some(1.25)),
        (OWNERS, Some(1.25)),
        (DASHBOARD, Some(1.15)),
        (NEWEST, Some(1.25)),
        (BY_ID, Some(1.25)),
        (BY_EMAIL, None),
        (ACCOUNTS, None),
        (SEARCH, None),
        (PAGE, None),
        (LIST, None),
    ] {
        let h = heat(bench, SECTION, &person, &mut entrants, &query)?;
        if let Some(bound) = bound {
            bench.book.at_most(&h.spot, h.of(Leadguard), h.of(Unprotected), bound);
        }
    }
    Ok(())
}

pub fn wide(bench: &mut Bench) -> Result<()> {
    const SECTION: &str = "wide";
    for person in bench.people(&["vp", "ceo"]) {
        let mut entrants = enter(&mut bench.admin, &person, &[Leadguard, Unprotected, Column, Heap, Any, Exists])?;
        for (query, base) in [
            (COUNT, Some(Heap)),
            (DASHBOARD, Some(Unprotected)),
            (NEWEST, Some(Unprotected)),
            (BY_ID, Some(Unprotected)),
            (BY_EMAIL, None),
            (PER_OWNER, None),
            (OWNERS, None),
            (ACCOUNTS, None),
            (SEARCH, None),
            (PAGE, None),
            (LIST, None),
        ] {
            let h = heat(bench, SECTION, &person, &mut entrants, &query)?;
            if let Some(base) = base {
                bench.book.at_most(&h.spot, h.of(Leadguard), h.of(base), 1.25);
            }
        }
    }
    Ok(())
}
