//! A program that serves until it is ended.

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

/// A running program that writes a log, and that is killed, by its own id, when this value goes, or
/// when a signal ends us.
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

    /// Asks `ready` again and again until it says yes.
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
            // Whether it lives comes first: another program may answer at the port that this one
            // did not get.
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

    /// Tells whether the program has ended.
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
        // It may have ended already, by the same Ctrl-C that ends us; there is nobody to tell about
        // a failure here.
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

/// From now on a signal that ends us ends the programs too: then no destructor runs.
#[cfg(unix)]
pub(crate) fn end_with_us() -> Result<()> {
    use rustix::process::{Pid, Signal, kill_process};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            // The set stays locked: nothing more is to be started, and no id is to be given to
            // another process.
            let running = running();
            for id in running.iter() {
                let id = i32::try_from(*id).ok().and_then(Pid::from_raw);
                // One that has ended already is what is wanted.
                id.map_or(Ok(()), |id| kill_process(id, Signal::KILL)).unwrap_or_default();
            }
            signal_hook::low_level::emulate_default_handler(signal).unwrap_or_default();
        }
    });
    Ok(())
}

/// Elsewhere Ctrl-C reaches the programs as it reaches us, and nothing else ends us.
#[cfg(not(unix))]
pub(crate) fn end_with_us() -> Result<()> {
    Ok(())
}

/// Returns an address of this machine alone whose port was free a moment ago.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
