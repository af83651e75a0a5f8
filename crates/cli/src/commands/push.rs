//! `push`: a state takes the place of the stored one, under the lock and by the rules.

use remote_state::push::{HeldLock, PushError, PushRefusal, PushRules, Pushed as Outcome};
use remote_state::{
    Error, ErrorKind, LockId, Refusal, StateFormat, StateHeader, StateMeta, StateStoreExt as _,
};
use serde_json::json;

use crate::args::Push;
use crate::commands::common::{look_at_it, not_readable, with_warning};
use crate::exit::Failure;
use crate::session::Session;
use crate::source::Pushed;

pub(crate) async fn run(session: &mut Session, args: &Push) -> Result<(), Failure> {
    session.may_write()?;
    let session = &*session;
    let pushed = Pushed::read(&session.ui, &args.file).await?;
    if !args.force {
        pushed.check().await?;
    }
    let is_locked = args.lock_id.is_some() || session.store.capabilities().locking;
    let lock = if is_locked { HeldLock::Own } else { HeldLock::None };
    let work = async {
        let caveat = session.warn_of_caveat().await;
        Ok((put(session, &pushed, args, &lock).await?, caveat))
    };
    let (written, caveat) = if let Some(id) = &args.lock_id {
        let id = LockId::new(id);
        check_held(session, &id).await?;
        let done = session.finish(&session.workspace, &id, work).await?;
        check_still_held(session, &id, done.0.is_some()).await?;
        done
    } else {
        let info = session.lock_info("state-push")?;
        session.under_lock(&session.workspace, &info, work).await?
    };
    report(session, &pushed.new.header, written, caveat)
}

/// Makes sure that the lock under which to write is held, by that id.
async fn check_held(session: &Session, id: &LockId) -> Result<(), Failure> {
    let state = session.store.location(&session.workspace).state;
    match session.store.inspect(&session.workspace).await? {
        Some(record) if record.is_held_by(id) => Ok(()),
        Some(record) if record.id() != Some(id) => Err(Error::lock_held(
            "push",
            format!("state `{state}` is locked with another id"),
            record,
        )
        .into()),
        // What is being released is nobody's own any more.
        Some(_) | None => Err(Error::new(
            ErrorKind::PreconditionFailed,
            "push",
            format!("the lock `{id}` is not held on `{state}`: someone released it"),
        )
        .with_hint(format!(
            "take a new one with {}, after making sure that no client wrote in between",
            session.ui.command("lock")
        ))
        .into()),
    }
}

/// Makes sure that the lock was held to the end: if not, others may have written at the same time.
async fn check_still_held(session: &Session, id: &LockId, is_written: bool) -> Result<(), Failure> {
    if !is_written {
        return Ok(());
    }
    let found = session.store.inspect(&session.workspace).await.map_err(|error| {
        error.with_context(
            "note",
            "the state was written; whether the lock was held to the end is not known",
        )
    })?;
    match found {
        Some(record) if record.id() == Some(id) => Ok(()),
        Some(record) => {
            let state = session.store.location(&session.workspace).state;
            let message =
                format!("the state was written, but `{state}` is locked with another id by now");
            Err(Error::lock_held("push", message, record).into())
        }
        None => Err(session.lock_was_broken(&session.workspace, id).into()),
    }
}

/// Writes the state if it may follow what is stored. Returns nothing if it is stored already.
async fn put(
    session: &Session,
    pushed: &Pushed,
    args: &Push,
    lock: &HeldLock,
) -> Result<Option<StateMeta>, Failure> {
    let rules = PushRules::PUSH.with_force(args.force).with_repair_digest(args.repair_digest);
    match session.store.push(&session.workspace, &pushed.new, &rules, lock).await {
        Ok(Outcome::Written { meta, is_digest_repaired, .. }) => {
            if pushed.new.header.format == StateFormat::Encrypted {
                session.ui.warn(
                    "the state is encrypted: what is inside was not checked, and its serial and \
                     lineage only as they are written outside",
                );
            }
            if is_digest_repaired {
                session.ui.warn(
                    "the stored state did not match its digest, as an interrupted write leaves \
                     it; it does now",
                );
            }
            Ok(Some(meta))
        }
        Ok(_) => Ok(None),
        Err(PushError::NotComparable { error, meta, .. }) => {
            Err(not_comparable(session, &meta, &error))
        }
        Err(PushError::Refused(refusal)) => Err(refused(session, pushed, &refusal)),
        Err(PushError::Store(error)) => Err(error.into()),
        Err(_) => {
            Err(Error::new(ErrorKind::Unexpected, "push", "the state was not written").into())
        }
    }
}

fn not_comparable(session: &Session, meta: &StateMeta, error: &Error) -> Failure {
    let error = Error::new(error.kind(), error.operation(), error.message());
    not_readable(session, &session.workspace, meta, error)
        .with_hint(format!("{}; to replace it all the same, pass `--force`", look_at_it(session)))
        .into()
}

fn refused(session: &Session, pushed: &Pushed, refusal: &PushRefusal) -> Failure {
    let error = Error::new(
        ErrorKind::PreconditionFailed,
        "push",
        format!("{} may not replace the stored state: {refusal}", pushed.name),
    );
    let error = match refusal {
        // Its serial is outside, and inside once more where nobody can raise it by hand.
        PushRefusal::Succession(_) if pushed.new.header.format == StateFormat::Encrypted => error
            .with_hint(
                "it is encrypted: use `tofu state push`, which knows the key and checks both \
                 copies of the serial",
            ),
        PushRefusal::Succession(Refusal::SameSerialOtherBytes { .. }) => error.with_hint(
            "if it is the stored state with changes of yours, raise its `serial` and push it again",
        ),
        _ => error,
    };
    error
        .with_context("stored at", session.store.location(&session.workspace).state)
        .with_hint(format!(
            "compare the two with {}; to replace it all the same, pass `--force`",
            session.ui.command("pull")
        ))
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
        Some(meta) => session.ui.done(&format!(
            "wrote serial {} ({} bytes) to `{state}`",
            header.serial, meta.size_bytes
        )),
        None => session.ui.done(&format!(
            "serial {} is stored at `{state}` already; nothing to write",
            header.serial
        )),
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
