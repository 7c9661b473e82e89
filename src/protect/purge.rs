//! Archived rows that go with the protection: as leadguard.purge leaves each of them, for all of them at once.

use super::inspect::Relation;
use super::step::Step;
use crate::archive::functions;
use crate::audit::{self, Event};
use crate::errors::{self, NEEDS_APPROVAL, failure, refused};
use crate::ffi::sql::{self, Param, Sees};
use crate::identity::Mode;
use crate::names::quote;
use crate::questions::record::{self, Column, as_caller};
use crate::visibility::{self, Table};
use std::collections::BTreeMap;

const REASON: &str = "the protection of the table ended, archived => 'purge'";

/// What must be known of the table before its registration goes.
pub(super) struct Purge {
    table: Table,
    member: Option<i64>,
    member_organization: Option<i64>,
    organization: Option<Column>,
    name: String,
    at: String,
    kept: String,
}

impl Purge {
    /// None for a table without an archive. 42501 and LG004 where the caller may not purge.
    pub(super) fn of(relation: &Relation) -> Option<Purge> {
        let subject = visibility::now();
        let registered = subject.table(relation.oid);
        let table = registered.as_ref().as_ref().filter(|table| table.archived_at_column.is_some())?;
        let refusal = |key: &str| format!("purging the archived rows of {} refused for \"{key}\"", relation.name);
        if let Some(member) = &subject.member {
            if subject.mode == Some(Mode::Analyst) {
                errors::read_only_login("purge", &relation.name);
            }
            if !subject.has_capability("hard_delete") {
                refused(refusal(&member.key))
                    .detail("It takes the capability hard_delete.")
                    .hint("A data owner purges them, or archived => 'keep' leaves them in the table.")
                    .raise();
            }
            if member.system {
                failure(NEEDS_APPROVAL, refusal(&member.key))
                    .detail("It is a member of kind system; a person must answer for what is removed.")
                    .hint("leadguard.purge removes single records with approvals.")
                    .raise();
            }
        }
        Some(Purge {
            member: subject.member.as_ref().map(|member| member.id),
            member_organization: subject.member.as_ref().map(|member| member.org_id),
            organization: table.organization_column.as_ref().and_then(|name| Column::of(relation.oid, name)),
            name: relation.name.clone(),
            at: table.archived_at_column.as_deref().map(quote).unwrap_or_default(),
            kept: functions::kept(table),
            table: table.clone(),
        })
    }

    fn statement(&self) -> String {
        format!("DELETE FROM {} WHERE {} IS NOT NULL", self.name, self.at)
    }

    pub(super) fn step(&self) -> Step {
        Step::new("archive", self.statement(), "archived => 'purge': they go for good, and each leaves a tombstone.")
    }

    /// Only now, without the policies, does the table's owner see them all.
    pub(super) fn run(&self) {
        for (organization, (records, kept)) in self.delete() {
            if self.member_organization.is_some_and(|own| organization != Some(own)) {
                refused(format!("{} has archived rows of other organizations", self.name))
                    .hint("A superuser purges them, or archived => 'keep' leaves them in the table.")
                    .raise();
            }
            self.prove(organization, &records, &kept);
        }
    }

    /// The records and what is kept of them, by organization.
    fn delete(&self) -> BTreeMap<Option<i64>, (Vec<String>, Vec<String>)> {
        let organization = self.organization.as_ref();
        let text = format!(
            "{} RETURNING {}::pg_catalog.text, {}::pg_catalog.text, {}",
            self.statement(),
            quote(&self.table.id_column),
            organization.map_or("NULL", |column| &column.quoted),
            self.kept
        );
        let mut named: BTreeMap<Option<String>, (Vec<String>, Vec<String>)> = BTreeMap::new();
        as_caller(|| {
            sql::query_once(&text, &[], Sees::Now, &mut |row| {
                let (records, kept) = named.entry(row.text(1)).or_default();
                records.push(row.text(0).unwrap_or_default());
                kept.push(row.text(2).unwrap_or_default());
            })
        });
        let mut found: BTreeMap<Option<i64>, (Vec<String>, Vec<String>)> = BTreeMap::new();
        for (name, (records, kept)) in named {
            let id = match organization {
                Some(column) => record::organization(name.as_deref(), column.kind),
                None => Some(self.table.org_id),
            };
            let all = found.entry(id).or_default();
            all.0.extend(records);
            all.1.extend(kept);
        }
        found
    }

    fn prove(&self, organization: Option<i64>, records: &[String], kept: &[String]) {
        let target = self.table.target;
        let params = [
            Param::Oid(target),
            Param::Texts(records),
            Param::Int(organization),
            Param::Int(self.member),
            Param::Text(Some(REASON)),
            Param::Texts(kept),
        ];
        audit::proving(|| sql::query(include_str!("../../sql/query/tombstones.sql"), &params, Sees::Now, &mut |_| {}));
        audit::erase_all_values(target, records);
        let event = Event {
            target: Some(target),
            record: None,
            action: "purge",
            reason: Some(REASON),
            approval: None,
            detail: None,
        };
        audit::event_of_each(&event, organization, records);
    }
}
