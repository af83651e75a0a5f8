//! The states of a directory as a store.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use remote_state::{
    Capabilities, ContentHash, ETag, Error, ErrorKind, LockInfo, LockRecord, LockTarget, Locking,
    Outgoing, ReadOptions, Released, Result, StateLocation, StateMeta, StateRead, StateStore,
    StateVersion, Workspace, WriteMode, WriteOptions,
};

use super::file;

/// The states of a directory. What a write replaces is kept in a file beside it.
#[derive(Clone)]
pub(super) struct LocalStore {
    path: PathBuf,
    workspace_dir: PathBuf,
    /// The files that this process has locked.
    held: Arc<Mutex<HashMap<PathBuf, File>>>,
}

impl LocalStore {
    pub(super) fn new(path: PathBuf, workspace_dir: PathBuf) -> Self {
        Self { path, workspace_dir, held: Arc::default() }
    }

    fn file(&self, workspace: &Workspace) -> PathBuf {
        if workspace.is_default() {
            return self.path.clone();
        }
        self.workspace_dir.join(workspace.as_str()).join("terraform.tfstate")
    }

    fn held(&self) -> MutexGuard<'_, HashMap<PathBuf, File>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the state of a workspace; `None` if there is none. A file without bytes is none.
    fn bytes(&self, workspace: &Workspace) -> Result<Option<Bytes>> {
        let path = self.file(workspace);
        let bytes = match self.held().get(&path) {
            Some(file) => Some(file::read_locked(file, &path)?),
            None => file::read(&path)?,
        };
        Ok(bytes.filter(|bytes| !bytes.is_empty()))
    }

    /// Lists the workspaces that have a state.
    fn names(&self) -> Result<Vec<Workspace>> {
        let mut names = Vec::new();
        let folders = match fs::read_dir(&self.workspace_dir) {
            Ok(folders) => folders,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(names),
            Err(error) => return Err(file::failed("list", &self.workspace_dir, error)),
        };
        for folder in folders {
            let folder =
                folder.map_err(|error| file::failed("list", &self.workspace_dir, error))?;
            let Ok(name) = folder.file_name().into_string() else { continue };
            let Ok(name) = Workspace::new(name) else { continue };
            if !name.is_default() && self.bytes(&name)?.is_some() {
                names.push(name);
            }
        }
        Ok(names)
    }
}

impl fmt::Debug for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalStore").field("path", &self.path).finish_non_exhaustive()
    }
}

impl fmt::Display for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&url(&self.path))
    }
}

fn url(path: &Path) -> String {
    format!("file://{}", path.display())
}

fn meta(bytes: &[u8]) -> StateMeta {
    let etag = ETag::new(ContentHash::of(bytes).to_string());
    StateMeta::new(bytes.len() as u64).with_etag(Some(etag))
}

fn unsupported(operation: &'static str, message: &str) -> Error {
    Error::new(ErrorKind::Unsupported, operation, message)
}

#[async_trait]
impl StateStore for LocalStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default().with_locking(Locking::Exclusive)
    }

    fn location(&self, workspace: &Workspace) -> StateLocation {
        let path = self.file(workspace);
        let lock = url(&file::info_path(&path));
        StateLocation::new(path.display().to_string(), url(&path), vec![lock])
    }

    fn with_state_key(&self, _: &str) -> Result<Arc<dyn StateStore>> {
        Err(Error::config("states in files have no other keys"))
    }

    async fn read(
        &self,
        workspace: &Workspace,
        options: &ReadOptions,
    ) -> Result<Option<StateRead>> {
        if options.version.is_some() {
            let message = "a file has no versions";
            return Err(Error::new(ErrorKind::NotFound, "read", message));
        }
        Ok(self.bytes(workspace)?.map(|bytes| {
            let read = StateRead::new(meta(&bytes), stream::iter([Ok(bytes)]).boxed());
            match options.limit {
                Some(limit) => read.with_limit(limit),
                None => read,
            }
        }))
    }

    async fn write(
        &self,
        workspace: &Workspace,
        outgoing: Outgoing,
        options: &WriteOptions,
    ) -> Result<StateMeta> {
        let new = outgoing.decided().await?.into_bytes().await?;
        let path = self.file(workspace);
        let old = self.bytes(workspace)?;
        let failed = |message: &str| {
            let message = format!("{message}: `{}`", path.display());
            Err(Error::new(ErrorKind::PreconditionFailed, "write", message))
        };
        match (&options.mode, &old) {
            (WriteMode::Create, Some(_)) => return failed("there is a state already"),
            (WriteMode::Update(_), None) => return failed("the state is gone"),
            (WriteMode::Update(etag), Some(old)) if meta(old).etag.as_ref() != Some(etag) => {
                return failed("the stored state is another one");
            }
            _ => {}
        }
        let old = old.unwrap_or_default();
        match self.held().get(&path) {
            Some(file) => file::replace(file, &path, &old, &new)?,
            None => file::replace(&file::open_to_lock(&path)?, &path, &old, &new)?,
        }
        Ok(meta(&new))
    }

    async fn delete(&self, workspace: &Workspace) -> Result<()> {
        let path = self.file(workspace);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(file::failed("delete", &path, error))
            }
            _ => Ok(()),
        }
    }

    fn workspaces(&self) -> BoxStream<'static, Result<Workspace>> {
        match self.names() {
            Ok(names) => stream::iter(names.into_iter().map(Ok)).boxed(),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    async fn acquire(&self, workspace: &Workspace, info: &LockInfo) -> Result<LockInfo> {
        let path = self.file(workspace);
        let held = || {
            let message = format!("state `{}` is locked", url(&path));
            Error::lock_held("lock", message, file::record(&path))
        };
        if self.held().contains_key(&path) {
            let record = file::record(&path);
            let own = record.info().filter(|own| own.id == info.id);
            return own.cloned().ok_or_else(held);
        }
        let file = file::open_to_lock(&path)?;
        if !file::try_lock(&file, &path)? {
            return Err(held());
        }
        let info = info.clone().with_path(path.display().to_string());
        let written = file::info_path(&path);
        fs::write(&written, info.to_json())
            .map_err(|error| file::failed("write", &written, error))?;
        self.held().insert(path, file);
        Ok(info)
    }

    async fn release(&self, workspace: &Workspace, target: &LockTarget) -> Result<Released> {
        let path = self.file(workspace);
        let Some(found) = self.inspect(workspace).await? else { return Ok(Released::AlreadyFree) };
        let is_meant = match target {
            LockTarget::Id(id) => found.id() == Some(id),
            LockTarget::Unreadable => found.info().is_none(),
        };
        let own = if is_meant { self.held().remove(&path) } else { None };
        let Some(file) = own else {
            let message = format!("state `{}` is locked by another process", url(&path));
            return Err(Error::lock_held("unlock", message, found));
        };
        drop(fs::remove_file(file::info_path(&path)));
        drop(file);
        Ok(Released::Freed(found.info().cloned()))
    }

    /// A description without a lock is left by a process that has ended.
    async fn inspect(&self, workspace: &Workspace) -> Result<Option<LockRecord>> {
        let path = self.file(workspace);
        let is_own = self.held().contains_key(&path);
        if !is_own && (!path.exists() || file::try_lock(&file::open_to_lock(&path)?, &path)?) {
            return Ok(None);
        }
        Ok(Some(file::record(&path)))
    }

    fn locks(&self) -> BoxStream<'static, Result<(Workspace, LockRecord)>> {
        stream::iter([Err(unsupported("list locks", "the locks of files cannot be listed"))])
            .boxed()
    }

    async fn lock_caveat(&self) -> Result<Option<String>> {
        Ok(Some("the lock of a file ends with the process that holds it".to_owned()))
    }

    fn versions(&self, _: &Workspace) -> BoxStream<'static, Result<StateVersion>> {
        stream::iter([Err(unsupported("list versions", "a file has no versions"))]).boxed()
    }
}
