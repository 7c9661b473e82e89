//! One core for the client and for the server processes it talks to.
//!
//! A client that waits for each answer and the process that gives it never run at the same time. Where the scheduler
//! puts them decides whether a read by id takes 30 or 80 microseconds, for minutes, and differently for two connections
//! that are compared. On one core all of them have the same conditions. Linux only; elsewhere nothing happens.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

static BOUND: OnceLock<bool> = OnceLock::new();

/// The cores that this program may use, as the kernel lists them: "0-1" or "0,2-5".
fn allowed() -> Option<&'static str> {
    static ALLOWED: OnceLock<Option<String>> = OnceLock::new();
    let read = || {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
        Some(list.trim().to_string())
    };
    ALLOWED.get_or_init(read).as_deref()
}

/// How many cores there are, asked before this program is bound to one.
pub fn number() -> usize {
    static NUMBER: OnceLock<usize> = OnceLock::new();
    *NUMBER.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// Binds this program; false where that cannot be done.
pub fn bind_self() -> bool {
    // The list of all cores is read before it shrinks to one.
    number();
    *BOUND.get_or_init(|| allowed().is_some() && bind(std::process::id()))
}

/// Binds a process to the last core: the first serves most interrupts.
pub fn bind(pid: u32) -> bool {
    let Some(core) = allowed().and_then(|list| list.rsplit([',', '-']).next()) else { return false };
    Command::new("taskset")
        .args(["-cp", core, &pid.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A command that may use all cores again.
pub fn everywhere(program: &Path) -> Command {
    match (BOUND.get(), allowed()) {
        (Some(true), Some(list)) => {
            let mut command = Command::new("taskset");
            command.args(["-c", list]).arg(program);
            command
        }
        _ => Command::new(program),
    }
}
