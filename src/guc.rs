//! Settings. Nothing here grants access: identity and authority are never settings.

use crate::ffi::{session, setting, shared};
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, PostgresGucEnum};

static MAX_DEPTH: GucSetting<i32> = GucSetting::<i32>::new(64);
static CACHE_SIZE: GucSetting<i32> = GucSetting::<i32>::new(16 * 1024);
static MAX_TRACKED_MEMBERS: GucSetting<i32> = GucSetting::<i32>::new(4096);
static SHOW_ARCHIVED: GucSetting<bool> = GucSetting::<bool>::new(true);
static VIEW_MODE: GucSetting<ViewMode> = GucSetting::<ViewMode>::new(ViewMode::Organization);
static ALLOW_UNPATCHED_SERVER: GucSetting<bool> = GucSetting::<bool>::new(false);

/// Which records a session wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PostgresGucEnum)]
pub(crate) enum ViewMode {
    #[name = c"organization"]
    Organization,
    #[name = c"personal"]
    Personal,
}

/// The longest chain of managers or parent territories. A chain of n needs n²/2 pairs.
pub(crate) fn max_depth() -> i64 {
    i64::from(MAX_DEPTH.get())
}

/// How much a session keeps of what members reach. 0: nothing outlives the place where it is used.
pub(crate) fn cache_bytes() -> usize {
    usize::try_from(CACHE_SIZE.get()).unwrap_or(0) * 1024
}

/// Whether archived rows are shown to those who may see them.
pub(crate) fn show_archived() -> bool {
    SHOW_ARCHIVED.get()
}

/// For how many members the server counts, where it preloads the library.
pub(crate) fn max_tracked_members() -> usize {
    usize::try_from(MAX_TRACKED_MEMBERS.get()).unwrap_or(0)
}

/// Whether the session wants its own records only, in tables that know view modes. It narrows and never widens.
#[inline]
pub(crate) fn is_personal() -> bool {
    VIEW_MODE.get() == ViewMode::Personal
}

pub(crate) fn allow_unpatched_server() -> bool {
    ALLOW_UNPATCHED_SERVER.get()
}

pub(crate) fn register() {
    GucRegistry::define_int_guc(
        c"leadguard.max_depth",
        c"Longest chain of managers or of parent territories.",
        c"A change that makes a longer chain is refused with LG002. A chain of n needs n*n/2 closure pairs.",
        &MAX_DEPTH,
        1,
        10_000,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"leadguard.cache_size",
        c"Memory in which a session keeps what members reach.",
        c"The sets of the members that the session worked for, most recently used first. 0 keeps nothing. See leadguard.cache().",
        &CACHE_SIZE,
        0,
        i32::MAX / 1024,
        GucContext::Userset,
        GucFlags::UNIT_KB,
    );
    GucRegistry::define_bool_guc(
        c"leadguard.show_archived",
        c"Shows archived rows to members who may see them.",
        c"off hides them; on shows them to members with the capability see_archived and to nobody else.",
        &SHOW_ARCHIVED,
        GucContext::Userset,
        GucFlags::default(),
    );
    setting::define_view_mode(
        c"leadguard.view_mode",
        c"Shows a session its own records only.",
        c"personal: what the member owns or has created, in tables whose switch view_modes is on; organization: all that the rules give.",
        &VIEW_MODE,
    );
    GucRegistry::define_bool_guc(
        c"leadguard.allow_unpatched_server",
        c"Lets protect work on a server below the security floor.",
        c"Such servers have holes in row security itself (fixed in 14.25, 15.20, 16.16, 17.12, 18.7).",
        &ALLOW_UNPATCHED_SERVER,
        GucContext::Suset,
        GucFlags::default(),
    );
    // The server takes settings that need a restart from libraries that it preloads only.
    if shared::is_preloading() {
        GucRegistry::define_int_guc(
            c"leadguard.max_tracked_members",
            c"For how many members activity is counted.",
            c"A place in shared memory for each, and one for a window of batches, where the library is preloaded: 0.7 kB together.",
            &MAX_TRACKED_MEMBERS,
            64,
            1_000_000,
            GucContext::Postmaster,
            GucFlags::default(),
        );
    }
    crate::identity::workers::register();
    session::reserve_prefix(c"leadguard");
}
