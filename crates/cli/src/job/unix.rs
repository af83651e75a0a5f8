//! Systems with process groups.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitOptions, getpgrp, kill_process, kill_process_group, waitpid,
};
use tokio::time::sleep;

use crate::job::processes::{self, Process};
use crate::job::terminal::{Front, Terminal};
use crate::job::{Audience, Caught, Signals};
use crate::ui::Ui;

/// How long the remaining processes may take to end before a message appears.
const SILENCE: Duration = Duration::from_millis(500);

/// The interval of checks for remaining processes. The system does not report the end of a process
/// that is not a child.
const LOOK: Duration = Duration::from_millis(50);

/// Runs a command and waits for all processes that it started. Returns its exit code, as shells
/// count it.
///
/// A request to end calls `on_end` before the command gets it.
///
/// # Errors
/// Those of starting it, and of waiting for it.
pub(crate) async fn run(
    mut command: Command,
    audience: Audience,
    signals: &mut Signals,
    ui: Ui,
    on_end: &(dyn Fn() + Sync),
) -> io::Result<u8> {
    processes::adopt_orphans();
    let child = command.process_group(0).spawn()?;
    let leader =
        i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
    let mut job = Job { leader, audience, asked: 0, terminal: Terminal::open(leader) };
    let code = loop {
        // Check before waiting: the command may have ended already.
        if let Some(code) = job.look()? {
            break code;
        }
        match signals.next().await {
            Caught::Child => processes::reap(leader),
            Caught::Continue => job.go_on(),
            Caught::Stop => job.stop(),
            Caught::End(signal) => {
                on_end();
                job.pass_on(signal);
            }
        }
    };
    job.terminal.take_back();
    job.wait_for_the_rest(signals, ui, on_end).await;
    Ok(code)
}

struct Job {
    leader: Pid,
    audience: Audience,
    /// How many requests to end have arrived.
    asked: usize,
    terminal: Terminal,
}

impl Job {
    /// Checks the command, and returns its exit code if it has ended.
    fn look(&self) -> io::Result<Option<u8>> {
        loop {
            let options = WaitOptions::NOHANG | WaitOptions::UNTRACED;
            let Some((_, status)) = waitpid(Some(self.leader), options)? else { return Ok(None) };
            if let Some(code) = status.exit_status() {
                return Ok(Some(u8::try_from(code).unwrap_or(1)));
            }
            if let Some(signal) = status.terminating_signal() {
                return Ok(Some(u8::try_from(128 + signal).unwrap_or(u8::MAX)));
            }
            if let Some(signal) = status.stopping_signal() {
                self.has_stopped(signal);
            }
        }
    }

    /// Handles a stop of the command: it may not use the terminal, or somebody stopped it.
    fn has_stopped(&self, signal: i32) {
        let wants_terminal = signal == Signal::TTIN.as_raw() || signal == Signal::TTOU.as_raw();
        match (self.terminal.front(), wants_terminal) {
            (Front::Us, true) => self.terminal.hand_over(),
            // The command got the foreground a moment after it checked.
            (Front::Command, true) => self.tell_all(Signal::CONT),
            // Ctrl-Z, or a command that needs an `fg` first. The parent of this process has to see
            // it stop.
            (Front::Command, false) | (Front::Others, true) => {
                if processes::is_orphaned() {
                    self.tell_all(Signal::CONT);
                } else {
                    self.terminal.take_back();
                    tell_group(getpgrp(), Signal::STOP);
                }
            }
            // This process is about to stop too, or the stop is between the command and its sender.
            (Front::Us | Front::Others | Front::NoTerminal, _) => {}
        }
    }

    /// Stops this process as requested, and the command with it.
    fn stop(&self) {
        if !processes::is_orphaned() {
            self.tell_all(Signal::TSTP);
            tell(rustix::process::getpid(), Signal::STOP);
        }
    }

    /// Continues the command: in the foreground if this process is.
    fn go_on(&self) {
        if self.terminal.front() == Front::Us && processes::is_alone() {
            self.terminal.hand_over();
        }
        self.tell_all(Signal::CONT);
    }

    fn pass_on(&mut self, signal: i32) {
        self.asked += 1;
        let Some(signal) = passed_on(signal) else { return };
        match self.audience {
            // Ctrl-C reaches all processes at a terminal, and all are prepared for it.
            _ if signal == Signal::INT => self.tell_all(signal),
            Audience::Command => tell(self.leader, signal),
            Audience::Everybody => self.tell_all(signal),
            Audience::Terminal => self.tell_all(Signal::INT),
        }
    }

    fn tell_all(&self, signal: Signal) {
        tell_group(self.leader, signal);
    }

    /// Keeps serving while processes of the command run. A second request to end still counts.
    async fn wait_for_the_rest(
        &mut self,
        signals: &mut Signals,
        ui: Ui,
        on_end: &(dyn Fn() + Sync),
    ) {
        let ended = Instant::now();
        let mut is_told = false;
        loop {
            processes::reap(self.leader);
            let left = processes::living(self.leader);
            if left.is_empty() {
                return;
            }
            if !is_told && ended.elapsed() >= SILENCE {
                let how = if self.asked == 0 { "interrupt twice" } else { "interrupt once more" };
                ui.note(&format!(
                    "the command has ended; its state is still served to {}, which it has \
                     started; {how} to stop waiting",
                    names(&left)
                ));
                is_told = true;
            }
            let caught = tokio::select! {
                caught = signals.next() => caught,
                () = sleep(LOOK) => continue,
            };
            match caught {
                Caught::End(_) if self.asked > 0 => {
                    ui.warn(&format!(
                        "stopped waiting for {}: what it has not stored is not stored here",
                        names(&left)
                    ));
                    return;
                }
                Caught::End(signal) => {
                    on_end();
                    self.asked += 1;
                    if let Some(signal) = passed_on(signal) {
                        self.tell_all(signal);
                        left.iter().filter(|process| process.group != self.leader).for_each(
                            |process| {
                                tell(process.pid, signal);
                            },
                        );
                    }
                }
                Caught::Continue => self.tell_all(Signal::CONT),
                Caught::Stop => self.stop(),
                Caught::Child => {}
            }
        }
    }
}

/// A closed terminal is a request to end. The signal itself would end Terraform at once, with its
/// state unsaved and its lock held.
fn passed_on(signal: i32) -> Option<Signal> {
    let signal = Signal::from_named_raw(signal)?;
    Some(if signal == Signal::HUP { Signal::TERM } else { signal })
}

/// ``` `terraform` (process 7) and 2 more ```
fn names(processes: &[Process]) -> String {
    let named = |process: &Process| {
        format!("`{}` (process {})", process.name, process.pid.as_raw_nonzero())
    };
    match processes {
        [] => "no process".to_owned(),
        [one] => named(one),
        [first, rest @ ..] => format!("{} and {} more", named(first), rest.len()),
    }
}

fn tell(pid: Pid, signal: Signal) {
    if let Err(error) = kill_process(pid, signal) {
        tracing::debug!(%error, "a process ended before the signal reached it");
    }
}

fn tell_group(group: Pid, signal: Signal) {
    if let Err(error) = kill_process_group(group, signal) {
        tracing::debug!(%error, "the command ended before the signal reached it");
    }
}
