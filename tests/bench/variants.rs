//! The ways to get the same rows: with leadguard, without any protection, by hand, and as fast as possible.

use crate::people::Person;
use crate::session::{Result, Session};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Variant {
    Leadguard,
    /// The table without row security; everybody sees everything.
    Unprotected,
    /// The same with a condition on one column.
    Column,
    /// The same without the index of that column, which no rule about several columns can be read from.
    Heap,
    /// A table of just the visible rows.
    Limit,
    /// The unprotected table with the visible owners, territories and ids as literals, by bitmap.
    Ideal,
    /// A policy with EXISTS over the closure, as people write it.
    Exists,
    /// A policy with `= ANY (ARRAY(SELECT ...))`, the published advice.
    Any,
    /// A policy that calls a PL/pgSQL function per row.
    Function,
}

use Variant::*;

impl Variant {
    pub fn name(self) -> &'static str {
        match self {
            Leadguard => "leadguard",
            Unprotected => "unprotected",
            Column => "owner >= 0",
            Heap => "owner >= 0, heap",
            Limit => "limit",
            Ideal => "ideal",
            Exists => "exists",
            Any => "any array",
            Function => "function",
        }
    }

    /// Whether its answers must be those of leadguard. The others only show what the work costs.
    pub fn agrees(self, person: &Person) -> bool {
        match self {
            Unprotected => person.name == "analyst",
            Column | Heap => false,
            _ => true,
        }
    }

    fn login(self, person: &Person) -> String {
        match self {
            Leadguard => person.login(),
            Unprotected | Column | Heap | Limit | Ideal => "bench_plain".to_string(),
            Exists => format!("bench_{}_exists", person.name),
            Any => format!("bench_{}_any", person.name),
            Function => format!("bench_{}_function", person.name),
        }
    }
}

/// A variant for one person: a connection and what stands behind FROM.
pub struct Entrant {
    pub variant: Variant,
    pub session: Session,
    pub lead: String,
}

pub fn enter(admin: &mut Session, person: &Person, variants: &[Variant]) -> Result<Vec<Entrant>> {
    variants.iter().map(|&variant| Entrant::new(admin, person, variant)).collect()
}

impl Entrant {
    pub fn new(admin: &mut Session, person: &Person, variant: Variant) -> Result<Entrant> {
        let mut session = Session::open(&variant.login(person))?;
        let lead = match variant {
            Leadguard => "crm.lead".to_string(),
            Unprotected => "plain.lead".to_string(),
            Column | Heap => "(SELECT * FROM plain.lead WHERE owner_id >= 0)".to_string(),
            Limit => format!("limits.{}", person.name),
            Ideal => literals(admin, "plain.lead", person.member)?,
            Exists | Any | Function => "policy.lead".to_string(),
        };
        match variant {
            Ideal => session.run("SET enable_seqscan = off")?,
            Heap => session.run("SET enable_indexonlyscan = off")?,
            _ => Vec::new(),
        };
        Ok(Entrant { variant, session, lead })
    }

    /// The statement to measure. That of the ideal is prepared: parsing thousands of literals is not the ideal's work.
    pub fn statement(&mut self, sql: String) -> Result<String> {
        if self.variant != Ideal {
            return Ok(sql);
        }
        self.session.run(&format!("DEALLOCATE ALL; PREPARE ideal AS {sql}"))?;
        Ok("EXECUTE ideal".to_string())
    }
}

/// The visible rows of a table by literal lists, to stand behind FROM.
pub fn literals(admin: &mut Session, table: &str, member: i64) -> Result<String> {
    let mut arm = |column: &str, query: &str| -> Result<String> {
        let ids = admin.value(&format!(
            "SELECT coalesce(string_agg(id::text, ',' ORDER BY id), '') FROM (SELECT DISTINCT {query}) AS s (id)"
        ))?;
        Ok(format!("{column} = ANY ('{{{ids}}}'::bigint[])"))
    };
    let owners = arm("owner_id", &format!("descendant FROM org.closure WHERE ancestor = {member}"))?;
    let territories = arm(
        "territory_id",
        &format!(
            "t.descendant FROM org.closure AS c
             JOIN org.territory_holder AS h ON h.member_id = c.descendant
             JOIN org.territory_closure AS t ON t.ancestor = h.territory_id WHERE c.ancestor = {member}"
        ),
    )?;
    let records = arm(
        "id",
        &format!(
            "r.lead_id FROM org.closure AS c JOIN org.lead_team AS r ON r.member_id = c.descendant WHERE c.ancestor = {member}"
        ),
    )?;
    Ok(format!("(SELECT * FROM {table} WHERE {owners} OR {territories} OR {records})"))
}
