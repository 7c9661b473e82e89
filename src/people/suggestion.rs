//! Who could take what somebody owns: the owner of the record's territory, the nearest active manager, an administrator.

use super::member::Managed;
use crate::ffi::session::as_extension;
use crate::ffi::sql::{self, Param, Sees};
use std::collections::HashMap;

/// Suggestions for one leaver, by territory as records name it.
pub(super) struct Suggestions<'a> {
    leaver: &'a Managed,
    known: HashMap<Option<String>, (Option<String>, Option<String>)>,
}

impl<'a> Suggestions<'a> {
    pub(super) fn new(leaver: &'a Managed) -> Suggestions<'a> {
        Suggestions { leaver, known: HashMap::new() }
    }

    /// The key of somebody, and why he.
    pub(super) fn find(&mut self, territory: Option<&str>) -> (Option<String>, Option<String>) {
        let leaver = self.leaver;
        let known = self.known.entry(territory.map(str::to_owned));
        known.or_insert_with(|| look(leaver, territory)).clone()
    }
}

fn look(leaver: &Managed, territory: Option<&str>) -> (Option<String>, Option<String>) {
    let mut found = (None, None);
    let params = [Param::Int(Some(leaver.id)), Param::Int(Some(leaver.org_id)), Param::Text(territory)];
    as_extension(|| {
        sql::query(include_str!("../../sql/query/suggestion.sql"), &params, Sees::Now, &mut |row| {
            found = (row.text(0), row.text(1));
        })
    });
    found
}
