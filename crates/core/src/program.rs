//! Programs that print credentials, and whose terminal and standard input they use.
//!
//! Such a program may ask a person. A process that reads from a terminal in the background is
//! stopped by `SIGTTIN`, and so is its whole process group: the program must not be in the group of
//! a server that others depend on, and must not take what another process is meant to read.

use std::io;
use std::process::{Output, Stdio};
use std::sync::{Mutex, PoisonError};

use tokio::process::{Child, Command};

/// Whose the standard input of this process is. It is one per process, and so is the setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StandardInput {
    /// It is for this process alone, and so for the programs that this process starts.
    #[default]
    Own,
    /// It belongs to nobody or to another process. A program may read from it only if it is a
    /// terminal in whose foreground this process is.
    Shared,
    /// Another process reads from it and from the terminal now. No program may.
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

/// Says whose the standard input is, for every program that starts from now on.
pub fn set_standard_input(whose: StandardInput) {
    shared(|shared| shared.standard_input = whose);
}

/// Returns whether a process group was made for a program. Who waits for processes by their group
/// leaves those to the runtime.
///
/// Ask after having seen the group: a program that is being started counts already.
pub fn is_group_of_program(group: u32) -> bool {
    shared(|shared| shared.groups.contains(&group))
}

/// Runs a program to its end, with the standard error of this process, and returns what it prints.
///
/// The program reads from standard input if [`StandardInput`] and the terminal allow it, and from
/// nothing otherwise. Unless this process is in the foreground of its terminal, the program has a
/// process group of its own, so that one that opens the terminal itself stops alone. A program that
/// is no longer waited for, because the future is dropped, is killed with its group.
///
/// # Errors
/// If the program cannot be started or waited for.
pub async fn output(mut command: Command) -> io::Result<Output> {
    // `Command::output` would keep back standard error.
    command.stderr(Stdio::inherit()).stdout(Stdio::piped()).kill_on_drop(true);
    let (child, group) = shared(|shared| start(command, shared))?;
    wait_for(child, group).await
}

/// Waits for a program, and kills it and its group if it is no longer waited for.
async fn wait_for(child: Child, group: Option<u32>) -> io::Result<Output> {
    // Declared before the group, so that the group goes first.
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

/// Kills the group of a program that nobody waits for any more.
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
    /// taking what is another's.
    pub(super) fn may_read(whose: StandardInput) -> bool {
        match (whose, tcgetpgrp(std::io::stdin())) {
            (StandardInput::Taken, _) => false,
            (_, Ok(front)) => front == getpgrp(),
            // It is no terminal, or none that controls this process and could stop it.
            (whose, Err(_)) => whose == StandardInput::Own,
        }
    }

    /// Returns whether a program that opens the terminal could stop this process. Where no terminal
    /// controls this process, none can.
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

    /// Nothing here stops a process that reads from the terminal.
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

    /// One that sleeps, one that has been stopped, as by a terminal, and one that a child keeps.
    #[tokio::test]
    async fn a_program_that_is_not_waited_for_is_killed_with_its_group() {
        let keeps = "sh -c 'echo; exec sleep 1000'; true";
        for script in ["exec sleep 1000", "kill -STOP $$", keeps] {
            let folder = tempfile::tempdir().unwrap();
            let mut command = shell(&format!("echo $$ > pid; {script}"), folder.path());
            // As where the terminal is another's.
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
            // Nobody is left who could read.
            while read_by_all.write_all(b"x").await.is_ok() {
                assert!(started.elapsed() < LONGEST, "{script}");
                sleep(POLL).await;
            }
        }
    }
}
