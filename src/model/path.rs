//! Why a member reaches a record.

/// In the order in which one is named when several give the same level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Path {
    Own,
    Created,
    Manager,
    Colleague,
    RecordTeam,
    RecordTeamManager,
    Contact,
    Territory,
    TerritoryAncestor,
    TerritoryManager,
    Scope,
    Team,
    Share,
    Parent,
    Organization,
    Admin,
}

impl Path {
    pub const ALL: [Path; 16] = [
        Path::Own,
        Path::Created,
        Path::Manager,
        Path::Colleague,
        Path::RecordTeam,
        Path::RecordTeamManager,
        Path::Contact,
        Path::Territory,
        Path::TerritoryAncestor,
        Path::TerritoryManager,
        Path::Scope,
        Path::Team,
        Path::Share,
        Path::Parent,
        Path::Organization,
        Path::Admin,
    ];

    pub const NAMES: &'static str = "own, created, manager, colleague, record_team, record_team_manager, contact, territory, \
         territory_ancestor, territory_manager, scope, team, share, parent, organization, admin";

    pub fn name(self) -> &'static str {
        match self {
            Path::Own => "own",
            Path::Created => "created",
            Path::Manager => "manager",
            Path::Colleague => "colleague",
            Path::RecordTeam => "record_team",
            Path::RecordTeamManager => "record_team_manager",
            Path::Contact => "contact",
            Path::Territory => "territory",
            Path::TerritoryAncestor => "territory_ancestor",
            Path::TerritoryManager => "territory_manager",
            Path::Scope => "scope",
            Path::Team => "team",
            Path::Share => "share",
            Path::Parent => "parent",
            Path::Organization => "organization",
            Path::Admin => "admin",
        }
    }

    pub fn parse(text: &str) -> Option<Path> {
        Path::ALL.into_iter().find(|path| path.name() == text)
    }

    pub fn number(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_those_of_the_list() {
        for (number, path) in Path::ALL.into_iter().enumerate() {
            assert_eq!(path.number(), number);
            assert_eq!(Path::parse(path.name()), Some(path));
        }
        assert_eq!(Path::ALL.map(Path::name).join(", "), Path::NAMES);
    }
}
