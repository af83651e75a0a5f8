//! `pull`: prints the state, byte for byte.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use futures_util::TryStreamExt as _;
use indicatif::{ProgressBar, ProgressStyle};
use remote_state::{Error, ErrorKind, ReadOptions, StateRead};
use serde_json::json;

use crate::args::Pull;
use crate::commands::common::{no_state, sealed};
use crate::exit::Failure;
use crate::session::{Session, interruption};
use crate::ui::Ui;

pub(crate) async fn run(session: &Session, args: &Pull) -> Result<(), Failure> {
    session.may_read();
    if args.ignore_digest {
        hand_out(session, args, &ReadOptions::default().ignoring_digest()).await?;
        return verify(session).await;
    }
    hand_out(session, args, &ReadOptions::default()).await.map_err(|failure| match failure {
        Failure::Error(error) if error.kind() == ErrorKind::DigestMismatch => error
            .with_hint(format!(
                "to have it all the same, use {}, which exits with 5",
                session.ui.command("pull --ignore-digest")
            ))
            .into(),
        failure => failure,
    })
}

/// Compares the bytes that were printed with their digest. To repair a state, the user needs both
/// the bytes and the error.
async fn verify(session: &Session) -> Result<(), Failure> {
    let checked = async {
        let read = session
            .store
            .read(&session.workspace, &ReadOptions::default().without_waiting())
            .await?;
        if let Some(mut read) = read
            && session.store.capabilities().has_digests()
        {
            while read.body.try_next().await?.is_some() {}
        }
        Ok::<_, Error>(())
    };
    if let Err(error) = checked.await {
        session.ui.warn("the state was handed out without holding it against its digest");
        return Err(error.into());
    }
    Ok(())
}

async fn hand_out(session: &Session, args: &Pull, options: &ReadOptions) -> Result<(), Failure> {
    let read = session.store.read(&session.workspace, options).await?;
    let read = read.ok_or_else(|| no_state(session, &session.workspace))?;
    let (mut read, seal) = read.with_seal().await?;
    if let Some(seal) = seal {
        session.ui.warn_error(&sealed(session, &session.workspace, "pull", &seal));
    }
    let Some(path) = &args.output else {
        while let Some(bytes) = read.body.try_next().await? {
            session.ui.answer(&bytes)?;
        }
        return Ok(());
    };
    let meta = read.meta.clone();
    save(&session.ui, read, path).await?;
    session.ui.done(&format!("wrote {} bytes to `{}`", meta.size_bytes, path.display()));
    if session.ui.is_json {
        session.ui.json(&json!({
            "version": 1,
            // JSON cannot represent a path that is not text.
            "file": path.to_string_lossy(),
            "size_bytes": meta.size_bytes,
            "etag": meta.etag,
            "version_id": meta.version,
        }))?;
    }
    Ok(())
}

/// The destination of the bytes.
enum Target {
    /// A file to create or replace.
    File(PathBuf),
    /// A device or a pipe, which can only be written to.
    Stream(File),
}

impl Target {
    fn of(path: &Path) -> io::Result<Self> {
        let is_file = match std::fs::metadata(path) {
            Ok(meta) => meta.is_file(),
            // The path may be a dangling link all the same.
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => return Err(error),
        };
        match behind_links(path) {
            Some(file) if is_file => Ok(Self::File(file)),
            _ => Ok(Self::Stream(OpenOptions::new().append(true).open(path)?)),
        }
    }
}

/// Follows a path to the target of the last link, which need not exist. There is no cycle: the
/// system has resolved the path.
///
/// Returns `None` for a descriptor that is already open, such as `/dev/stdout`: the bytes go to the
/// descriptor, whatever file is behind it.
fn behind_links(path: &Path) -> Option<PathBuf> {
    let mut path = path.to_owned();
    loop {
        if path.starts_with("/proc") || path.starts_with("/dev/fd") {
            return None;
        }
        let Ok(target) = std::fs::read_link(&path) else { return Some(path) };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
}

async fn save(ui: &Ui, mut read: StateRead, path: &Path) -> Result<(), Failure> {
    let cannot = |source: io::Error| {
        Error::new(ErrorKind::Local, "pull", format!("cannot write `{}`: {source}", path.display()))
            .with_source(source)
    };
    match Target::of(path).map_err(cannot)? {
        Target::File(target) => {
            // Dropping the transfer removes its temporary file.
            let interruption = interruption();
            tokio::select! {
                replaced = replace(ui, read, &target, cannot) => replaced,
                signal = interruption => {
                    ui.note(&format!("interrupted; `{}` is as it was", path.display()));
                    Err(Failure::Interrupted(signal))
                }
            }
        }
        Target::Stream(mut stream) => {
            while let Some(bytes) = read.body.try_next().await? {
                stream.write_all(&bytes).map_err(|error| match error.kind() {
                    io::ErrorKind::BrokenPipe => Failure::BrokenPipe,
                    _ => cannot(error).into(),
                })?;
            }
            Ok(())
        }
    }
}

/// Writes a file atomically, readable only by its owner.
async fn replace(
    ui: &Ui,
    mut read: StateRead,
    path: &Path,
    cannot: impl Fn(io::Error) -> Error,
) -> Result<(), Failure> {
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The temporary file has mode 0600 and is in the same folder, so that the rename is atomic.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(&cannot)?;
    let progress =
        if ui.shows_progress() { bar(read.meta.size_bytes) } else { ProgressBar::hidden() };
    while let Some(bytes) = read.body.try_next().await? {
        file.write_all(&bytes).map_err(&cannot)?;
        progress.inc(bytes.len() as u64);
    }
    progress.finish_and_clear();
    file.as_file().sync_all().map_err(&cannot)?;
    file.persist(path).map_err(|error| cannot(error.error))?;
    Ok(())
}

fn bar(size_bytes: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {bytes_per_sec}");
    ProgressBar::new(size_bytes).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
