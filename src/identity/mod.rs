//! Who is asking.
//!
//! The session role (never current_user, never a setting) is registered as exactly one of person, analyst or
//! trusted connector. A trusted connector names a member with act_as; that binding belongs to the
//! transaction and to the savepoint in which it was made. Everything else is nobody.
//! Tests: tests/attacks (identity), tests/paths.

mod functions;
pub(crate) mod workers;

use crate::errors::{BAD_IDENTITY, IDENTITY_CHANGED, failure, refused};
use crate::ffi::scan::{self, Equal};
use crate::ffi::session::{self, Transaction};
use crate::ffi::sql::{self, Sees};
use crate::planner::plans;
use crate::visibility::state;
use pgrx::pg_sys::Oid;
use std::cell::Cell;
use std::ffi::CString;
use std::sync::atomic::{AtomicU64, Ordering};

/// How a login role is registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Mode {
    Person,
    Analyst,
    Trusted,
}

impl Mode {
    fn parse(text: &str) -> Option<Mode> {
        match text {
            "person" => Some(Mode::Person),
            "analyst" => Some(Mode::Analyst),
            "trusted" => Some(Mode::Trusted),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Mode::Person => "person",
            Mode::Analyst => "analyst",
            Mode::Trusted => "trusted",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub member: i64,
    pub mode: Mode,
}

/// What act_as bound: a member, for one login role, until the end of a (sub)transaction.
#[derive(Debug, Clone, Copy)]
struct Acting {
    member: i64,
    role: Oid,
    sub: u32,
    since: i64,
}

thread_local! {
    static ACTING: Cell<Option<Acting>> = const { Cell::new(None) };
    static HIERARCHY_TOUCHED: Cell<bool> = const { Cell::new(false) };
}

/// Not thread-local: it is read for every row, by the one thread that a backend has.
static SERIAL: AtomicU64 = AtomicU64::new(0);

/// Changes with every change of identity, so that nothing resolved before is used after.
#[inline]
pub(crate) fn serial() -> u64 {
    SERIAL.load(Ordering::Relaxed)
}

fn set_acting(acting: Option<Acting>) {
    ACTING.set(acting);
    SERIAL.fetch_add(1, Ordering::Relaxed);
}

/// The session wants to see other records than before: nothing resolved before is used after.
pub(crate) fn view_changes() {
    SERIAL.fetch_add(1, Ordering::Relaxed);
}

pub(crate) fn mark_hierarchy_touched() {
    HIERARCHY_TOUCHED.set(true);
}

/// Ends what must not outlive a (sub)transaction.
pub(crate) fn on_transaction(event: Transaction) {
    match event {
        Transaction::Committing => {}
        Transaction::Preparing => {
            // A prepared transaction would keep the hierarchy locked, or the identity, without its session.
            if ACTING.get().is_some() || HIERARCHY_TOUCHED.get() {
                failure(
                    crate::errors::NOT_YET,
                    "cannot PREPARE a transaction that has a member identity or changed a hierarchy",
                )
                .raise();
            }
        }
        Transaction::Ended(_) => {
            HIERARCHY_TOUCHED.set(false);
            set_acting(None);
        }
        Transaction::SubCommitted { sub, parent } => {
            if let Some(acting) = ACTING.get().filter(|a| a.sub == sub) {
                ACTING.set(Some(Acting { sub: parent, ..acting }));
            }
        }
        Transaction::SubAborted { sub } => {
            // What a call site resolved from changes that are rolled back now must not be used again either.
            set_acting(ACTING.get().filter(|a| a.sub != sub));
        }
    }
}

/// How a login role is registered, under which name, and the member it stands for.
pub(crate) struct Binding {
    name: String,
    mode: Mode,
    member: Option<i64>,
}

/// The registration of a login role, read from its table.
pub(crate) fn read_binding(role: Oid) -> Option<Binding> {
    let table = scan::Table::open(c"role_binding");
    let (member, mode, name) = (table.column(c"member_id"), table.column(c"mode"), table.column(c"db_role"));
    let mut found = None;
    table.scan(Some(c"role_binding_pkey"), &[(table.column(c"role_oid"), Equal::Oid(role))], |row| {
        found = Some((row.int(member), row.text(mode), row.name(name)));
        false
    });
    let (member, mode, name) = found?;
    Some(Binding { name: name?, mode: Mode::parse(&mode?)?, member })
}

/// How a login role is registered, and the member it stands for. OID and name must both match: a recycled name
/// inherits nothing.
fn registration(role: Oid) -> Option<(Mode, Option<i64>)> {
    let binding = state::binding(role);
    let binding = binding.as_ref().as_ref()?;
    (session::role_name(role)? == binding.name).then_some((binding.mode, binding.member))
}

/// The identity of the session in this transaction, before asking whether the member is active.
pub(crate) fn claimed() -> Option<Identity> {
    let role = session::session_role();
    match registration(role)? {
        (Mode::Trusted, _) => {
            let (member, bound_to) = if session::is_parallel_worker() {
                workers::told()?
            } else {
                ACTING.get().map(|a| (a.member, a.role))?
            };
            (bound_to == role).then_some(Identity { member, mode: Mode::Trusted })
        }
        (mode, member) => Some(Identity { member: member?, mode }),
    }
}

/// Whether the caller is superuser or owns the extension, and so administers it without being a member.
pub(crate) fn is_superuser() -> bool {
    session::is_superuser(session::current_role())
}

/// Binds the transaction to a member. Trusted connectors only; errors: 42501 (no trusted connector), 25P01
/// (outside a transaction block), 28000 (no such active member), LG003 (identity already bound or in use).
#[pgrx::pg_extern(sql = false)]
fn act_as(member_key: Option<&str>) -> i64 {
    let role = session::session_role();
    if !matches!(registration(role), Some((Mode::Trusted, _))) {
        refused("act_as is for trusted connectors")
            .hint("A superuser registers one with leadguard.connector(db_role, 'trusted').")
            .raise();
    }
    if !session::in_transaction_block() {
        failure("25P01", "act_as needs a transaction block")
            .hint("An identity ends with its transaction, so that a pooled connection never hands it on: BEGIN first.")
            .raise();
    }
    let Some(member) = member_key.and_then(active_member) else {
        failure(BAD_IDENTITY, "act_as refused")
            .detail("There is no active member with this key.")
            .hint("leadguard.member has the keys, and says to superusers who is active.")
            .raise();
    };
    if let Some(acting) = ACTING.get().filter(|a| a.role == role) {
        if acting.member == member {
            return member;
        }
        failure(IDENTITY_CHANGED, "this transaction already acts as another member")
            .hint("End the transaction; the next one can act as somebody else.")
            .raise();
    }
    refuse_while_in_use();
    workers::tell(member, role);
    set_acting(Some(Acting { member, role, sub: session::subtransaction(), since: session::statement_time() }));
    plans::used_by(&crate::visibility::statement());
    member
}

fn active_member(key: &str) -> Option<i64> {
    let key = CString::new(key).ok()?;
    let table = scan::Table::open(c"member");
    let (id, active, org_id) = (table.column(c"id"), table.column(c"active"), table.column(c"org_id"));
    let mut member = None;
    table.scan(Some(c"member_key_unique"), &[(table.column(c"key"), Equal::Text(&key))], |row| {
        member = row.int(id).zip(row.int(org_id)).filter(|_| row.bool(active));
        false
    });
    member.filter(|(_, organization)| !is_archived(*organization)).map(|(id, _)| id)
}

/// Whether an organization was deleted; its members are nobody.
fn is_archived(organization: i64) -> bool {
    // Databases that are not updated yet archive no organizations.
    if !crate::rules::load::are_there() {
        return false;
    }
    let table = scan::Table::open(c"organization");
    let (id, archived_at) = (table.column(c"id"), table.column(c"archived_at"));
    let mut archived = true;
    table.scan(Some(c"organization_pkey"), &[(id, Equal::Int(organization))], |row| {
        archived = row.int(archived_at).is_some();
        false
    });
    archived
}

/// A cursor or a running query must not go from one identity to another between two of its rows.
fn refuse_while_in_use() {
    if crate::visibility::policy::executing() {
        failure(IDENTITY_CHANGED, "the identity cannot change while a query on a protected table runs").raise();
    }
    if !session::has_waiting_portals() {
        return;
    }
    let open = sql::first_text(
        "SELECT name FROM pg_catalog.pg_cursors WHERE name OPERATOR(pg_catalog.<>) '' LIMIT 1",
        &[],
        Sees::Statement,
    );
    if let Some(cursor) = open {
        failure(IDENTITY_CHANGED, "the identity cannot change while a cursor is open")
            .detail(format!("Cursor \"{cursor}\" is open."))
            .hint("Call act_as first, then open cursors.")
            .raise();
    }
}

/// When and how the identity came about, for whoami.
pub(crate) fn acting_since() -> Option<i64> {
    ACTING.get().map(|a| a.since)
}
