//! What a query costs under leadguard, measured side by side with the same query without it, with what people write
//! by hand, and with the best that is possible. Run it with `pg_test_config/bench`, which starts the server.
//!
//! There are no bounds in milliseconds against a clock: every verdict compares two statements whose runs alternate.
//! The answers of all variants are compared first; a benchmark of wrong answers fails.

mod book;
mod cores;
mod data;
mod directory;
mod options;
mod people;
mod plot;
mod print;
mod queries;
mod race;
mod sections;
mod session;
mod table;
mod variants;

use book::Book;
use options::Options;
use people::Person;
use session::{Result, Session};
use std::process::ExitCode;
use std::time::Instant;

/// What every section works with.
pub struct Bench {
    pub options: Options,
    pub admin: Session,
    pub people: Vec<Person>,
    pub book: Book,
}

impl Bench {
    pub fn person(&self, name: &str) -> Person {
        self.people.iter().find(|p| p.name == name).unwrap_or_else(|| panic!("nobody is called {name}")).clone()
    }

    /// Everybody but nobody.
    pub fn members(&self) -> Vec<Person> {
        self.people.iter().filter(|p| p.member != 0).cloned().collect()
    }

    pub fn people(&self, names: &[&str]) -> Vec<Person> {
        names.iter().map(|name| self.person(name)).collect()
    }
}

fn main() -> ExitCode {
    let options = match Options::parse() {
        Ok(options) => options,
        Err(message) => {
            eprintln!("bench: {message}\n{}", options::hint());
            return ExitCode::from(2);
        }
    };
    match run(options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(trouble) => {
            eprintln!("bench: {trouble}");
            ExitCode::FAILURE
        }
    }
}

/// False when answers differ or a section could not be run. A missed target is a result, not a failure.
fn run(options: Options) -> Result<bool> {
    if !cores::bind_self() {
        println!("    the processes cannot be bound to one core here (no taskset): short queries scatter more");
    }
    let mut admin = data::prepare(&options)?;
    directory::secure(&mut admin)?;
    let people = people::load(&mut admin)?;
    let facts = print::facts(&mut admin, &options)?;
    let mut bench = Bench { options, admin, people, book: Book::default() };
    print::header(&facts, &bench);

    for section in &sections::ALL {
        if !bench.options.wants(section.name) {
            continue;
        }
        println!("\n{}: {}", section.name, section.title);
        let start = Instant::now();
        if let Err(trouble) = (section.run)(&mut bench) {
            println!("  could not be measured: {trouble}");
            bench.book.failed(section.name, &trouble.to_string());
        }
        print::section(&bench.book, section.name);
        println!("  ({:.0} s)", start.elapsed().as_secs_f64());
    }

    bench.book.write_csv(&bench.options.out.join("bench.csv"))?;
    let plotted = plot::draw(&bench.book, &facts, &bench.options.out.join("bench.svg"))?;
    print::summary(&bench, plotted);
    Ok(bench.book.sound())
}
