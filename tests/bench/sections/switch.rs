//! One connection of an application server, another member in every transaction.
//!
//! A transaction is one message, BEGIN, act_as, a read by id and COMMIT, so that round trips dilute nothing. Before
//! each timed transaction the same connection runs one of the other member, or one of the same.

use crate::Bench;
use crate::book::Spot;
use crate::people::Person;
use crate::queries::BY_ID;
use crate::race::{Lane, race};
use crate::session::{Result, Session};

const SECTION: &str = "switch";

pub fn run(bench: &mut Bench) -> Result<()> {
    // Neighbours of the same width class, then of different ones.
    for (member, other, bound) in [
        ("rep", "rep2", 1.3),
        ("ceo", "vp", 1.3),
        ("rep", "manager", 2.0),
        ("rep", "ceo", 2.0),
        ("ceo", "rep", 2.0),
        ("rep", "analyst", 2.0),
        ("analyst", "rep", 2.0),
        ("ceo", "analyst", 2.0),
    ] {
        let (member, other) = (bench.person(member), bench.person(other));
        let spot = Spot::new(SECTION, &member.name, &format!("after {}", other.name));
        let mut switching = Session::open("bench_app")?;
        let mut staying = Session::open("bench_app")?;
        let mut lanes = [
            Lane::new("switch", &mut switching, read(&member)).between(read(&other), ""),
            Lane::new("stay", &mut staying, read(&member)).between(read(&member), ""),
        ];
        let timings = race(&mut lanes, bench.options.runs(2000))?;
        bench.book.enter(&spot, &timings);
        bench.book.at_most(&spot, &timings[0], &timings[1], bound);
    }
    Ok(())
}

fn read(person: &Person) -> String {
    format!("BEGIN; SELECT leadguard.act_as('{}'); {}; COMMIT", person.key, BY_ID.sql("crm.lead", person))
}
