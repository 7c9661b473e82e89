//! A session whose statement may have to wait, and what came of it.

use std::thread::{self, JoinHandle};

use leadguard_tests::{Client, blocked, pid};
use postgres::SimpleQueryMessage;

/// What a statement said: its rows and count, or the SQLSTATE and message of its refusal.
#[derive(Debug, Clone)]
pub enum Outcome {
    Done { rows: Vec<String>, count: u64 },
    Failed { code: String, message: String },
}

impl Outcome {
    /// The SQLSTATE, "ok" without an error.
    pub fn code(&self) -> &str {
        match self {
            Outcome::Done { .. } => "ok",
            Outcome::Failed { code, .. } => code,
        }
    }

    /// How many rows came back or were changed.
    pub fn count(&self) -> u64 {
        match self {
            Outcome::Done { count, .. } => *count,
            Outcome::Failed { .. } => 0,
        }
    }

    /// Everything the client was told.
    pub fn text(&self) -> String {
        match self {
            Outcome::Done { rows, .. } => rows.join(";"),
            Outcome::Failed { message, .. } => message.clone(),
        }
    }
}

/// Runs a statement and keeps whatever it says.
pub fn run(client: &mut Client, sql: &str) -> Outcome {
    match client.simple_query(sql) {
        Ok(messages) => {
            let mut rows = Vec::new();
            let mut count = 0;
            for message in messages {
                match message {
                    SimpleQueryMessage::Row(row) => {
                        rows.push((0..row.len()).map(|i| row.get(i).unwrap_or("∅")).collect::<Vec<_>>().join("|"));
                    }
                    SimpleQueryMessage::CommandComplete(n) => count = n,
                    _ => {}
                }
            }
            Outcome::Done { rows, count }
        }
        Err(e) => {
            let e = e.as_db_error().unwrap_or_else(|| panic!("{sql}: {e:?}"));
            Outcome::Failed {
                code: e.code().code().to_string(),
                message: format!("{} {} {}", e.message(), e.detail().unwrap_or(""), e.hint().unwrap_or("")),
            }
        }
    }
}

/// A statement under way in a session of its own.
pub struct Waiting {
    pid: i32,
    sql: String,
    handle: JoinHandle<(Client, Outcome)>,
}

impl Waiting {
    pub fn start(mut client: Client, sql: &str) -> Waiting {
        let pid = pid(&mut client);
        let text = sql.to_string();
        let handle = thread::spawn(move || {
            let outcome = run(&mut client, &text);
            (client, outcome)
        });
        Waiting { pid, sql: sql.to_string(), handle }
    }

    /// Starts it and makes sure that it waits for a lock.
    #[track_caller]
    pub fn start_blocked(client: Client, sql: &str, monitor: &mut Client) -> Waiting {
        let waiting = Waiting::start(client, sql);
        if !blocked(monitor, waiting.pid) {
            let end = if waiting.handle.is_finished() {
                format!("ended with {:?}", waiting.finish().1)
            } else {
                "still runs".into()
            };
            panic!("a statement that should wait for a lock does not; it {end}\n{sql}");
        }
        waiting
    }

    /// The session back, and what the statement said.
    pub fn finish(self) -> (Client, Outcome) {
        self.handle.join().unwrap_or_else(|_| panic!("the session died in: {}", self.sql))
    }
}
