//! Who administers the directory within which limits, what must not happen to it, and how organizations are set, end,
//! merge and stay apart.

mod apart;
mod deleting;
mod holders;
mod lab;
mod merging;
mod owners;
mod personal;
mod rank;
mod settings;
mod teams;
