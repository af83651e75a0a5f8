//! Writing a state: the checks, in order, and the write that they allow.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::ETAG;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use remote_state_core::push::{NewState, PushError, PushRefusal, PushRules, Pushed};
use remote_state_core::{
    ErrorKind, LockId, LockInfo, LockRecord, StateHeader, StateMeta, StateSource,
    StateStoreExt as _,
};

use crate::app::App;
use crate::body::off_thread;
use crate::events::{Event, PolicyChoice};
use crate::failure::Failure;
use crate::intent::not_a_state;
use crate::names::Place;
use crate::observe::Facts;
use crate::policy::{Emptied, Policy};

/// The lock under which a write happens.
#[derive(Debug)]
pub(crate) enum HeldLock {
    /// The client's own.
    Own(LockInfo),
    /// The client held this one once, and now nobody holds any.
    Gone(LockId),
    /// None, and the client claims none.
    None,
}

impl HeldLock {
    /// Returns what its holder took it for.
    fn operation(&self) -> Option<&str> {
        match self {
            Self::Own(info) => Some(&info.operation),
            Self::Gone(_) | Self::None => None,
        }
    }

    /// The lock, as the write protocol goes by it.
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
    body: Bytes,
    facts: &mut Facts,
) -> Result<Response, Failure> {
    facts.size_bytes = Some(body.len() as u64);
    let header = off_thread(&body, StateHeader::parse).await.map_err(|error| {
        Failure::new(StatusCode::UNPROCESSABLE_ENTITY, not_a_state(&body, error.message()))
    })?;
    facts.set_header(&header);
    let context = Arc::clone(app);
    // A client that hangs up must not leave the store's steps half done: between state and digest,
    // above all.
    let meta = app
        .finish(async move {
            // Whoever writes, deletes, locks or unlocks one state takes turns here. Clients
            // elsewhere are kept apart by the lock, and by the store's conditions.
            let _turn = context.turns.take(&name).await;
            checked_write(&context, &name, &place, id, &header, body).await
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
    id: Option<LockId>,
    new: &StateHeader,
    body: Bytes,
) -> Result<StateMeta, Failure> {
    let lock = lock_for_write(&app.policy, place, id).await?;
    let new = NewState { source: StateSource::Bytes(body), header: new.clone() };
    let may_empty =
        app.policy.emptied != Emptied::Deny || Emptied::is_expected_of(lock.operation());
    let rules = PushRules::CLIENT.with_force(app.policy.force_write).with_may_empty(may_empty);
    let pushed = match place.store.push(&place.workspace, &new, &rules, &lock.as_push()).await {
        Ok(pushed) => pushed,
        Err(PushError::Refused(refusal)) => return Err(refused(&refusal)),
        Err(PushError::NotComparable { error, .. } | PushError::Store(error)) => {
            return Err(error.into());
        }
        Err(_) => return Err(Failure::conflict("the state was not written")),
    };
    let (meta, overridden, empties) = match pushed {
        Pushed::Written { meta, overridden, empties, .. } => (meta, overridden, empties),
        Pushed::Unchanged { meta, .. } => return Ok(meta),
        _ => return Ok(StateMeta::default()),
    };
    if let Some(refusal) = overridden {
        tracing::warn!(
            refusal = refusal.to_string(),
            "a state was written against the rules: the policy allows it"
        );
    }
    if let HeldLock::Gone(id) = &lock {
        tracing::warn!(
            lock_id = id.as_str(),
            "a state was written under a lock that is gone; nobody had written in between"
        );
    }
    let is_told = empties
        && app.policy.emptied == Emptied::Warn
        && !Emptied::is_expected_of(lock.operation())
        && !app.observer.tell(&Event::Emptied { state: name });
    if is_told {
        tracing::warn!(
            operation = lock.operation(),
            "a state that had resources was replaced by one without any"
        );
    }
    Ok(meta)
}

/// Tells the client why, and whoever runs the server which choice would let it through.
fn refused(refusal: &PushRefusal) -> Failure {
    let failure = Failure::conflict(format!("the state was not written: {refusal}"));
    failure.unless(match refusal {
        PushRefusal::Emptied => PolicyChoice::Emptied,
        _ => PolicyChoice::ForceWrite,
    })
}

/// Finds the lock that a write may go by, or refuses it.
///
/// A store that lets nobody know which objects there are answers 403 for a lock file that is gone.
/// A client that names its lock may still write what follows directly: to refuse would only lose
/// its apply.
async fn lock_for_write(
    policy: &Policy,
    place: &Place,
    id: Option<LockId>,
) -> Result<HeldLock, Failure> {
    let Some(claimed) = id else { return held_lock(policy, place, None).await };
    if !place.store.capabilities().locking {
        return Ok(HeldLock::Gone(claimed));
    }
    match place.store.inspect(&place.workspace).await {
        Ok(found) => judged(policy, found, Some(claimed)),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            tracing::warn!(
                lock_id = claimed.as_str(),
                error = error.message(),
                "the lock cannot be looked at; it counts as gone"
            );
            Ok(HeldLock::Gone(claimed))
        }
        Err(error) => Err(error.into()),
    }
}

/// Finds the lock that a change may go by, or refuses it.
pub(crate) async fn held_lock(
    policy: &Policy,
    place: &Place,
    id: Option<LockId>,
) -> Result<HeldLock, Failure> {
    let found = if place.store.capabilities().locking {
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
        (Some(found), id) => match &found.info {
            // What is being released is nobody's own any more.
            Ok(info) if id.as_ref() == Some(&info.id) && found.is_being_released() => {
                Ok(HeldLock::Gone(info.id.clone()))
            }
            Ok(info) if id.as_ref() == Some(&info.id) => Ok(HeldLock::Own(info.clone())),
            _ => Err(Failure::locked(&found)),
        },
        (None, Some(id)) => Ok(HeldLock::Gone(id)),
        (None, None) if policy.require_lock => Err(Failure::new(
            StatusCode::PRECONDITION_REQUIRED,
            "this server takes changes only from clients that hold the lock",
        )
        .unless(PolicyChoice::RequireLock)),
        (None, None) => Ok(HeldLock::None),
    }
}
