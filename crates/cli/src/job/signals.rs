//! The signals that this process receives.

/// A signal that was caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caught {
    /// A child process has changed its state.
    Child,
    /// A request to continue after a stop.
    Continue,
    /// A request to end, with the number of the signal.
    End(i32),
    /// A request to stop until a request to continue.
    Stop,
}

pub(crate) use imp::Signals;

#[cfg(unix)]
mod imp {
    use std::time::{Duration, Instant};

    use remote_state::{Error, ErrorKind, Result};
    use signal_hook::consts::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
    use signal_hook::iterator::SignalsInfo;
    use signal_hook::iterator::exfiltrator::WithOrigin;
    use signal_hook::low_level::siginfo::Origin;
    use tokio::sync::mpsc;

    use super::Caught;

    /// Within this time the same signal is a repetition. `timeout` signals its command and then its
    /// group, which the command is in; if a sender signals a whole group, the `make` or the shell
    /// in it passes the signal on as well.
    const SAME: Duration = Duration::from_secs(1);

    /// The caught signals, in order.
    #[derive(Debug)]
    pub(crate) struct Signals(mpsc::UnboundedReceiver<Caught>);

    impl Signals {
        /// Starts listening; the signals that would end this process no longer do.
        ///
        /// # Errors
        /// `Local` if the system does not allow it.
        pub(crate) fn listen() -> Result<Self> {
            let mut caught = vec![SIGCHLD, SIGCONT, SIGINT, SIGQUIT, SIGTERM, SIGTSTP];
            // Under `nohup`, closing the terminal is no request to end.
            if !crate::session::hangups_are_ignored() {
                caught.push(SIGHUP);
            }
            let mut signals = SignalsInfo::<WithOrigin>::new(caught).map_err(|source| {
                Error::new(ErrorKind::Local, "exec", "cannot listen for signals")
                    .with_source(source)
            })?;
            let (sender, receiver) = mpsc::unbounded_channel();
            // The thread sleeps until the process ends.
            drop(std::thread::spawn(move || {
                let mut seen = Seen::default();
                for Origin { signal, process, .. } in signals.forever() {
                    // The terminal is not a process.
                    let is_sent = process.is_some();
                    let caught = match signal {
                        SIGCHLD => Caught::Child,
                        SIGCONT => Caught::Continue,
                        SIGTSTP => Caught::Stop,
                        _ if seen.is_a_repetition(signal, is_sent, Instant::now()) => continue,
                        signal => Caught::End(signal),
                    };
                    if sender.send(caught).is_err() {
                        return;
                    }
                }
            }));
            Ok(Self(receiver))
        }

        /// Waits for the next signal.
        pub(crate) async fn next(&mut self) -> Caught {
            match self.0.recv().await {
                Some(caught) => caught,
                None => std::future::pending().await,
            }
        }

        /// Waits for the next request to end.
        pub(crate) async fn next_end(&mut self) -> i32 {
            loop {
                if let Caught::End(signal) = self.next().await {
                    return signal;
                }
            }
        }
    }

    /// The last signal that was passed on.
    #[derive(Debug, Default)]
    struct Seen(Option<(i32, Instant)>);

    impl Seen {
        /// Returns whether the same signal was sent a moment ago. A user who presses Ctrl-C twice
        /// means it.
        fn is_a_repetition(&mut self, signal: i32, is_sent: bool, now: Instant) -> bool {
            let is_same = self.0.is_some_and(|(last, at)| {
                is_sent && last == signal && now.saturating_duration_since(at) < SAME
            });
            if !is_same {
                self.0 = is_sent.then_some((signal, now));
            }
            is_same
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn what_is_sent_at_once_to_us_and_to_our_group_is_one_signal() {
            let now = Instant::now();
            for ((signal, is_sent, after), is_same) in [
                ((SIGTERM, true, Duration::ZERO), true),
                ((SIGTERM, true, SAME / 2), true),
                ((SIGTERM, true, SAME), false),
                ((SIGINT, true, Duration::ZERO), false),
                ((SIGTERM, false, Duration::ZERO), false),
            ] {
                let mut seen = Seen::default();
                assert!(!seen.is_a_repetition(SIGTERM, true, now));
                assert_eq!(
                    seen.is_a_repetition(signal, is_sent, now + after),
                    is_same,
                    "{signal} {after:?}"
                );
            }
            // The second of two Ctrl-C is not a repetition.
            let mut seen = Seen::default();
            assert!(!seen.is_a_repetition(SIGINT, false, now));
            assert!(!seen.is_a_repetition(SIGINT, false, now));
            // Each later request counts.
            assert!(!seen.is_a_repetition(SIGTERM, true, now));
            assert!(seen.is_a_repetition(SIGTERM, true, now + SAME / 2));
            assert!(!seen.is_a_repetition(SIGTERM, true, now + SAME));
        }
    }
}

#[cfg(not(unix))]
mod imp {
    use remote_state::Result;

    use super::Caught;

    /// Ctrl-C reaches the command by itself; this process only has to survive it.
    #[derive(Debug)]
    pub(crate) struct Signals;

    impl Signals {
        pub(crate) fn listen() -> Result<Self> {
            drop(tokio::spawn(async { while tokio::signal::ctrl_c().await.is_ok() {} }));
            Ok(Self)
        }

        pub(crate) async fn next(&mut self) -> Caught {
            std::future::pending().await
        }

        pub(crate) async fn next_end(&mut self) -> i32 {
            std::future::pending().await
        }
    }
}
