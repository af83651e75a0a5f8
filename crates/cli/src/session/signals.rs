//! Signals by which a user or a supervisor asks this process to end.

use std::future::Future;
#[cfg(unix)]
use std::sync::Arc;

use crate::exit::Interruption;

/// Waits for Ctrl-C, or for another signal that requests the end.
pub(crate) async fn interrupted() -> Interruption {
    interruption().await
}

/// Starts listening for an interruption, and returns a future of it: it also reports a signal that
/// arrives before the first poll.
#[cfg(unix)]
pub(crate) fn interruption() -> impl Future<Output = Interruption> {
    use tokio::signal::unix::{SignalKind, signal};
    // Under `nohup`, closing the terminal is no request to end.
    let hangup = (!hangups_are_ignored()).then(|| signal(SignalKind::hangup()).ok()).flatten();
    let others = [SignalKind::interrupt(), SignalKind::terminate()].map(|kind| signal(kind).ok());
    async move {
        let [interrupt, terminate] = others;
        tokio::select! {
            () = received(interrupt) => Interruption::Interrupt,
            () = received(terminate) => Interruption::Terminate,
            () = received(hangup) => Interruption::Hangup,
        }
    }
}

/// Waits for a signal; forever, if listening failed.
#[cfg(unix)]
async fn received(signal: Option<tokio::signal::unix::Signal>) {
    if let Some(mut signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// Starts listening for an interruption, and returns a future of it.
#[cfg(not(unix))]
pub(crate) fn interruption() -> impl Future<Output = Interruption> {
    async move {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Interruption::Interrupt
    }
}

/// Returns whether this process should outlive the terminal, as under `nohup`.
#[cfg(unix)]
pub(crate) fn hangups_are_ignored() -> bool {
    static ARE_IGNORED: std::sync::LazyLock<bool> = std::sync::LazyLock::new(|| {
        // If the system does not say, a closed terminal is a request to end.
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        ignored
            .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .is_some_and(|mask| mask & 1 != 0)
    });
    *ARE_IGNORED
}

/// Prepares the process for signals, before anything listens for one.
pub(crate) fn prepare() {
    #[cfg(unix)]
    {
        // Before a handler replaces the inherited disposition.
        let _: bool = hangups_are_ignored();
        // Exceeding the file size limit is an error of the write, which cleans up after itself, and
        // must not end the process. The signal is handled rather than ignored, since child commands
        // would inherit that.
        let seen = Arc::default();
        if let Err(error) = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, seen) {
            tracing::debug!(%error, "a limit on the size of files will end this process");
        }
    }
}
