//! Deciding requests for access and roles, which need not name a record that the decider sees.

use super::leaving::json;
use super::member::said;
use super::requests::asked;
use crate::assignment::tell;
use crate::audit::{self, Event};
use crate::errors::{self, bad_argument, failure, refused};
use crate::ffi::session::{self, as_extension};
use crate::ffi::sql::{self, Param, Sees};
use crate::identity::Mode;
use crate::model::level::Level;
use crate::visibility::Subject;

/// Decides a request for access or a role; false for any other, which is decided elsewhere. Errors: as
/// decide_approval.
pub(crate) fn decides(subject: &Subject, id: i64, granted: Option<bool>, answer: Option<&str>) -> bool {
    let Some(member) = &subject.member else { return false };
    if !session::is_governed() {
        return false;
    }
    let Some(asked) = asked(Some(id), member.org_id).into_iter().next() else { return false };
    let shown = format!("request {id}");
    if subject.mode == Some(Mode::Analyst) {
        errors::read_only_login("decide_approval", &shown);
    }
    if member.level_cap == Some(Level::Read) {
        errors::view_only("decide_approval", &shown, &member.key);
    }
    let granted = granted.unwrap_or_else(|| bad_argument("the decision is missing").raise());
    let answer = answer.map(|answer| said(Some(answer), "the answer"));
    if asked.requester == member.id {
        refused(format!("{shown} is your own")).hint("Somebody else decides, who could give it.").raise();
    }
    if asked.decided || asked.expired {
        let what = if asked.decided { "is decided" } else { "has expired" };
        failure("55000", format!("{shown} {what}")).hint("The requester can ask again.").raise();
    }
    as_extension(|| {
        sql::query(
            "UPDATE leadguard.approval SET decided_by = $2, decided_at = clock_timestamp(), granted = $3, answer = $4 \
             WHERE id = $1",
            &[Param::Int(Some(id)), Param::Int(Some(member.id)), Param::Bool(granted), Param::Text(answer)],
            Sees::Now,
            &mut |_| {},
        )
    });
    audit::event(&Event {
        target: asked.target,
        record: asked.record.as_deref(),
        action: if granted { "approve" } else { "deny" },
        reason: answer,
        approval: Some(id),
        detail: Some(format!("{} {} for {}", asked.kind, asked.wanted, asked.requester_key)),
    });
    super::decided(id, granted);
    let detail = format!(
        r#"{{"approval": {id}, "kind": "{}", "granted": {granted}, "wanted": {}}}"#,
        asked.kind,
        json(&asked.wanted)
    );
    tell(asked.requester, "approval_decided", asked.target, asked.record.as_deref(), Some(&detail));
    true
}
