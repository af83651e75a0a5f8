//! Systems without process groups: this only waits for the command.

use std::io;
use std::process::Command;

use crate::job::{Audience, Signals};
use crate::ui::Ui;

/// Runs a command to its end, and returns its exit code.
///
/// # Errors
/// Those of starting it, and of waiting for it.
pub(crate) async fn run(
    command: Command,
    _: Audience,
    _: &mut Signals,
    _: Ui,
    _: &(dyn Fn() + Sync),
) -> io::Result<u8> {
    let status = tokio::process::Command::from(command).status().await?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
