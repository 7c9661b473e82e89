//! A connection as one login, and a clock around its statements.

use crate::cores;
use leadguard_tests::postgres::{Client, NoTls, SimpleQueryMessage, error::SqlState};
use leadguard_tests::server;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

/// The database with the main data.
pub const DATABASE: &str = "leads";

/// A statement that takes longer is given up and reported as slower than this.
pub const LIMIT_SECONDS: u32 = 30;

/// Anything that went wrong, told in a line or two.
#[derive(Debug)]
pub struct Trouble(String);

impl Trouble {
    /// Whether a statement was given up at the time limit.
    pub fn is_timeout(&self) -> bool {
        self.0.contains(SqlState::QUERY_CANCELED.code())
    }
}

pub type Result<T> = std::result::Result<T, Trouble>;

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for Trouble {
    fn from(text: String) -> Trouble {
        Trouble(text)
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Trouble {
        Trouble(error.to_string())
    }
}

impl From<csv::Error> for Trouble {
    fn from(error: csv::Error) -> Trouble {
        Trouble(error.to_string())
    }
}

pub struct Session {
    client: Client,
    login: String,
}

/// The rows of an answer; NULL is an empty text.
pub type Rows = Vec<Vec<String>>;

/// What a timed statement came to.
pub enum Ran {
    Took { ms: f64, answer: u64 },
    Over,
}

impl Session {
    /// As `login` to the main data, on the core and with the time limit of all measured statements.
    pub fn open(login: &str) -> Result<Session> {
        let mut session = Session::connect(login, DATABASE)?;
        session.run(&format!("SET statement_timeout = '{LIMIT_SECONDS}s'"))?;
        cores::bind(session.number("SELECT pg_backend_pid()")?);
        Ok(session)
    }

    pub fn connect(login: &str, database: &str) -> Result<Session> {
        let client = server()
            .config(login, database)
            .connect(NoTls)
            .map_err(|e| Trouble(format!("cannot connect to {database} as {login}: {}", told(&e))))?;
        Ok(Session { client, login: login.to_string() })
    }

    /// Runs statements untimed and returns all their rows.
    pub fn run(&mut self, sql: &str) -> Result<Rows> {
        self.client.simple_query(sql).map(rows).map_err(|e| self.trouble(&e, sql))
    }

    /// The single value of `sql`.
    pub fn value(&mut self, sql: &str) -> Result<String> {
        let found = self.run(sql)?;
        match found.as_slice() {
            [row] if row.len() == 1 => Ok(row[0].clone()),
            _ => Err(Trouble(format!("one value expected, got {} rows\n{}", found.len(), shown(sql)))),
        }
    }

    pub fn number<T: std::str::FromStr>(&mut self, sql: &str) -> Result<T> {
        let text = self.value(sql)?;
        text.parse().map_err(|_| Trouble(format!("a number expected, got \"{text}\"\n{}", shown(sql))))
    }

    /// Runs a statement and takes the time from sending it to having all rows, planning included: the simple protocol
    /// sends the text and nothing is prepared.
    pub fn time(&mut self, sql: &str) -> Result<Ran> {
        let start = Instant::now();
        let outcome = self.client.simple_query(sql);
        let ms = start.elapsed().as_secs_f64() * 1000.0;
        match outcome {
            Ok(messages) => Ok(Ran::Took { ms, answer: fingerprint(rows(messages)) }),
            Err(e) if e.code() == Some(&SqlState::QUERY_CANCELED) => Ok(Ran::Over),
            Err(e) => Err(self.trouble(&e, sql)),
        }
    }

    fn trouble(&self, error: &leadguard_tests::postgres::Error, sql: &str) -> Trouble {
        Trouble(format!("{}: {}\n{}", self.login, told(error), shown(sql)))
    }
}

fn told(error: &leadguard_tests::postgres::Error) -> String {
    match error.as_db_error() {
        Some(e) => format!("{} {}", e.code().code(), e.message()),
        None => format!("{error:?}"),
    }
}

fn rows(messages: Vec<SimpleQueryMessage>) -> Rows {
    let row = |message| match message {
        SimpleQueryMessage::Row(r) => Some((0..r.len()).map(|i| r.get(i).unwrap_or_default().to_string()).collect()),
        _ => None,
    };
    messages.into_iter().filter_map(row).collect()
}

/// The same for the same rows in whatever order.
fn fingerprint(mut rows: Rows) -> u64 {
    rows.sort_unstable();
    let mut hasher = DefaultHasher::new();
    rows.hash(&mut hasher);
    hasher.finish()
}

/// Enough of a statement to find it; some hold thousands of ids.
fn shown(sql: &str) -> &str {
    let sql = sql.trim();
    sql.char_indices().nth(240).map_or(sql, |(end, _)| &sql[..end])
}
