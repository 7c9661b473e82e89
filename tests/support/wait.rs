//! Two sessions at once: who waits for whom.

use crate::ask::{rows, scalar};
use postgres::Client;
use std::time::{Duration, Instant};

/// Process id of the server backend behind this connection.
pub fn pid(client: &mut Client) -> i32 {
    scalar(client, "SELECT pg_backend_pid()").parse().expect("a process id")
}

/// Waits until the backend `pid` waits for a lock; false when it does not within five seconds.
pub fn blocked(admin: &mut Client, pid: i32) -> bool {
    let until = Instant::now() + Duration::from_secs(5);
    while Instant::now() < until {
        if !rows(admin, &format!("SELECT 1 FROM pg_stat_activity WHERE pid = {pid} AND wait_event_type = 'Lock'"))
            .is_empty()
        {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}
