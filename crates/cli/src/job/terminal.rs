//! The terminal, and whose turn it is to read from it.
//!
//! A command in a group of its own is in the background of the terminal: it may not read from it,
//! and Ctrl-C does not reach it. So where our own group is in front, it is put there. It may ask
//! for passwords and for approval then, whatever its own streams are.
//!
//! Where others share our group, the pager of `exec -- terraform plan | less` or the script that
//! runs us, the terminal is theirs as much as ours, and the command gets it only when it asks for
//! it.

use std::fs::File;

use nix::sys::signal::{SigSet, Signal as Blocked};
use rustix::process::{Pid, Signal, getpgrp, kill_process_group};
use rustix::termios::{tcgetpgrp, tcsetpgrp};

use crate::job::processes::is_alone;

/// Who is in front at the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Front {
    /// We, and whoever shares our group.
    Us,
    /// The command.
    Command,
    /// Another job: we are in the background.
    Others,
    /// There is no terminal.
    Nobody,
}

/// Lets this process write to the terminal, and take it back, while the command is in front.
/// Commands do not inherit it.
pub(super) fn prepare() {
    let mut signals = SigSet::empty();
    signals.add(Blocked::SIGTTOU);
    if let Err(error) = signals.thread_block() {
        tracing::debug!(%error, "the terminal cannot be taken back");
    }
}

/// The terminal that controls this process, if one does.
#[derive(Debug)]
pub(super) struct Terminal {
    file: Option<File>,
    command: Pid,
}

impl Terminal {
    /// Opens it for a command, which gets it at once if nobody else needs it.
    pub(super) fn open(command: Pid) -> Self {
        let file = File::options().read(true).write(true).open("/dev/tty").ok();
        let terminal = Self { file, command };
        if terminal.front() == Front::Us && is_alone() {
            terminal.hand_over();
        }
        terminal
    }

    pub(super) fn front(&self) -> Front {
        let Some(file) = &self.file else { return Front::Nobody };
        match tcgetpgrp(file) {
            Ok(front) if front == getpgrp() => Front::Us,
            Ok(front) if front == self.command => Front::Command,
            Ok(_) => Front::Others,
            Err(_) => Front::Nobody,
        }
    }

    /// Puts the command in front, and has it go on if it has stopped because it was not.
    pub(super) fn hand_over(&self) {
        self.put_in_front(self.command);
    }

    /// Puts our own group in front again. Whoever in it wanted to read meanwhile has stopped, and
    /// goes on.
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
