//! Routing, handoffs, claims, notifications.

mod attacks;
mod claims;
mod ghosts;
mod handoffs;
mod lab;
mod notifications;
mod offers;
mod owners;
mod pools;
mod routing;
mod rules;
