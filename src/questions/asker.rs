//! Who asks, and about whom he may ask: about himself anybody; about another the members above, an
//! administrator of the same organization, a superuser.

use super::paths::{self, Whose};
use super::record::{Record, Target, subject};
use super::standing::{self, Roles, Standing, counted};
use crate::errors::{bad_argument, refused};
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::identity::{self, Mode};
use crate::guc;
use crate::model::level::{Action, Level};
use crate::model::rights::Rights;
use crate::rules;
use crate::visibility::{Member, Table};

pub(crate) struct Asker {
    /// None for a superuser who is no member.
    pub member: Option<Member>,
    pub superuser: bool,
    analyst: bool,
    administers: bool,
}

/// The member that a question is about.
pub(crate) struct About {
    pub id: i64,
    pub key: String,
    pub org_id: i64,
    pub active: bool,
    pub kind: String,
    pub organization_view: bool,
    pub roles: Roles,
    /// The question is about the asking login itself, which is registered as an analyst.
    pub analyst: bool,
    /// The same, in a session that wants its own records only.
    pub personal: bool,
}

impl About {
    /// Whether rights on the record, already capped by the roles, suffice.
    pub(crate) fn may(&self, action: Action, rights: Rights, table: &Table, archived: bool) -> bool {
        suffices(action, counted(rights, self.analyst), &Standing::about(table, self), table, archived)
    }

    pub(crate) fn may_create(&self, table: &Table) -> bool {
        self.why_not_create(table).is_none()
    }

    pub(crate) fn why_not_create(&self, table: &Table) -> Option<&'static str> {
        if !self.active {
            Some("the member is not active")
        } else if table.organization_column.is_none() && table.org_id != self.org_id {
            Some("the table belongs to another organization")
        } else if self.analyst {
            Some("this login is registered as an analyst and only reads")
        } else if self.roles.level_cap() == Some(Level::Read) {
            Some("a role caps every level at read")
        } else if !Standing::about(table, self).access.create {
            Some("no rule of the member's roles allows to create")
        } else {
            None
        }
    }
}

/// Whether rights on a record suffice for an action.
pub(crate) fn suffices(action: Action, rights: Rights, standing: &Standing, table: &Table, archived: bool) -> bool {
    rights.has(Rights::READ)
        && rights.has(Rights::for_action(action))
        && (action != Action::Export || standing.exports)
        && (!archived || standing.sees_archived && action.leaves_as_it_is())
        && (action != Action::Archive || table.archives())
        // Without an archive DELETE deletes for good.
        && (action != Action::Delete || table.archives() || standing.hard_deletes)
}

impl Asker {
    /// 42501 for a session that is neither a member nor a superuser.
    pub(crate) fn find() -> Asker {
        let subject = subject(Sees::Statement);
        // Within a superuser's SECURITY DEFINER function the session still is the member that called it.
        let superuser =
            identity::is_superuser() && (subject.member.is_none() || session::is_superuser(session::session_role()));
        if subject.member.is_none() && !superuser {
            refused("questions about access are refused: this session is no member")
                .hint(
                    "A person connects with the login role of a member (leadguard.member.db_role); an application \
                     calls leadguard.act_as in its transaction.",
                )
                .raise();
        }
        Asker {
            superuser,
            analyst: subject.mode == Some(Mode::Analyst),
            administers: superuser || subject.has_capability("administer"),
            member: subject.member.as_deref().cloned(),
        }
    }

    pub(crate) fn id(&self) -> Option<i64> {
        self.member.as_ref().map(|m| m.id)
    }

    pub(crate) fn administers(&self) -> bool {
        self.administers
    }

    /// The member with this key, or the asking one; None for a superuser's question about himself.
    pub(crate) fn about(&self, key: Option<&str>) -> Option<About> {
        let Some(key) = key else {
            let mut own = find_member(None, Some(self.id()?))?;
            self.in_person(&mut own);
            return Some(own);
        };
        let Some(mut about) = find_member(Some(key), None) else {
            if self.superuser {
                bad_argument(format!("there is no member \"{key}\"")).raise();
            }
            not_yours(key)
        };
        if self.id() == Some(about.id) {
            self.in_person(&mut about);
        } else if !self.may_ask_about(&about) {
            not_yours(key);
        }
        Some(about)
    }

    fn in_person(&self, own: &mut About) {
        own.analyst = self.analyst;
        own.personal = guc::is_personal();
    }

    fn may_ask_about(&self, about: &About) -> bool {
        let Some(member) = &self.member else { return self.superuser };
        self.superuser
            || (self.administers && member.org_id == about.org_id)
            || as_extension(|| {
                sql::first_int(
                    "SELECT ancestor_id FROM leadguard.member_closure WHERE ancestor_id = $1 AND descendant_id = $2",
                    &[Param::Int(Some(member.id)), Param::Int(Some(about.id))],
                    Sees::Statement,
                )
            })
            .is_some()
    }

    /// The record, if the asking one can read it; any other is answered like one that does not exist.
    pub(crate) fn read(&self, target: &Target, record: &str) -> Option<Record> {
        let found = target.read(record, Sees::Statement)?;
        if self.superuser {
            return Some(found);
        }
        // Row security may not apply to the role (BYPASSRLS, an owner without force); the paths do.
        let own = self.about(None)?;
        paths::rights_of(target, &found, Whose::About(&own), Sees::Statement).has(Rights::READ).then_some(found)
    }

    /// Whose rows who_can shows: None for everybody's.
    pub(crate) fn listable(&self) -> Option<Vec<i64>> {
        if self.administers {
            return None;
        }
        let mut ids = Vec::new();
        let Some(own) = self.about(None) else { return Some(ids) };
        if own.kind == "guest" {
            return Some(vec![own.id]);
        }
        as_extension(|| {
            sql::query(
                "SELECT descendant_id FROM leadguard.member_closure WHERE ancestor_id = $1",
                &[Param::Int(Some(own.id))],
                Sees::Statement,
                &mut |row| ids.extend(row.int(0)),
            )
        });
        Some(ids)
    }
}

/// One answer for a member of others, one of another organization and one that is not there.
fn not_yours(key: &str) -> ! {
    refused(format!("access of \"{key}\" is not yours to ask about"))
        .hint("Members above, an administrator of the organization or a superuser can ask.")
        .raise()
}

fn find_member(key: Option<&str>, id: Option<i64>) -> Option<About> {
    let mut found = None;
    let text = if rules::load::are_there() {
        include_str!("../../sql/query/asked_member.sql")
    } else {
        include_str!("../../sql/query/asked_member_before_rules.sql")
    };
    as_extension(|| {
        sql::query(text, &[Param::Text(key), Param::Int(id)], Sees::Statement, &mut |row| {
            if let (Some(id), Some(key), Some(org_id), Some(kind)) = (row.int(0), row.text(1), row.int(2), row.text(4)) {
                found = Some(About {
                    id,
                    key,
                    org_id,
                    active: row.bool(3),
                    kind,
                    organization_view: row.bool(5),
                    roles: Roles::default(),
                    analyst: false,
                    personal: false,
                });
            }
        })
    });
    let mut about = found?;
    about.roles = standing::roles(about.org_id, Some(about.id), Sees::Statement).remove(&about.id).unwrap_or_default();
    Some(about)
}
