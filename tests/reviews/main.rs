//! Reviews: each question finds what it asks for, and no more once it is solved.

mod happened;
mod incident;
mod lab;
mod lifecycle;
mod people;
mod records;
mod rights;
mod teams;
