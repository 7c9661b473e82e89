//! The four presets as their sources describe them, requirement by requirement, as ordinary roles over real connections.
//!
//! Most expectations are tables of members and records that are found out by trying (`lab::table`), so that a right too
//! much shows as well as one too few. `x_pairs` and `x_hiding` hold one pair per contradiction between the sources: the same question
//! before and after one switch, in one open session.

mod analysts;
mod attacks;
mod attacks_rules;
mod decision_site;
mod four_role;
mod hiding;
mod lab;
mod moments;
mod organization;
mod organization_rules;
mod printed;
mod refusals;
mod sales_hierarchy;
mod sensitive;
mod x_hiding;
mod x_pairs;
