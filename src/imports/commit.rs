//! Inserting the good rows of an import: all of them, or none.
//!
//! The INSERTs are the caller's own, with his privileges and through the policies, triggers and defaults of the table.
//! Commits of one table wait for each other, so that of two imports of the same file the second finds what the first
//! has inserted.

use super::check::{self, For, Line, Progress};
use super::problems::{self, known_bad};
use super::sessions::Session;
use super::submit::{cover, digest, imported_so_far};
use super::target::ImportTarget;
use crate::audit::{self, Event};
use crate::batches::{self, Cover};
use crate::errors::{self, NEEDS_APPROVAL, failure};
use crate::ffi::row;
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::model::batch::Operation;
use crate::visibility::{self, Member, Subject};
use pgrx::iter::TableIterator;
use pgrx::pg_sys::Oid;
use pgrx::{name, pg_extern};
use std::collections::{BTreeMap, HashSet};

type Outcome = TableIterator<
    'static,
    (name!(records, i64), name!(inserted, i64), name!(duplicates, i64), name!(invalid, i64), name!(skipped, i64)),
>;

/// Inserts the good rows of an import. For whoever opened it. Errors: 42501, LG004, 55000, and those of the table.
#[pg_extern(sql = false)]
fn import_commit(import: Option<i64>) -> Outcome {
    let subject = visibility::now();
    wait_for_others(Session::own("import_commit", import, &subject).target);
    // Whoever had to wait reads anew what became of the import.
    let session = Session::own("import_commit", import, &subject);
    let target = ImportTarget::find(session.table());
    let Some(member) = subject.member.as_ref() else { errors::bug("an import of nobody") };
    let cover = covered(&session, &target, &subject, member);
    session.require_checked_rows();
    require_same_rows(&session);
    require_same_settings(&session);
    let known = known_bad(&session);
    let found = check::run(&session, &target, &subject, member, For::Commit);
    problems::keep(&session, &found, false);
    let bad: HashSet<i64> = known.union(&found.bad).copied().collect();
    let wanted = found.lines - i64::try_from(bad.len()).unwrap_or_default();
    // What covers the import was judged by the good rows of the check.
    if wanted > session.good {
        failure("55000", format!("{} has more good rows than when it was checked", session.shown()))
            .hint("Cancel it, and import the file anew.")
            .raise();
    }
    // Before anything of the table runs: nothing that it does meets an import that is not over. What another import
    // within this one asks for is how many rows there are going to be.
    finish(&session, "state = 'committed', ended_at = clock_timestamp(), inserted = $2", wanted);
    let rows = u64::try_from(wanted).unwrap_or_default();
    let inserted =
        batches::covered(target.table.target, Operation::Import, cover, rows, || insert(&session, &target, &bad));
    finish(&session, "inserted = $2", inserted);
    session.forget_rows();
    let duplicates = duplicates(&session);
    let invalid = i64::try_from(bad.len()).unwrap_or_default() - duplicates;
    let skipped = wanted - inserted;
    session.note(
        "import_commit",
        None,
        &format!(
            "{} rows, {inserted} inserted, {duplicates} duplicates, {invalid} invalid, {skipped} skipped",
            found.lines
        ),
    );
    TableIterator::new(vec![(found.lines, inserted, duplicates, invalid, skipped)])
}

/// Keeps others from committing imports into the table until this transaction ends; they may begin new ones.
fn wait_for_others(target: Oid) {
    as_extension(|| {
        sql::query(
            "SELECT 1 FROM leadguard.import_target WHERE target = $1 FOR NO KEY UPDATE",
            &[Param::Oid(target)],
            Sees::Now,
            &mut |_| {},
        )
    });
}

fn finish(session: &Session, set: &str, number: i64) {
    let text = format!("UPDATE leadguard.import_session SET {set} WHERE id = $1");
    let params = [Param::Int(Some(session.id)), Param::Int(Some(number))];
    as_extension(|| sql::query_once(&text, &params, Sees::Now, &mut |_| {}));
}

/// What covers the import, used up. LG004 while it waits, 55000 in any other state but approved.
fn covered(session: &Session, target: &ImportTarget, subject: &Subject, member: &Member) -> Cover {
    match (session.state.as_str(), session.approval) {
        ("approved" | "submitted", Some(approval)) => {
            take(session, approval, member);
            Cover { approval: Some(approval), ..Cover::default() }
        }
        ("approved", None) => cover(session, imported_so_far(session), &target.table, subject, member).unwrap_or_else(|| {
            failure(NEEDS_APPROVAL, format!("{} needs an approval now", session.shown()))
                .detail("What covered it when it was submitted is gone, or this transaction has imported too many rows.")
                .hint("Commit the transaction before; or cancel the import, and submit a new one.")
                .raise()
        }),
        ("open" | "checked", _) => failure("55000", format!("{} is not submitted", session.shown()))
            .hint(format!("SELECT leadguard.import_submit({}, <justification>) submits it.", session.id))
            .raise(),
        _ => session.refuse_as_over(),
    }
}

/// Uses up the approval; two sessions that meet here are told apart by the lock on the import.
fn take(session: &Session, approval: i64, member: &Member) {
    let params = [
        Param::Int(Some(approval)),
        Param::Int(Some(member.id)),
        Param::Oid(session.target),
        Param::Int(Some(session.good)),
        Param::Text(Some(&session.id.to_string())),
    ];
    let taken = as_extension(|| {
        sql::first_int(
            "UPDATE leadguard.approval SET used_at = clock_timestamp() WHERE id = $1 AND kind = 'import' AND granted \
             AND used_at IS NULL AND until > clock_timestamp() AND requested_by = $2 AND target = $3 AND records >= $4 \
             AND detail ->> 'import' = $5 RETURNING id",
            &params,
            Sees::Now,
        )
    });
    if taken.is_none() {
        failure(NEEDS_APPROVAL, format!("{} has no approval that holds", session.shown()))
            .detail(format!("Request {approval} was not granted, or has expired."))
            .hint("A person with the capability approve grants it with leadguard.decide_approval.")
            .raise();
    }
    audit::event(&Event {
        target: Some(session.target),
        record: None,
        action: "use_approval",
        reason: None,
        approval: Some(approval),
        detail: Some(format!("import {}", session.id)),
    });
}

/// 55000 for rows that are not those that were submitted.
fn require_same_rows(session: &Session) {
    let params = [Param::Int(Some(session.id)), Param::Text(Some(&digest(session)))];
    let same = as_extension(|| {
        sql::first_int(
            "SELECT id FROM leadguard.import_session WHERE id = $1 AND digest = decode($2, 'hex')",
            &params,
            Sees::Now,
        )
    });
    if same.is_none() {
        failure("55000", format!("the rows of {} are not those that were submitted", session.shown()))
            .hint("Cancel it, and import the file anew.")
            .raise();
    }
}

/// 55000 where a date would be read as another one than when it was checked.
fn require_same_settings(session: &Session) {
    let params = [Param::Int(Some(session.id))];
    let text = concat!(
        "SELECT settings FROM leadguard.import_session WHERE id = $1 AND settings IS DISTINCT FROM ",
        include_str!("../../sql/query/import_settings.sql")
    );
    if let Some(settings) = as_extension(|| sql::first_text(text, &params, Sees::Now)) {
        failure("55000", format!("{} was checked under other settings of this kind: {settings}", session.shown()))
            .detail("What a text means follows them: DateStyle, IntervalStyle, TimeZone, timezone_abbreviations, lc_monetary, array_nulls.")
            .hint("SET them as they were, and commit again.")
            .raise();
    }
}

/// How many rows were inserted.
fn insert(session: &Session, target: &ImportTarget, bad: &HashSet<i64>) -> i64 {
    let (mut after, mut inserted, mut progress) = (0, 0, Progress::new("inserted"));
    loop {
        let lines = check::lines(session.id, target, after);
        let Some(last) = lines.last() else { break };
        after = last.number;
        let good: Vec<&Line> = lines.iter().filter(|line| !bad.contains(&line.number)).collect();
        inserted += insert_lines(target, &good);
        progress.add(good.len());
    }
    inserted
}

/// Lines that fill the same columns are inserted together: the others get their defaults.
fn insert_lines(target: &ImportTarget, lines: &[&Line]) -> i64 {
    let mut groups: BTreeMap<Vec<usize>, Vec<&Line>> = BTreeMap::new();
    for line in lines {
        let filled = (0..target.fields.len()).filter(|place| line.texts[*place].is_some()).collect();
        groups.entry(filled).or_default().push(line);
    }
    let mut inserted = 0;
    for (filled, lines) in groups {
        inserted +=
            if filled.is_empty() { insert_empty(target, lines.len()) } else { insert_group(target, &filled, &lines) };
    }
    i64::try_from(inserted).unwrap_or_default()
}

fn insert_group(target: &ImportTarget, filled: &[usize], lines: &[&Line]) -> u64 {
    let (mut names, mut values, mut arrays) = (Vec::new(), Vec::new(), Vec::new());
    for (number, place) in (1..).zip(filled) {
        names.push(target.quoted(*place));
        let field = &target.fields[*place];
        values.push(format!("v.c{number}::{}", row::type_name(field.type_oid, field.modifier)));
        // One array alone would be an ordinary call, which finds functions by the search path if it is not qualified.
        arrays.push((format!("pg_catalog.unnest(${number}::pg_catalog.text[])"), format!("c{number}")));
    }
    let (arrays, aliases): (Vec<String>, Vec<String>) = arrays.into_iter().unzip();
    let text = format!(
        "INSERT INTO {} ({}) SELECT {} FROM ROWS FROM ({}) AS v ({})",
        target.base(),
        names.join(", "),
        values.join(", "),
        arrays.join(", "),
        aliases.join(", ")
    );
    let columns: Vec<Vec<String>> = filled
        .iter()
        .map(|place| lines.iter().map(|line| line.texts[*place].clone().unwrap_or_default()).collect())
        .collect();
    let params: Vec<Param> = columns.iter().map(|column| Param::Texts(column)).collect();
    // With the caller's search path, on which triggers of the table may rely: the text itself uses none, neither for
    // functions nor for types. It has no operators.
    sql::query_once(&text, &params, Sees::Now, &mut |_| {})
}

fn insert_empty(target: &ImportTarget, count: usize) -> u64 {
    let text = format!("INSERT INTO {} DEFAULT VALUES", target.base());
    (0..count).map(|_| sql::query_once(&text, &[], Sees::Now, &mut |_| {})).sum()
}

/// How many of the bad lines are only that: there already, or twice in the file.
fn duplicates(session: &Session) -> i64 {
    let params = [Param::Int(Some(session.id))];
    as_extension(|| {
        sql::first_int(
            "SELECT count(*) FROM (SELECT FROM leadguard.import_problem WHERE import_id = $1 \
             GROUP BY line HAVING bool_and(problem = 'duplicate' OR problem LIKE 'exists%')) d",
            &params,
            Sees::Now,
        )
    })
    .unwrap_or_default()
}
