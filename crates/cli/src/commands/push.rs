//! `push`: a state takes the place of the stored one, under the lock and by the rules.

use std::io::Read as _;
use std::path::Path;

use bytes::Bytes;
use remote_state::{
    Error, ErrorKind, LockId, ReadOptions, Refusal, StateBytes, StateHeader, StateMeta, Succession,
    SuccessionRules, WriteMode,
};
use serde_json::json;

use crate::args::Push;
use crate::commands::not_readable;
use crate::exit::Failure;
use crate::session::Session;

pub(crate) async fn run(session: &mut Session, args: &Push) -> Result<(), Failure> {
    session.may_write()?;
    let session = &*session;
    let name = if args.file.as_os_str() == "-" {
        "standard input".to_owned()
    } else {
        format!("`{}`", args.file.display())
    };
    let bytes = read_source(&args.file, &name)?;
    let header = StateHeader::parse(&bytes).map_err(|error| not_a_state(&name, &error))?;
    let written = if let Some(id) = &args.lock_id {
        check_held(session, &LockId::new(id)).await?;
        session
            .finish(&session.workspace, &LockId::new(id), put(session, &name, bytes, &header, args))
            .await?
    } else {
        let info = session.lock_info("state-push")?;
        session.under_lock(&session.workspace, &info, put(session, &name, bytes, &header, args)).await?
    };
    report(session, &header, written)
}

fn read_source(path: &Path, name: &str) -> Result<Bytes, Failure> {
    let mut bytes = Vec::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().read_to_end(&mut bytes).map(drop)
    } else {
        std::fs::read(path).map(|read| bytes = read)
    };
    read.map_err(|source| {
        let kind = if source.kind() == std::io::ErrorKind::NotFound {
            ErrorKind::NotFound
        } else {
            ErrorKind::Local
        };
        Error::new(kind, "push", format!("cannot read {name}: {source}")).with_source(source)
    })?;
    if bytes.is_empty() {
        return Err(Error::new(ErrorKind::InvalidState, "push", format!("{name} is not a Terraform state: it is empty"))
            .with_context("note", "nothing was written")
            .with_hint("the command that should have written it may have failed; to drop a state, use `remote-state workspace delete`")
            .into());
    }
    Ok(bytes.into())
}

fn not_a_state(name: &str, error: &Error) -> Error {
    Error::new(ErrorKind::InvalidState, "push", format!("{name} is {}", error.message()))
        .with_context("note", "nothing was written")
}

/// Makes sure that the lock under which to write is held, by that id.
async fn check_held(session: &Session, id: &LockId) -> Result<(), Failure> {
    let state = session.store.location(&session.workspace).state;
    match session.store.inspect(&session.workspace).await? {
        Some(record) if record.id() == Some(id) => Ok(()),
        Some(record) => {
            Err(Error::lock_held("push", format!("state `{state}` is locked with another id"), record).into())
        }
        None => Err(Error::new(
            ErrorKind::PreconditionFailed,
            "push",
            format!("the lock `{id}` is not held on `{state}`: someone released it"),
        )
        .with_hint("take a new one with `remote-state lock`, after making sure that nobody wrote in between")
        .into()),
    }
}

/// Writes the bytes if they may follow what is stored. Returns nothing if they are stored already.
async fn put(
    session: &Session,
    name: &str,
    bytes: Bytes,
    header: &StateHeader,
    args: &Push,
) -> Result<Option<StateMeta>, Failure> {
    let mut options = ReadOptions::default();
    if args.repair_digest {
        options = options.ignoring_digest();
    }
    let stored = match session.store.read(&session.workspace, &options).await? {
        Some(read) => Some(read.collect().await?),
        None => None,
    };
    if !args.force
        && let Some(stored) = &stored
    {
        let stored_header = StateHeader::parse(&stored.bytes)
            .map_err(|error| not_comparable(session, &stored.meta, error))?;
        match SuccessionRules::PUSH.check(Some(&stored_header), header, || stored.bytes == bytes) {
            Ok(Succession::Follows) => {}
            // What is stored is right then, and its digest may not be: writing records it.
            Ok(Succession::Unchanged) if args.repair_digest => {}
            Ok(Succession::Unchanged) => return Ok(None),
            Err(refusal) => return Err(refused(session, name, &refusal)),
        }
    }
    let mode = match stored {
        None => WriteMode::Create,
        Some(StateBytes { meta: StateMeta { etag: Some(etag), .. }, .. }) => WriteMode::Update(etag),
        Some(_) => WriteMode::Overwrite,
    };
    Ok(Some(session.store.write(&session.workspace, bytes.into(), &mode).await?))
}

fn not_comparable(session: &Session, meta: &StateMeta, error: Error) -> Failure {
    not_readable(session, &session.workspace, meta, error)
        .with_hint("look at it with `remote-state pull`; to replace it all the same, pass `--force`")
        .into()
}

fn refused(session: &Session, name: &str, refusal: &Refusal) -> Failure {
    Error::new(
        ErrorKind::PreconditionFailed,
        "push",
        format!("{name} may not replace the stored state: {refusal}"),
    )
    .with_context("stored at", session.store.location(&session.workspace).state)
    .with_hint("compare the two with `remote-state pull`; to replace it all the same, pass `--force`")
    .into()
}

fn report(session: &Session, header: &StateHeader, written: Option<StateMeta>) -> Result<(), Failure> {
    let state = session.store.location(&session.workspace).state;
    match &written {
        Some(meta) => session
            .ui
            .done(&format!("wrote serial {} ({} bytes) to `{state}`", header.serial, meta.size_bytes)),
        None => session
            .ui
            .done(&format!("serial {} is stored at `{state}` already; nothing to write", header.serial)),
    }
    if !session.ui.is_json {
        return Ok(());
    }
    let meta = written.as_ref();
    session.ui.json(&json!({
        "version": 1,
        "state": state,
        "workspace": session.workspace.as_str(),
        "written": written.is_some(),
        "serial": header.serial,
        "lineage": header.lineage,
        "etag": meta.and_then(|meta| meta.etag.as_ref()),
        "version_id": meta.and_then(|meta| meta.version.as_ref()),
    }))
}
