//! Programs that print credentials, and their use of the terminal and of standard input.
//!
//! Such a program may ask a person. The system stops a background process that reads from a
//! terminal, and its whole process group, with `SIGTTIN`. The program must therefore not be in the
//! group of a server that others depend on, and must not take input that another process is meant
//! to read.

use std::io;
use std::process::{Output, Stdio};
use std::sync::{Mutex, PoisonError};

use tokio::process::{Child, Command};

/// The owner of this process's standard input. A process has one standard input, and so one such
/// setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StandardInput {
    /// Only this process, and so the programs that it starts.
    #[default]
    Own,
    /// No process, or another one. A program may read from it only if it is a terminal and this
    /// process is in its foreground.
    Shared,
    /// Another process, which reads from it and from the terminal now. No program may read from it.
    Taken,
}

#[derive(Debug)]
struct Shared {
    standard_input: StandardInput,
    /// The process groups of programs. A group may outlive the program that it is named after.
    groups: Vec<u32>,
}

impl Shared {
    const fn new() -> Self {
        Self { standard_input: StandardInput::Own, groups: Vec::new() }
    }
}

static SHARED: Mutex<Shared> = Mutex::new(Shared::new());

fn shared<T>(work: impl FnOnce(&mut Shared) -> T) -> T {
    work(&mut SHARED.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Sets the owner of standard input for every program that starts from now on.
pub fn set_standard_input(whose: StandardInput) {
    shared(|shared| shared.standard_input = whose);
}

/// Returns whether a process group was made for a program. Code that waits for processes by their
/// group leaves such groups to the runtime.
///
/// Call this after seeing the group: a program counts as soon as it is being started.
pub fn is_group_of_program(group: u32) -> bool {
    shared(|shared| shared.groups.contains(&group))
}

/// Runs a program to its end, with the standard error of this process, and returns its output.
///
/// The program reads from standard input if [`StandardInput`] and the terminal allow it, and from
/// nothing otherwise. Unless this process is in the foreground of its terminal, the program gets
/// its own process group, so that only that group stops if the program opens the terminal itself.
/// Dropping the future kills the program with its group.
///
/// # Errors
/// If the program cannot be started or waited for.
pub async fn output(mut command: Command) -> io::Result<Output> {
    // `Command::output` would capture standard error.
    command.stderr(Stdio::inherit()).stdout(Stdio::piped()).kill_on_drop(true);
    let (child, group) = shared(|shared| start(command, shared))?;
    wait_for(child, group).await
}

/// Waits for a program; kills it and its group if the future is dropped.
async fn wait_for(child: Child, group: Option<u32>) -> io::Result<Output> {
    // Declared before the group, so that the group is dropped first.
    let ended = std::pin::pin!(child.wait_with_output());
    let mut group = Group(group);
    let output = ended.await?;
    group.0 = None;
    Ok(output)
}

fn start(mut command: Command, shared: &mut Shared) -> io::Result<(Child, Option<u32>)> {
    let whose = shared.standard_input;
    let stdin = if system::may_read(whose) { Stdio::inherit() } else { Stdio::null() };
    let has_own_group = system::needs_own_group(whose);
    command.stdin(stdin);
    #[cfg(unix)]
    if has_own_group {
        command.process_group(0);
    }
    let child = command.spawn()?;
    let group = child.id().filter(|_| has_own_group);
    shared.groups.extend(group);
    Ok((child, group))
}

/// Kills the group of a program when dropped.
#[derive(Debug)]
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            system::kill_group(group);
        }
    }
}

#[cfg(unix)]
mod system {
    use std::fs::File;

    use rustix::process::{Pid, Signal, getpgrp, kill_process_group};
    use rustix::termios::tcgetpgrp;

    use super::StandardInput;

    /// Returns whether a program may read from standard input without being stopped and without
    /// taking another process's input.
    pub(super) fn may_read(whose: StandardInput) -> bool {
        match (whose, tcgetpgrp(std::io::stdin())) {
            (StandardInput::Taken, _) => false,
            (_, Ok(front)) => front == getpgrp(),
            // It is no terminal, or not the one that controls this process and could stop it.
            (whose, Err(_)) => whose == StandardInput::Own,
        }
    }

    /// Returns whether a program that opens the terminal could stop this process. Without a
    /// controlling terminal, none can.
    pub(super) fn needs_own_group(whose: StandardInput) -> bool {
        let Ok(terminal) = File::open("/dev/tty") else { return false };
        whose == StandardInput::Taken || tcgetpgrp(terminal).ok() != Some(getpgrp())
    }

    pub(super) fn kill_group(group: u32) {
        let Some(group) = i32::try_from(group).ok().and_then(Pid::from_raw) else { return };
        if let Err(error) = kill_process_group(group, Signal::KILL) {
            tracing::debug!(%error, "a program for credentials ended before it was killed");
        }
    }
}

#[cfg(not(unix))]
mod system {
    use std::io::IsTerminal as _;

    use super::StandardInput;

    /// Returns whether a program may read from standard input. This system stops no process for
    /// that.
    pub(super) fn may_read(whose: StandardInput) -> bool {
        match whose {
            StandardInput::Own => true,
            StandardInput::Shared => std::io::stdin().is_terminal(),
            StandardInput::Taken => false,
        }
    }

    pub(super) fn needs_own_group(_: StandardInput) -> bool {
        false
    }

    pub(super) fn kill_group(_: u32) {}
}

#[cfg(all(test, unix))]
mod tests {
    use std::path::Path;
    use std::time::{Duration, Instant};

    use tokio::io::AsyncWriteExt as _;
    use tokio::time::{sleep, timeout};

    use super::*;

    const LONGEST: Duration = Duration::from_secs(30);
    const POLL: Duration = Duration::from_millis(5);

    fn shell(script: &str, folder: &Path) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(folder);
        command
    }

    #[tokio::test]
    async fn a_program_prints_or_fails() {
        let folder = tempfile::tempdir().unwrap();
        let ended = output(shell("echo a; exit 3", folder.path())).await.unwrap();
        assert_eq!((ended.stdout.as_slice(), ended.status.code()), (&b"a\n"[..], Some(3)));
        assert!(output(Command::new("/no/such/program")).await.is_err());
    }

    /// A program that sleeps, one that was stopped as by a terminal, and one whose child keeps
    /// running.
    #[tokio::test]
    async fn a_program_that_is_not_waited_for_is_killed_with_its_group() {
        let keeps = "sh -c 'echo; exec sleep 1000'; true";
        for script in ["exec sleep 1000", "kill -STOP $$", keeps] {
            let folder = tempfile::tempdir().unwrap();
            let mut command = shell(&format!("echo $$ > pid; {script}"), folder.path());
            // As when the terminal belongs to another process.
            command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = command.kill_on_drop(true).spawn().unwrap();
            let mut read_by_all = child.stdin.take().unwrap();
            let group = child.id();
            let mut running = Box::pin(wait_for(child, group));
            let started = Instant::now();
            while !folder.path().join("pid").exists() {
                assert!(started.elapsed() < LONGEST, "{script}");
                sleep(POLL).await;
            }
            assert!(timeout(Duration::from_millis(50), &mut running).await.is_err(), "{script}");
            drop(running);
            // No process is left that could read.
            while read_by_all.write_all(b"x").await.is_ok() {
                assert!(started.elapsed() < LONGEST, "{script}");
                sleep(POLL).await;
            }
        }
    }
}
