//! What the command line asks for. The usage text is that of pg_test_config/bench.

use crate::race::Pace;
use crate::sections;
use std::ffi::OsString;
use std::path::PathBuf;

#[derive(Clone, Debug)]
pub struct Options {
    pub rows: i64,
    pub members: i64,
    pub territories: i64,
    pub grants: i64,
    pub only: Vec<String>,
    pub quick: bool,
    pub large: bool,
    pub out: PathBuf,
}

impl Options {
    pub fn parse() -> Result<Options, String> {
        Options::read(lexopt::Parser::from_env()).map_err(|e| e.to_string())
    }

    fn read(mut arguments: lexopt::Parser) -> Result<Options, lexopt::Error> {
        use lexopt::prelude::*;
        let (mut rows, mut grants) = (None, None);
        let mut options = Options {
            rows: 0,
            members: 20_000,
            territories: 2_000,
            grants: 0,
            only: Vec::new(),
            quick: false,
            large: false,
            out: PathBuf::from("target/bench"),
        };
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("rows") => rows = Some(count(&mut arguments, "--rows", 20_000)?),
                Long("members") => options.members = count(&mut arguments, "--members", 6_000)?,
                Long("territories") => options.territories = count(&mut arguments, "--territories", 200)?,
                Long("grants") => grants = Some(count(&mut arguments, "--grants", 1_000)?),
                Long("only") => options.only = names(arguments.value()?)?,
                Long("quick") => options.quick = true,
                Long("large") => options.large = true,
                Long("out") => options.out = arguments.value()?.into(),
                // cargo bench adds it to the arguments of every benchmark.
                Long("bench") => {}
                other => return Err(other.unexpected()),
            }
        }
        options.rows = rows.unwrap_or(if options.quick { 200_000 } else { 2_000_000 });
        options.grants = grants.unwrap_or(600_000.min(options.rows * 3 / 10).max(60_000));
        Ok(options)
    }

    pub fn wants(&self, section: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == section)
    }

    /// How often the queries run.
    pub fn pace(&self) -> Pace {
        match self.quick {
            true => Pace { budget: 400.0, least: 3, most: 60 },
            false => Pace { budget: 2000.0, least: 7, most: 300 },
        }
    }

    /// For what is short and noisy: `full` runs, a third of them in a quick run.
    pub fn runs(&self, full: usize) -> Pace {
        Pace::exactly(if self.quick { full.div_ceil(3) } else { full })
    }
}

fn count(arguments: &mut lexopt::Parser, option: &str, least: i64) -> Result<i64, lexopt::Error> {
    use lexopt::ValueExt;
    let value: i64 = arguments.value()?.parse()?;
    if value < least {
        return Err(format!("{option} {value} is too small to mean anything, give at least {least}").into());
    }
    Ok(value)
}

fn names(list: OsString) -> Result<Vec<String>, lexopt::Error> {
    let list = list.into_string()?;
    let names: Vec<String> = list.split(',').map(|name| name.trim().to_string()).collect();
    match names.iter().find(|name| !sections::ALL.iter().any(|s| s.name == name.as_str())) {
        Some(unknown) => Err(format!("there is no section \"{unknown}\"").into()),
        None => Ok(names),
    }
}

pub fn hint() -> String {
    let names: Vec<&str> = sections::ALL.iter().map(|s| s.name).collect();
    format!("the sections are {}; see pg_test_config/bench --help", names.join(", "))
}
