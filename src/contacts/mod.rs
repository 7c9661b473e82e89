//! The people around a record: contacts on the side of the buyer or the seller, and what they are to the deal.
//!
//! right  who may change them: whoever may update the record
//! read   who they are, and were: for whoever reads the record
//!
//! Contacts run with the caller's own privileges on the record; only leadguard's tables are written as the extension's
//! owner. What access a contact gives is written down in record_grant, by grant_contacts. Tests: tests/contacts.

mod read;
mod right;

use crate::arguments::{MOST_NAME, optional, required};
use crate::errors::{bad_argument, failure};
use crate::ffi::session::{as_extension, own_relation};
use crate::ffi::sql::{self, Param, Sees};
use crate::grants::{self, Right};
use crate::names;
use pgrx::pg_extern;
use pgrx::pg_sys::{self, Oid};
use right::Contact;

fn side(value: &str) -> &str {
    if !matches!(value, "BUYER" | "SELLER") {
        bad_argument(format!("side \"{value}\" is unknown")).hint("Sides are BUYER and SELLER.").raise();
    }
    value
}

fn stakeholder(value: Option<&str>) -> &str {
    let value = required(value, "the type");
    if !matches!(value, "CHAMPION" | "DECISION_MAKER" | "INFLUENCER") {
        bad_argument(format!("type \"{value}\" is unknown"))
            .hint("Types are CHAMPION, DECISION_MAKER and INFLUENCER.")
            .raise();
    }
    value
}

/// A member as a contact.
struct Named {
    id: i64,
    guest: bool,
    name: String,
}

/// An active member of the record's organization. One answer for all others: nobody learns who is where.
fn named(right: &Right, key: &str) -> Named {
    let mut found = None;
    as_extension(|| {
        sql::query(
            "SELECT id, kind = 'guest', coalesce(nullif(name, ''), key) FROM leadguard.member \
             WHERE key = $1 AND org_id = $2 AND active",
            &[Param::Text(Some(key)), Param::Int(right.record.organization)],
            Sees::Now,
            &mut |row| {
                if let (Some(id), Some(name)) = (row.int(0), row.text(2)) {
                    found = Some(Named { id, guest: row.bool(1), name });
                }
            },
        )
    });
    found.unwrap_or_else(|| {
        bad_argument(format!("\"{key}\" is no active member of the organization of the record")).raise()
    })
}

/// Adds a contact to a record. The right to update it, or a superuser; 42501, 22023, 23505.
#[pg_extern(sql = false)]
fn contact_add(
    target: Option<Oid>,
    record: Option<&str>,
    wanted: Option<&str>,
    member: Option<&str>,
    name: Option<&str>,
    email: Option<&str>,
) -> i64 {
    let wanted = wanted.map(side);
    let (name, email) = (optional(name, "the name", MOST_NAME), optional(email, "the e-mail", MOST_NAME));
    if member.is_none() && name.is_none() && email.is_none() {
        bad_argument("the contact is missing").hint("Name a member (key), or anybody by name or e-mail.").raise();
    }
    let right = right::to_add(target, record, member.is_some());
    let member = member.map(|key| named(&right, key));
    let seller = member.as_ref().is_some_and(|member| !member.guest);
    let chosen = wanted.unwrap_or(if seller { "SELLER" } else { "BUYER" });
    let name = name.or(member.as_ref().map(|member| member.name.as_str()));
    let params = [
        Param::Oid(right.target.table.target),
        Param::Text(Some(&right.record.id)),
        Param::Int(member.as_ref().map(|member| member.id)),
        Param::Text(Some(name.unwrap_or_default())),
        Param::Text(email),
        Param::Text(Some(chosen)),
        Param::Int(right.member),
    ];
    let made = as_extension(|| {
        let made = sql::first_int(
            "INSERT INTO leadguard.record_contact (target, record, member_id, name, email, side, added_by) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (target, record, member_id) WHERE member_id IS NOT NULL AND removed_at IS NULL DO NOTHING \
             RETURNING id",
            &params,
            Sees::Now,
        );
        if made.is_some() && member.is_some() {
            sql::query("SELECT leadguard.grant_contacts(ARRAY[$1])", &[Param::Int(made)], Sees::Now, &mut |_| {});
        }
        made
    });
    let Some(made) = made else {
        let table = names::shown(right.target.table.target);
        failure("23505", format!("the member is a contact of record {} of {table} already", right.record.id))
            .hint("leadguard.contact_side changes the side of a contact.")
            .raise()
    };
    note(&right, made, "contact_add", None, chosen);
    made
}

/// What happened to a contact, in the audit, without what it says of anybody.
fn note(right: &Right, contact: i64, action: &'static str, reason: Option<&str>, what: &str) {
    grants::note(right, action, reason, format!("contact {contact}, {what}"));
}

/// A contact that the caller may change and that still is one; 55000 for a removed one.
fn present(operation: &str, id: Option<i64>) -> Contact {
    let id = required(id, "the contact");
    let contact = Contact::find(operation, id);
    if contact.removed {
        failure("55000", format!("contact {id} was removed")).hint("leadguard.contact_add adds it again.").raise();
    }
    contact
}

/// Ends all types of a contact, or one; how many.
fn end_types(contact: &Contact, only: Option<&str>) -> u64 {
    let params = [Param::Int(Some(contact.id)), Param::Text(only), Param::Int(contact.right.member)];
    as_extension(|| {
        sql::query(
            "UPDATE leadguard.contact_type SET until = clock_timestamp(), ended_by = $3 \
             WHERE contact_id = $1 AND until IS NULL AND ($2 IS NULL OR type = $2)",
            &params,
            Sees::Now,
            &mut |_| {},
        )
    })
}

/// Puts a contact on the other side. The right to update the record, or a superuser; 42501, 22023, 55000.
#[pg_extern(sql = false)]
fn contact_side(contact: Option<i64>, wanted: Option<&str>) {
    let wanted = side(required(wanted, "the side"));
    let contact = present("contact_side", contact);
    if contact.buyer == (wanted == "BUYER") {
        return;
    }
    if contact.member {
        right::demand_lasting("contact_side", &contact.right);
    }
    if wanted == "SELLER" {
        end_types(&contact, None);
    }
    as_extension(|| {
        sql::query(
            "UPDATE leadguard.record_contact SET side = $2 WHERE id = $1",
            &[Param::Int(Some(contact.id)), Param::Text(Some(wanted))],
            Sees::Now,
            &mut |_| {},
        )
    });
    note(&contact.right, contact.id, "contact_side", None, wanted);
}

/// Removes a contact, which stays in the history. Who may call and errors: as contact_side.
#[pg_extern(sql = false)]
fn contact_remove(contact: Option<i64>, reason: Option<&str>) {
    let reason = optional(reason, "the reason", MOST_NAME);
    let contact = present("contact_remove", contact);
    end_types(&contact, None);
    as_extension(|| {
        sql::query(
            "UPDATE leadguard.record_contact SET removed_at = clock_timestamp(), removed_by = $2, reason = $3 WHERE id = $1",
            &[Param::Int(Some(contact.id)), Param::Int(contact.right.member), Param::Text(reason)],
            Sees::Now,
            &mut |_| {},
        )
    });
    note(&contact.right, contact.id, "contact_remove", reason, if contact.buyer { "BUYER" } else { "SELLER" });
}

/// Gives a buyer a stakeholder type; true when it is new. Who may call and errors: as contact_side.
#[pg_extern(sql = false)]
fn contact_mark(contact: Option<i64>, wanted: Option<&str>) -> bool {
    let wanted = stakeholder(wanted);
    let contact = present("contact_mark", contact);
    if !contact.buyer {
        bad_argument(format!("contact {} is a SELLER", contact.id))
            .hint("Stakeholder types are for the side of the BUYER, see leadguard.contact_side.")
            .raise();
    }
    let params = [Param::Int(Some(contact.id)), Param::Text(Some(wanted)), Param::Int(contact.right.member)];
    let made = as_extension(|| {
        sql::query(
            "INSERT INTO leadguard.contact_type (contact_id, type, set_by) VALUES ($1, $2, $3) \
             ON CONFLICT (contact_id, type) WHERE until IS NULL DO NOTHING",
            &params,
            Sees::Now,
            &mut |_| {},
        )
    });
    if made > 0 {
        note(&contact.right, contact.id, "contact_mark", None, wanted);
    }
    made > 0
}

/// Ends a stakeholder type; true when the contact had it. Who may call and errors: as contact_side.
#[pg_extern(sql = false)]
fn contact_unmark(contact: Option<i64>, wanted: Option<&str>) -> bool {
    let wanted = stakeholder(wanted);
    let contact = present("contact_unmark", contact);
    let ended = end_types(&contact, Some(wanted)) > 0;
    if ended {
        note(&contact.right, contact.id, "contact_unmark", None, wanted);
    }
    ended
}

/// A database that is not updated has none.
pub(crate) fn exist() -> bool {
    own_relation(c"record_contact") != pg_sys::InvalidOid
}

/// Contacts go with the record that is purged, history and access included.
pub(crate) fn purge(target: Oid, record: &str) {
    if !exist() {
        return;
    }
    as_extension(|| {
        sql::query(
            "DELETE FROM leadguard.record_contact WHERE target = $1 AND record = $2",
            &[Param::Oid(target), Param::Text(Some(record))],
            Sees::Now,
            &mut |_| {},
        )
    });
}
