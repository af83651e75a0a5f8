//! `push`: replaces the stored state, under the lock and by the rules.

use remote_state::push::{
    DigestBefore, HeldLock, PushError, PushRefusal, PushRules, Pushed as Outcome,
};
use remote_state::{
    Error, ErrorKind, LockId, Refusal, StateFormat, StateHeader, StateMeta, StateStoreExt as _,
};
use serde_json::json;

use crate::args::Push;
use crate::commands::common::{not_readable, sealed, with_warning};
use crate::commands::held::{check_held, check_still_held};
use crate::exit::Failure;
use crate::session::Session;
use crate::source::Pushed;

pub(crate) async fn run(session: &mut Session, args: &Push) -> Result<(), Failure> {
    session.may_write()?;
    let session = &*session;
    let mut pushed = Pushed::read(&session.ui, &args.file).await?;
    if !args.force {
        pushed.check().await?;
    }
    let is_locked = args.lock_id.is_some() || session.store.capabilities().has_locks();
    let lock = if is_locked { HeldLock::Own } else { HeldLock::None };
    let info = match &args.lock_id {
        Some(id) => check_held(session, "push", &LockId::new(id)).await?,
        None => session.lock_info("state-push")?,
    };
    // The lock may have been taken for something else.
    let mut author = session.author(&info).with_operation("state-push");
    author.lock_id = author.lock_id.filter(|_| is_locked);
    pushed.new = pushed.new.with_author(&author);
    let work = async {
        let caveat = session.warn_of_caveat().await;
        Ok((put(session, &pushed, args, &lock).await?, caveat))
    };
    let (done, caveat) = if let Some(id) = &args.lock_id {
        let id = LockId::new(id);
        let done = session.finish(&session.workspace, &id, work).await?;
        check_still_held(session, "push", &id, done.0.words()).await?;
        done
    } else {
        session.under_lock(&session.workspace, &info, work).await?
    };
    report(session, &pushed.new.header, &done, caveat)
}

/// The outcome of a push.
enum Done {
    Written(StateMeta),
    /// The state was already stored; this push recorded its digest.
    DigestRecorded(DigestBefore),
    /// The state was already stored.
    Nothing,
}

impl Done {
    /// Returns what has changed in the store.
    fn words(&self) -> Option<&'static str> {
        match self {
            Self::Written(_) => Some("the state was written"),
            Self::DigestRecorded(_) => Some("the digest of the stored state was recorded"),
            Self::Nothing => None,
        }
    }
}

/// Writes the state if it may follow the stored one.
async fn put(
    session: &Session,
    pushed: &Pushed,
    args: &Push,
    lock: &HeldLock,
) -> Result<Done, Failure> {
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
            Ok(Done::Written(meta))
        }
        Ok(Outcome::Unchanged { recorded_over: Some(before), .. }) => {
            Ok(Done::DigestRecorded(before))
        }
        Ok(_) => Ok(Done::Nothing),
        Err(PushError::NotComparable { error, meta, .. }) => {
            Err(not_comparable(session, &meta, &error, args))
        }
        Err(PushError::Refused(PushRefusal::Sealed(seal))) => {
            Err(sealed(session, &session.workspace, "push", &seal).into())
        }
        Err(PushError::Refused(refusal)) => Err(refused(session, pushed, &refusal, args)),
        Err(PushError::Store(error)) => Err(error.into()),
        Err(_) => {
            Err(Error::new(ErrorKind::Unexpected, "push", "the state was not written").into())
        }
    }
}

fn not_comparable(session: &Session, meta: &StateMeta, error: &Error, args: &Push) -> Failure {
    let error = Error::new(error.kind(), error.operation(), error.message());
    not_readable(session, &session.workspace, meta, error)
        .with_hint(format!(
            "look at it with {}; to replace it all the same, pass `--force`",
            session.ui.command(how_to_look(args))
        ))
        .into()
}

/// Returns the command that prints the stored state. A state whose digest needs repair does not
/// match it.
fn how_to_look(args: &Push) -> &'static str {
    if args.repair_digest { "pull --ignore-digest" } else { "pull" }
}

fn refused(session: &Session, pushed: &Pushed, refusal: &PushRefusal, args: &Push) -> Failure {
    let error = Error::new(
        ErrorKind::PreconditionFailed,
        "push",
        format!("{} may not replace the stored state: {refusal}", pushed.name),
    );
    let error = match refusal {
        // The serial is outside the encryption, and once more inside, where no user can raise it by
        // hand.
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
            session.ui.command(how_to_look(args))
        ))
        .into()
}

fn report(
    session: &Session,
    header: &StateHeader,
    done: &Done,
    caveat: Option<String>,
) -> Result<(), Failure> {
    let state = session.store.location(&session.workspace).state;
    let serial = header.serial;
    session.ui.done(&match done {
        Done::Written(meta) => {
            format!("wrote serial {serial} ({} bytes) to `{state}`", meta.size_bytes)
        }
        Done::DigestRecorded(before) => {
            let digest = match before {
                DigestBefore::Missing => "its digest was missing and is recorded",
                DigestBefore::Wrong => "its digest was wrong and is recorded",
                _ => "its digest is recorded",
            };
            format!("serial {serial} is stored at `{state}` already; {digest}")
        }
        Done::Nothing => {
            format!("serial {serial} is stored at `{state}` already; nothing to write")
        }
    });
    if !session.ui.is_json {
        return Ok(());
    }
    let meta = if let Done::Written(meta) = done { Some(meta) } else { None };
    let answer = json!({
        "version": 1,
        "state": state,
        "workspace": session.workspace.as_str(),
        "written": meta.is_some(),
        "digest_recorded": matches!(done, Done::DigestRecorded(_)),
        "serial": header.serial,
        "lineage": header.lineage,
        "etag": meta.and_then(|meta| meta.etag.as_ref()),
        "version_id": meta.and_then(|meta| meta.version.as_ref()),
    });
    session.ui.json(&with_warning(answer, caveat))
}
