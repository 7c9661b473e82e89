//! One database per test, with its own cluster roles; both go when the value is dropped.

use crate::cluster::server;
use postgres::Client;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A test's own database.
pub struct Db {
    name: String,
}

impl Db {
    /// A database with the extension and nothing else.
    pub fn new(name: &str) -> Db {
        Db::create(name, true)
    }

    /// A database without the extension, as a restore or an installation finds it.
    pub fn bare(name: &str) -> Db {
        Db::create(name, false)
    }

    fn create(name: &str, with_extension: bool) -> Db {
        server().sweep();
        // Role names begin with the database's name and must fit into 63 bytes, so the name stays short; number and
        // process make it unique among all test processes on this server.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let short: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
            .take(20)
            .collect();
        let db = Db { name: format!("lg_{short}_{number}_p{}", std::process::id()) };
        server().create_database(&db.name, with_extension);
        db
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// A superuser connection: to arrange and to compare, never to prove an access rule.
    pub fn admin(&self) -> Client {
        server().connect("postgres", &self.name)
    }

    /// Full name of this test's cluster role `short`; `postgres` stays the superuser.
    pub fn role(&self, short: &str) -> String {
        if short == "postgres" {
            return short.to_string();
        }
        let full = format!("{}_{short}", self.name);
        assert!(full.len() < 64, "role name {full} is longer than Postgres keeps");
        full
    }

    /// Creates the login role `short` without any attribute and returns its full name.
    pub fn create_role(&self, short: &str) -> String {
        let full = self.role(short);
        let mut client = server().connect("postgres", "postgres");
        let exists =
            client.query_opt("SELECT 1 FROM pg_roles WHERE rolname = $1", &[&full]).expect("look for the role");
        if exists.is_some() {
            server().remove_role(&mut client, &full);
        }
        client.batch_execute(&format!("CREATE ROLE \"{full}\" LOGIN")).unwrap_or_else(|e| panic!("role {full}: {e:?}"));
        full
    }

    /// A real connection whose session role is `short`.
    pub fn connect(&self, short: &str) -> Client {
        server().connect(&self.role(short), &self.name)
    }

    /// What `psql -XAt` prints for `sql` (errors included), connected as `short`.
    pub fn psql(&self, short: &str, sql: &str) -> String {
        let mut child = self
            .tool("psql", short)
            .args(["-XAt", "-d", &self.name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("psql starts");
        child.stdin.take().expect("psql reads").write_all(sql.as_bytes()).expect("psql takes the script");
        let output = child.wait_with_output().expect("psql ends");
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }

    /// A client program of the server's version with host, port and user set; the database is the caller's to name.
    pub fn tool(&self, program: &str, short: &str) -> Command {
        let server = server();
        let mut command = Command::new(server.bin.join(program));
        command.arg("-h").arg(&server.socket).arg("-p").arg(server.port.to_string()).arg("-U").arg(self.role(short));
        command
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        if std::env::var_os("LEADGUARD_TEST_KEEP").is_some() {
            println!("kept database {}", self.name);
            return;
        }
        // A second panic while unwinding would hide the first, so a server that is gone is only reported.
        match server().config("postgres", "postgres").connect(postgres::NoTls) {
            Ok(mut client) => server().remove(&mut client, &self.name),
            Err(e) => eprintln!("database {} stays: {e}", self.name),
        }
    }
}
