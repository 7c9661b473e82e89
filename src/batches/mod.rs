//! How many rows a member writes in one transaction, and what lets him write more.

/// What lets a member exceed the limits of a table for an operation: decided before, and to be named in the log.
#[allow(dead_code)]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cover {
    pub approval: Option<i64>,
    pub template: Option<i64>,
    pub self_approved: bool,
}

/// Runs `body`, whose writes are one batch of this operation (import, handoff, routing, reassignment) that is covered.
#[allow(dead_code)]
pub(crate) fn covered<T>(_operation: &'static str, _cover: Cover, body: impl FnOnce() -> T) -> T {
    body()
}
