//! What may be done with a record: a set of rights. Levels are the sets that have a name.

use super::level::{Action, Level};
use std::ops::{BitAnd, BitOr, BitOrAssign, Sub};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Rights(u8);

impl Rights {
    pub const NONE: Rights = Rights(0);
    pub const READ: Rights = Rights(1);
    pub const UPDATE: Rights = Rights(2);
    pub const ARCHIVE: Rights = Rights(4);
    pub const SHARE: Rights = Rights(8);
    pub const REASSIGN: Rights = Rights(16);
    pub const ALL: Rights = Rights(31);

    /// The single rights, as rules name them.
    pub const EACH: [(&'static str, Rights); 5] = [
        ("read", Rights::READ),
        ("update", Rights::UPDATE),
        ("archive", Rights::ARCHIVE),
        ("share", Rights::SHARE),
        ("reassign", Rights::REASSIGN),
    ];

    pub fn of(level: Level) -> Rights {
        match level {
            Level::None => Rights::NONE,
            Level::Read => Rights::READ,
            Level::Edit => Rights::READ | Rights::UPDATE,
            Level::Full => Rights::ALL,
        }
    }

    pub fn named(name: &str) -> Option<Rights> {
        Rights::EACH.into_iter().find(|(held, _)| *held == name).map(|(_, right)| right)
    }

    /// The highest level that is wholly there.
    pub fn level(self) -> Level {
        [Level::Full, Level::Edit, Level::Read]
            .into_iter()
            .find(|level| self.has(Rights::of(*level)))
            .unwrap_or_default()
    }

    /// The name of the lowest level that includes these.
    pub fn level_that_has(self) -> &'static str {
        let lowest = [Level::Read, Level::Edit].into_iter().find(|level| Rights::of(*level).has(self));
        lowest.unwrap_or(Level::Full).name()
    }

    /// What an action takes. Exporting, and deleting for good, take more than a right on the record.
    pub fn for_action(action: Action) -> Rights {
        match action {
            Action::Read | Action::Export | Action::Create => Rights::READ,
            Action::Update => Rights::UPDATE,
            Action::Archive | Action::Delete => Rights::ARCHIVE,
            Action::Share => Rights::SHARE,
            Action::Reassign => Rights::REASSIGN,
        }
    }

    pub fn has(self, other: Rights) -> bool {
        self.0 & other.0 == other.0
    }

    pub fn count(self) -> u32 {
        self.0.count_ones()
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// A role such as view_only caps what all paths give.
    pub fn capped(self, cap: Option<Level>) -> Rights {
        cap.map_or(self, |cap| self & Rights::of(cap))
    }

    /// The rights by name, for messages.
    pub fn names(self) -> String {
        let names: Vec<_> = Rights::EACH.iter().filter(|(_, right)| self.has(*right)).map(|(name, _)| *name).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }

    /// Why they do not suffice: in levels where those say all.
    pub fn lacks(self, needed: Rights) -> String {
        let level = self.level();
        if Rights::of(level) != self {
            return format!("The rules give {} on this record; {} is needed.", self.names(), needed.names());
        }
        let levels = [Level::Read, Level::Edit, Level::Full];
        let enough = levels.into_iter().find(|level| Rights::of(*level).has(needed)).unwrap_or_default();
        format!("The level on this record is {}; {} is needed.", level.name(), enough.name())
    }

    /// The level where that says all, else the rights.
    pub fn shown(self) -> String {
        let level = self.level();
        if Rights::of(level) == self { level.name().to_owned() } else { self.names() }
    }
}

impl BitOr for Rights {
    type Output = Rights;
    fn bitor(self, other: Rights) -> Rights {
        Rights(self.0 | other.0)
    }
}

impl BitOrAssign for Rights {
    fn bitor_assign(&mut self, other: Rights) {
        self.0 |= other.0;
    }
}

impl BitAnd for Rights {
    type Output = Rights;
    fn bitand(self, other: Rights) -> Rights {
        Rights(self.0 & other.0)
    }
}

impl Sub for Rights {
    type Output = Rights;
    fn sub(self, other: Rights) -> Rights {
        Rights(self.0 & !other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_sets_that_include_each_other() {
        let levels = [Level::None, Level::Read, Level::Edit, Level::Full];
        for pair in levels.windows(2) {
            assert!(Rights::of(pair[1]).has(Rights::of(pair[0])));
        }
        for level in levels {
            assert_eq!(Rights::of(level).level(), level);
            assert_eq!(Rights::of(level).shown(), level.name());
        }
        assert_eq!((Rights::READ | Rights::ARCHIVE).level(), Level::Read);
        assert_eq!((Rights::READ | Rights::ARCHIVE).shown(), "read, archive");
        assert_eq!((Rights::UPDATE | Rights::ARCHIVE).level(), Level::None);
    }

    #[test]
    fn what_lacks_is_said_in_levels_or_rights() {
        assert_eq!(Rights::READ.lacks(Rights::ARCHIVE), "The level on this record is read; full is needed.");
        assert_eq!(Rights::READ.lacks(Rights::UPDATE), "The level on this record is read; edit is needed.");
        let odd = Rights::READ | Rights::ARCHIVE;
        assert_eq!(odd.lacks(Rights::UPDATE), "The rules give read, archive on this record; update is needed.");
    }
}
