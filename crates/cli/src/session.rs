//! What a command works with: the store, the workspace, and the lock holder's identity.

mod kept_lock;
mod signals;

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use remote_state::config::{Environment, ResolvedConfig};
use remote_state::directory::{DirectoryOptions, Discovered, OptionNames, discover};
use remote_state::{
    Author, Backend, Error, ErrorKind, LockGuard, LockId, LockInfo, LockWait, Provider, Released,
    StateStore, StateStoreExt as _, Workspace,
};

use crate::args::{Dev, Global, flag};
#[cfg(feature = "dev")]
use crate::dev::DevStore;
use crate::exit::{Failure, Interruption};
pub(crate) use crate::session::signals::hangups_are_ignored;
pub(crate) use crate::session::signals::{interrupted, interruption, prepare};
use crate::ui::Ui;
use crate::waiting::Waiting;
#[cfg(unix)]
pub(crate) use kept_lock::KeptLock;

/// A command's surroundings.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) ui: Ui,
    pub(crate) env: Environment,
    pub(crate) store: Arc<dyn StateStore>,
    pub(crate) provider: &'static dyn Provider,
    pub(crate) backend: Box<dyn Backend>,
    pub(crate) config: ResolvedConfig,
    pub(crate) workspace: Workspace,
    /// The directory that the command acts in.
    pub(crate) directory: PathBuf,
    /// The directory takes part in selecting the state, not flags alone. The embedded store is in
    /// the directory.
    pub(crate) backend_is_of_directory: bool,
    pub(crate) lock_wait: LockWait,
    changed_since_init: Option<Error>,
    not_compared: Option<Error>,
    #[cfg(feature = "dev")]
    pub(crate) dev: Option<DevStore>,
}

/// Finds the backend without opening it.
pub(crate) fn find(ui: &Ui, env: &Environment, global: &Global) -> Result<Discovered, Failure> {
    let found = match global.dev {
        Some(dev) => dev_backend(dev, global, env)?,
        None => discover(global.here(), env, &options(global), remote_state::providers())?,
    };
    Ok(noted(ui, global, found))
}

/// Finds a backend that options other than `--backend` name, without opening it.
pub(crate) fn find_named(
    ui: &Ui,
    env: &Environment,
    global: &Global,
    options: &DirectoryOptions,
    providers: &[&'static dyn Provider],
) -> Result<Discovered, Failure> {
    let found = discover(global.here(), env, options, providers)?;
    Ok(noted(ui, global, found))
}

fn noted(ui: &Ui, global: &Global, mut found: Discovered) -> Discovered {
    found.config = found.config.with_directory_programs(global.allow_directory_programs);
    for note in found.config.notes() {
        ui.warn(note);
    }
    found
}

/// Checks a configuration, and prints what a person should know of it.
pub(crate) fn checked(
    ui: &Ui,
    provider: &dyn Provider,
    config: &ResolvedConfig,
) -> Result<Box<dyn Backend>, Failure> {
    let backend = provider.parse(config)?;
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
    Ok(backend)
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

/// Warns that the state may be that of another run.
pub(crate) fn tell_not_compared(ui: &Ui, error: &Error) {
    ui.note(error.message());
    ui.lines(&crate::exit::lines(error));
}

impl Session {
    pub(crate) async fn open(ui: Ui, env: Environment, global: &Global) -> Result<Self, Failure> {
        let found = find(&ui, &env, global)?;
        Self::of(ui, env, global, found).await
    }

    /// Opens the store of a backend.
    pub(crate) async fn of(
        ui: Ui,
        env: Environment,
        global: &Global,
        found: Discovered,
    ) -> Result<Self, Failure> {
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
        let backend = checked(&ui, provider, &config)?;
        Ok(Self {
            ui,
            env,
            store: backend.open()?,
            provider,
            backend,
            config,
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

    /// Stops what the session has started.
    pub(crate) async fn close(self) {
        #[cfg(feature = "dev")]
        if let Some(dev) = self.dev {
            dev.stop().await;
        }
    }

    /// Warns if the block has changed since `init`, and goes on.
    pub(crate) fn may_read(&self) {
        if let Some(error) = &self.changed_since_init {
            self.ui.warn_error(error);
        }
        if let Some(error) = &self.not_compared {
            tell_not_compared(&self.ui, error);
        }
    }

    /// Refuses if the block has changed since `init`, or cannot be compared: it is unclear which
    /// state the user means.
    pub(crate) fn may_write(&mut self) -> Result<(), Failure> {
        let error = self.changed_since_init.take().or_else(|| self.not_compared.take());
        error.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Creates a lock record for this process.
    pub(crate) fn lock_info(&self, operation: &str) -> Result<LockInfo, Failure> {
        Ok(LockInfo::new(operation, self.who(), env!("CARGO_PKG_VERSION"), jiff::Timestamp::now())?)
    }

    /// Returns this process as the author of a state that it writes under a lock.
    pub(crate) fn author(&self, lock: &LockInfo) -> Author {
        Author::under(lock)
            .with_who(self.who())
            .with_client(concat!("remote-state/", env!("CARGO_PKG_VERSION")))
    }

    pub(crate) fn who(&self) -> String {
        // The account's name, as in native clients; containers often set no variable.
        let user = whoami::username().unwrap_or_default();
        format!("{user}@{}", gethostname::gethostname().to_string_lossy())
    }

    /// Takes the lock, waiting as long as the user allows.
    ///
    /// An interruption never cuts off an attempt: the store may carry it out all the same, and the
    /// outcome would be unknown. It ends the waiting between attempts, and releases a lock that was
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
                // Another client holds it, or the store refused: this attempt left nothing.
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

    /// Prints the warning about clients that the lock cannot exclude, and returns it.
    pub(crate) async fn warn_of_caveat(&self) -> Option<String> {
        match self.store.lock_caveat().await {
            Ok(caveat) => caveat.inspect(|caveat| self.ui.warn(caveat)),
            Err(error) => {
                self.ui.warn_error(&error);
                None
            }
        }
    }

    /// Does work under the lock and releases the lock, whatever the outcome.
    ///
    /// An interruption waits for the work: cutting off a write would leave the content of the store
    /// unknown.
    pub(crate) async fn under_lock<T>(
        &self,
        workspace: &Workspace,
        info: &LockInfo,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        if !self.store.capabilities().has_locks() {
            self.ui.warn(
                "no lock is configured for this state: nothing keeps others from writing at the \
                 same time",
            );
            return work.await;
        }
        let guard = self.lock(workspace, info).await?;
        let result = self.finish(workspace, guard.id(), work).await;
        self.settle(workspace, guard, result).await
    }

    /// Does work under the locks of two workspaces and releases both, but for the one that `kept`
    /// asks for if the work fails. They are taken in the given order, which every caller for the
    /// same two has to keep.
    pub(crate) async fn under_both_locks<T>(
        &self,
        [(first, first_info), (second, second_info)]: [(&Workspace, &LockInfo); 2],
        kept: &KeptLock<'_>,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        if !self.store.capabilities().has_locks() {
            return self.under_lock(first, first_info, work).await;
        }
        let guard = self.lock(first, first_info).await?;
        let other = match self.lock(second, second_info).await {
            Ok(other) => other,
            Err(failure) => {
                // Also if the user interrupted the wait: nothing is being done under the first.
                if let Err(error) = guard.release().await {
                    self.ui.warn_error(&self.not_released(first, &first_info.id, error));
                }
                return Err(failure);
            }
        };
        let result = self.finish(second, other.id(), work).await;
        if matches!(result, Err(Failure::Interrupted(_))) {
            self.ui.warn(&format!(
                "the lock on `{}` may still be held: release it with {}",
                self.store.location(first).state,
                self.ui.command(&format!("unlock{} {}", self.flag_for(first), guard.id()))
            ));
        }
        let result = self.settle_unless_kept(second, other, kept, result).await;
        self.settle_unless_kept(first, guard, kept, result).await
    }

    async fn settle_unless_kept<T>(
        &self,
        workspace: &Workspace,
        guard: LockGuard,
        kept: &KeptLock<'_>,
        result: Result<T, Failure>,
    ) -> Result<T, Failure> {
        if !kept.is_asked() || kept.workspace != workspace {
            return self.settle(workspace, guard, result).await;
        }
        let lock = guard.keep();
        self.ui.warn(&format!(
            "the lock on `{}` stays held: a copy of a state that is in use may be there; release \
             it with {}, and repeat the command",
            self.store.location(workspace).state,
            self.ui.command(&format!("unlock{} {}", self.flag_for(workspace), lock.id))
        ));
        result
    }

    /// Releases a lock after the work under it.
    async fn settle<T>(
        &self,
        workspace: &Workspace,
        guard: LockGuard,
        result: Result<T, Failure>,
    ) -> Result<T, Failure> {
        let lock = guard.id().clone();
        if matches!(result, Err(Failure::Interrupted(_))) {
            // The user does not want to wait for a release either; a message has named the id.
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

    /// Creates the error for a broken lock: other clients may have written.
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

    /// Finishes work under a lock, and tells an impatient user so. On a second interruption it
    /// stops waiting and reports what is unknown.
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

    /// Names the lock that remains, and how to release it: no other program knows its id.
    fn not_released(&self, workspace: &Workspace, lock: &LockId, error: Error) -> Error {
        // Another client holds the lock now; the error names it.
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

    /// Returns the flag that hints about this workspace add: the flags that they repeat name the
    /// selected one.
    fn flag_for(&self, workspace: &Workspace) -> String {
        if *workspace == self.workspace { String::new() } else { flag("-w", workspace.as_str()) }
    }

    /// Reports what is unknown after the user stopped waiting, and what to do about it.
    fn stopped(&self, workspace: &Workspace, lock: &LockId, signal: Interruption) -> Failure {
        let location = self.store.location(workspace);
        let other = self.flag_for(workspace);
        let error = Error::new(
            ErrorKind::Unknown,
            "stop",
            format!("stopped at once: the outcome for `{}` is unknown", location.state),
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
