//! What many rows at once are called, and how many of them a role may write.

/// What a batch does. The first five have limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Insert,
    Update,
    Archive,
    Delete,
    Reassign,
    Import,
    Export,
}

const LIMITED: usize = 5;

impl Operation {
    pub const ALL: [Operation; 7] = [
        Operation::Insert,
        Operation::Update,
        Operation::Archive,
        Operation::Delete,
        Operation::Reassign,
        Operation::Import,
        Operation::Export,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Operation::Insert => "insert",
            Operation::Update => "update",
            Operation::Archive => "archive",
            Operation::Delete => "delete",
            Operation::Reassign => "reassign",
            Operation::Import => "import",
            Operation::Export => "export",
        }
    }

    pub fn parse(name: &str) -> Option<Operation> {
        Operation::ALL.into_iter().find(|operation| operation.name() == name)
    }

    /// Whether a row that is written so is part of a batch of this operation.
    pub fn covers(self, written: Operation) -> bool {
        self == written || (self == Operation::Import && written == Operation::Insert)
    }

    /// Taking records away: for data owners only, and not what somebody works on.
    pub fn removes(self) -> bool {
        matches!(self, Operation::Archive | Operation::Delete)
    }
}

/// How many rows a transaction may write, by operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits([u64; LIMITED]);

/// From the next row on an approval is necessary.
pub const DEFAULT_LIMIT: u64 = 100;
const NO_LIMIT: u64 = u64::MAX;

impl Default for Limits {
    fn default() -> Limits {
        Limits([DEFAULT_LIMIT; LIMITED])
    }
}

impl Limits {
    pub fn of(&self, operation: Operation) -> u64 {
        self.0.get(operation as usize).copied().unwrap_or(NO_LIMIT)
    }
}

/// What the switches of one role say about batches; None where they say nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Said {
    limits: [Option<u64>; LIMITED],
    free_export: Option<bool>,
}

impl Said {
    /// Sets one; false for a name or a value that there is not.
    pub fn set(&mut self, name: &str, value: &str) -> bool {
        if name == "export" {
            self.free_export = Some(value == "free");
            return matches!(value, "free" | "capability");
        }
        let operation = name.strip_prefix("batch_").and_then(Operation::parse);
        let Some(held) = operation.and_then(|operation| self.limits.get_mut(operation as usize)) else { return false };
        *held = if value == "none" { Some(NO_LIMIT) } else { number(value).map(u64::from) };
        held.is_some()
    }

    fn or(self, other: Said) -> Said {
        let mut limits = self.limits;
        limits.iter_mut().zip(other.limits).for_each(|(held, other)| *held = held.or(other));
        Said { limits, free_export: self.free_export.or(other.free_export) }
    }

    /// The most generous of what the roles say; what one leaves open is as said for every role.
    pub fn most_generous(roles: impl Iterator<Item = Said>, every: Said) -> (Limits, bool) {
        let (mut found, mut free, mut any) = ([0; LIMITED], false, false);
        let mut add = |said: Said| {
            for (held, limit) in found.iter_mut().zip(said.limits) {
                *held = (*held).max(limit.unwrap_or(DEFAULT_LIMIT));
            }
            free |= said.free_export == Some(true);
        };
        for said in roles {
            any = true;
            add(said.or(every));
        }
        if !any {
            add(every);
        }
        (Limits(found), free)
    }
}

/// A number as people write it: digits and nothing else.
pub fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(switches: &[(&str, &str)]) -> Said {
        let mut said = Said::default();
        for (name, value) in switches {
            assert!(said.set(name, value), "{name} {value}");
        }
        said
    }

    fn update(roles: &[Said], every: Said) -> u64 {
        Said::most_generous(roles.iter().copied(), every).0.of(Operation::Update)
    }

    #[test]
    fn values_are_checked() {
        for (name, value) in [
            ("batch_update", "-1"),
            ("batch_update", "+1"),
            ("batch_update", ""),
            ("batch_update", "many"),
            ("batch_import", "1"),
            ("batch_export", "1"),
            ("export", "yes"),
        ] {
            assert!(!Said::default().set(name, value), "{name} {value}");
        }
    }

    #[test]
    fn the_most_generous_role_wins() {
        let (few, many, none) =
            (said(&[("batch_update", "5")]), said(&[("batch_update", "500")]), said(&[("batch_update", "none")]));
        assert_eq!(update(&[few], Said::default()), 5);
        assert_eq!(update(&[few, many], Said::default()), 500);
        assert_eq!(update(&[few, none], Said::default()), u64::MAX);
        assert_eq!(update(&[few, Said::default()], Said::default()), DEFAULT_LIMIT, "a role of which nothing is said");
        assert_eq!(update(&[Said::default()], few), 5, "what is said for all");
        assert_eq!(update(&[], many), 500);
        assert_eq!(update(&[], Said::default()), DEFAULT_LIMIT);
        assert_eq!(Limits::default().of(Operation::Import), u64::MAX);
    }
}
