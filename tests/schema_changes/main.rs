//! Changes of protected tables: what is noticed, what an approval covers, who reads the changelog.

mod approvals;
mod attached;
mod changes;
mod hidden;
mod lab;
mod restores;
mod rights;
mod vocabulary;
