//! The steps by which records are handed over.

use super::right::{self, Maker};
use super::rule::{column, note};
use crate::arguments::given;
use crate::errors::bad_argument;
use crate::ffi::row::{Kept, attributes_of};
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use crate::grants::reassign::Set;
use crate::names;
use crate::visibility::{Part, Table};
use pgrx::pg_extern;
use pgrx::pg_sys::Oid;
use serde_json::{Map, Value as Json};

const MOST: usize = 100;

/// A step as it is stored.
pub(super) struct Step {
    pub name: String,
    pub from_stage: Option<String>,
    pub from_role: Option<String>,
    pub to_stage: Option<String>,
    pub to_role: Option<String>,
    pub fields: Vec<(String, Option<String>)>,
    pub notify: Vec<String>,
    pub needs_acceptance: bool,
}

/// The column that holds the stage; without one, the status.
pub(super) fn stage_column(table: &Table) -> Option<&str> {
    table.column(Part::Stage).or(table.column(Part::Status))
}

impl Step {
    pub(super) fn find(table: &Table, organization: i64, name: &str) -> Option<Step> {
        let mut found = None;
        let params = [Param::Oid(table.target), Param::Int(Some(organization)), Param::Text(Some(name))];
        as_extension(|| {
            sql::query(
                "SELECT name, from_stage, from_role, to_stage, to_role, fields::text, to_json(notify)::text, needs_acceptance \
                 FROM leadguard.handoff_step WHERE target = $1 AND org_id = $2 AND name = $3 FOR SHARE",
                &params,
                Sees::Now,
                &mut |row| {
                    let fields: Map<String, Json> =
                        row.text(5).and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
                    found = Some(Step {
                        name: row.text(0).unwrap_or_default(),
                        from_stage: row.text(1),
                        from_role: row.text(2),
                        to_stage: row.text(3),
                        to_role: row.text(4),
                        fields: fields.into_iter().map(|(name, value)| (name, constant(&value))).collect(),
                        notify: row.text(6).and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
                        needs_acceptance: row.bool(7),
                    });
                },
            )
        });
        found
    }

    /// What changes beside the owner, by column.
    pub(super) fn changes(&self, table: &Table) -> Vec<(String, Option<String>)> {
        let stage = stage_column(table).zip(self.to_stage.clone());
        let stage = stage.map(|(column, value)| (column.to_owned(), Some(value)));
        stage.into_iter().chain(self.fields.iter().cloned()).collect()
    }
}

/// The same as SQL.
pub(super) fn sets(changes: &[(String, Option<String>)]) -> Vec<Set> {
    let value = |value: &Option<String>| value.as_deref().map_or_else(|| "NULL".to_owned(), names::literal);
    changes.iter().map(|(column, text)| Set { column: names::quote(column), value: value(text) }).collect()
}

/// None for NULL.
fn constant(value: &Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        value => Some(value.to_string()),
    }
}

/// Defines a step, or replaces the one of this name. Who may call: Maker. Errors: 42501, 22023, 42703, 22P02.
#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments)]
fn set_handoff_step(
    target: Option<Oid>,
    name: Option<&str>,
    from_stage: Option<&str>,
    from_role: Option<&str>,
    to_stage: Option<&str>,
    to_role: Option<&str>,
    fields: Option<pgrx::JsonB>,
    notify: Option<Vec<Option<String>>>,
    needs_acceptance: Option<bool>,
) -> i64 {
    let maker = Maker::find("set_handoff_step", target);
    let name = right::name(name, "the name of the step");
    if maker.table.owner_column.is_none() {
        bad_argument(format!("{} maps no owner column", maker.table.shown()))
            .hint("Protect it with owner => ... first; leadguard.protected lists what is mapped.")
            .raise();
    }
    check_stages(&maker, [from_stage, to_stage]);
    [from_role, to_role].into_iter().flatten().for_each(|role| maker.role(role));
    let fields = fields.map_or(Json::Object(Map::new()), |json| json.0);
    check_fields(&maker, &fields);
    let notify = check_notify(&maker, notify.unwrap_or_default());
    let fields = fields.to_string();
    let params = [
        Param::Int(Some(maker.organization)),
        Param::Oid(maker.table.target),
        Param::Text(Some(name)),
        Param::Text(from_stage),
        Param::Text(from_role),
        Param::Text(to_stage),
        Param::Text(to_role),
        Param::Text(Some(&fields)),
        Param::Texts(&notify),
        Param::Bool(given(needs_acceptance, "needs_acceptance")),
    ];
    let made = as_extension(|| {
        sql::first_int(
            "INSERT INTO leadguard.handoff_step \
             (org_id, target, name, from_stage, from_role, to_stage, to_role, fields, notify, needs_acceptance) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $10) \
             ON CONFLICT ON CONSTRAINT handoff_step_name_unique DO UPDATE SET from_stage = excluded.from_stage, \
             from_role = excluded.from_role, to_stage = excluded.to_stage, to_role = excluded.to_role, \
             fields = excluded.fields, notify = excluded.notify, needs_acceptance = excluded.needs_acceptance RETURNING id",
            &params,
            Sees::Now,
        )
    });
    let shown = |stage: Option<&str>, role: Option<&str>| format!("{} {}", stage.unwrap_or("*"), role.unwrap_or("*"));
    note(
        &maker,
        "set_handoff_step",
        format!("{name}: {} -> {}", shown(from_stage, from_role), shown(to_stage, to_role)),
    );
    made.unwrap_or_else(|| crate::errors::bug("a step that was not made"))
}

/// Drops a step; false when there is none. Who may call and errors: as set_handoff_step.
#[pg_extern(sql = false)]
fn drop_handoff_step(target: Option<Oid>, name: Option<&str>) -> bool {
    let maker = Maker::find("drop_handoff_step", target);
    let name = right::name(name, "the name of the step");
    let params = [Param::Oid(maker.table.target), Param::Int(Some(maker.organization)), Param::Text(Some(name))];
    let dropped = as_extension(|| {
        sql::query(
            "DELETE FROM leadguard.handoff_step WHERE target = $1 AND org_id = $2 AND name = $3",
            &params,
            Sees::Now,
            &mut |_| {},
        )
    }) > 0;
    if dropped {
        note(&maker, "drop_handoff_step", name.to_owned());
    }
    dropped
}

fn check_stages(maker: &Maker, stages: [Option<&str>; 2]) {
    let attributes = attributes_of(maker.table.target);
    for stage in stages.into_iter().flatten() {
        let Some(name) = stage_column(&maker.table) else {
            bad_argument(format!("{} maps neither a stage nor a status column", maker.table.shown()))
                .hint("leadguard.protect(..., stage => 'column').")
                .raise()
        };
        drop(Kept::parsed(stage, column(maker, name, &attributes)));
    }
}

fn check_fields(maker: &Maker, fields: &Json) {
    let Json::Object(fields) = fields else { bad_argument("the fields are an object: {\"column\": value}").raise() };
    let attributes = attributes_of(maker.table.target);
    let table = &maker.table;
    let mapped: Vec<&str> = Part::ALL.into_iter().filter_map(|part| table.column(part)).collect();
    let archive = [table.archived_at_column.as_deref(), table.archived_by_column.as_deref()];
    if fields.len() > MOST {
        bad_argument(format!("a step sets no more than {MOST} fields")).raise();
    }
    for (name, value) in fields {
        let attribute = column(maker, name, &attributes);
        if attribute.generated || mapped.contains(&name.as_str()) || archive.contains(&Some(name.as_str())) {
            bad_argument(format!("column \"{name}\" is no field that a step sets"))
                .hint(
                    "Stage and owner have arguments of their own; other mapped and generated columns stay as they are.",
                )
                .raise();
        }
        if let Some(text) = constant(value) {
            drop(Kept::parsed(&text, attribute));
        }
    }
}

fn check_notify(maker: &Maker, given: Vec<Option<String>>) -> Vec<String> {
    if given.len() > MOST {
        bad_argument(format!("a step tells no more than {MOST} members, roles or groups")).raise();
    }
    given
        .into_iter()
        .flatten()
        .inspect(|who| match who.strip_prefix("role:") {
            Some(role) => maker.role(role),
            None if matches!(who.as_str(), "record_team" | "managers") => {}
            None => {
                maker.member(who);
            }
        })
        .collect()
}
