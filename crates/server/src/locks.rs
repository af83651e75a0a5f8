//! Taking, releasing and showing a lock. It is always the store's own lock, which native clients
//! take too.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use remote_state_core::provider::MAX_LOCK_RECORD_BYTES;
use remote_state_core::{
    ErrorKind, LockId, LockInfo, LockTarget, Release, ReleaseStep, Released, Result,
};

use crate::app::App;
use crate::failure::Failure;
use crate::names::Place;
use crate::observe::Facts;
use crate::record::{UNREADABLE_LOCK_ID, holder_json};
use crate::turns::Turns;

/// The longest lock record that the server accepts, in bytes: the longest that a store reads.
/// Terraform's have about 250.
pub(crate) const LONGEST_RECORD: usize = MAX_LOCK_RECORD_BYTES;

/// Takes the lock that the body describes.
pub(crate) async fn lock(
    app: &Arc<App>,
    name: String,
    place: Place,
    body: &Bytes,
    facts: &mut Facts,
) -> Result<Response, Failure> {
    let info = LockInfo::parse(body).map_err(|reason| {
        Failure::bad_request(format!("the body is not a lock record: {reason}"))
    })?;
    facts.lock_id = Some(info.id.as_str().to_owned());
    let context = Arc::clone(app);
    // The store finishes its steps even if the client hangs up.
    let stored = app
        .finish(async move {
            let _turn = context.turns.take(&name).await;
            place.store.acquire(&place.workspace, &info).await
        })
        .await??;
    Ok(record(stored.to_json()))
}

/// Releases the lock that the body, or else the query, names. A request with neither is Terraform's
/// `force-unlock`, and releases any lock.
pub(crate) async fn unlock(
    app: &Arc<App>,
    name: String,
    place: Place,
    body: &Bytes,
    query_id: Option<LockId>,
    facts: &mut Facts,
) -> Result<Response, Failure> {
    let id = if body.is_empty() {
        query_id
    } else {
        let info = LockInfo::parse(body).map_err(|reason| {
            Failure::bad_request(format!("the body is not a lock record: {reason}"))
        })?;
        Some(info.id)
    };
    facts.lock_id = id.as_ref().map(|id| id.as_str().to_owned());
    let context = Arc::clone(app);
    app.finish(async move {
        // Takes turns with writes too: a write of a client that hung up must not arrive after the
        // release.
        let turn = Turn { turns: &context.turns, name: &name };
        match id {
            Some(id) => release(turn, &place, id).await,
            None => force(turn, &place).await,
        }
    })
    .await??;
    Ok(Response::new(Body::empty()))
}

/// Shows the lock.
pub(crate) async fn show(place: &Place) -> Result<Response, Failure> {
    Ok(match place.store.inspect(&place.workspace).await? {
        Some(found) => record(holder_json(&found)),
        None => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
    })
}

/// Releases a lock. If it is gone, that is a success: the answer to the first attempt may have been
/// lost.
async fn release(turn: Turn<'_>, place: &Place, id: LockId) -> Result<Released> {
    let is_stand_in = id.as_str() == UNREADABLE_LOCK_ID;
    match in_turn(turn, place, &LockTarget::Id(id)).await {
        Err(error) if is_stand_in && is_unreadable(&error) => {
            force_release(turn, place, &LockTarget::Unreadable).await
        }
        other => other,
    }
}

/// The turn of one state.
#[derive(Clone, Copy)]
struct Turn<'a> {
    turns: &'a Turns,
    name: &'a str,
}

/// Releases a lock, taking a turn for each step. It keeps no turn while it waits for another
/// release, so a client that asks for the lock meanwhile gets its answer at once.
async fn in_turn(turn: Turn<'_>, place: &Place, target: &LockTarget) -> Result<Released> {
    // Whether the lock was gone already makes no difference to the answer.
    let mut release = Release::from_memory();
    loop {
        let taken = turn.turns.take(turn.name).await;
        let step = place.store.release_step(&place.workspace, target, &mut release).await?;
        drop(taken);
        match step {
            ReleaseStep::Done(released) => return Ok(released),
            ReleaseStep::Wait(wait) => tokio::time::sleep(wait.pause).await,
        }
    }
}

fn is_unreadable(error: &remote_state_core::Error) -> bool {
    error.kind() == ErrorKind::LockHeld
        && error.holder().is_some_and(|holder| holder.info().is_none())
}

async fn force(turn: Turn<'_>, place: &Place) -> Result<Released> {
    let Some(found) = place.store.inspect(&place.workspace).await? else {
        return Ok(Released::AlreadyFree);
    };
    // By the id that was just read: the request does not mean a lock that another client takes in
    // between.
    let target = found.id().map_or(LockTarget::Unreadable, |id| LockTarget::Id(id.clone()));
    force_release(turn, place, &target).await
}

async fn force_release(turn: Turn<'_>, place: &Place, target: &LockTarget) -> Result<Released> {
    let released = in_turn(turn, place, target).await?;
    if let Released::Freed(info) = &released {
        let record = info.as_ref().map(LockInfo::to_json);
        tracing::warn!(
            workspace = place.workspace.to_string(),
            record,
            "a client removed a lock by force"
        );
    }
    Ok(released)
}

fn record(json: String) -> Response {
    let mut response = Response::new(Body::from(json));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
