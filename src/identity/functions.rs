//! Questions about the session's own identity.

use crate::ffi::session;
use crate::ffi::snapshot;
use crate::ffi::sql::{self, Param, Sees};
use crate::identity::{self, Mode};
use crate::visibility::{self, Member, Subject};
use pgrx::datum::TimestampWithTimeZone;
use pgrx::iter::TableIterator;

/// What is true of the session in the state that the statement sees; under REPEATABLE READ in the newest state too: what
/// was taken from somebody meanwhile is not given back by an old transaction.
fn is_so(test: impl Fn(&Subject) -> bool) -> bool {
    test(&visibility::statement()) && (!snapshot::may_see_newer() || test(&visibility::now()))
}

/// The member that the session is, in both states.
fn member<T>(part: impl Fn(&Member) -> T) -> Option<T> {
    let subject = visibility::statement();
    let own = subject.member.as_ref()?;
    is_so(|subject| subject.member.as_ref().is_some_and(|member| member.id == own.id)).then(|| part(own))
}

/// The active member that this session is; NULL for nobody.
#[pgrx::pg_extern(sql = false)]
fn current_member() -> Option<i64> {
    member(|member| member.id)
}

/// The organization of the current member.
#[pgrx::pg_extern(sql = false)]
fn current_organization() -> Option<i64> {
    member(|member| member.org_id)
}

/// Whether a role of the current member carries the capability.
#[pgrx::pg_extern(sql = false)]
fn has_capability(capability: Option<&str>) -> bool {
    capability.is_some_and(|capability| is_so(|subject| subject.has_capability(capability)))
}

/// Whether the session is registered as an analyst: it reads and never writes.
#[pgrx::pg_extern(sql = false)]
fn is_analyst() -> bool {
    !is_so(|subject| subject.mode != Some(Mode::Analyst))
}

/// Whether the current member is a guest.
#[pgrx::pg_extern(sql = false)]
fn is_guest() -> bool {
    !is_so(|subject| !subject.member.as_ref().is_some_and(|member| member.guest))
}

/// A name is no matter of access, so that the sets do not depend on it.
fn name_of(member: i64) -> Option<String> {
    session::as_extension(|| {
        let text = "SELECT name FROM leadguard.member WHERE id = $1";
        sql::first_text(text, &[Param::Int(Some(member))], Sees::Statement)
    })
}

type Whoami = TableIterator<
    'static,
    (
        pgrx::name!(member_id, Option<i64>),
        pgrx::name!(key, Option<String>),
        pgrx::name!(name, Option<String>),
        pgrx::name!(organization, Option<String>),
        pgrx::name!(how, String),
        pgrx::name!(login, String),
        pgrx::name!(since, Option<TimestampWithTimeZone>),
    ),
>;

/// Who this session is, how that came about and since when. One row, also for nobody.
#[pgrx::pg_extern(sql = false)]
fn whoami() -> Whoami {
    let subject = visibility::statement();
    let since = match subject.mode {
        Some(Mode::Trusted) => identity::acting_since(),
        Some(_) => Some(session::started()),
        None => None,
    };
    let how = subject.mode.map_or("nobody", Mode::name).to_owned();
    let login = session::role_name(session::session_role()).unwrap_or_default();
    let member = subject.member.as_ref();
    TableIterator::once((
        member.map(|m| m.id),
        member.map(|m| m.key.clone()),
        member.and_then(|m| name_of(m.id)),
        member.map(|m| m.org_key.clone()),
        how,
        login,
        since.and_then(|s| TimestampWithTimeZone::try_from(s).ok()),
    ))
}

type Cache = TableIterator<
    'static,
    (
        pgrx::name!(members, i64),
        pgrx::name!(bytes, i64),
        pgrx::name!(bytes_limit, i64),
        pgrx::name!(hits, i64),
        pgrx::name!(misses, i64),
        pgrx::name!(evicted, i64),
    ),
>;

/// What this session keeps of what members reach.
#[pgrx::pg_extern(sql = false)]
fn cache() -> Cache {
    let usage = visibility::reach::usage();
    let limit = i64::try_from(crate::guc::cache_bytes()).unwrap_or(i64::MAX);
    TableIterator::once((usage.members, usage.bytes, limit, usage.hits, usage.misses, usage.evicted))
}
