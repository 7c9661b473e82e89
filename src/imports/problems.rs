//! What was found, written down.

use super::check::{Found, Problem};
use super::sessions::Session;
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use std::collections::HashSet;

/// Writes problems down; those that are known stay.
pub(super) fn keep(session: &Session, found: &Found, anew: bool) {
    let import = Param::Int(Some(session.id));
    let column = |text: fn(&Problem) -> &str| -> Vec<String> {
        found.problems.iter().map(|problem| text(problem).to_owned()).collect()
    };
    let numbers: Vec<i64> = found.problems.iter().map(|problem| problem.line).collect();
    let (fields, problems, details) = (column(|p| &p.field), column(|p| p.problem), column(|p| &p.detail));
    as_extension(|| {
        if anew {
            sql::query(
                "DELETE FROM leadguard.import_problem WHERE import_id = $1",
                std::slice::from_ref(&import),
                Sees::Now,
                &mut |_| {},
            );
        }
        sql::query(
            "INSERT INTO leadguard.import_problem (import_id, line, field, problem, detail) \
             SELECT $1, p.line, p.field, p.problem, nullif(p.detail, '') \
             FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[]) p (line, field, problem, detail) \
             ON CONFLICT ON CONSTRAINT import_problem_pkey DO NOTHING",
            &[
                import.clone(),
                Param::Ints(&numbers),
                Param::Texts(&fields),
                Param::Texts(&problems),
                Param::Texts(&details),
            ],
            Sees::Now,
            &mut |_| {},
        );
    });
}

/// The lines of which a problem is written down.
pub(super) fn known_bad(session: &Session) -> HashSet<i64> {
    let mut found = HashSet::new();
    as_extension(|| {
        sql::query(
            "SELECT DISTINCT line FROM leadguard.import_problem WHERE import_id = $1",
            &[Param::Int(Some(session.id))],
            Sees::Now,
            &mut |row| found.extend(row.int(0)),
        )
    });
    found
}
