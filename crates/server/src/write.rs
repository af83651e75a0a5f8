//! Writing a state, and the checks before it.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::ETAG;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use remote_state_core::push::{DigestBefore, NewState, PushError, PushRefusal, PushRules, Pushed};
use remote_state_core::{
    Author, ErrorKind, LockId, LockInfo, LockRecord, StateHeader, StateMeta, StateSource,
    StateStoreExt as _,
};

use crate::app::App;
use crate::body::{Received, off_thread};
use crate::events::{Event, PolicyChoice};
use crate::failure::Failure;
use crate::intent::not_a_state;
use crate::names::Place;
use crate::observe::Facts;
use crate::policy::{Emptied, Policy};
use crate::spool::Spooled;

/// The lock under which a write happens.
#[derive(Debug)]
pub(crate) enum HeldLock {
    /// The client's own lock.
    Own(LockInfo),
    /// The client names this lock, and no lock is held any more.
    Gone(LockId),
    /// No lock is held, and the client names none.
    None,
}

impl HeldLock {
    /// Returns the operation for which the client took the lock.
    fn operation(&self) -> Option<&str> {
        match self {
            Self::Own(info) => Some(&info.operation),
            Self::Gone(_) | Self::None => None,
        }
    }

    /// Returns who writes. The name with which a client signs in is no more than a name, since all
    /// share one token: the record of its lock says more.
    fn author(&self, principal: Option<String>) -> Author {
        let author = match self {
            Self::Own(info) => Author::under(info),
            Self::Gone(_) | Self::None => Author::default().with_who(principal.unwrap_or_default()),
        };
        author.with_client(concat!("remote-state/", env!("CARGO_PKG_VERSION")))
    }

    /// Returns the lock as the write protocol needs it.
    fn as_push(&self) -> remote_state_core::push::HeldLock {
        use remote_state_core::push::HeldLock as Held;
        match self {
            Self::Own(_) => Held::Own,
            Self::Gone(id) => Held::Gone(id.clone()),
            Self::None => Held::None,
        }
    }
}

/// Stores a state, if it may follow the stored one.
pub(crate) async fn write(
    app: &Arc<App>,
    name: String,
    place: Place,
    id: Option<LockId>,
    body: Received,
    facts: &mut Facts,
) -> Result<Response, Failure> {
    let (source, header, share) = match body {
        Received::Bytes(body) => {
            facts.size_bytes = Some(body.len() as u64);
            let header = off_thread(&body, StateHeader::parse).await.map_err(|error| {
                Failure::new(StatusCode::UNPROCESSABLE_ENTITY, not_a_state(&body, error.message()))
            })?;
            (StateSource::from(body), header, None)
        }
        Received::Spooled(Spooled { file, header, share }) => {
            facts.size_bytes = Some(file.size_bytes());
            (StateSource::from(file), header, Some(share))
        }
    };
    facts.set_header(&header);
    let (context, principal) = (Arc::clone(app), facts.principal.clone());
    // The store finishes its steps even if the client hangs up. Otherwise it could store a state
    // without its digest.
    let meta = app
        .finish(async move {
            // Requests that write, delete, lock or unlock one state take turns in this server. The
            // lock and conditional writes exclude other clients.
            let _turn = context.turns.take(&name).await;
            let lock = lock_for_write(&context.policy, &place, id).await?;
            let author = lock.author(principal);
            let known = context.known.get(&name);
            let new = NewState::new(source, header).with_author(&author).with_known(known);
            let written = checked_write(&context, &name, &place, &lock, &new).await;
            drop((new, share));
            written
        })
        .await??;
    let mut response = Response::new(Body::empty());
    if let Some(etag) = meta.etag.and_then(|etag| HeaderValue::from_str(etag.as_str()).ok()) {
        response.headers_mut().insert(ETAG, etag);
    }
    Ok(response)
}

async fn checked_write(
    app: &App,
    name: &str,
    place: &Place,
    lock: &HeldLock,
    new: &NewState,
) -> Result<StateMeta, Failure> {
    let may_empty =
        app.policy.emptied != Emptied::Deny || Emptied::is_expected_of(lock.operation());
    let rules = PushRules::CLIENT.with_force(app.policy.force_write).with_may_empty(may_empty);
    let pushed = place.store.push(&place.workspace, new, &rules, &lock.as_push()).await;
    match &pushed {
        Ok(Pushed::Written { meta, .. }) => app.known.note_written(name, meta, &new.header),
        Ok(_) => {}
        Err(_) => app.known.forget(name),
    }
    let pushed = match pushed {
        Ok(pushed) => pushed,
        Err(PushError::Refused(refusal)) => return Err(refused(&refusal)),
        Err(PushError::NotComparable { error, .. } | PushError::Store(error)) => {
            return Err(error.into());
        }
        Err(_) => return Err(Failure::conflict("the state was not written")),
    };
    let is_digest_repaired = matches!(
        pushed,
        Pushed::Written { is_digest_repaired: true, .. }
            | Pushed::Unchanged { recorded_over: Some(DigestBefore::Wrong), .. }
    );
    if is_digest_repaired {
        tracing::warn!(
            state = name,
            "the stored state did not match its digest, as an interrupted write leaves it; it \
             does now"
        );
    }
    let (meta, overridden, empties) = match pushed {
        Pushed::Written { meta, overridden, empties, .. } => (meta, overridden, empties),
        Pushed::Unchanged { meta, .. } => return Ok(meta),
        _ => return Ok(StateMeta::default()),
    };
    if let Some(refusal) = overridden {
        tracing::warn!(
            refusal = refusal.to_string(),
            "a client wrote a state against the rules; the policy allows it"
        );
    }
    if let HeldLock::Gone(id) = lock {
        tracing::warn!(
            lock_id = id.as_str(),
            "a client wrote a state under a lock that is no longer held; no other client wrote in \
             between"
        );
    }
    let is_unobserved = empties
        && app.policy.emptied == Emptied::Warn
        && !Emptied::is_expected_of(lock.operation())
        && !app.observer.notify(&Event::Emptied { state: name });
    if is_unobserved {
        tracing::warn!(
            operation = lock.operation(),
            "a client replaced a state that had resources by one without any"
        );
    }
    Ok(meta)
}

/// Returns the answer to a refused write, with the choice of the policy that would allow it.
fn refused(refusal: &PushRefusal) -> Failure {
    let failure = Failure::conflict(format!("the state was not written: {refusal}"));
    match refusal {
        // No policy allows this.
        PushRefusal::Sealed(_) => failure,
        PushRefusal::Emptied => failure.unless(PolicyChoice::Emptied),
        _ => failure.unless(PolicyChoice::ForceWrite),
    }
}

/// Finds the lock under which a write happens, or refuses the write.
///
/// A store that does not permit listing answers 403 for a lock file that does not exist. A client
/// that names its lock may still write a state that directly follows the stored one: a refusal
/// would only lose its apply.
async fn lock_for_write(
    policy: &Policy,
    place: &Place,
    id: Option<LockId>,
) -> Result<HeldLock, Failure> {
    let Some(claimed) = id else { return held_lock(policy, place, None).await };
    if !place.store.capabilities().has_locks() {
        return Ok(HeldLock::Gone(claimed));
    }
    match place.store.inspect(&place.workspace).await {
        Ok(found) => judged(policy, found, Some(claimed)),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            tracing::warn!(
                lock_id = claimed.as_str(),
                error = error.message(),
                "the server may not read the lock; it counts as gone"
            );
            Ok(HeldLock::Gone(claimed))
        }
        Err(error) => Err(error.into()),
    }
}

/// Finds the lock under which a change happens, or refuses the change.
pub(crate) async fn held_lock(
    policy: &Policy,
    place: &Place,
    id: Option<LockId>,
) -> Result<HeldLock, Failure> {
    let found = if place.store.capabilities().has_locks() {
        place.store.inspect(&place.workspace).await?
    } else {
        None
    };
    judged(policy, found, id)
}

fn judged(
    policy: &Policy,
    found: Option<LockRecord>,
    id: Option<LockId>,
) -> Result<HeldLock, Failure> {
    match (found, id) {
        (Some(found), id) => match found.info() {
            // A lock that is being released does not count as the client's own.
            Some(info) if id.as_ref() == Some(&info.id) && found.is_being_released() => {
                Ok(HeldLock::Gone(info.id.clone()))
            }
            Some(info) if id.as_ref() == Some(&info.id) => Ok(HeldLock::Own(info.clone())),
            _ => Err(Failure::locked(&found)),
        },
        (None, Some(id)) => Ok(HeldLock::Gone(id)),
        (None, None) if policy.require_lock => Err(Failure::new(
            StatusCode::PRECONDITION_REQUIRED,
            "this server accepts changes only from clients that hold the lock",
        )
        .unless(PolicyChoice::RequireLock)),
        (None, None) => Ok(HeldLock::None),
    }
}
