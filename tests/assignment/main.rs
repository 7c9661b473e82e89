//! Routing, handoffs, claims, notifications.
