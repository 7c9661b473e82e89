//! Import sessions.
