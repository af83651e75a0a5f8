//! Runs a command, and waits for all processes that it starts.
//!
//! The command gets a process group of its own, so each signal reaches it once: whether a sender
//! signals only this process or its whole group, as `timeout` and CI runners do, this process
//! passes the signal on. Terraform takes a first interrupt for a request to end cleanly, and a
//! second one for impatience: it then gives up the state.
//!
//! The processes that the command starts may outlive it. `sh -c` and `make` die of a signal at
//! once, while the Terraform below them still has a state to store.

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

/// Which processes get a request to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// The command, which tells its own children: signalling all of them would be one signal too
    /// many.
    Command,
    /// The command and all of its group.
    Everybody,
    /// All of the group, as if by Ctrl-C. The command passes every other signal on to its children,
    /// which would then get it twice.
    Terminal,
}

/// Prepares the process, while it has one thread, for handing the terminal to a command.
pub(crate) fn prepare() {
    #[cfg(unix)]
    terminal::prepare();
}
