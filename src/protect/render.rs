//! The statements that put the protection on one relation.
//!
//! Partitions carry the policies of their table, naming the table itself as target: access through a
//! partition is judged like access through the table. Invariant tests: tests/writes, tests/attacks.

use super::check::Mapping;
use super::inspect::Member;
use super::step::Step;
use crate::ffi::session;
use crate::names::{literal, quote};

/// Names are part of the surface: policies of equal kind are applied, and triggers fire, in order of name.
pub(super) const POLICIES: [&str; 7] = [
    "leadguard_open",
    "leadguard_select",
    "leadguard_insert",
    "leadguard_update",
    "leadguard_delete",
    // Last by name: the lowest security level alone may use an index, and that must be the policies above.
    "leadguard_z_recheck_update",
    "leadguard_z_recheck_delete",
];

const STATEMENT_TRIGGER: &str = "leadguard_10_statement";
const ROW_TRIGGER: &str = "leadguard_90_row";
const STORED_TRIGGER: &str = "leadguard_99_stored";
const WRITTEN_TRIGGER: &str = "leadguard_99_written";
pub(super) const TRIGGERS: [&str; 4] = [STATEMENT_TRIGGER, ROW_TRIGGER, STORED_TRIGGER, WRITTEN_TRIGGER];

/// The protection of one table, rendered once for the table and all its partitions.
pub(super) struct Protection {
    mapped: String,
    mapped_id: String,
    /// What reads, reads again and inserts: three functions of the same arguments.
    functions: [&'static str; 3],
    arguments: String,
    /// Beside visible, for a table with an archive.
    unarchived: String,
    force: bool,
}

impl Protection {
    /// `target` is the qualified name of the table. `uses_creator`: some rule asks who created a row.
    pub(super) fn new(target: &str, mapping: &Mapping, force: bool, uses_creator: bool) -> Protection {
        let id = quote(&mapping.id);
        let form = mapping.form(uses_creator);
        let target = format!("{}::regclass", literal(target));
        let mapped_id = format!("leadguard.mapped({id})");
        // The table itself too: a partition that was detached loses the restrictive policies, which name the
        // table, when the table is dropped, and must lose the permissive one with them.
        let archived = mapping.archive.as_ref().map(|archive| quote(&archive.at));
        let unarchived =
            archived.as_ref().map(|at| format!(" AND leadguard.unarchived({target}, {id}, {at})")).unwrap_or_default();
        let columns = form.columns.iter().flatten().map(|column| quote(column));
        let mapped = std::iter::once(target.clone())
            .chain(columns)
            .chain(archived)
            .map(|c| format!("leadguard.mapped({c})"))
            .collect::<Vec<_>>()
            .join(" AND ");
        let functions = match form.parts {
            None => ["visible", "still_visible", "acceptable"],
            Some(_) => ["may_read", "may_still_read", "may_insert"],
        };
        let arguments = format!("{target}, {}", form.arguments());
        Protection { mapped, mapped_id, functions, arguments, unarchived, force }
    }

    /// The policies that the relation lacks.
    pub(super) fn policies(&self, member: &Member) -> Vec<Step> {
        POLICIES
            .iter()
            .filter(|policy| !member.has_policy(policy))
            .map(|policy| {
                let statement = format!("CREATE POLICY {policy} ON {} {}", member.name, self.clauses(policy));
                Step::new("policy", statement, about_policy(policy))
            })
            .collect()
    }

    /// The statements that put other columns into policies that are there.
    pub(super) fn altered(&self, member: &Member) -> Vec<Step> {
        let present = POLICIES.iter().filter(|policy| member.has_policy(policy));
        present
            .map(|policy| {
                let clauses = self.clauses(policy);
                let clauses = &clauses[clauses.find("TO PUBLIC").unwrap_or_default()..];
                Step::new("policy", format!("ALTER POLICY {policy} ON {} {clauses}", member.name), about_policy(policy))
            })
            .collect()
    }

    fn clauses(&self, policy: &str) -> String {
        let Protection { mapped, mapped_id, arguments, unarchived, .. } = self;
        let [reads, reads_again, inserts] = self.functions;
        match policy {
            "leadguard_select" => {
                format!("AS RESTRICTIVE FOR SELECT TO PUBLIC USING (leadguard.{reads}({arguments}){unarchived})")
            }
            "leadguard_insert" => {
                format!("AS RESTRICTIVE FOR INSERT TO PUBLIC WITH CHECK (leadguard.{inserts}({arguments}))")
            }
            "leadguard_update" => {
                format!("AS RESTRICTIVE FOR UPDATE TO PUBLIC USING (leadguard.{reads}({arguments}){unarchived})")
            }
            "leadguard_delete" => {
                format!("AS RESTRICTIVE FOR DELETE TO PUBLIC USING (leadguard.{reads}({arguments}){unarchived})")
            }
            "leadguard_z_recheck_update" => format!(
                "AS RESTRICTIVE FOR UPDATE TO PUBLIC USING (leadguard.{reads_again}({arguments})) WITH CHECK ({mapped_id})"
            ),
            "leadguard_z_recheck_delete" => {
                format!("AS RESTRICTIVE FOR DELETE TO PUBLIC USING (leadguard.{reads_again}({arguments}))")
            }
            _ => format!("AS PERMISSIVE FOR ALL TO PUBLIC USING ({mapped}) WITH CHECK ({mapped})"),
        }
    }

    /// The triggers that it lacks. Row triggers are made on the table; Postgres clones them to partitions.
    pub(super) fn triggers(&self, member: &Member) -> Vec<Step> {
        let name = &member.name;
        let mut steps = Vec::new();
        let mut create = |trigger: &str, when: &str, function: &str| {
            if member.trigger(trigger).is_none() {
                let statement = format!("CREATE TRIGGER {trigger} {when} EXECUTE FUNCTION leadguard.{function}()");
                steps.push(Step::new("trigger", statement, about_trigger(trigger)));
            }
        };
        create(
            STATEMENT_TRIGGER,
            &format!("BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {name} FOR EACH STATEMENT"),
            "guard_statement",
        );
        // A database that is not updated to 0.3.0 yet has no function for the last one.
        let is_updated = session::is_updated();
        let triggers = if is_updated { &TRIGGERS[..] } else { &TRIGGERS[..3] };
        if is_updated {
            create(
                WRITTEN_TRIGGER,
                &format!("AFTER INSERT OR UPDATE OR DELETE ON {name} FOR EACH STATEMENT"),
                "guard_written",
            );
        }
        if member.is_root {
            let stored = if is_updated { "INSERT OR UPDATE OR DELETE" } else { "INSERT OR UPDATE" };
            create(ROW_TRIGGER, &format!("BEFORE INSERT OR UPDATE OR DELETE ON {name} FOR EACH ROW"), "guard_row");
            create(STORED_TRIGGER, &format!("AFTER {stored} ON {name} FOR EACH ROW"), "guard_stored");
        }
        let fires_always = triggers.iter().all(|t| member.trigger(t).is_some_and(|t| t.always));
        if !fires_always {
            let clauses: Vec<_> = triggers.iter().map(|t| format!("ENABLE ALWAYS TRIGGER {t}")).collect();
            let clauses = clauses.join(", ");
            // ONLY, and one statement for each partition: not every minor version passes it on to the clones.
            let statement = format!("ALTER TABLE ONLY {name} {clauses}");
            let step = Step::new("trigger", statement, "The guards hold whatever session_replication_role says.");
            // Before PostgreSQL 15 the clones count as internal, which only a superuser may switch.
            steps.push(if member.is_root { step } else { step.by_extension() });
        }
        steps
    }

    /// The guard of stored rows did not look at deletions in tables protected before 0.3.0; it is made anew.
    pub(super) fn old_triggers_away(&self, member: &Member) -> Vec<Step> {
        if !member.is_root || member.trigger(STORED_TRIGGER).is_none() || member.trigger(WRITTEN_TRIGGER).is_some() {
            return Vec::new();
        }
        let statement = format!("DROP TRIGGER {STORED_TRIGGER} ON {}", member.name);
        vec![Step::new("trigger", statement, "Made anew, for deletions too.")]
    }

    /// The flags that it lacks.
    pub(super) fn row_security(&self, member: &Member) -> Vec<Step> {
        let name = &member.name;
        let mut steps = Vec::new();
        if !member.row_security {
            let statement = format!("ALTER TABLE {name} ENABLE ROW LEVEL SECURITY");
            steps.push(Step::new("row_security", statement, "Puts the policies into effect."));
        }
        if self.force && !member.forced {
            let statement = format!("ALTER TABLE {name} FORCE ROW LEVEL SECURITY");
            steps.push(Step::new("row_security", statement, "The owner of the table obeys the policies too."));
        }
        steps
    }
}

/// Comments for whoever finds the policies with \d. On the table only; partitions carry the same policies.
pub(super) fn comments(name: &str) -> Vec<Step> {
    POLICIES
        .iter()
        .map(|policy| {
            let statement = format!("COMMENT ON POLICY {policy} ON {name} IS {}", literal(about_policy(policy)));
            Step::new("comment", statement, "Explains the policy to whoever finds it.")
        })
        .collect()
}

fn about_policy(policy: &str) -> &'static str {
    match policy {
        "leadguard_select" => {
            "Members see the rows that the rules of the table give them by one path or another, archived ones by a capability."
        }
        "leadguard_insert" => "A new row must be one that the inserting member may create.",
        "leadguard_update" => "An UPDATE meets only rows that the member sees; the guards judge the level.",
        "leadguard_delete" => "A DELETE meets only rows that the member sees; the guards judge the level.",
        "leadguard_z_recheck_update" => {
            "A row that changed while the statement waited for it is judged again by the rights of now, for UPDATE and locking reads."
        }
        "leadguard_z_recheck_delete" => {
            "A row that changed while the statement waited for it is judged again by the rights of now, for DELETE."
        }
        _ => {
            "Lets the restrictive policies decide. It names the table and its mapped columns, so that it falls with them and with the extension and never leaves rows open."
        }
    }
}

fn about_trigger(trigger: &str) -> &'static str {
    match trigger {
        ROW_TRIGGER => "Fills the owner of a new row and refuses what the member's level on the row does not allow.",
        STORED_TRIGGER => "Judges the stored row again, since other triggers may have changed it.",
        WRITTEN_TRIGGER => "Archives what a DELETE met, and writes down in the audit what the statement changed.",
        _ => "Refuses writes of sessions that may not write, even where they meet no row, and TRUNCATE.",
    }
}
