//! Asking for access to a record, or for a role. Both are rows of leadguard.approval, and are carried out with the
//! decision, by whoever could have given it unasked.
//!
//! The requester may not see the record: whether it exists is never looked at before the decision.

use crate::arguments::{MOST_NAME, required, said};
use crate::assignment::tell;
use crate::audit::{self, Event};
use crate::errors::{self, bad_argument, failure, refused};
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::grants::{self, Right};
use crate::identity::Mode;
use crate::model::level::Level;
use crate::model::rights::Rights;
use crate::names;
use crate::questions::paths::{self, Whose};
use crate::questions::record::Target;
use crate::visibility::{self, Member, Subject};
use pgrx::datum::TimestampWithTimeZone;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::{self, Oid};
use pgrx::{name, pg_extern};
use std::rc::Rc;

/// So many requests of one member may be open.
const MOST_OPEN: i64 = 100;
/// For how long a request for a role may be open: 366 days, in microseconds.
const LONGEST: i64 = 366 * 24 * 60 * 60 * 1_000_000;

/// The asking member: guests and view-only roles too, for whom asking is the way to more.
fn asking(operation: &str) -> Rc<Member> {
    let subject = visibility::now();
    match &subject.member {
        None => errors::no_identity(operation, "leadguard"),
        Some(_) if subject.mode == Some(Mode::Analyst) => errors::read_only_login(operation, "leadguard"),
        Some(member) => Rc::clone(member),
    }
}

/// A request as it is made.
struct Wish<'a> {
    kind: &'static str,
    target: Option<Oid>,
    record: Option<&'a str>,
    /// The level, or the role.
    wanted: &'a str,
    justification: &'a str,
    until: Option<i64>,
}

fn ask(member: &Member, wish: &Wish) -> i64 {
    if wish.until.is_some_and(|until| until <= session::statement_time()) {
        bad_argument("the request would end before it begins").hint("until must be in the future.").raise();
    }
    let params = [
        Param::Int(Some(member.org_id)),
        Param::Text(Some(wish.kind)),
        Param::Oid(wish.target.unwrap_or(pg_sys::InvalidOid)),
        Param::Text(wish.record),
        Param::Text(Some(wish.justification)),
        Param::Int(Some(member.id)),
        Param::Timestamp(wish.until),
        Param::Text(Some(wish.wanted)),
    ];
    let (mut same, mut open, mut made) = (None, 0, None);
    as_extension(|| {
        // One after the other, so that no two are the same.
        sql::query(
            "SELECT id FROM leadguard.member WHERE id = $1 FOR NO KEY UPDATE",
            &[Param::Int(Some(member.id))],
            Sees::Now,
            &mut |_| {},
        );
        sql::query(include_str!("../../sql/query/wish_open.sql"), &params, Sees::Now, &mut |row| {
            (same, open) = (row.int(0), row.int(1).unwrap_or_default());
        });
        if same.is_none() && open < MOST_OPEN {
            made = sql::first_int(include_str!("../../sql/query/wish_made.sql"), &params, Sees::Now);
        }
    });
    let Some(made) = made else {
        let what = match same {
            Some(id) => format!("that is asked for already, by request {id}"),
            None => format!("{open} requests of \"{}\" are open", member.key),
        };
        failure("55000", what).hint("Wait for the decision, or for them to expire.").raise()
    };
    let event = Event {
        target: wish.target,
        record: wish.record,
        action: if wish.kind == "role" { "request_role" } else { "request_access" },
        reason: Some(wish.justification),
        approval: Some(made),
        detail: Some(wish.wanted.to_owned()),
    };
    audit::event(&event);
    // Who is told does not depend on the record either: the manager, and persons who approve.
    let mut told = Vec::new();
    as_extension(|| {
        let of = [Param::Int(Some(member.id)), Param::Int(Some(member.org_id))];
        sql::query(include_str!("../../sql/query/wish_told.sql"), &of, Sees::Now, &mut |row| told.extend(row.int(0)))
    });
    let detail = format!(r#"{{"approval": {made}, "kind": "{}"}}"#, wish.kind);
    for id in told {
        tell(id, "approval_requested", None, None, Some(&detail));
    }
    made
}

/// Asks for access to a record. Errors: 42501 (no member), 22023, 55000.
#[pg_extern(sql = false)]
fn request_access(
    target: Option<Oid>,
    record: Option<&str>,
    level: Option<&str>,
    justification: Option<&str>,
    until: Option<TimestampWithTimeZone>,
) -> i64 {
    let member = asking("request_access");
    let target = Target::find(target, Sees::Now);
    let level = grants::parse_level(level);
    let justification = said(justification, "the justification");
    let record = required(record, "the record");
    // Whether a text can be an id is a matter of the column, not of the rows.
    let canonical = target.canonical(record).filter(|id| id.len() <= MOST_NAME).unwrap_or_else(|| {
        bad_argument(format!("no record of {} has the id \"{record}\"", names::shown(target.table.target))).raise()
    });
    let wish = Wish {
        kind: "access",
        target: Some(target.table.target),
        record: Some(&canonical),
        wanted: level.name(),
        justification,
        until: until.map(pg_sys::TimestampTz::from),
    };
    ask(&member, &wish)
}

/// Asks for a role. Errors: 42501 (no member), 22023, 55000.
#[pg_extern(sql = false)]
fn request_role(role: Option<&str>, justification: Option<&str>, until: Option<TimestampWithTimeZone>) -> i64 {
    let member = asking("request_role");
    let role = required(role, "the role");
    let justification = said(justification, "the justification");
    if role_id(role, member.org_id).is_none() {
        bad_argument(format!("there is no role \"{role}\" for persons")).hint("leadguard.role lists them.").raise();
    }
    if member.roles.iter().any(|held| held == role) {
        bad_argument(format!("\"{}\" has the role \"{role}\"", member.key)).raise();
    }
    let until = until.map(pg_sys::TimestampTz::from);
    if until.is_some_and(|until| until > session::statement_time().saturating_add(LONGEST)) {
        bad_argument("the request would be open for too long").hint("until may be 366 days ahead at most.").raise();
    }
    ask(&member, &Wish { kind: "role", target: None, record: None, wanted: role, justification, until })
}

fn role_id(role: &str, org_id: i64) -> Option<i64> {
    as_extension(|| {
        sql::first_int(
            "SELECT id FROM leadguard.role WHERE name = $1 AND name <> 'system' AND (org_id IS NULL OR org_id = $2) \
             ORDER BY org_id NULLS LAST",
            &[Param::Text(Some(role)), Param::Int(Some(org_id))],
            Sees::Now,
        )
    })
}

pub(super) struct Asked {
    pub(super) id: i64,
    pub(super) kind: String,
    pub(super) target: Option<Oid>,
    pub(super) record: Option<String>,
    pub(super) requester: i64,
    pub(super) requester_key: String,
    pub(super) wanted: String,
    justification: String,
    until: Option<i64>,
    requested_at: Option<i64>,
    expires: Option<i64>,
}

/// One request of the organization, locked; or all that are open.
pub(super) fn asked(id: Option<i64>, org_id: i64) -> Vec<Asked> {
    let mut found = Vec::new();
    let params = [Param::Int(id), Param::Int(Some(org_id))];
    as_extension(|| {
        let text = match id {
            Some(_) => concat!(include_str!("../../sql/query/wishes.sql"), "FOR UPDATE OF a"),
            None => include_str!("../../sql/query/wishes.sql"),
        };
        sql::query(text, &params, Sees::Now, &mut |row| {
            let (Some(id), Some(kind), Some(requester)) = (row.int(0), row.text(1), row.int(4)) else { return };
            found.push(Asked {
                id,
                kind,
                target: row.oid(2),
                record: row.text(3),
                requester,
                requester_key: row.text(5).unwrap_or_default(),
                wanted: row.text(6).unwrap_or_default(),
                justification: row.text(7).unwrap_or_default(),
                // Timestamps are read as the numbers that they are.
                until: row.int(8),
                requested_at: row.int(9),
                expires: row.int(10),
            });
        })
    });
    found
}

impl Asked {
    fn level(&self) -> Level {
        Level::parse(&self.wanted).unwrap_or(Level::Full)
    }

    /// Whether the member could give it unasked.
    fn may_be_given_by(&self, subject: &Subject, member: &Member) -> bool {
        if member.system || member.guest || self.requester == member.id {
            return false;
        }
        if self.kind == "role" {
            return subject.has_capability("administer") || self.role_may_be_given(member);
        }
        let (Some(oid), Some(name)) = (self.target, &self.record) else { return false };
        let target = Target::find(Some(oid), Sees::Now);
        target.read(name, Sees::Now).is_some_and(|record| {
            paths::rights_of(&target, &record, Whose::Member(member.id), Sees::Now)
                .has(Rights::SHARE | Rights::of(self.level()))
        })
    }

    fn role_may_be_given(&self, member: &Member) -> bool {
        let role = role_id(&self.wanted, member.org_id);
        let mut may = false;
        as_extension(|| {
            sql::query(
                "SELECT leadguard.may_give($1) AND NOT leadguard.outranks_me($2)",
                &[Param::Int(role), Param::Int(Some(self.requester))],
                Sees::Now,
                &mut |row| may = row.bool(0),
            )
        });
        role.is_some() && may
    }
}

type Requests = TableIterator<
    'static,
    (
        name!(id, i64),
        name!(kind, String),
        name!(member, String),
        name!(target, Option<Oid>),
        name!(record, Option<String>),
        name!(wanted, String),
        name!(justification, String),
        name!(requested_at, Option<TimestampWithTimeZone>),
        name!(until, Option<TimestampWithTimeZone>),
    ),
>;

/// What the caller may decide. Errors: 42501 (no member).
#[pg_extern(sql = false)]
fn access_requests() -> Requests {
    let subject = visibility::now();
    let Some(member) = &subject.member else { errors::no_identity("access_requests", "leadguard") };
    let at = |time: Option<i64>| time.and_then(|time| TimestampWithTimeZone::try_from(time).ok());
    let mut open = if subject.mode == Some(Mode::Analyst) { Vec::new() } else { asked(None, member.org_id) };
    open.retain(|asked| asked.may_be_given_by(&subject, member));
    let rows = open.into_iter().map(|asked| {
        let (requested_at, until) = (at(asked.requested_at), at(asked.expires));
        let Asked { id, kind, requester_key, target, record, wanted, justification, .. } = asked;
        (id, kind, requester_key, target, record, wanted, justification, requested_at, until)
    });
    TableIterator::new(rows.collect::<Vec<_>>())
}

/// A request for access or a role was decided by the caller, who must be somebody who could give it unasked; granted, it
/// is carried out. Errors: 42501.
pub(crate) fn decided(id: i64, granted: bool) {
    let subject = visibility::now();
    let Some(member) = &subject.member else { return };
    let Some(asked) = asked(Some(id), member.org_id).into_iter().next() else { return };
    if !asked.may_be_given_by(&subject, member) {
        // One answer for a record that is not there, one that the caller does not see and one that he may not share.
        refused(format!("request {id} does not exist or is not yours to decide"))
            .hint("A person who could give it unasked decides; leadguard.access_requests lists yours.")
            .raise();
    }
    if granted {
        as_extension(|| {
            sql::query(
                "UPDATE leadguard.approval SET used_at = clock_timestamp() WHERE id = $1 AND granted",
                &[Param::Int(Some(id))],
                Sees::Now,
                &mut |_| {},
            )
        });
        carry_out(&asked, member.org_id);
    }
}

fn carry_out(asked: &Asked, org_id: i64) {
    if asked.kind == "role" {
        as_extension(|| {
            sql::query(
                "INSERT INTO leadguard.member_role (member_id, role) SELECT m.id, $2 FROM leadguard.member m \
                 WHERE m.id = $1 AND m.org_id = $3 AND m.active ON CONFLICT DO NOTHING",
                &[Param::Int(Some(asked.requester)), Param::Text(Some(&asked.wanted)), Param::Int(Some(org_id))],
                Sees::Now,
                &mut |_| {},
            )
        });
        return;
    }
    let right = Right::find("decide_approval", asked.target, asked.record.as_deref(), Rights::SHARE);
    grants::share_as_requested(
        &right,
        &asked.requester_key,
        asked.level(),
        &asked.justification,
        asked.until,
        asked.id,
    );
    tell(asked.requester, "access_granted", asked.target, asked.record.as_deref(), None);
}
