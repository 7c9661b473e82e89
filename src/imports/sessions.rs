//! One import, and who may do what with it.

use crate::arguments::{MOST_TEXT, optional, required};
use crate::audit::{self, Event};
use crate::errors::{self, bad_argument, failure, refused};
use crate::ffi::session::as_extension;
use crate::ffi::snapshot;
use crate::ffi::sql::{self, Param, Sees};
use crate::identity;
use crate::names;
use crate::rulebook::right::registered;
use crate::visibility::{self, Member, Subject, Table};
use pgrx::pg_sys::{self, Oid};
use pgrx::{IntoDatum, datum::Interval, pg_extern};

use super::loading;
use super::target::ImportTarget;

/// An import, locked until the transaction ends.
pub(super) struct Session {
    pub id: i64,
    pub target: Oid,
    pub member: i64,
    pub state: String,
    pub approval: Option<i64>,
    pub template: Option<i64>,
    /// As many rows were looked at by the last check.
    pub records: i64,
    pub good: i64,
}

/// Whoever imports: no guest, no login that only reads.
pub(super) fn importer<'a>(subject: &'a Subject, operation: &str, on: &str) -> &'a Member {
    let member = subject.writer(operation, on);
    if member.guest {
        refused(format!("{operation} on {on} refused for \"{}\"", member.key)).detail("Guests import nothing.").raise();
    }
    member
}

impl Session {
    /// The import of a member of the organization, locked; the same answer for one that is not there.
    fn find(id: i64, member: &Member) -> Option<Session> {
        let mut found = None;
        as_extension(|| {
            sql::query(
                "SELECT id, target::oid, member_id, state, approval, template, good, records FROM leadguard.import_session \
                 WHERE id = $1 AND org_id = $2 FOR UPDATE",
                &[Param::Int(Some(id)), Param::Int(Some(member.org_id))],
                Sees::Now,
                &mut |row| {
                    if let (Some(id), Some(target), Some(member)) = (row.int(0), row.oid(1), row.int(2)) {
                        found = Some(Session {
                            id,
                            target,
                            member,
                            state: row.text(3).unwrap_or_default(),
                            approval: row.int(4),
                            template: row.int(5),
                            good: row.int(6).unwrap_or_default(),
                            records: row.int(7).unwrap_or_default(),
                        });
                    }
                },
            )
        });
        found
    }

    /// The caller's own import. 42501 for others.
    pub(super) fn own(operation: &str, id: Option<i64>, subject: &Subject) -> Session {
        let (id, shown) = named(id);
        let member = importer(subject, operation, &shown);
        Session::find(id, member).filter(|found| found.member == member.id).unwrap_or_else(|| absent(&shown))
    }

    pub(super) fn shown(&self) -> String {
        format!("import {}", self.id)
    }

    pub(super) fn table(&self) -> Table {
        registered(Some(self.target))
    }

    /// What was to be done comes too late.
    pub(super) fn refuse_as_over(&self) -> ! {
        failure("55000", format!("{} is {} already", self.shown(), self.state))
            .hint(format!(
                "leadguard.import_report({}) says what became of it; leadguard.import_begin opens a new one.",
                self.id
            ))
            .raise()
    }

    /// 55000 unless rows may still be loaded.
    pub(super) fn require_open(&self, operation: &str) {
        if !matches!(self.state.as_str(), "open" | "checked") {
            failure("55000", format!("{operation} refused: {} is {}", self.shown(), self.state))
                .hint("What was submitted stays as it is; leadguard.import_cancel ends an import.")
                .raise();
        }
    }

    /// 55000 while a statement still loads rows.
    pub(super) fn require_loaded(&self, operation: &str) {
        if loading::is_loading(self.id) {
            failure("55000", format!("{operation} refused: rows of {} are being loaded", self.shown()))
                .hint("Call it when the statement that loads them is over.")
                .raise();
        }
    }

    /// 55000 unless the rows are as many as were checked, in the newest state.
    pub(super) fn require_checked_rows(&self) {
        let params = [Param::Int(Some(self.id))];
        let text = "SELECT count(*) FROM leadguard.import_row WHERE import_id = $1";
        let rows = as_extension(|| snapshot::with_latest(|| sql::first_int(text, &params, Sees::Statement)));
        if rows != Some(self.records) {
            failure("55000", format!("{} has rows that were not checked", self.shown()))
                .hint(format!("SELECT * FROM leadguard.import_check({}) checks them all.", self.id))
                .raise();
        }
    }

    pub(super) fn note(&self, action: &'static str, reason: Option<&str>, what: &str) {
        audit::event(&Event {
            target: Some(self.target),
            record: None,
            action,
            reason,
            approval: self.approval,
            detail: Some(format!("import {}, {what}", self.id)),
        });
    }

    pub(super) fn forget_rows(&self) {
        as_extension(|| {
            sql::query(
                "DELETE FROM leadguard.import_row WHERE import_id = $1",
                &[Param::Int(Some(self.id))],
                Sees::Now,
                &mut |_| {},
            )
        });
    }
}

fn named(id: Option<i64>) -> (i64, String) {
    let id = required(id, "the import");
    (id, format!("import {id}"))
}

fn absent(shown: &str) -> ! {
    refused(format!("{shown} does not exist or is not visible")).raise()
}

/// Opens an import; returns its number. For members who may create rows in the table. Errors: 42501, 22023, 55000.
#[pg_extern(sql = false)]
fn import_begin(target: Option<Oid>, note: Option<&str>, template: Option<&str>) -> i64 {
    let subject = visibility::now();
    let shown = names::shown_argument(target);
    let member = importer(&subject, "import_begin", &shown);
    let table = registered(target);
    let is_foreign = table.organization_column.is_none() && table.org_id != member.org_id;
    if is_foreign || !subject.access(&table).create {
        errors::no_rule("import_begin", &table.shown(), &member.key, "create");
    }
    let target = ImportTarget::find(table);
    let template =
        optional(template, "the template", MOST_TEXT).map(|name| named_template(name, member, target.table.target));
    let note = optional(note, "the note", MOST_TEXT);
    let params = [
        Param::Int(Some(member.org_id)),
        Param::Oid(target.table.target),
        Param::Int(Some(member.id)),
        Param::Text(note),
        Param::Int(template),
    ];
    let made = as_extension(|| {
        sql::first_int(
            "INSERT INTO leadguard.import_session (org_id, target, member_id, note, template) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (member_id, target) WHERE state IN ('open', 'checked') DO NOTHING RETURNING id",
            &params,
            Sees::Now,
        )
    });
    made.unwrap_or_else(|| {
        failure("55000", format!("\"{}\" has an open import for {}", member.key, target.shown()))
            .hint("leadguard.imports() shows it; submit it, or end it with leadguard.import_cancel.")
            .raise()
    })
}

/// The template of this name for imports into the table; 22023 for none.
fn named_template(name: &str, member: &Member, target: Oid) -> i64 {
    let found = as_extension(|| {
        sql::first_int(
            "SELECT t.id FROM leadguard.batch_template t \
             WHERE t.name = $1 AND t.org_id = $2 AND t.target = $3 AND t.operation = 'import' AND t.withdrawn_at IS NULL",
            &[Param::Text(Some(name)), Param::Int(Some(member.org_id)), Param::Oid(target)],
            Sees::Now,
        )
    });
    found.unwrap_or_else(|| {
        bad_argument(format!("there is no template \"{name}\" for imports into {}", names::shown(target)))
            .hint("The view leadguard.batch_templates lists them; leave it out to take any.")
            .raise()
    })
}

/// Ends an import. For whoever opened it and those who approve. Errors: 42501, 55000.
#[pg_extern(sql = false)]
fn import_cancel(import: Option<i64>) {
    let subject = visibility::now();
    let (id, shown) = named(import);
    let member = importer(&subject, "import_cancel", &shown);
    let found = Session::find(id, member).filter(|found| {
        found.member == member.id || (subject.is_data_owner() && !matches!(found.state.as_str(), "open" | "checked"))
    });
    let session = found.unwrap_or_else(|| absent(&shown));
    if matches!(session.state.as_str(), "committed" | "cancelled" | "refused") {
        session.refuse_as_over();
    }
    end(session.id);
    session.note("import_cancel", None, &format!("was {}", session.state));
}

/// Cancels an import, with its rows and what was asked for it.
fn end(id: i64) {
    as_extension(|| {
        for text in [
            "UPDATE leadguard.import_session SET state = 'cancelled', ended_at = clock_timestamp() WHERE id = $1",
            "DELETE FROM leadguard.import_row WHERE import_id = $1",
            "UPDATE leadguard.approval a SET until = clock_timestamp() FROM leadguard.import_session s \
             WHERE s.id = $1 AND a.id = s.approval AND a.used_at IS NULL AND a.until > clock_timestamp()",
        ] {
            sql::query(text, &[Param::Int(Some(id))], Sees::Now, &mut |_| {});
        }
    });
}

/// Cancels what was begun long ago and is not over; how many. The capability administer or approve, or a superuser.
#[pg_extern(sql = false)]
fn import_cleanup(older_than: Option<Interval>) -> i64 {
    let older_than = required(older_than, "the interval");
    if older_than.as_micros() < 0 {
        bad_argument("the interval is negative").hint("It says how long ago what goes was begun.").raise();
    }
    let subject = visibility::now();
    let organization = match &subject.member {
        None if identity::is_superuser() => None,
        _ => {
            let member = importer(&subject, "import_cleanup", "leadguard.import_session");
            if !subject.is_data_owner() && !member.can("administer") {
                refused(format!("import_cleanup refused for \"{}\"", member.key))
                    .hint("Members with the capability administer or approve clean up.")
                    .raise();
            }
            Some(member.org_id)
        }
    };
    let mut found: Vec<(i64, Oid)> = Vec::new();
    as_extension(|| {
        sql::query(
            "SELECT id, target::oid FROM leadguard.import_session \
             WHERE state NOT IN ('committed', 'cancelled', 'refused') AND begun_at <= statement_timestamp() - $2 \
             AND ($1::bigint IS NULL OR org_id = $1) ORDER BY id FOR UPDATE SKIP LOCKED",
            &[Param::Int(organization), Param::Typed(pg_sys::INTERVALOID, older_than.into_datum())],
            Sees::Now,
            &mut |row| found.extend(row.int(0).zip(row.oid(1))),
        )
    });
    for (id, target) in &found {
        end(*id);
        audit::event(&Event {
            target: Some(*target),
            record: None,
            action: "import_cancel",
            reason: None,
            approval: None,
            detail: Some(format!("import {id}, cleaned up")),
        });
    }
    i64::try_from(found.len()).unwrap_or_default()
}
