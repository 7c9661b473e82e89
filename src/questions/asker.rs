//! Who asks, and about whom he may ask: about himself anybody; about another the members above, an
//! administrator of the same organization, a superuser.

use super::paths;
use super::record::{Record, Target, subject};
use crate::errors::{bad_argument, refused};
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::identity::{self, Mode};
use crate::model::level::{Action, Level};
use crate::visibility::Table;
use crate::visibility::subject::Member;

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
    pub guest: bool,
    pub cap: Option<Level>,
    pub exports: bool,
    pub all_records: bool,
    pub sees_archived: bool,
    pub hard_deletes: bool,
    /// The question is about the asking login itself, which is registered as an analyst.
    pub analyst: bool,
}

impl About {
    /// Whether a level on the record, already capped by the roles, suffices.
    pub(crate) fn may(&self, action: Action, level: Level, table: &Table, archived: bool) -> bool {
        level != Level::None
            && self.counted(level) >= action.needs()
            && (action != Action::Export || self.exports)
            && (!archived || self.sees_archived && action.leaves_as_it_is())
            && (action != Action::Archive || table.archives())
            // Without an archive DELETE deletes for good.
            && (action != Action::Delete || table.archives() || self.hard_deletes)
    }

    /// An analyst login reads, whatever its member may do.
    pub(crate) fn counted(&self, level: Level) -> Level {
        level.capped(self.analyst.then_some(Level::Read))
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
        } else if self.cap == Some(Level::Read) {
            Some("a role caps every level at read")
        } else {
            None
        }
    }
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
            own.analyst = self.analyst;
            return Some(own);
        };
        let Some(mut about) = find_member(Some(key), None) else {
            if self.superuser {
                bad_argument(format!("there is no member \"{key}\"")).raise();
            }
            not_yours(key)
        };
        if self.id() == Some(about.id) {
            about.analyst = self.analyst;
        } else if !self.may_ask_about(&about) {
            not_yours(key);
        }
        Some(about)
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
        let level = paths::level_of(target, &found, self.id()?, Sees::Statement);
        (level >= Level::Read).then_some(found)
    }

    /// Whose rows who_can shows: None for everybody's.
    pub(crate) fn listable(&self) -> Option<Vec<i64>> {
        if self.administers {
            return None;
        }
        let mut ids = Vec::new();
        let Some(own) = self.about(None) else { return Some(ids) };
        if own.guest {
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
    as_extension(|| {
        sql::query(
            include_str!("../../sql/query/asked_member.sql"),
            &[Param::Text(key), Param::Int(id)],
            Sees::Statement,
            &mut |row| {
                if let (Some(id), Some(key), Some(org_id)) = (row.int(0), row.text(1), row.int(2)) {
                    found = Some(About {
                        id,
                        key,
                        org_id,
                        active: row.bool(3),
                        guest: row.bool(4),
                        cap: row.text(5).as_deref().and_then(Level::parse),
                        exports: row.bool(6),
                        all_records: row.bool(7),
                        sees_archived: row.bool(8),
                        hard_deletes: row.bool(9),
                        analyst: false,
                    });
                }
            },
        )
    });
    found
}
