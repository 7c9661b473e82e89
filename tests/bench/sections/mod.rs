//! What is measured, in the order in which it is run. Each section stands alone: one that fails stops no other.

mod answers;
mod audit;
mod connect;
mod estimates;
mod fields;
mod masks;
mod moves;
mod parallel;
mod partitions;
mod planning;
mod pooled;
mod prepared;
mod presets;
mod sizes;
mod switch;
mod width;
mod writes;

use crate::Bench;
use crate::session::Result;

pub struct Section {
    pub name: &'static str,
    pub title: &'static str,
    pub run: fn(&mut Bench) -> Result<()>,
}

pub const ALL: [Section; 20] = [
    Section { name: "answers", title: "all variants give everybody the same rows", run: answers::run },
    Section { name: "narrow", title: "members who see few rows", run: width::narrow },
    Section { name: "middle", title: "members who see a few percent", run: width::middle },
    Section { name: "everything", title: "the analyst, who sees everything by privilege", run: width::everything },
    Section { name: "wide", title: "members who see nearly everything by rule", run: width::wide },
    Section { name: "presets", title: "the same queries under every preset, everything mapped", run: presets::run },
    Section { name: "sizes", title: "a rep's queries do not depend on the size of the table", run: sizes::run },
    Section { name: "estimates", title: "the planner's row estimates", run: estimates::run },
    Section { name: "planning", title: "planning time", run: planning::run },
    Section { name: "connect", title: "the first query of a new connection, by id", run: connect::run },
    Section { name: "switch", title: "another member in the next transaction, then a read by id", run: switch::run },
    Section { name: "prepared", title: "a statement prepared by one member, run by another", run: prepared::run },
    Section { name: "parallel", title: "one parallel worker against none", run: parallel::run },
    Section { name: "partitions", title: "eight hash partitions against one table", run: partitions::run },
    Section { name: "moves", title: "reorganisations of 100,000 members and 20,000 territories", run: moves::run },
    Section { name: "writes", title: "writing to a table of 200,000 leads with five indexes", run: writes::run },
    Section { name: "fields", title: "a field matrix of 50 columns and eight roles, and the audit", run: fields::run },
    Section {
        name: "audit",
        title: "an UPDATE with audit and seals, without seals, and without audit",
        run: audit::run,
    },
    Section { name: "masks", title: "reading a table with masked columns", run: masks::run },
    Section { name: "pooled", title: "pgbench, 8 clients, 1,000 members, reads and updates by id", run: pooled::run },
];
