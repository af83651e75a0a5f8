//! What a command works with: the store, the workspace, and who we are.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use remote_state::config::Environment;
use remote_state::directory::{DirectoryOptions, Discovered, OptionNames, discover};
use remote_state::{
    Backend, Error, ErrorKind, LockGuard, LockId, LockInfo, LockWait, Provider, Released,
    StateStore, StateStoreExt as _, Workspace,
};

use crate::args::{Dev, Global};
#[cfg(feature = "dev")]
use crate::dev::DevStore;
use crate::exit::{Failure, Interruption};
use crate::ui::Ui;
use crate::waiting::Waiting;

/// A command's surroundings.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) ui: Ui,
    pub(crate) env: Environment,
    pub(crate) store: Arc<dyn StateStore>,
    pub(crate) provider: &'static dyn Provider,
    pub(crate) backend: Box<dyn Backend>,
    pub(crate) workspace: Workspace,
    /// The directory that is acted in.
    pub(crate) directory: PathBuf,
    /// Which state is meant depends on the directory, and was not said by flags alone. The
    /// embedded store is in the directory.
    pub(crate) backend_is_of_directory: bool,
    pub(crate) lock_wait: LockWait,
    changed_since_init: Option<Error>,
    not_compared: Option<Error>,
    #[cfg(feature = "dev")]
    pub(crate) dev: Option<DevStore>,
}

/// Finds the backend without opening it.
pub(crate) fn find(ui: &Ui, env: &Environment, global: &Global) -> Result<Discovered, Failure> {
    let mut found = match global.dev {
        Some(dev) => dev_backend(dev, global, env)?,
        None => discover(global.here(), env, &options(global), remote_state::providers())?,
    };
    found.config = found.config.with_directory_programs(global.allow_directory_programs);
    for note in found.config.notes() {
        ui.warn(note);
    }
    Ok(found)
}

fn options(global: &Global) -> DirectoryOptions {
    let mut options = DirectoryOptions::default().with_names(OptionNames {
        backend: "--backend",
        backend_config: "--backend-config",
        workspace: "--workspace",
    });
    options.backend.clone_from(&global.backend);
    options.backend_config.clone_from(&global.backend_config);
    options.backend_config.extend(global.dialect.iter().map(|name| format!("dialect={name}")));
    options.workspace.clone_from(&global.workspace);
    options
}

#[cfg(feature = "dev")]
fn dev_backend(dev: Dev, global: &Global, env: &Environment) -> Result<Discovered, Failure> {
    crate::dev::backend(dev, global, env, options(global))
}

#[cfg(not(feature = "dev"))]
fn dev_backend(_: Dev, _: &Global, _: &Environment) -> Result<Discovered, Failure> {
    Err(Error::new(ErrorKind::Unsupported, "open", "this build has no embedded store")
        .with_hint("build it with the feature `dev`")
        .into())
}

/// Says that the state that is read may be that of another run.
pub(crate) fn tell_not_compared(ui: &Ui, error: &Error) {
    ui.note(error.message());
    ui.lines(&crate::exit::lines(error));
}

impl Session {
    pub(crate) async fn open(ui: Ui, env: Environment, global: &Global) -> Result<Self, Failure> {
        let found = find(&ui, &env, global)?;
        let provider = found.provider;
        #[cfg(feature = "dev")]
        let (dev, config) = match global.dev {
            Some(kind) => {
                let (dev, config) = DevStore::start(kind, global.here(), found.config).await?;
                (Some(dev), config)
            }
            None => (None, found.config),
        };
        #[cfg(not(feature = "dev"))]
        let config = found.config;
        let backend = provider.parse(&config)?;
        for warning in backend.warnings() {
            ui.warn(warning);
        }
        for foreign in backend.foreign_endpoints() {
            if foreign.is_sent_vendors_credentials {
                ui.warn(&foreign.to_string());
            } else if ui.is_verbose() {
                ui.note(&foreign.to_string());
            }
        }
        Ok(Self {
            ui,
            env,
            store: backend.open()?,
            provider,
            backend,
            workspace: found.workspace.value,
            directory: global.here().to_owned(),
            backend_is_of_directory: global.backend.is_none() || global.dev.is_some(),
            lock_wait: LockWait::new(global.lock_timeout),
            changed_since_init: found.changed_since_init,
            not_compared: found.not_compared,
            #[cfg(feature = "dev")]
            dev,
        })
    }

    /// Ends what the session has started.
    pub(crate) async fn close(self) {
        #[cfg(feature = "dev")]
        if let Some(dev) = self.dev {
            dev.stop().await;
        }
    }

    /// Goes on even if the block has changed since `init`, with a warning.
    pub(crate) fn may_read(&self) {
        if let Some(error) = &self.changed_since_init {
            self.ui.warn_error(error);
        }
        if let Some(error) = &self.not_compared {
            tell_not_compared(&self.ui, error);
        }
    }

    /// Refuses if the block has changed since `init`, or cannot be compared: nobody knows which
    /// state is meant.
    pub(crate) fn may_write(&mut self) -> Result<(), Failure> {
        let error = self.changed_since_init.take().or_else(|| self.not_compared.take());
        error.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Makes the record of a lock of ours.
    pub(crate) fn lock_info(&self, operation: &str) -> Result<LockInfo, Failure> {
        Ok(LockInfo::new(operation, self.who(), env!("CARGO_PKG_VERSION"), jiff::Timestamp::now())?)
    }

    fn who(&self) -> String {
        // The account's name, as native clients have it; containers often set no variable.
        let user = whoami::username().unwrap_or_default();
        format!("{user}@{}", gethostname::gethostname().to_string_lossy())
    }

    /// Takes the lock, waiting as long as the user allows.
    ///
    /// An interruption never cuts off an attempt: the store may carry it out all the same, and then
    /// nobody would know. It ends the waiting between attempts, and gives back a lock that was
    /// won by then.
    pub(crate) async fn lock(
        &self,
        workspace: &Workspace,
        info: &LockInfo,
    ) -> Result<LockGuard, Failure> {
        let waiting = Waiting::new(self.ui.clone(), self.lock_wait.timeout);
        let mut attempt =
            std::pin::pin!(self.store.lock(workspace, info, self.lock_wait, &waiting));
        let first = interruption();
        let signal = tokio::select! {
            guard = &mut attempt => return Ok(guard?),
            signal = first => signal,
        };
        let second = interruption();
        let was_waiting = waiting.give_up();
        if !was_waiting {
            self.ui.note(
                "interrupted; waiting for the store's answer, so that no lock is left behind; \
                 once more to stop at once",
            );
        }
        let settled = async {
            match attempt.await {
                Ok(guard) => guard.release().await.map(drop),
                Err(error) if error.kind() == ErrorKind::Unknown || error.has_leftovers() => {
                    Err(error)
                }
                // Someone else holds it, or the store refused: nothing of ours is there.
                Err(_) => Ok(()),
            }
        };
        tokio::select! {
            settled = settled => settled?,
            _ = second => return Err(self.stopped(workspace, &info.id, signal)),
        }
        if was_waiting {
            self.ui.note("interrupted; no lock was taken");
        }
        Err(Failure::Interrupted(signal))
    }

    /// Warns of what a lock does not keep out here, and returns the warning.
    pub(crate) async fn warn_of_caveat(&self) -> Option<String> {
        match self.store.lock_caveat().await {
            Ok(caveat) => caveat.inspect(|caveat| self.ui.warn(caveat)),
            Err(error) => {
                self.ui.warn_error(&error);
                None
            }
        }
    }

    /// Does a piece of work under the lock and gives the lock back, whatever came of it.
    ///
    /// An interruption waits for the work: a write that is cut off in the middle leaves nobody
    /// knowing what is stored.
    pub(crate) async fn under_lock<T>(
        &self,
        workspace: &Workspace,
        info: &LockInfo,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        if !self.store.capabilities().locking {
            self.ui.warn(
                "no lock is configured for this state: nothing keeps others from writing at the \
                 same time",
            );
            return work.await;
        }
        let guard = self.lock(workspace, info).await?;
        let lock = guard.id().clone();
        let result = self.finish(workspace, &lock, work).await;
        if matches!(result, Err(Failure::Interrupted(_))) {
            // Nobody wants to wait for a release either; its id has been told.
            drop(guard.keep());
            return result;
        }
        let released =
            guard.release().await.map_err(|error| self.not_released(workspace, &lock, error));
        match (result, released) {
            (Ok(_), Ok(Released::AlreadyFree)) => {
                Err(self.lock_was_broken(workspace, &lock).into())
            }
            (Ok(value), Ok(_)) => Ok(value),
            (Ok(_), Err(error)) => {
                let note = "the work itself was done; only the lock could not be released";
                Err(error.with_context("note", note).into())
            }
            (Err(failure), Ok(_)) => Err(failure),
            (Err(failure), Err(error)) => {
                self.ui.warn_error(&error);
                Err(failure)
            }
        }
    }

    /// Says that nobody knows who else wrote under a lock that was to keep them out.
    pub(crate) fn lock_was_broken(&self, workspace: &Workspace, lock: &LockId) -> Error {
        let state = self.store.location(workspace).state;
        let other = self.flag_for(workspace);
        Error::new(
            ErrorKind::PreconditionFailed,
            "release",
            format!("the lock on `{state}` was released by someone else before the work was done"),
        )
        .with_context("lock id", lock)
        .with_context(
            "note",
            "the work itself was done, but others may have written at the same time",
        )
        .with_hint(format!(
            "make sure that what is stored is what it should be with {}",
            self.ui.command(&format!("pull{other}"))
        ))
    }

    /// Goes on to the end under a lock, and tells an impatient user so. Who asks a second time is
    /// let go, and told what is unknown then.
    pub(crate) async fn finish<T>(
        &self,
        workspace: &Workspace,
        lock: &LockId,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let mut work = std::pin::pin!(work);
        tokio::select! {
            result = &mut work => return result,
            _ = interrupted() => {}
        }
        let again = interruption();
        self.ui.note(
            "finishing first, so that the state is whole and the lock released; once more to stop \
             at once",
        );
        tokio::select! {
            result = &mut work => result,
            signal = again => Err(self.stopped(workspace, lock, signal)),
        }
    }

    /// Names the lock that stays behind, and how to release it: nobody else knows its id.
    fn not_released(&self, workspace: &Workspace, lock: &LockId, error: Error) -> Error {
        // It is somebody else's by now; the error says whose.
        if error.kind() == ErrorKind::LockHeld {
            return error;
        }
        let held =
            if error.kind() == ErrorKind::Unknown { "may still be held" } else { "is still held" };
        let other = self.flag_for(workspace);
        error
            .with_context("lock", self.store.location(workspace).locks.join(" and "))
            .with_context("lock id", lock)
            .with_hint(format!(
                "the lock {held}: release it with {}",
                self.ui.command(&format!("unlock{other} {lock}"))
            ))
    }

    /// What the hints add to a command about this workspace: the flags that they repeat name the
    /// selected one.
    fn flag_for(&self, workspace: &Workspace) -> String {
        if *workspace == self.workspace { String::new() } else { format!(" -w {workspace}") }
    }

    /// Says what is unknown when somebody did not want to wait, and what to do about it.
    fn stopped(&self, workspace: &Workspace, lock: &LockId, signal: Interruption) -> Failure {
        let location = self.store.location(workspace);
        let other = self.flag_for(workspace);
        let error = Error::new(
            ErrorKind::Unknown,
            "stop",
            format!("stopped at once: nobody knows what became of `{}`", location.state),
        )
        .with_context("lock", location.locks.join(" and "))
        .with_context("lock id", lock)
        .with_hint(format!(
            "see what is stored with {}, and what is held with {}",
            self.ui.command(&format!("pull{other}")),
            self.ui.command("locks")
        ))
        .with_hint(format!(
            "the lock may still be held: release it with {}",
            self.ui.command(&format!("unlock{other} {lock}"))
        ));
        Failure::Error(error).report(&self.ui);
        Failure::Interrupted(signal)
    }
}

/// Waits for Ctrl-C, or for a signal by which a process is asked to end.
pub(crate) async fn interrupted() -> Interruption {
    interruption().await
}

/// Listens for an interruption from now on, and returns what waits for it: what comes in between is
/// not missed.
#[cfg(unix)]
pub(crate) fn interruption() -> impl Future<Output = Interruption> {
    use tokio::signal::unix::{SignalKind, signal};
    // Under `nohup` a terminal that is closed is nothing to end for.
    let hangup = (!hangups_are_ignored()).then(|| signal(SignalKind::hangup()).ok()).flatten();
    let others = [SignalKind::interrupt(), SignalKind::terminate()].map(|kind| signal(kind).ok());
    async move {
        let [interrupt, terminate] = others;
        tokio::select! {
            () = received(interrupt) => Interruption::Interrupt,
            () = received(terminate) => Interruption::Terminate,
            () = received(hangup) => Interruption::Hangup,
        }
    }
}

/// Waits for a signal; for ever, if it cannot be listened for.
#[cfg(unix)]
async fn received(signal: Option<tokio::signal::unix::Signal>) {
    if let Some(mut signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// Listens for an interruption from now on, and returns what waits for it.
#[cfg(not(unix))]
pub(crate) fn interruption() -> impl Future<Output = Interruption> {
    async move {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Interruption::Interrupt
    }
}

/// Whether whoever started us wants us to outlive the terminal, as `nohup` does.
#[cfg(unix)]
pub(crate) fn hangups_are_ignored() -> bool {
    static ARE_IGNORED: std::sync::LazyLock<bool> = std::sync::LazyLock::new(|| {
        // Where the system does not tell, they are a request to end.
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        ignored
            .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .is_some_and(|mask| mask & 1 != 0)
    });
    *ARE_IGNORED
}

/// Prepares the process for signals, before anything listens for one.
pub(crate) fn prepare() {
    #[cfg(unix)]
    {
        // Before a handler takes the place of what was inherited.
        let _: bool = hangups_are_ignored();
        // A file that may not grow is an error of the write, which cleans up after itself, and not
        // our end. Handled rather than ignored: commands that we run would inherit that.
        let seen = Arc::default();
        if let Err(error) = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, seen) {
            tracing::debug!(%error, "a limit on the size of files will end this process");
        }
    }
}
