//! A server program that runs until it is killed.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::Result;
use crate::process::wait_for_exit;
use crate::servers::folder::RunFolder;

/// A running program that writes a log. Dropping this value, or a signal that ends xtask, kills it
/// by its own id.
#[derive(Debug)]
pub(crate) struct Daemon {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts `command`, whose two streams go to the log called `name`.
    pub(crate) fn start(
        name: &'static str,
        mut command: Command,
        folder: &RunFolder,
    ) -> Result<Self> {
        let log = folder.log(name);
        let file = File::create(&log)?;
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .map_err(|error| format!("cannot run {program}: {error}"))?;
        running().insert(child.id());
        Ok(Self { name, child, log })
    }

    /// Calls `ready` until it returns true.
    ///
    /// # Errors
    /// Says that the program ended, or was not ready within `limit`, with the end of its log.
    pub(crate) fn wait_until(
        &mut self,
        limit: Duration,
        mut ready: impl FnMut() -> bool,
    ) -> Result<()> {
        let started = Instant::now();
        loop {
            // First check that it runs: another program may answer at a port that this one did not
            // get.
            let reason = match self.child.try_wait()? {
                Some(status) => format!("{} ended while starting ({status})", self.name),
                None if ready() => return Ok(()),
                None if started.elapsed() > limit => {
                    format!("{} was not ready within {} s", self.name, limit.as_secs())
                }
                None => {
                    std::thread::sleep(Duration::from_millis(50));
                    continue;
                }
            };
            return Err(format!("{reason}; the end of its log:\n{}", self.log_tail()).into());
        }
    }

    /// Returns whether the program has ended.
    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Waits until the program ends by itself or by a signal.
    pub(crate) fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait()?)
    }

    pub(crate) fn log_tail(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // The Ctrl-C that ends xtask may have ended it already; there is nowhere to report a
        // failure.
        self.child.kill().unwrap_or_default();
        wait_for_exit(&mut self.child, Duration::from_secs(10));
        running().remove(&self.child.id());
    }
}

/// The ids of all running programs.
fn running() -> MutexGuard<'static, BTreeSet<u32>> {
    static RUNNING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on, a signal that ends xtask also kills the programs: no destructor runs then.
#[cfg(unix)]
pub(crate) fn end_with_us() -> Result<()> {
    use rustix::process::{Pid, Signal, kill_process};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            // The set stays locked: no program may start now, and the system must not reuse an id.
            let running = running();
            for id in running.iter() {
                let id = i32::try_from(*id).ok().and_then(Pid::from_raw);
                // The program may have ended already, which is fine.
                id.map_or(Ok(()), |id| kill_process(id, Signal::KILL)).unwrap_or_default();
            }
            signal_hook::low_level::emulate_default_handler(signal).unwrap_or_default();
        }
    });
    Ok(())
}

/// On other systems Ctrl-C also reaches the programs, and no other signal ends xtask.
#[cfg(not(unix))]
pub(crate) fn end_with_us() -> Result<()> {
    Ok(())
}

/// Returns a loopback address whose port was free a moment ago.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
