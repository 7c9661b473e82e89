//! handoffs
