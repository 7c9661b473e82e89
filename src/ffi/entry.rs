//! The C symbols that the install script names, for functions that need the raw call.

use super::call::Call;
use crate::planner;
use crate::visibility::arm::Arm;
use crate::visibility::policy;
use pgrx::pg_sys;

macro_rules! entries {
    ($($info:ident, $symbol:ident => $body:expr;)*) => {$(
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub extern "C-unwind" fn $info() -> &'static pg_sys::Pg_finfo_record {
            const V1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
            &V1
        }

        /// # Safety
        /// Called by Postgres only.
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $symbol(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
            // SAFETY: the guard turns panics into errors; fcinfo is what Postgres passed.
            unsafe {
                let body: fn(&Call) -> pg_sys::Datum = $body;
                pg_sys::submodules::panic::pgrx_extern_c_guard(|| body(&Call::new(fcinfo)))
            }
        }
    )*};
}

entries! {
    pg_finfo_leadguard_visible, leadguard_visible => policy::visible;
    pg_finfo_leadguard_unarchived, leadguard_unarchived => crate::archive::policy::unarchived;
    pg_finfo_leadguard_unarchived_support, leadguard_unarchived_support => crate::archive::policy::support;
    pg_finfo_leadguard_sees_archived, leadguard_sees_archived => crate::archive::policy::sees_archived;
    pg_finfo_leadguard_sees_archived_support, leadguard_sees_archived_support => crate::archive::policy::sees_support;
    pg_finfo_leadguard_still_visible, leadguard_still_visible => policy::still_visible;
    pg_finfo_leadguard_acceptable, leadguard_acceptable => policy::acceptable;
    pg_finfo_leadguard_may_read, leadguard_may_read => policy::may_read;
    pg_finfo_leadguard_may_read_support, leadguard_may_read_support => planner::may_read;
    pg_finfo_leadguard_may_still_read, leadguard_may_still_read => policy::may_still_read;
    pg_finfo_leadguard_may_insert, leadguard_may_insert => policy::may_insert;
    pg_finfo_leadguard_visible_creators, leadguard_visible_creators => |call| policy::values(call, Arm::Creator);
    pg_finfo_leadguard_visible_segments, leadguard_visible_segments => |call| policy::values(call, Arm::Segment);
    pg_finfo_leadguard_visible_teams, leadguard_visible_teams => |call| policy::values(call, Arm::Team);
    pg_finfo_leadguard_visible_parents, leadguard_visible_parents => |call| policy::values(call, Arm::Parent);
    pg_finfo_leadguard_visible_creator_support, leadguard_visible_creator_support => |call| planner::arm(call, Arm::Creator);
    pg_finfo_leadguard_visible_segment_support, leadguard_visible_segment_support => |call| planner::arm(call, Arm::Segment);
    pg_finfo_leadguard_visible_team_support, leadguard_visible_team_support => |call| planner::arm(call, Arm::Team);
    pg_finfo_leadguard_visible_parent_support, leadguard_visible_parent_support => |call| planner::arm(call, Arm::Parent);
    pg_finfo_leadguard_hiding_support, leadguard_hiding_support => planner::hiding;
    pg_finfo_leadguard_visible_owners, leadguard_visible_owners => |call| policy::values(call, Arm::Owner);
    pg_finfo_leadguard_visible_territories, leadguard_visible_territories => |call| policy::values(call, Arm::Territory);
    pg_finfo_leadguard_visible_records, leadguard_visible_records => |call| policy::values(call, Arm::Record);
    pg_finfo_leadguard_visible_organizations, leadguard_visible_organizations => |call| policy::values(call, Arm::Organization);
    pg_finfo_leadguard_visible_from, leadguard_visible_from => policy::from;
    pg_finfo_leadguard_search, leadguard_search => crate::search::search;
    pg_finfo_leadguard_mapped, leadguard_mapped => |_| pg_sys::Datum::from(true);
    pg_finfo_leadguard_mapped_support, leadguard_mapped_support => planner::mapped;
    pg_finfo_leadguard_visible_support, leadguard_visible_support => planner::visible;
    pg_finfo_leadguard_still_visible_support, leadguard_still_visible_support => planner::still_visible;
    pg_finfo_leadguard_visible_all_support, leadguard_visible_all_support => planner::gate;
    pg_finfo_leadguard_visible_owner_support, leadguard_visible_owner_support => |call| planner::arm(call, Arm::Owner);
    pg_finfo_leadguard_visible_territory_support, leadguard_visible_territory_support => |call| planner::arm(call, Arm::Territory);
    pg_finfo_leadguard_visible_record_support, leadguard_visible_record_support => |call| planner::arm(call, Arm::Record);
    pg_finfo_leadguard_visible_admin_support, leadguard_visible_admin_support => |call| planner::arm(call, Arm::Admin);
    pg_finfo_leadguard_visible_organization_support, leadguard_visible_organization_support => |call| planner::arm(call, Arm::Organization);
    pg_finfo_leadguard_write_through, leadguard_write_through => crate::masks::through::write;
    pg_finfo_leadguard_import_stage, leadguard_import_stage => crate::imports::stage;
    pg_finfo_leadguard_import_staged, leadguard_import_staged => crate::imports::staged;
    pg_finfo_leadguard_guard_statement, leadguard_guard_statement => crate::guard::statement;
    pg_finfo_leadguard_guard_row, leadguard_guard_row => crate::guard::row;
    pg_finfo_leadguard_guard_stored, leadguard_guard_stored => crate::guard::stored;
    pg_finfo_leadguard_guard_written, leadguard_guard_written => crate::audit::written;
    pg_finfo_leadguard_append_only, leadguard_append_only => crate::audit::append_only;
    pg_finfo_leadguard_guard_child_statement, leadguard_guard_child_statement => crate::children::guard::statement;
    pg_finfo_leadguard_guard_child_row, leadguard_guard_child_row => crate::children::guard::row;
    pg_finfo_leadguard_guard_child_stored, leadguard_guard_child_stored => crate::children::guard::stored;
    pg_finfo_leadguard_forget_plans, leadguard_forget_plans => planner::plans::forget_everywhere;
    pg_finfo_leadguard_closure_lock, leadguard_closure_lock => crate::hierarchy::lock;
    pg_finfo_leadguard_keep_holders, leadguard_keep_holders => crate::directory::keep_holders;
    pg_finfo_leadguard_keep_owners, leadguard_keep_owners => crate::directory::keep_owners;
    pg_finfo_leadguard_end_delegations, leadguard_end_delegations => crate::people::member_changed;
    pg_finfo_leadguard_field_matrix, leadguard_field_matrix => crate::rulebook::sheet::field_matrix;
    pg_finfo_leadguard_closure_maintain, leadguard_closure_maintain => crate::hierarchy::maintain;
}
