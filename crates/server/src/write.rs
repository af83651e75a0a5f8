//! Writing a state: the checks, in order, and the write that they allow.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::ETAG;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use remote_state_core::{
    HeaderReader, LockId, LockInfo, Progress, ReadOptions, StateHeader, StateMeta, StateSource, Succession,
    SuccessionRules, WriteMode,
};

use crate::app::App;
use crate::body::off_thread;
use crate::events::{Event, PolicyChoice};
use crate::failure::Failure;
use crate::intent::not_a_state;
use crate::names::Place;
use crate::observe::Facts;
use crate::policy::{Emptied, Policy};

/// What is left of a stored state is read to its end if it is at most this long: that is cheaper than a new connection to the store.
const CHEAP_REST_BYTES: u64 = 64 << 10;

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
}

/// What may be done with a new state.
#[derive(Debug)]
struct Verdict {
    succession: Succession,
    /// It takes the place of one that had resources, which somebody should be told.
    empties: bool,
}

/// The state that is stored, as far as it decides whether another may follow.
#[derive(Debug)]
struct Stored {
    meta: StateMeta,
    header: StateHeader,
    is_same: bool,
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
    // A client that hangs up must not leave the store's steps half done: between state and digest, above all.
    let meta = app
        .finish(async move {
            // Whoever writes, deletes, locks or unlocks one state takes turns here. Clients elsewhere are kept apart by the lock, and by the store's conditions.
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
    let lock = held_lock(&app.policy, place, id).await?;
    let stored = read_stored(place, &body).await?;
    let Verdict { succession, empties } = verdict(&app.policy, &lock, stored.as_ref(), new)?;
    match succession {
        Succession::Follows => {}
        Succession::Unchanged => return Ok(stored.map(|stored| stored.meta).unwrap_or_default()),
    }
    let mode = match stored {
        _ if !place.store.capabilities().conditional_write => WriteMode::Overwrite,
        None => WriteMode::Create,
        Some(stored) => stored.meta.etag.map_or(WriteMode::Overwrite, WriteMode::Update),
    };
    let meta = place.store.write(&place.workspace, StateSource::Bytes(body), &mode).await?;
    if empties && !app.observer.tell(&Event::Emptied { state: name }) {
        tracing::warn!(
            operation = lock.operation(),
            "a state that had resources was replaced by one without any"
        );
    }
    Ok(meta)
}

/// Finds the lock that a change may go by, or refuses it.
pub(crate) async fn held_lock(
    policy: &Policy,
    place: &Place,
    id: Option<LockId>,
) -> Result<HeldLock, Failure> {
    let found =
        if place.store.capabilities().locking { place.store.inspect(&place.workspace).await? } else { None };
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

/// Reads what decides, comparing on the way with the new bytes; the stored state is never held in memory.
async fn read_stored(place: &Place, body: &Bytes) -> Result<Option<Stored>, Failure> {
    let Some(mut read) = place.store.read(&place.workspace, &ReadOptions::default()).await? else {
        return Ok(None);
    };
    let mut reader = HeaderReader::new();
    let mut header_is_known = false;
    let mut is_same = read.meta.size_bytes == body.len() as u64;
    let mut at = 0_usize;
    while let Some(chunk) = read.body.try_next().await? {
        is_same = is_same && body.get(at..at + chunk.len()) == Some(&*chunk);
        at += chunk.len();
        header_is_known = header_is_known || reader.feed(&chunk)? == Progress::Done;
        let rest = read.meta.size_bytes.saturating_sub(at as u64);
        if header_is_known && !is_same && rest > CHEAP_REST_BYTES {
            break;
        }
    }
    Ok(Some(Stored { meta: read.meta, header: reader.finish()?, is_same: is_same && at == body.len() }))
}

fn verdict(
    policy: &Policy,
    lock: &HeldLock,
    stored: Option<&Stored>,
    new: &StateHeader,
) -> Result<Verdict, Failure> {
    let follows = Verdict { succession: Succession::Follows, empties: false };
    let Some(stored) = stored else {
        if let HeldLock::Gone(id) = lock {
            tracing::warn!(lock_id = %id, "the first write of a state came under a lock that is gone");
        }
        return Ok(follows);
    };
    match SuccessionRules::CLIENT.check(Some(&stored.header), new, || stored.is_same) {
        Ok(Succession::Follows) => {}
        Ok(Succession::Unchanged) => {
            return Ok(Verdict { succession: Succession::Unchanged, empties: false });
        }
        Err(refusal) if policy.force_write => {
            tracing::warn!(%refusal, "a state was written against the rules: the policy allows it");
        }
        Err(refusal) => {
            return Err(Failure::conflict(format!("the state was not written: {refusal}"))
                .unless(PolicyChoice::ForceWrite));
        }
    }
    if let HeldLock::Gone(id) = lock
        && !policy.force_write
    {
        // Somebody broke the lock. If no one has written since, refusing would only lose an apply.
        let follows_directly = stored.header.lineage == new.lineage
            && stored.header.serial.0.checked_add(1) == Some(new.serial.0);
        if !follows_directly {
            return Err(Failure::conflict(format!(
                "the state was not written: nobody holds the lock `{id}` any more, and serial {} does not follow {} directly",
                new.serial, stored.header.serial
            ))
            .unless(PolicyChoice::ForceWrite));
        }
        tracing::warn!(lock_id = %id, "a state was written under a lock that is gone; nobody had written in between");
    }
    if stored.header.has_resources && !new.has_resources && !Emptied::is_expected_of(lock.operation()) {
        match policy.emptied {
            Emptied::Allow => {}
            Emptied::Warn => return Ok(Verdict { empties: true, ..follows }),
            Emptied::Deny => {
                return Err(Failure::conflict(
                    "the state was not written: it has no resources, and the stored one has",
                )
                .unless(PolicyChoice::Emptied));
            }
        }
    }
    Ok(follows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(serial: u64, lineage: &str, resources: &str) -> StateHeader {
        let text =
            format!(r#"{{"version":4,"serial":{serial},"lineage":"{lineage}","resources":[{resources}]}}"#);
        StateHeader::parse(text.as_bytes()).unwrap()
    }

    fn stored(header: StateHeader) -> Stored {
        Stored { meta: StateMeta::new(1), header, is_same: false }
    }

    fn gone() -> HeldLock {
        HeldLock::Gone(LockId::new("x"))
    }

    fn own(operation: &str) -> HeldLock {
        let info = LockInfo::parse(format!(r#"{{"ID":"x","Operation":"{operation}"}}"#).as_bytes()).unwrap();
        HeldLock::Own(info)
    }

    #[test]
    fn under_a_lock_that_is_gone_only_the_very_next_serial_is_accepted() {
        let policy = Policy::default();
        let at_three = stored(header(3, "l", ""));
        let check = |new| verdict(&policy, &gone(), Some(&at_three), &new).is_ok();
        assert!(check(header(4, "l", "")));
        assert!(!check(header(5, "l", "")));
        assert!(!check(header(3, "l", "")));
        assert!(!check(header(4, "m", "")));
        assert!(!check(header(4, "", "")));
        assert!(verdict(&policy, &gone(), None, &header(1, "l", "")).is_ok());
    }

    #[test]
    fn force_write_lets_anything_through() {
        let policy = Policy::default().with_force_write(true);
        for lock in [gone(), own("state-push"), HeldLock::None] {
            assert!(verdict(&policy, &lock, Some(&stored(header(9, "l", ""))), &header(1, "m", "")).is_ok());
        }
    }

    #[test]
    fn emptying_a_state_is_judged_by_what_the_operation_is_for() {
        let policy = Policy::default().with_emptied(Emptied::Deny);
        let full = stored(header(1, "l", "{}"));
        let empty = header(2, "l", "");
        for operation in ["OperationTypeApply", "state-rm", "state-push"] {
            assert!(verdict(&policy, &own(operation), Some(&full), &empty).is_ok(), "{operation}");
        }
        for lock in [own("OperationTypePlan"), own("state-mv"), HeldLock::None] {
            assert!(verdict(&policy, &lock, Some(&full), &empty).is_err(), "{lock:?}");
            assert!(verdict(&Policy::default(), &lock, Some(&full), &empty).is_ok(), "{lock:?}");
        }
    }
}
