//! How far a member's access to a record goes.

/// Ordered: a higher level includes the lower ones; a union of paths keeps the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Level {
    #[default]
    None,
    Read,
    Edit,
    Full,
}

impl Level {
    pub fn parse(text: &str) -> Option<Level> {
        match text {
            "read" => Some(Level::Read),
            "edit" => Some(Level::Edit),
            "full" => Some(Level::Full),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Level::None => "none",
            Level::Read => "read",
            Level::Edit => "edit",
            Level::Full => "full",
        }
    }
}

/// What a member wants to do with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Read,
    Update,
    Archive,
    Delete,
    Share,
    Reassign,
    Create,
    Export,
}

impl Action {
    pub const NAMES: &'static str = "read, update, archive, delete, share, reassign, create, export";

    pub fn parse(text: &str) -> Option<Action> {
        Some(match text {
            "read" => Action::Read,
            "update" => Action::Update,
            "archive" => Action::Archive,
            "delete" => Action::Delete,
            "share" => Action::Share,
            "reassign" => Action::Reassign,
            "create" => Action::Create,
            "export" => Action::Export,
            _ => return None,
        })
    }

    /// Whether it changes nothing of the record itself: an archived one is frozen.
    pub fn leaves_as_it_is(self) -> bool {
        matches!(self, Action::Read | Action::Export | Action::Share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_ordered() {
        assert!(Level::None < Level::Read && Level::Read < Level::Edit && Level::Edit < Level::Full);
        for level in [Level::Read, Level::Edit, Level::Full] {
            assert_eq!(Level::parse(level.name()), Some(level));
        }
    }
}
