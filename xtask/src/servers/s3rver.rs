//! s3rver for tests: an S3 server in JavaScript that ignores every condition, so that it cannot
//! hold a lock.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::Result;
use crate::servers::daemon::{Daemon, free_address};
use crate::servers::{BUCKET, Facts, Kind, Started, attempts, http};
use crate::tools::node;

const READY_WITHIN: Duration = Duration::from_secs(60);

/// Its only user, which cannot be changed: <https://github.com/jamhall/s3rver#readme>.
const KEY: &str = "S3RVER";

/// Starts s3rver with one bucket.
///
/// # Errors
/// Says why it could not start, as a sentence to follow `s3rver: `.
pub(crate) fn start(target_dir: &Path) -> Result<Started> {
    let node = node::packages(target_dir, "s3rver-3.7.1", &["s3rver@3.7.1"])?;
    attempts(target_dir, Kind::S3rver, |folder| {
        let address = free_address()?;
        let mut command = Command::new(&node.program);
        command.arg(node.folder.join("s3rver").join("bin").join("s3rver.js"));
        command.args([
            "--address",
            &address.ip().to_string(),
            "--port",
            &address.port().to_string(),
        ]);
        command.args(["--configure-bucket", BUCKET, "--directory"]).arg(folder.path().join("data"));
        let mut daemon = Daemon::start("s3rver", command, folder)?;
        daemon.wait_until(READY_WITHIN, || http::answers(address))?;
        let mut facts = Facts::s3(&format!("http://{address}"), KEY, KEY);
        facts.set("bucket", BUCKET);
        Ok((facts, vec![daemon]))
    })
}
