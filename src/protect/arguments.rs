//! The arguments of protect, judged before the table is looked at.

use crate::arguments::given;
use crate::errors::{NOT_YET, bad_argument, failure};
use crate::ffi::session;
use crate::guc;
use pgrx::pg_sys::Oid;

/// What to do with permissive policies that the table has already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    Refuse,
    Restrictive,
}

/// What to do about indexes that the mapped columns lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Indexes {
    Create,
    Require,
    Skip,
}

/// The column names that the caller maps.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    pub id: Option<String>,
    pub owner: Option<String>,
    pub creator: Option<String>,
    pub territory: Option<String>,
    pub organization: Option<String>,
    pub segment: Option<String>,
    pub team: Option<String>,
    pub parent: Option<String>,
    pub stage: Option<String>,
    pub status: Option<String>,
    pub sensitive: Option<String>,
    pub archived_at: Option<String>,
    pub archived_by: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Request {
    pub target: Oid,
    pub preset: String,
    pub object: String,
    /// The protected table that the parent column refers to.
    pub parent: Option<Oid>,
    pub names: Names,
    pub org_key: String,
    pub existing: Existing,
    pub indexes: Indexes,
    pub force: bool,
    pub dry_run: bool,
}

/// The one that needs no roles, and that databases know which hold no rules yet.
pub(super) const PRESET: &str = "sales_hierarchy";
const PRESETS: [&str; 4] = ["four_role", "decision_site", "organization", PRESET];
const OBJECTS: [&str; 5] = ["lead", "campaign", "deal", "segment", "account"];

pub(crate) fn preset(given: Option<&str>) -> String {
    one_of("preset", given, &PRESETS)
}

/// What the rows of a table are.
pub(crate) fn object(given: Option<&str>) -> String {
    one_of("object", given, &OBJECTS)
}

fn one_of(argument: &str, given: Option<&str>, known: &[&str]) -> String {
    match given {
        Some(value) if known.contains(&value) => value.to_owned(),
        other => unknown(argument, other, &known.join(", ")),
    }
}

pub(super) fn existing(given: Option<&str>) -> Existing {
    match given {
        Some("refuse") => Existing::Refuse,
        Some("restrictive") => Existing::Restrictive,
        other => unknown("existing", other, "refuse, restrictive"),
    }
}

pub(super) fn indexes(given: Option<&str>) -> Indexes {
    match given {
        Some("create") => Indexes::Create,
        Some("require") => Indexes::Require,
        Some("skip") => Indexes::Skip,
        other => unknown("indexes", other, "create, require, skip"),
    }
}

/// A list of names; none of them is NULL.
pub(super) fn names(argument: &str, names: Option<Vec<Option<String>>>) -> Vec<String> {
    let names: Option<Vec<String>> = given(names, argument).into_iter().collect();
    match names {
        Some(names) => names,
        None => bad_argument(format!("argument \"{argument}\" must not contain NULL")).raise(),
    }
}

pub(super) fn unknown(argument: &str, given: Option<&str>, choices: &str) -> ! {
    let message = match given {
        Some(value) => format!("unknown value \"{value}\" of argument \"{argument}\""),
        None => format!("argument \"{argument}\" must not be NULL"),
    };
    bad_argument(message).hint(format!("Possible values: {choices}.")).raise()
}

/// Refuses arguments of rules that a database does not hold before its update, so that nobody believes in one.
pub(super) fn refuse_unknown_to_database(arguments: &[(&str, bool)]) {
    if let Some((argument, _)) = arguments.iter().find(|(_, given)| *given) {
        failure("55000", format!("argument \"{argument}\" is not known to this database yet"))
            .detail("The extension in this database is older than its library.")
            .hint("Run ALTER EXTENSION leadguard UPDATE first.")
            .raise();
    }
}

/// Minor versions below these have holes in row security itself (CVE-2026-120154 and its neighbours).
const FLOOR: [(u32, u32); 5] = [(14, 25), (15, 20), (16, 16), (17, 12), (18, 7)];

pub(super) fn refuse_unpatched_server() {
    if guc::allow_unpatched_server() {
        return;
    }
    let version = session::server_version_num();
    let (major, minor) = (version / 10_000, version % 10_000);
    let safe = match FLOOR.iter().find(|(m, _)| *m == major) {
        Some((_, floor)) => minor >= *floor,
        None => major > FLOOR[FLOOR.len() - 1].0,
    };
    if !safe {
        let floors = FLOOR.map(|(major, minor)| format!("{major}.{minor}")).join(", ");
        failure(NOT_YET, format!("PostgreSQL {major}.{minor} has known holes in row security"))
            .detail(format!("Row security is sound from {floors} on."))
            .hint("Update the server. A superuser can set leadguard.allow_unpatched_server to accept the risk.")
            .raise();
    }
}
