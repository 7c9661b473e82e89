//! A pooled connection keeps prepared statements while the member changes. Each timed run is the first after another
//! member had the statement planned on the same connection; it is compared with runs after the member's own planning.
//! EXPLAIN EXECUTE plans and does not run, so that nobody finds the caches full of what the other has read. The second
//! run in the same transaction tells a new plan, which is paid once, from a wrong plan, which stays.

use crate::Bench;
use crate::book::Spot;
use crate::people::Person;
use crate::queries::*;
use crate::race::{Lane, Pace, race};
use crate::session::{Result, Session};

const SECTION: &str = "prepared";

/// A statement with its parameters, and arguments for them.
struct Statement {
    name: &'static str,
    parameters: &'static str,
    sql: String,
    arguments: String,
}

fn statements(person: &Person) -> [Statement; 6] {
    let fixed = |query: &Query| Statement {
        name: query.name,
        parameters: "",
        sql: query.sql("crm.lead", person),
        arguments: String::new(),
    };
    [
        fixed(&COUNT),
        fixed(&NEWEST),
        fixed(&DASHBOARD),
        fixed(&BY_ID),
        // Those with parameters have a plan of their own for each execution at first, and a generic one later.
        Statement {
            name: "by id, $1",
            parameters: "(bigint)",
            sql: "SELECT * FROM crm.lead AS l WHERE id = $1".to_string(),
            arguments: format!("({})", person.lead),
        },
        Statement {
            name: "count since $1",
            parameters: "(timestamptz)",
            sql: "SELECT count(*) FROM crm.lead AS l WHERE created_at >= $1".to_string(),
            arguments: "('2021-02-01')".to_string(),
        },
    ]
}

pub fn run(bench: &mut Bench) -> Result<()> {
    let pace = bench.options.pace();
    for (planner, runner) in
        [("rep", "ceo"), ("ceo", "rep"), ("director", "ceo"), ("rep", "analyst"), ("analyst", "rep")]
    {
        let (planner, runner) = (bench.person(planner), bench.person(runner));
        for statement in statements(&runner) {
            let spot = Spot::new(SECTION, &runner.name, &format!("{}, plan of {}", statement.name, planner.name));
            let mut foreign = Session::open("bench_app")?;
            let mut again = Session::open("bench_app")?;
            let mut own = Session::open("bench_app")?;
            for (session, person) in [(&mut foreign, &planner), (&mut again, &planner), (&mut own, &runner)] {
                prepare(session, person, &statement)?;
            }
            let execute = format!("EXECUTE q {}", statement.arguments);
            let after = |person: &Person| format!("{}; EXPLAIN {execute}; COMMIT; {}", act_as(person), act_as(&runner));
            let mut lanes = [
                Lane::new("other's plan", &mut foreign, &execute).between(after(&planner), "COMMIT"),
                Lane::new("own plan", &mut own, &execute).between(after(&runner), "COMMIT"),
                Lane::new("second run", &mut again, &execute)
                    .between(format!("{}; {execute}", after(&planner)), "COMMIT"),
            ];
            let timings = race(&mut lanes, Pace { most: pace.most.min(60), ..pace })?;
            bench.book.enter(&spot, &timings);
            bench.book.at_most(&spot, &timings[0], &timings[1], 1.5);
            bench.book.at_most(&spot, &timings[2], &timings[1], 1.5);
        }
    }
    Ok(())
}

fn act_as(person: &Person) -> String {
    format!("BEGIN; SELECT leadguard.act_as('{}')", person.key)
}

/// Prepares a statement and has it planned often enough for a generic plan.
fn prepare(session: &mut Session, person: &Person, statement: &Statement) -> Result<()> {
    session.run(&act_as(person))?;
    session.run(&format!("PREPARE q {} AS {}", statement.parameters, statement.sql))?;
    for _ in 0..6 {
        session.run(&format!("EXPLAIN EXECUTE q {}", statement.arguments))?;
    }
    session.run("COMMIT")?;
    Ok(())
}
