//! What a member may do with one row: the union of the paths, each with what the rules give on it.
//!
//! A set is asked where one column decides; grants are asked last, and only for what nothing else has given yet: the
//! grants of someone high up can be half a million.

use super::member::Member;
use super::sets::Which;
use super::subject::Subject;
use super::table::{Mapped, Part, Table};
use crate::model::access::{Access, Decides, Group};
use crate::model::path::Path;
use crate::model::rights::Rights;
use crate::model::value::{Kind, Value, ValueSet};
use std::rc::Rc;

impl Subject {
    /// Whether a row belongs to the member's organization: by its column, or by the table's registration.
    pub(crate) fn same_organization(&self, member: &Member, table: &Table, organization: &Value) -> bool {
        if table.organization_column.is_none() {
            return table.org_id == member.org_id;
        }
        match organization {
            Value::Null => false,
            Value::Int(id) => *id == member.org_id,
            Value::Text(key) => *key == member.org_key,
            Value::Uuid(bytes) => crate::model::value::parse_uuid(&member.org_key) == Some(*bytes),
        }
    }

    /// What the member may do with a row: nothing with one that is hidden from him.
    pub(crate) fn rights(&self, table: &Table, row: &Mapped) -> Rights {
        self.judged(table, row, None)
    }

    /// Like rights() where only reading matters: the first path that shows the row is enough.
    pub(crate) fn reads(&self, table: &Table, row: &Mapped) -> bool {
        self.judged(table, row, Some(Rights::READ)).has(Rights::READ)
    }

    /// The same for a row that is about to be hidden: marked as sensitive, or moved on to another stage.
    pub(crate) fn would_read(&self, table: &Table, row: &Mapped) -> bool {
        let Some(member) = &self.member else { return false };
        self.same_organization(member, table, &row.value(Part::Organization))
            && self.on_paths(table, &self.access(table), row, Rights::READ).has(Rights::READ)
    }

    fn judged(&self, table: &Table, row: &Mapped, enough: Option<Rights>) -> Rights {
        let Some(member) = &self.member else { return Rights::NONE };
        if !self.same_organization(member, table, &row.value(Part::Organization)) {
            return Rights::NONE;
        }
        let access = self.access(table);
        if self.hides(member, &access, row) {
            return Rights::NONE;
        }
        let enough = enough.unwrap_or_else(|| access.at_most());
        self.on_paths(table, &access, row, enough)
    }

    /// Whether a hiding rule keeps the row from the member.
    pub(crate) fn hides(&self, member: &Member, access: &Access, row: &Mapped) -> bool {
        let hidden = &access.hidden;
        if hidden.is_nothing() {
            return false;
        }
        let own = || row.held(Part::Owner).is_some_and(|(owner, kind)| owner == member.named(kind));
        (hidden.stages.is_some()
            && row.get(Part::Stage).1.is_some()
            && hidden.hides_stage(row.text(Part::Stage).as_deref()))
            || (row.sensitive && hidden.hides_sensitive(true, own()))
    }

    fn on_paths(&self, table: &Table, access: &Access, row: &Mapped, enough: Rights) -> Rights {
        let status = row.text(Part::Status);
        let status = status.as_deref();
        let mut sum = access.on(Path::Admin).rights(status) | access.on(Path::Organization).rights(status);
        if let Some((creator, kind)) = row.held(Part::Creator)
            && !sum.has(enough)
            && self.member.as_ref().is_some_and(|member| creator == member.named(kind))
        {
            sum |= access.on(Path::Created).rights(status);
        }
        for (part, decides) in [
            (Part::Owner, Decides::Owner),
            (Part::Territory, Decides::Territory),
            (Part::Segment, Decides::Segment),
            (Part::Team, Decides::Team),
            (Part::Parent, Decides::Parent),
        ] {
            let Some((value, kind)) = row.held(part) else { continue };
            for group in access.groups(decides) {
                let given = group.on.rights(status);
                if !sum.has(enough) && !sum.has(given) && self.group_has(table, access, group, &value, kind) {
                    sum |= given;
                }
            }
        }
        if sum.has(enough) {
            return sum;
        }
        match row.held(Part::Id) {
            Some((id, kind)) => {
                let Some(grants) = self.grants(table, kind) else { return sum };
                if sum.has(grants.at_most(access) & enough) {
                    return sum;
                }
                sum | self.in_state(|| grants.rights(&id, access, status))
            }
            None => sum,
        }
    }

    /// Each path by which the member reads a row, with what it gives.
    pub(crate) fn paths(&self, table: &Table, row: &Mapped) -> Vec<(Path, Rights)> {
        let Some(member) = &self.member else { return Vec::new() };
        if !self.same_organization(member, table, &row.value(Part::Organization)) {
            return Vec::new();
        }
        let access = self.access(table);
        let status = row.text(Part::Status);
        let given = |path: Path| access.on(path).rights(status.as_deref());
        let mut found: Vec<(Path, Rights)> = [Path::Admin, Path::Organization].map(|path| (path, given(path))).to_vec();
        for (part, decides) in Part::DECIDING {
            let Some((value, kind)) = row.held(part) else { continue };
            for path in access.read_paths(decides) {
                let sets = self.sets(table, &access, decides, &[path], kind);
                if sets.iter().any(|set| set.contains(&value)) {
                    found.push((path, given(path)));
                }
            }
        }
        if let Some((id, kind)) = row.held(Part::Id)
            && let Some(grants) = self.grants(table, kind)
        {
            found.extend(self.in_state(|| grants.each(&id, &access, status.as_deref())));
        }
        found.retain(|(_, rights)| rights.has(Rights::READ));
        found
    }

    fn group_has(&self, table: &Table, access: &Access, group: &Group, value: &Value, kind: Kind) -> bool {
        self.sets(table, access, group.decides, &group.paths, kind).iter().any(|set| set.contains(value))
    }

    /// The values of one column that paths let pass; most columns have one set.
    fn sets(&self, table: &Table, access: &Access, decides: Decides, paths: &[Path], kind: Kind) -> Vec<Rc<ValueSet>> {
        let target = table.target;
        match decides {
            Decides::Owner => vec![self.set(Which::members(paths, access), kind)],
            Decides::Creator => vec![self.set(Which::Members { own: true, below: None, beside: false }, kind)],
            Decides::Territory => vec![self.set(Which::territories(paths, access, target), kind)],
            Decides::Segment => vec![self.set(Which::Segments(target), kind)],
            Decides::Team => vec![self.set(Which::Teams, kind)],
            Decides::Parent => {
                let mut sets = Vec::new();
                if paths.contains(&Path::Scope) {
                    sets.push(self.set(Which::Accounts(target), kind));
                }
                if paths.contains(&Path::Parent) {
                    sets.extend(self.parents(table, kind));
                }
                sets
            }
        }
    }

    /// All values of one column that show a row.
    pub(crate) fn read_set(&self, table: &Table, decides: Decides, kind: Kind) -> Rc<ValueSet> {
        let access = self.access(table);
        let paths = access.read_paths(decides);
        if paths.is_empty() {
            return Rc::new(ValueSet::of_ids([]));
        }
        let sets = self.sets(table, &access, decides, &paths, kind);
        match sets.as_slice() {
            [one] => Rc::clone(one),
            several => Rc::new(ValueSet::union(several.iter().map(Rc::as_ref), kind)),
        }
    }
}
