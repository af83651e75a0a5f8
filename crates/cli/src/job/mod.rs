//! A command that is run, and whatever it starts, from its start to the end of the last of them.
//!
//! The command gets a process group of its own, so each signal reaches it once: whether only we are
//! signalled or our whole group, as `timeout` and CI runners do, it is we who pass it on. Terraform
//! takes a first interrupt for a request to end well, and a second one for impatience: it
//! then gives up the state.
//!
//! What the command starts may outlive it. `sh -c` and `make` die of a signal at once, while the
//! Terraform below them still has a state to store.

mod signals;

#[cfg(unix)]
mod processes;
#[cfg(unix)]
#[path = "unix.rs"]
mod system;
#[cfg(unix)]
mod terminal;

#[cfg(not(unix))]
#[path = "other.rs"]
mod system;

pub(crate) use signals::{Caught, Signals};
pub(crate) use system::run;

/// Who is told when we are asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// The command, which tells what it has started by itself: a signal to all of them would be one
    /// too many.
    Command,
    /// The command and all of its group.
    Everybody,
    /// All of the group, as if by Ctrl-C. It passes every other signal on to what it has started,
    /// which would then be told twice.
    Terminal,
}

/// Prepares the process, while it has one thread, for a command that may be given the terminal.
pub(crate) fn prepare() {
    #[cfg(unix)]
    terminal::prepare();
}
