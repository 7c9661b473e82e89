//! A server of the test's own, which writes to the disk as a real one does.

use leadguard_tests::*;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

pub struct Private {
    /// Socket, data and log.
    directory: PathBuf,
    bin: PathBuf,
    /// Who runs the server, where the test itself is root.
    user: Option<String>,
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
}

impl Private {
    /// None, and a line that says so, where no server can be started.
    pub fn start() -> Option<Private> {
        let bin = PathBuf::from(std::env::var_os("LEADGUARD_TEST_BIN")?);
        let directory = std::env::temp_dir().join(format!("lg_killed_{}", std::process::id()));
        let is_root = output(Command::new("id").arg("-u")).as_deref() == Some("0");
        let user = is_root.then(|| {
            let postgres = output(Command::new("id").args(["-u", "postgres"]));
            if postgres.is_some() { "postgres" } else { "nobody" }.to_string()
        });
        std::fs::create_dir_all(&directory).ok()?;
        let server = Private { directory, bin, user };
        match server.make() {
            Ok(()) => Some(server),
            Err(step) => {
                println!("skipped: no server of the test's own, {step} failed");
                None
            }
        }
    }

    fn make(&self) -> Result<(), String> {
        if let Some(user) = &self.user {
            output(Command::new("chown").arg(user).arg(&self.directory)).ok_or("chown")?;
        }
        let data = self.data();
        let made = self.run(
            "initdb",
            &["-D", text(&data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"],
        );
        made.ok_or("initdb")?;
        let settings = format!(
            "listen_addresses = ''\nport = 5432\nunix_socket_directories = '{}'\nunix_socket_permissions = 0777\n\
             fsync = on\nrestart_after_crash = on\nshared_buffers = 32MB\nleadguard.allow_unpatched_server = on\n",
            self.directory.display()
        );
        // Who runs the server owns the file; whoever starts the test may be somebody else.
        let file = data.join("postgresql.conf");
        let kept = std::fs::read_to_string(&file).map_err(|e| e.to_string())?;
        std::fs::write(&file, kept + &settings).map_err(|e| e.to_string())?;
        self.boot().ok_or("pg_ctl start")?;
        // Before anything of this process has looked at it.
        std::env::set_var("LEADGUARD_TEST_SOCKET", &self.directory);
        std::env::set_var("LEADGUARD_TEST_PORT", "5432");
        Ok(())
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Option<String> {
        let program = self.bin.join(program);
        let mut command = match &self.user {
            Some(user) => {
                let mut command = Command::new("runuser");
                command.args(["-u", user, "--"]).arg(program);
                command
            }
            None => Command::new(program),
        };
        output(command.args(arguments).current_dir("/").env_remove("RUST_BACKTRACE"))
    }

    fn boot(&self) -> Option<String> {
        let (data, log) = (self.data(), self.directory.join("log"));
        self.run("pg_ctl", &["-D", text(&data), "-l", text(&log), "-w", "-t", "30", "-s", "start"])
    }

    /// The number of the postmaster.
    fn postmaster(&self) -> Option<String> {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        file.lines().next().map(str::to_string)
    }

    /// A writing session of the database, whichever it is; the server then starts anew by itself.
    pub fn kill_a_session(&self, db: &Db) {
        let mut postgres = server().connect("postgres", "postgres");
        let text = format!(
            "SELECT pid FROM pg_stat_activity WHERE datname = '{}' AND state <> 'idle' ORDER BY random() LIMIT 1",
            db.name()
        );
        let found = rows(&mut postgres, &text);
        let Some(pid) = found.first() else { return };
        assert!(output(Command::new("kill").args(["-9", &pid[0]])).is_some(), "nobody could be killed");
        // Until the postmaster has noticed, and ended the others.
        let until = Instant::now() + Duration::from_secs(10);
        while Instant::now() < until && postgres.simple_query("SELECT 1").is_ok() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The postmaster, whose sessions notice it.
    pub fn kill(&self) {
        let pid = self.postmaster().expect("a postmaster");
        assert!(output(Command::new("kill").args(["-9", &pid])).is_some(), "the postmaster could not be killed");
    }

    /// Until it answers again.
    pub fn comes_back(&self) {
        let until = Instant::now() + Duration::from_secs(30);
        while Instant::now() < until {
            if server().config("postgres", "postgres").connect(postgres::NoTls).is_ok() {
                return;
            }
            let pid = self.postmaster().unwrap_or_default();
            if output(Command::new("kill").args(["-0", &pid])).is_none() {
                // Sessions of the dead one may hold its memory for a moment.
                let _ = self.boot();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the server does not come back, see {}", self.directory.join("log").display());
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        if self.run("pg_ctl", &["-D", text(&self.data()), "-m", "immediate", "-w", "-s", "stop"]).is_some()
            && !std::thread::panicking()
        {
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in plain letters")
}

/// A superuser's session; None while the server does not answer.
pub fn connect(db: &Db) -> Option<Client> {
    server().config("postgres", db.name()).connect(postgres::NoTls).ok()
}
