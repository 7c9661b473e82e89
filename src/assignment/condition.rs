//! What a record must say for a rule to concern it: a declared form on its columns, never SQL.

use crate::ffi::compare::Order;
use crate::ffi::row::{Attribute, Kept, Values};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::visibility::{Part, Table};
use serde_json::{Map, Value as Json};
use std::cmp::Ordering;
use std::collections::HashSet;

const MOST_CLAUSES: usize = 50;
const MOST_VALUES: usize = 1000;
const LONGEST: usize = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
    In,
    NotIn,
    AtLeast,
    AtMost,
    Null(bool),
}

/// One part of a condition as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Clause {
    Column {
        name: String,
        tests: Vec<(Test, Vec<String>)>,
    },
    /// The record's territory is one of these, or below one.
    Territory(Vec<String>),
    Segment(Vec<String>),
}

/// Reads a condition; says why it is none.
pub(super) fn parse(json: &Json) -> Result<Vec<Clause>, String> {
    let list = match json {
        Json::Array(list) => list.as_slice(),
        Json::Null => &[],
        Json::Object(_) => std::slice::from_ref(json),
        _ => return Err("it is a list of objects".to_owned()),
    };
    if list.len() > MOST_CLAUSES {
        return Err(format!("it has more than {MOST_CLAUSES} parts"));
    }
    list.iter()
        .map(|clause| match clause {
            Json::Object(clause) => parse_clause(clause),
            _ => Err("each of its parts is an object".to_owned()),
        })
        .collect()
}

fn parse_clause(clause: &Map<String, Json>) -> Result<Clause, String> {
    if let Some(keys) = clause.get("territory").filter(|_| clause.len() == 1) {
        return Ok(Clause::Territory(texts(keys)?));
    }
    if let Some(values) = clause.get("segment").filter(|_| clause.len() == 1) {
        return Ok(Clause::Segment(texts(values)?));
    }
    let name = match clause.get("column") {
        Some(Json::String(name)) => name.clone(),
        _ => return Err("a part names a \"column\", or is {\"territory\": …} or {\"segment\": …}".to_owned()),
    };
    let mut tests = Vec::new();
    for (word, value) in clause.iter().filter(|(word, _)| *word != "column") {
        tests.push(match (word.as_str(), value) {
            ("is", value) => (Test::In, vec![text(value)?]),
            ("is_not", value) => (Test::NotIn, vec![text(value)?]),
            ("in", list) => (Test::In, texts(list)?),
            ("not_in", list) => (Test::NotIn, texts(list)?),
            ("at_least", value) => (Test::AtLeast, vec![text(value)?]),
            ("at_most", value) => (Test::AtMost, vec![text(value)?]),
            ("is_null", Json::Bool(wanted)) => (Test::Null(*wanted), Vec::new()),
            _ => return Err(format!("\"{}\" is not understood", word.chars().take(60).collect::<String>())),
        });
    }
    if tests.is_empty() {
        return Err(
            "a part says nothing about its column: is, is_not, in, not_in, at_least, at_most, is_null".to_owned()
        );
    }
    Ok(Clause::Column { name, tests })
}

fn text(value: &Json) -> Result<String, String> {
    let text = match value {
        Json::String(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        Json::Bool(value) => value.to_string(),
        _ => return Err("a value is a text, a number, true or false".to_owned()),
    };
    if text.len() > LONGEST { Err(format!("a value is longer than {LONGEST} bytes")) } else { Ok(text) }
}

fn texts(value: &Json) -> Result<Vec<String>, String> {
    match value {
        Json::Array(list) if list.is_empty() || list.len() > MOST_VALUES => {
            Err(format!("a list has 1 to {MOST_VALUES} values"))
        }
        Json::Array(list) => list.iter().map(text).collect(),
        value => Ok(vec![text(value)?]),
    }
}

/// The columns that a condition looks at.
pub(super) fn columns(clauses: &[Clause], table: &Table) -> Vec<String> {
    let column = |clause: &Clause| match clause {
        Clause::Column { name, .. } => Some(name.clone()),
        Clause::Territory(_) => table.column(Part::Territory).map(str::to_owned),
        Clause::Segment(_) => table.column(Part::Segment).map(str::to_owned),
    };
    clauses.iter().filter_map(column).collect()
}

/// A condition put to the columns of one relation.
pub(super) struct Compiled {
    tests: Vec<Ready>,
    /// A column is gone: met by nothing.
    broken: bool,
}

struct Ready {
    attribute: Attribute,
    what: What,
}

enum What {
    Null(bool),
    Compare(Test, Order, Vec<Kept>),
    Named(HashSet<String>),
}

impl Compiled {
    /// Raises what the columns' types raise for values that are none of theirs.
    pub(super) fn new(clauses: &[Clause], attributes: &[Attribute], table: &Table, organization: i64) -> Compiled {
        let mut compiled = Compiled { tests: Vec::new(), broken: false };
        let find = |name: &str| attributes.iter().find(|a| a.name == name).cloned();
        for clause in clauses {
            match clause {
                Clause::Column { name, tests } => {
                    for (test, values) in tests {
                        let ready = find(name).and_then(|attribute| Ready::new(attribute, *test, values));
                        compiled.broken |= ready.is_none();
                        compiled.tests.extend(ready);
                    }
                }
                Clause::Territory(keys) => {
                    let column = table.column(Part::Territory).and_then(find);
                    compiled.broken |= column.is_none();
                    compiled.tests.extend(column.map(|attribute| Ready {
                        what: What::Named(territories(keys, &attribute, organization)),
                        attribute,
                    }));
                }
                Clause::Segment(values) => {
                    let column = table.column(Part::Segment).and_then(find);
                    compiled.broken |= column.is_none();
                    compiled.tests.extend(
                        column
                            .map(|attribute| Ready { what: What::Named(values.iter().cloned().collect()), attribute }),
                    );
                }
            }
        }
        compiled
    }

    pub(super) fn is_met(&self, values: &Values) -> bool {
        !self.broken && self.tests.iter().all(|ready| ready.is_met(values))
    }
}

impl Ready {
    fn new(attribute: Attribute, test: Test, values: &[String]) -> Option<Ready> {
        let what = match test {
            Test::Null(wanted) => What::Null(wanted),
            test => {
                let order = Order::of(&attribute)?;
                What::Compare(test, order, values.iter().map(|text| Kept::parsed(text, &attribute)).collect())
            }
        };
        Some(Ready { attribute, what })
    }

    fn is_met(&self, values: &Values) -> bool {
        let is_null = values.is_null(&self.attribute);
        match &self.what {
            What::Null(wanted) => is_null == *wanted,
            What::Named(names) => values.text(&self.attribute).is_some_and(|text| names.contains(&text)),
            // NULL is not the value, and neither more nor less than one.
            What::Compare(test, ..) if is_null => *test == Test::NotIn,
            What::Compare(test, order, wanted) => {
                let value = values.datum(&self.attribute);
                let is = |accepted: fn(Ordering) -> bool| {
                    wanted.iter().filter_map(Kept::value).any(|wanted| accepted(order.compare(value, wanted)))
                };
                match test {
                    Test::In => is(Ordering::is_eq),
                    Test::NotIn => !is(Ordering::is_eq),
                    Test::AtLeast => is(Ordering::is_ge),
                    Test::AtMost => is(Ordering::is_le),
                    Test::Null(_) => false,
                }
            }
        }
    }
}

/// The territories of these keys and all below, as the column names them.
fn territories(keys: &[String], attribute: &Attribute, organization: i64) -> HashSet<String> {
    let is_int = crate::ffi::call::kind_of(attribute.type_oid).is_some_and(|kind| kind.is_int());
    let mut found = HashSet::new();
    as_extension(|| {
        sql::query(
            "SELECT t.id::text, t.key FROM leadguard.territory top \
             JOIN leadguard.territory_closure c ON c.ancestor_id = top.id JOIN leadguard.territory t ON t.id = c.descendant_id \
             WHERE top.key = ANY ($1) AND top.org_id = $2",
            &[Param::Texts(keys), Param::Int(Some(organization))],
            Sees::Now,
            &mut |row| found.extend(row.text(i32::from(!is_int))),
        )
    });
    found
}
