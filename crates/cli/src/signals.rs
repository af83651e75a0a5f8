//! Passing signals on to a command, each of them once.
//!
//! Terraform takes a first interrupt for a request to end well, and a second one for impatience: it then gives up the state. So each signal has to
//! arrive exactly once, and who else receives it decides whether to pass it on.

pub(crate) use imp::Signals;

/// Who receives the signals of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// A person at a terminal. The command stays in our process group, so that it may read from the terminal; Ctrl-C reaches both of us.
    Terminal,
    /// A machine. The command gets a process group of its own: whether only we are signalled, or our whole group as `timeout` and CI runners do,
    /// it is we who tell it.
    Machine,
}

impl Audience {
    pub(crate) fn of_this_process() -> Self {
        use std::io::IsTerminal as _;
        let is_terminal = std::io::stdin().is_terminal()
            || std::io::stdout().is_terminal()
            || std::io::stderr().is_terminal();
        if is_terminal { Self::Terminal } else { Self::Machine }
    }

    /// Puts a command where its signals will reach it.
    pub(crate) fn prepare(self, command: &mut tokio::process::Command) {
        #[cfg(unix)]
        if self == Self::Machine {
            let _: &mut tokio::process::Command = command.process_group(0);
        }
        #[cfg(not(unix))]
        drop((self, command));
    }
}

#[cfg(unix)]
mod imp {
    use remote_state::{Error, ErrorKind, Result};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    use signal_hook::iterator::SignalsInfo;
    use signal_hook::iterator::exfiltrator::WithOrigin;
    use signal_hook::low_level::siginfo::{Cause, Origin};
    use tokio::process::Child;
    use tokio::sync::mpsc;

    use super::Audience;

    /// The signals that are meant for the command.
    #[derive(Debug)]
    pub(crate) struct Signals(mpsc::UnboundedReceiver<i32>);

    impl Signals {
        /// Listens from now on; the signals that would end this process no longer do.
        ///
        /// # Errors
        /// `Local` if the system does not allow it.
        pub(crate) fn listen(audience: Audience) -> Result<Self> {
            let mut signals =
                SignalsInfo::<WithOrigin>::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM]).map_err(|source| {
                    Error::new(ErrorKind::Local, "exec", "cannot listen for signals").with_source(source)
                })?;
            let (sender, receiver) = mpsc::unbounded_channel();
            // The thread sleeps until the process ends.
            drop(std::thread::spawn(move || {
                for Origin { signal, cause, .. } in signals.forever() {
                    // What the terminal sent has reached the whole group, the command with us.
                    let is_for_us_alone = audience == Audience::Machine || matches!(cause, Cause::Sent(_));
                    if is_for_us_alone && sender.send(signal).is_err() {
                        return;
                    }
                }
            }));
            Ok(Self(receiver))
        }

        pub(crate) async fn next(&mut self) -> i32 {
            match self.0.recv().await {
                Some(signal) => signal,
                None => std::future::pending().await,
            }
        }

        pub(crate) fn pass_on(&self, child: &Child, signal: i32) {
            let pid =
                child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
            let signal = rustix::process::Signal::from_named_raw(signal);
            if let (Some(pid), Some(signal)) = (pid, signal)
                && let Err(error) = rustix::process::kill_process(pid, signal)
            {
                tracing::debug!(%error, "the command ended before the signal reached it");
            }
        }
    }
}

#[cfg(not(unix))]
mod imp {
    use remote_state::Result;
    use tokio::process::Child;

    use super::Audience;

    /// Ctrl-C reaches the command by itself; all there is to do is to outlive it.
    #[derive(Debug)]
    pub(crate) struct Signals;

    impl Signals {
        pub(crate) fn listen(_: Audience) -> Result<Self> {
            drop(tokio::spawn(async { while tokio::signal::ctrl_c().await.is_ok() {} }));
            Ok(Self)
        }

        pub(crate) async fn next(&mut self) -> i32 {
            std::future::pending().await
        }

        pub(crate) fn pass_on(&self, _: &Child, _: i32) {}
    }
}
