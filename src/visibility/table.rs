//! A protected table as it is registered, and one row of it as its mapped columns say.

use crate::model::access::Decides;
use crate::model::rules::Rules;
use crate::model::value::{Kind, Value};
use pgrx::pg_sys::Oid;
use std::rc::Rc;

/// The shape of policies and triggers that protect makes.
pub(crate) const SHAPE: i32 = 2;

/// What a mapped column says about a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Id,
    Owner,
    Creator,
    Territory,
    Organization,
    Segment,
    Team,
    Parent,
    Stage,
    Status,
    Sensitive,
}

impl Part {
    pub(crate) const ALL: [Part; 11] = [
        Part::Id,
        Part::Owner,
        Part::Creator,
        Part::Territory,
        Part::Organization,
        Part::Segment,
        Part::Team,
        Part::Parent,
        Part::Stage,
        Part::Status,
        Part::Sensitive,
    ];

    /// Those that decide about paths by what they say.
    pub(crate) const DECIDING: [(Part, Decides); 6] = [
        (Part::Owner, Decides::Owner),
        (Part::Creator, Decides::Creator),
        (Part::Territory, Decides::Territory),
        (Part::Segment, Decides::Segment),
        (Part::Team, Decides::Team),
        (Part::Parent, Decides::Parent),
    ];

    /// As arguments of protect and policies call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Part::Id => "id",
            Part::Owner => "owner",
            Part::Creator => "creator",
            Part::Territory => "territory",
            Part::Organization => "organization",
            Part::Segment => "segment",
            Part::Team => "team",
            Part::Parent => "parent",
            Part::Stage => "stage",
            Part::Status => "status",
            Part::Sensitive => "sensitive",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Part> {
        Part::ALL.into_iter().find(|part| part.name() == name)
    }

    pub(crate) fn number(self) -> usize {
        self as usize
    }
}

/// A protected table as registered.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub target: Oid,
    pub org_id: i64,
    pub id_column: String,
    pub owner_column: Option<String>,
    pub creator_column: Option<String>,
    pub territory_column: Option<String>,
    pub organization_column: Option<String>,
    pub segment_column: Option<String>,
    pub team_column: Option<String>,
    pub parent_column: Option<String>,
    pub stage_column: Option<String>,
    pub status_column: Option<String>,
    pub sensitive_column: Option<String>,
    /// The protected table that parent_column refers to.
    pub parent: Option<Oid>,
    pub force: bool,
    pub skip_denied: bool,
    pub archived_at_column: Option<String>,
    pub archived_by_column: Option<String>,
    /// Columns that the field matrix does not list are closed, instead of following the level on the row.
    pub closed_by_default: bool,
    /// The view that has the table's name, where columns are masked.
    pub concealed_by: Option<Oid>,
    /// Which policies and triggers the table carries.
    pub shape: i32,
    pub rules: Rc<Rules>,
}

impl Table {
    /// Protected before 0.3.0: without the triggers that came then, until leadguard.set_archive brings them.
    pub(crate) fn has_old_shape(&self) -> bool {
        self.shape < SHAPE
    }

    /// Whether whoever may archive may DELETE.
    pub(crate) fn archives(&self) -> bool {
        self.archived_at_column.is_some() || self.is_of_old_database()
    }

    /// The database is not updated to 0.3.0 yet: nothing is audited, and DELETE deletes as it did.
    pub(crate) fn is_of_old_database(&self) -> bool {
        self.shape == 0
    }

    /// Somebody has dropped the view that took the table's name.
    pub(crate) fn has_lost_its_view(&self) -> bool {
        self.concealed_by.is_some_and(|view| crate::ffi::session::relation_name(view).is_none())
    }

    /// The name that everybody uses: the table's, or that of the view that took it.
    pub(crate) fn shown(&self) -> String {
        crate::names::shown(self.concealed_by.unwrap_or(self.target))
    }

    pub(crate) fn column(&self, part: Part) -> Option<&str> {
        match part {
            Part::Id => Some(&self.id_column),
            Part::Owner => self.owner_column.as_deref(),
            Part::Creator => self.creator_column.as_deref(),
            Part::Territory => self.territory_column.as_deref(),
            Part::Organization => self.organization_column.as_deref(),
            Part::Segment => self.segment_column.as_deref(),
            Part::Team => self.team_column.as_deref(),
            Part::Parent => self.parent_column.as_deref(),
            Part::Stage => self.stage_column.as_deref(),
            Part::Status => self.status_column.as_deref(),
            Part::Sensitive => self.sensitive_column.as_deref(),
        }
    }
}

/// The mapped values of one row, with the kinds of their columns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mapped<'a> {
    values: [(Value<'a>, Option<Kind>); Part::ALL.len()],
    pub sensitive: bool,
}

impl<'a> Mapped<'a> {
    pub(crate) fn new() -> Mapped<'a> {
        Mapped { values: [(Value::Null, None); Part::ALL.len()], sensitive: false }
    }

    pub(crate) fn put(&mut self, part: Part, value: Value<'a>, kind: Option<Kind>) {
        self.values[part.number()] = (value, kind);
    }

    pub(crate) fn get(&self, part: Part) -> (Value<'a>, Option<Kind>) {
        self.values[part.number()]
    }

    pub(crate) fn value(&self, part: Part) -> Value<'a> {
        self.values[part.number()].0
    }

    /// A value that is there, with its kind.
    pub(crate) fn held(&self, part: Part) -> Option<(Value<'a>, Kind)> {
        match self.values[part.number()] {
            (Value::Null, _) | (_, None) => None,
            (value, Some(kind)) => Some((value, kind)),
        }
    }

    /// A value as the switches and rules name it.
    pub(crate) fn text(&self, part: Part) -> Option<String> {
        self.value(part).to_text()
    }
}
