//! What changes about protected tables, noticed by event triggers.
