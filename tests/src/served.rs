//! A `remote-state serve` for a test.

use std::time::Duration;

use crate::command::Cmd;
use crate::process::Running;

/// A running server. Dropping this value kills it.
#[derive(Debug)]
pub struct Served {
    /// The process.
    pub running: Running,
    /// Such as `http://127.0.0.1:40123`.
    pub address: String,
}

impl Served {
    /// Starts a command line with `serve`, and waits for the server's address.
    ///
    /// # Panics
    /// If it ends instead.
    #[track_caller]
    pub fn start(serve: Cmd) -> Self {
        let mut running = serve.start();
        running.wait_for("\n");
        let mut address = running.stdout_so_far();
        // The first line may be from standard error.
        while !address.ends_with('\n') {
            assert!(running.is_running(), "the server should say its address");
            std::thread::sleep(Duration::from_millis(10));
            address = running.stdout_so_far();
        }
        Self { running, address: address.trim().to_owned() }
    }
}
