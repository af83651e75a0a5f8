//! dynalite for tests: DynamoDB in JavaScript, independent of moto and of this project's emulator.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::Result;
use crate::servers::daemon::{Daemon, free_address};
use crate::servers::{Facts, Kind, Started, attempts, http};
use crate::tools::node;

const READY_WITHIN: Duration = Duration::from_secs(60);

/// Starts dynalite without a table; it accepts any keys.
///
/// # Errors
/// Says why it could not start, as a sentence to follow `dynalite: `.
pub(crate) fn start(target_dir: &Path) -> Result<Started> {
    let node = node::packages(target_dir, "dynalite-4.0.0", &["dynalite@4.0.0"])?;
    attempts(target_dir, Kind::Dynalite, |folder| {
        let address = free_address()?;
        let mut command = Command::new(&node.program);
        command.arg(node.folder.join("dynalite").join("cli.js"));
        command.args(["--host", &address.ip().to_string(), "--port", &address.port().to_string()]);
        // Creating a table takes no time.
        command.args(["--createTableMs", "0", "--deleteTableMs", "0"]);
        let mut daemon = Daemon::start("dynalite", command, folder)?;
        daemon.wait_until(READY_WITHIN, || http::answers(address))?;
        let mut facts = Facts::default();
        facts.set("dynamodb_endpoint", format!("http://{address}"));
        Ok((facts, vec![daemon]))
    })
}
