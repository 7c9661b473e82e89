//! leadguard: row security of sales leads from the management and territory hierarchies.
//!
//! Rust decides, SQL declares, Postgres enforces. The flow: a query enters (policies call
//! `visibility::policy`), the identity is resolved (`identity`), the sets are bound (`visibility`), rows pass
//! or do not; writes pass `guard`; `hierarchy` keeps the closures; `protect` puts all of it on a table.

// Here and not in Cargo.toml: the generated pgrx_embed binary needs unsafe.
#![deny(unsafe_code)]

use pgrx::prelude::*;

mod activity;
mod approvals;
mod archive;
mod arguments;
mod assignment;
mod audit;
mod batches;
mod children;
mod contacts;
mod directory;
mod errors;
#[allow(unsafe_code)]
mod ffi;
mod fields;
mod grants;
mod guard;
mod guc;
mod hierarchy;
mod identity;
mod imports;
mod masks;
mod model;
mod names;
mod people;
mod planner;
mod protect;
mod questions;
mod reviews;
mod rulebook;
mod rules;
mod schema_changes;
mod search;
mod visibility;

pg_module_magic!();

extension_sql_file!("../sql/install/00_schema.sql", name = "schema", bootstrap);
extension_sql_file!("../sql/install/10_directory.sql", name = "directory", requires = ["schema"]);
extension_sql_file!("../sql/install/11_identity.sql", name = "identity", requires = ["directory"]);
extension_sql_file!("../sql/install/12_records.sql", name = "records", requires = ["identity"]);
extension_sql_file!("../sql/install/13_fields.sql", name = "fields", requires = ["records"]);
extension_sql_file!("../sql/install/14_approvals.sql", name = "approvals", requires = ["fields"]);
extension_sql_file!("../sql/install/15_audit.sql", name = "audit", requires = ["approvals"]);
extension_sql_file!("../sql/install/16_children.sql", name = "children", requires = ["audit"]);
extension_sql_file!("../sql/install/17_rules.sql", name = "rules", requires = ["children"]);
extension_sql_file!("../sql/install/18_organizations.sql", name = "organizations", requires = ["rules"]);
extension_sql_file!("../sql/install/19_contacts.sql", name = "contacts", requires = ["organizations"]);
extension_sql_file!("../sql/install/20_presets.sql", name = "presets", requires = ["contacts"]);
extension_sql_file!("../sql/install/21_notifications.sql", name = "notifications", requires = ["presets"]);
extension_sql_file!("../sql/install/22_batches.sql", name = "batches", requires = ["notifications"]);
extension_sql_file!("../sql/install/23_imports.sql", name = "imports", requires = ["batches"]);
extension_sql_file!("../sql/install/24_assignment.sql", name = "assignment", requires = ["imports"]);
extension_sql_file!("../sql/install/25_people.sql", name = "people", requires = ["assignment"]);
extension_sql_file!("../sql/install/26_schema_changes.sql", name = "schema_changes", requires = ["people"]);
extension_sql_file!("../sql/install/27_reviews.sql", name = "reviews", requires = ["schema_changes"]);
extension_sql_file!("../sql/install/28_seals.sql", name = "seals", requires = ["reviews"]);
extension_sql_file!("../sql/install/30_policy_functions.sql", name = "policy_functions", requires = ["seals"]);
extension_sql_file!(
    "../sql/install/31_identity_functions.sql",
    name = "identity_functions",
    requires = ["policy_functions"]
);
extension_sql_file!("../sql/install/32_plan_functions.sql", name = "plan_functions", requires = ["identity_functions"]);
extension_sql_file!("../sql/install/50_protect.sql", name = "protect", requires = ["plan_functions"]);
extension_sql_file!("../sql/install/60_grants_api.sql", name = "grants_api", requires = ["protect"]);
extension_sql_file!("../sql/install/61_questions.sql", name = "questions", requires = ["grants_api"]);
extension_sql_file!("../sql/install/62_operations.sql", name = "operations", requires = ["questions"]);
extension_sql_file!("../sql/install/63_field_rules.sql", name = "field_rules", requires = ["operations"]);
extension_sql_file!("../sql/install/64_approvals_api.sql", name = "approvals_api", requires = ["field_rules"]);
extension_sql_file!("../sql/install/65_archive.sql", name = "archive", requires = ["approvals_api"]);
extension_sql_file!("../sql/install/66_masks.sql", name = "masks", requires = ["archive"]);
extension_sql_file!("../sql/install/67_audit_api.sql", name = "audit_api", requires = ["masks"]);
extension_sql_file!("../sql/install/68_notes.sql", name = "notes", requires = ["audit_api"]);
extension_sql_file!("../sql/install/69_rules_api.sql", name = "rules_api", requires = ["notes"]);
extension_sql_file!("../sql/install/70_directory_changes.sql", name = "directory_changes", requires = ["rules_api"]);
extension_sql_file!(
    "../sql/install/70_directory_rules.sql",
    name = "directory_rules",
    requires = ["directory_changes"]
);
extension_sql_file!(
    "../sql/install/71_directory_safety.sql",
    name = "directory_safety",
    requires = ["directory_rules"]
);
extension_sql_file!("../sql/install/72_organizations.sql", name = "organizations_api", requires = ["directory_safety"]);
extension_sql_file!("../sql/install/73_contacts.sql", name = "contacts_api", requires = ["organizations_api"]);
extension_sql_file!("../sql/install/74_joining.sql", name = "joining", requires = ["contacts_api"]);
extension_sql_file!("../sql/install/79_notifications.sql", name = "notifications_api", requires = ["joining"]);
extension_sql_file!("../sql/install/80_batches.sql", name = "batches_api", requires = ["notifications_api"]);
extension_sql_file!("../sql/install/82_imports.sql", name = "imports_api", requires = ["batches_api"]);
extension_sql_file!("../sql/install/83_assignment.sql", name = "assignment_api", requires = ["imports_api"]);
extension_sql_file!("../sql/install/83_claims.sql", name = "claims_api", requires = ["assignment_api"]);
extension_sql_file!("../sql/install/84_job_functions.sql", name = "job_functions", requires = ["claims_api"]);
extension_sql_file!("../sql/install/84_roles.sql", name = "roles_api", requires = ["job_functions"]);
extension_sql_file!("../sql/install/84_people.sql", name = "people_api", requires = ["roles_api"]);
extension_sql_file!("../sql/install/84_people_changes.sql", name = "people_changes", requires = ["people_api"]);
extension_sql_file!("../sql/install/84_people_leaving.sql", name = "people_leaving", requires = ["people_changes"]);
extension_sql_file!("../sql/install/84_directory_audit.sql", name = "directory_audit", requires = ["people_leaving"]);
extension_sql_file!(
    "../sql/install/85_schema_changes.sql",
    name = "schema_changes_api",
    requires = ["directory_audit"]
);
extension_sql_file!(
    "../sql/install/85_schema_requests.sql",
    name = "schema_requests",
    requires = ["schema_changes_api"]
);
extension_sql_file!("../sql/install/85_schema_watch.sql", name = "schema_watch", requires = ["schema_requests"]);
extension_sql_file!("../sql/install/86_review_checks.sql", name = "review_checks", requires = ["schema_watch"]);
extension_sql_file!(
    "../sql/install/86_review_checks_records.sql",
    name = "review_checks_records",
    requires = ["review_checks"]
);
extension_sql_file!("../sql/install/86_reviews.sql", name = "reviews_api", requires = ["review_checks_records"]);
extension_sql_file!("../sql/install/87_seals.sql", name = "seals_api", requires = ["reviews_api"]);
extension_sql_file!("../sql/install/90_rights.sql", name = "rights", requires = ["seals_api"]);
extension_sql_file!(
    "../sql/install/91_rights_governance.sql",
    name = "rights_governance",
    requires = ["rights"],
    finalize
);

#[pg_guard]
extern "C-unwind" fn _PG_init() {
    guc::register();
    ffi::transaction::on_transaction(|event| {
        // First: it still writes, for which identity and caches must be as they were.
        guard::on_transaction(event);
        archive::on_transaction(event);
        batches::on_transaction(event);
        assignment::on_transaction(event);
        audit::on_transaction(event);
        identity::on_transaction(event);
        visibility::subject::on_transaction(event);
        planner::plans::on_transaction(event);
        approvals::on_transaction(event);
        imports::on_transaction(event);
        masks::through::on_transaction(event);
        audit::seals::on_transaction(event);
        ffi::versions::on_transaction(event);
    });
    ffi::copy::look_around();
    ffi::invalidation::watch_functions();
    ffi::index_cost::install();
    ffi::rows::install();
    ffi::shared::install();
    ffi::delete::install();
}
