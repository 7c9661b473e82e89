//! Who reads and changes a lead, requirement by requirement (O3 to O19), as ordinary roles over real connections.
//! Every "no" stands beside a "yes" that differs in one thing.

mod columns;
mod grants;
mod inactive;
mod management;
mod moves;
mod names;
mod organizations;
mod privilege;
mod shares;
mod territories;
