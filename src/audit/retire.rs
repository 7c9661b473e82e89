//! Months that are taken away whole, once every row of them is sealed and verified. What the seals say of them stays, so
//! that the chain still holds.

use super::chain::{self, Seal};
use super::{Event, sealed, writer};
use crate::arguments::given;
use crate::errors::{bad_argument, failure, refused};
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::ffi::trigger::Operation;
use crate::identity;
use crate::model::seal::Life;
use pgrx::iter::TableIterator;
use std::collections::HashMap;

/// A month that was taken away.
pub(super) struct Retired {
    /// The last seal that there was then.
    pub seal: i64,
    pub at: i64,
    pub rows: i64,
    pub digest: String,
    pub mac: String,
}

impl Retired {
    pub(super) fn mac(&self, month: &str) -> String {
        writer::with_key(|key| {
            let head = key.digest("retired").text(month).number(Some(self.at)).number(Some(self.seal));
            head.number(Some(self.rows)).text(&self.digest).hex()
        })
    }
}

/// The proof of a month: what its parts in the seals say, and how many rows that are.
pub(super) fn proof(lives: &[Life<Seal>], month: &str, last: i64) -> (String, i64) {
    let mut rows = 0;
    let digest = writer::with_key(|key| {
        let parts = lives.iter().flat_map(|life| &life.seals).filter(|seal| seal.number <= last);
        let parts = parts.filter_map(|seal| seal.parts.get(month).map(|part| (seal.number, part)));
        let digest = parts.fold(key.digest("retired month").text(month), |digest, (number, part)| {
            rows += part.rows;
            digest.number(Some(number)).number(Some(part.rows)).text(&part.digest)
        });
        digest.hex()
    });
    (digest, rows)
}

/// All of them, by month.
pub(super) fn all() -> HashMap<String, Retired> {
    let mut retired = HashMap::new();
    let text = "SELECT to_char(month, 'YYYY-MM'), at, seal, \"rows\", encode(digest, 'hex'), encode(mac, 'hex')
                FROM leadguard.audit_retired";
    sql::query(text, &[], Sees::Statement, &mut |row| {
        let of = Retired {
            at: row.int(1).unwrap_or_default(),
            seal: row.int(2).unwrap_or_default(),
            rows: row.int(3).unwrap_or_default(),
            digest: row.text(4).unwrap_or_default(),
            mac: row.text(5).unwrap_or_default(),
        };
        retired.insert(row.text(0).unwrap_or_default(), of);
    });
    retired
}

type Gone = TableIterator<'static, (pgrx::name!(partition, String), pgrx::name!(rows, i64), pgrx::name!(seals, i64))>;

/// Drops the partitions of the months that ended before a date. Superusers, else 42501; 22023 for a date that is not
/// over; 55000 unless all of their rows are sealed and the audit is sound.
#[pgrx::pg_extern(sql = false)]
fn audit_retire(before: Option<pgrx::datum::Date>) -> Gone {
    if !identity::is_superuser() {
        refused("audit_retire refused")
            .hint("A superuser or the owner of the extension takes partitions of the audit away.")
            .raise();
    }
    let before = given(before, "before");
    let before = before.to_string();
    let partitions = partitions(&before);
    if partitions.is_empty() {
        return TableIterator::new(Vec::new());
    }
    let (present, found) = as_extension(|| (chain::present(chain::Lock::Wait), sealed::verification(i64::MIN, None)));
    if !found.problems.is_empty() {
        failure("55000", "audit_retire refused: the audit is not sound")
            .detail(format!("verify_audit finds {} problems.", found.problems.len()))
            .hint("SELECT * FROM leadguard.verify_audit() names them.")
            .raise();
    }
    for (partition, month) in &partitions {
        if let Some(waiting) = found.unsealed.get(month) {
            failure("55000", format!("audit_retire refused: {waiting} rows of {partition} are not sealed"))
                .hint("SELECT * FROM leadguard.seal_audit() seals them.")
                .raise();
        }
    }
    // From here on nobody writes; what was written since the verification is noticed by its number.
    let lock = "LOCK TABLE leadguard.audit_entry IN ACCESS EXCLUSIVE MODE";
    sql::query_once(lock, &[], Sees::Now, &mut |_| {});
    let gone = partitions.iter().map(|(partition, month)| drop_one(partition, month, &found.lives, present.sealed));
    TableIterator::new(gone.collect::<Vec<_>>())
}

/// Names and months of the partitions that audit_partitions made for months before a date.
fn partitions(before: &str) -> Vec<(String, String)> {
    let is_over = "SELECT count(*) FROM (VALUES (1)) v WHERE $1::date <= (now() AT TIME ZONE 'UTC')::date";
    if sql::first_int(is_over, &[Param::Text(Some(before))], Sees::Statement) != Some(1) {
        bad_argument("argument \"before\" must be a date that is over")
            .hint("Months that ended before it go: '2026-01-01' takes those up to December 2025.")
            .raise();
    }
    let mut partitions = Vec::new();
    let text = include_str!("../../sql/query/audit_months.sql");
    sql::query(text, &[Param::Text(Some(before))], Sees::Statement, &mut |row| {
        partitions.extend(row.text(0).zip(row.text(1)));
    });
    partitions
}

fn drop_one(partition: &str, month: &str, lives: &[Life<Seal>], last: i64) -> (String, i64, i64) {
    let (digest, rows) = proof(lives, month, last);
    let name = session::quoted(partition);
    // How many of them each organization had.
    let mut shares = Vec::new();
    let text =
        format!("SELECT organization, count(*) FROM leadguard.{name} GROUP BY organization ORDER BY organization");
    sql::query_once(&text, &[], Sees::Now, &mut |row| shares.push((row.int(0), row.int(1).unwrap_or_default())));
    let there: i64 = shares.iter().map(|(_, rows)| rows).sum();
    if there != rows {
        failure("55000", format!("audit_retire refused: {partition} holds other rows than the seals say"))
            .detail(format!("{there} rows are there, {rows} are sealed."))
            .hint("Seal the audit and try again.")
            .raise();
    }
    let seals = lives.iter().flat_map(|life| &life.seals).filter(|seal| seal.parts.contains_key(month)).count();
    let mut retired = Retired { seal: last, at: session::statement_time(), rows, digest, mac: String::new() };
    retired.mac = retired.mac(month);
    let first = format!("{month}-01");
    writer::writing(Operation::Delete, || {
        let text = "DELETE FROM leadguard.audit_entry_value
                    WHERE at >= $1::timestamp AT TIME ZONE 'UTC'
                      AND at < ($1::timestamp + interval '1 month') AT TIME ZONE 'UTC'";
        sql::query(text, &[Param::Text(Some(&first))], Sees::Now, &mut |_| {});
    });
    writer::writing(Operation::Insert, || write(month, &retired));
    // As the caller, who owns it or is superuser.
    sql::query_once(&format!("DROP TABLE leadguard.{name}"), &[], Sees::Now, &mut |_| {});
    note(format!("{partition}, {rows} rows, {seals} seals"), None);
    // The auditors of each organization read what went of theirs, and nothing of others.
    for (organization, rows) in shares {
        if organization.is_some() {
            note(format!("{partition}, {rows} rows of the organization"), organization);
        }
    }
    (partition.to_owned(), rows, i64::try_from(seals).unwrap_or(i64::MAX))
}

fn note(detail: String, organization: Option<i64>) {
    let detail = Some(detail);
    let event = Event { target: None, record: None, action: "retire", reason: None, approval: None, detail };
    super::event_of(&event, organization);
}

fn write(month: &str, retired: &Retired) {
    let first = format!("{month}-01");
    let params = [
        Param::Text(Some(&first)),
        Param::Timestamp(Some(retired.at)),
        Param::Int(Some(retired.seal)),
        Param::Int(Some(retired.rows)),
        Param::Text(Some(&retired.digest)),
        Param::Text(Some(&retired.mac)),
    ];
    let text = "INSERT INTO leadguard.audit_retired (month, at, seal, \"rows\", digest, mac)
                VALUES ($1::date, $2, $3, $4, decode($5, 'hex'), decode($6, 'hex'))";
    sql::query(text, &params, Sees::Now, &mut |_| {});
}
