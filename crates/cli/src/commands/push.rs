//! `push`: a state takes the place of the stored one, under the lock and by the rules.

use futures_util::TryStreamExt as _;
use remote_state::{
    ContentHasher, Error, ErrorKind, HeaderReader, LockId, Progress, ReadOptions, Refusal,
    Result as StoreResult, StateHeader, StateMeta, Succession, SuccessionRules, WriteMode,
};
use serde_json::json;

use crate::args::Push;
use crate::commands::{not_readable, with_warning};
use crate::exit::Failure;
use crate::session::Session;
use crate::source::Pushed;

/// What is left of a stored state is read to its end if it is at most this long: that is cheaper than a new connection to the store.
const CHEAP_REST_BYTES: u64 = 64 << 10;

pub(crate) async fn run(session: &mut Session, args: &Push) -> Result<(), Failure> {
    session.may_write()?;
    let session = &*session;
    let pushed = Pushed::read(session.ui, &args.file).await?;
    let work = async {
        let caveat = session.warn_of_caveat().await;
        Ok((put(session, &pushed, args).await?, caveat))
    };
    let (written, caveat) = if let Some(id) = &args.lock_id {
        check_held(session, &LockId::new(id)).await?;
        session.finish(&session.workspace, &LockId::new(id), work).await?
    } else {
        let info = session.lock_info("state-push")?;
        session.under_lock(&session.workspace, &info, work).await?
    };
    report(session, &pushed.header, written, caveat)
}

/// Makes sure that the lock under which to write is held, by that id.
async fn check_held(session: &Session, id: &LockId) -> Result<(), Failure> {
    let state = session.store.location(&session.workspace).state;
    match session.store.inspect(&session.workspace).await? {
        Some(record) if record.is_held_by(id) => Ok(()),
        Some(record) if record.id() != Some(id) => {
            Err(Error::lock_held("push", format!("state `{state}` is locked with another id"), record).into())
        }
        // What is being released is nobody's own any more.
        Some(_) | None => Err(Error::new(
            ErrorKind::PreconditionFailed,
            "push",
            format!("the lock `{id}` is not held on `{state}`: someone released it"),
        )
        .with_hint("take a new one with `remote-state lock`, after making sure that nobody wrote in between")
        .into()),
    }
}

/// Writes the state if it may follow what is stored. Returns nothing if it is stored already.
async fn put(session: &Session, pushed: &Pushed, args: &Push) -> Result<Option<StateMeta>, Failure> {
    let stored = read_stored(session, pushed, args).await?;
    if !args.force
        && let Some(stored) = &stored
    {
        let header = stored.header.as_ref().map_err(|error| not_comparable(session, &stored.meta, error))?;
        match SuccessionRules::PUSH.check(Some(header), &pushed.header, || stored.is_same) {
            Ok(Succession::Follows) => {}
            // What is stored is right then, and its digest may not be: writing records it.
            Ok(Succession::Unchanged) if args.repair_digest => {}
            Ok(Succession::Unchanged) => return Ok(None),
            Err(refusal) => return Err(refused(session, &pushed.name, &refusal)),
        }
    }
    let mode = match stored {
        None => WriteMode::Create,
        Some(Stored { meta: StateMeta { etag: Some(etag), .. }, .. }) => WriteMode::Update(etag),
        Some(_) => WriteMode::Overwrite,
    };
    Ok(Some(session.store.write(&session.workspace, pushed.source.clone(), &mode).await?))
}

/// What is stored, as far as it decides whether another state may follow.
struct Stored {
    meta: StateMeta,
    header: StoreResult<StateHeader>,
    is_same: bool,
}

/// Reads what decides, and no further: of most states that is their beginning.
async fn read_stored(session: &Session, pushed: &Pushed, args: &Push) -> Result<Option<Stored>, Failure> {
    let mut options = ReadOptions::default();
    if args.repair_digest {
        options = options.ignoring_digest();
    }
    let Some(mut read) = session.store.read(&session.workspace, &options).await? else { return Ok(None) };
    let is_verified_at_its_end = session.store.capabilities().digests && !args.repair_digest;
    // Whoever forces a state in does not ask whether it is there already.
    let may_be_same = !args.force && read.meta.size_bytes == pushed.source.size_bytes();
    let mut hasher = may_be_same.then(ContentHasher::default);
    let mut reader = Some(HeaderReader::new());
    let mut header = None;
    let mut left = read.meta.size_bytes;
    while let Some(bytes) = read.body.try_next().await? {
        left = left.saturating_sub(bytes.len() as u64);
        if let Some(progress) = reader.as_mut().map(|reader| reader.feed(&bytes)) {
            header = match progress {
                Ok(Progress::NeedsMore) => None,
                Ok(Progress::Done) => reader.take().map(HeaderReader::finish),
                Err(error) => {
                    reader = None;
                    Some(Err(error))
                }
            };
        }
        if let Some(Ok(header)) = &header
            && header.serial != pushed.header.serial
        {
            hasher = None;
        }
        if let Some(hasher) = &mut hasher {
            hasher.update(&bytes);
        }
        let is_decided = reader.is_none() && (hasher.is_none() || !matches!(header, Some(Ok(_))));
        if is_decided && !is_verified_at_its_end && left > CHEAP_REST_BYTES {
            break;
        }
    }
    let header = match (header, reader) {
        (Some(header), _) => header,
        (None, reader) => reader.unwrap_or_default().finish(),
    };
    let is_same = hasher.is_some_and(|hasher| hasher.finish() == pushed.source.content_hash());
    Ok(Some(Stored { meta: read.meta, header, is_same }))
}

fn not_comparable(session: &Session, meta: &StateMeta, error: &Error) -> Failure {
    let error = Error::new(error.kind(), error.operation(), error.message());
    not_readable(session, &session.workspace, meta, error)
        .with_hint("look at it with `remote-state pull`; to replace it all the same, pass `--force`")
        .into()
}

fn refused(session: &Session, name: &str, refusal: &Refusal) -> Failure {
    let error = Error::new(
        ErrorKind::PreconditionFailed,
        "push",
        format!("{name} may not replace the stored state: {refusal}"),
    );
    let error = match refusal {
        Refusal::SameSerialOtherBytes { .. } => error.with_hint(
            "if it is the stored state with changes of yours, raise its `serial` and push it again",
        ),
        _ => error,
    };
    error
        .with_context("stored at", session.store.location(&session.workspace).state)
        .with_hint("compare the two with `remote-state pull`; to replace it all the same, pass `--force`")
        .into()
}

fn report(
    session: &Session,
    header: &StateHeader,
    written: Option<StateMeta>,
    caveat: Option<String>,
) -> Result<(), Failure> {
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
    let answer = json!({
        "version": 1,
        "state": state,
        "workspace": session.workspace.as_str(),
        "written": written.is_some(),
        "serial": header.serial,
        "lineage": header.lineage,
        "etag": meta.and_then(|meta| meta.etag.as_ref()),
        "version_id": meta.and_then(|meta| meta.version.as_ref()),
    });
    session.ui.json(&with_warning(answer, caveat))
}
