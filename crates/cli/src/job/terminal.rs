//! The terminal, and which process group is in its foreground.
//!
//! A command in a group of its own is in the background of the terminal: it may not read from it,
//! and Ctrl-C does not reach it. So if this process's group is in the foreground, the command's
//! group replaces it. The command may then ask for passwords and for approval, wherever its own
//! streams lead.
//!
//! If other processes share the group, such as the pager of `exec -- terraform plan | less` or the
//! script that runs this program, they use the terminal too, and the command gets it only when it
//! tries to use it.

use std::fs::File;

use nix::sys::signal::{SigSet, Signal as Blocked};
use rustix::process::{Pid, Signal, getpgrp, kill_process_group};
use rustix::termios::{tcgetpgrp, tcsetpgrp};

use crate::job::processes::is_alone;

/// The process group in the foreground of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Front {
    /// This process's group.
    Us,
    /// The command's group.
    Command,
    /// Another job: this process is in the background.
    Others,
    /// There is no terminal.
    NoTerminal,
}

/// Lets this process write to the terminal, and take it back, while the command is in the
/// foreground. Commands do not inherit this.
pub(super) fn prepare() {
    let mut signals = SigSet::empty();
    signals.add(Blocked::SIGTTOU);
    if let Err(error) = signals.thread_block() {
        tracing::debug!(%error, "the terminal cannot be taken back");
    }
}

/// The controlling terminal of this process, if it has one.
#[derive(Debug)]
pub(super) struct Terminal {
    file: Option<File>,
    command: Pid,
}

impl Terminal {
    /// Opens the terminal for a command, which gets it at once if no other process needs it.
    pub(super) fn open(command: Pid) -> Self {
        let file = File::options().read(true).write(true).open("/dev/tty").ok();
        let terminal = Self { file, command };
        if terminal.front() == Front::Us && is_alone() {
            terminal.hand_over();
        }
        terminal
    }

    pub(super) fn front(&self) -> Front {
        let Some(file) = &self.file else { return Front::NoTerminal };
        match tcgetpgrp(file) {
            Ok(front) if front == getpgrp() => Front::Us,
            Ok(front) if front == self.command => Front::Command,
            Ok(_) => Front::Others,
            Err(_) => Front::NoTerminal,
        }
    }

    /// Puts the command in the foreground, and continues it if it has stopped for lack of the
    /// terminal.
    pub(super) fn hand_over(&self) {
        self.put_in_front(self.command);
    }

    /// Puts this process's group in the foreground again, and continues its processes that stopped
    /// on reading meanwhile.
    pub(super) fn take_back(&self) {
        if self.front() == Front::Command {
            self.put_in_front(getpgrp());
        }
    }

    fn put_in_front(&self, group: Pid) {
        let Some(file) = &self.file else { return };
        let moved = tcsetpgrp(file, group).and_then(|()| kill_process_group(group, Signal::CONT));
        if let Err(error) = moved {
            tracing::debug!(%error, "the terminal cannot be handed over");
        }
    }
}
