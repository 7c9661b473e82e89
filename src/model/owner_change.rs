//! By what owners of records change.

/// By what an owner changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnerChange {
    /// By whoever may reassign the record.
    Free,
    /// By handoffs, and by data owners.
    Handoff,
    /// By data owners.
    Admin,
}

impl OwnerChange {
    pub fn parse(value: &str) -> Option<OwnerChange> {
        match value {
            "free" => Some(OwnerChange::Free),
            "handoff" => Some(OwnerChange::Handoff),
            "admin" => Some(OwnerChange::Admin),
            _ => None,
        }
    }
}
