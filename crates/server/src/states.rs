//! Reading and deleting states.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use futures_util::TryStreamExt as _;
use remote_state_core::{HeaderReader, LockId, Progress, ReadOptions, Seal, StateMeta};

use crate::app::App;
use crate::body::content_md5;
use crate::events::PolicyChoice;
use crate::failure::Failure;
use crate::memory::READ_WHOLE_BYTES;
use crate::names::Place;
use crate::observe::Facts;
use crate::policy::Emptied;
use crate::write::{HeldLock, held_lock};

/// Answers with the bytes of the state as they are stored.
///
/// `404` means that the store said that there is no state, and nothing else.
pub(crate) async fn read(
    app: &App,
    name: &str,
    place: &Place,
    facts: &mut Facts,
) -> Result<Response, Failure> {
    let read = place.store.read(&place.workspace, &ReadOptions::default()).await?;
    let Some(read) = read else {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_FOUND;
        return Ok(response);
    };
    let size_bytes = read.meta.size_bytes;
    facts.size_bytes = Some(size_bytes);
    if size_bytes > app.max_state_bytes as u64 {
        tracing::warn!(
            state = facts.state.as_deref(),
            size_bytes,
            limit_bytes = app.max_state_bytes,
            "a stored state is longer than this server accepts: clients can read it, and the next \
             write will be refused"
        );
    }
    let held = app.memory.hold_for_reading(size_bytes)?;
    if size_bytes > READ_WHOLE_BYTES {
        // Streams the state, without a digest. If the store fails midway, the client sees a
        // transfer that breaks off.
        let mut response = Response::new(Body::empty());
        describe(&mut response, &read.meta);
        let span = tracing::Span::current();
        *response.body_mut() = Body::from_stream(read.body.inspect_err(move |error| {
            let (_held, _span) = (&held, span.enter());
            let failure = Failure::for_log_of(error);
            tracing::error!(
                failure,
                "the store failed while the server sent a state; the transfer breaks off"
            );
        }));
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(size_bytes));
        return Ok(response);
    }
    let state = read.collect().await?;
    app.known.note_read(name, &state.meta, &state.bytes);
    let digest = content_md5(&state.bytes).await;
    let mut response = Response::new(Body::from(held.keep(state.bytes)));
    describe(&mut response, &state.meta);
    if let Ok(digest) = HeaderValue::from_str(&digest) {
        response.headers_mut().insert("content-md5", digest);
    }
    Ok(response)
}

/// Deletes the state, unless another client holds its lock or the policy on emptied states forbids
/// it.
pub(crate) async fn delete(
    app: &Arc<App>,
    name: String,
    place: Place,
    id: Option<LockId>,
) -> Result<Response, Failure> {
    let context = Arc::clone(app);
    app.finish(async move {
        let by = id.as_ref().map(|id| id.as_str().to_owned());
        let _turn = context.turns.take(&name).await;
        if let HeldLock::Gone(id) = held_lock(&context.policy, &place, id).await? {
            return Err(Failure::conflict(format!("the lock `{id}` is not held any more")));
        }
        if let Some(seal) = seal_of(&place).await? {
            return Err(Failure::conflict(format!("the state was not deleted: it was {seal}")));
        }
        if context.policy.emptied == Emptied::Deny && !is_known_to_be_empty(&place).await? {
            return Err(Failure::conflict(
                "the state was not deleted: it has resources, or cannot be read",
            )
            .unless(PolicyChoice::Emptied));
        }
        context.known.forget(&name);
        place.store.delete(&place.workspace).await?;
        // If the bucket keeps no versions, this line is the only trace of the state. An observer
        // has got an event.
        if !context.observer.is_there() {
            tracing::warn!(
                state = name.as_str(),
                lock_id = by.as_deref(),
                "a client deleted a state"
            );
        }
        Ok(Response::new(Body::empty()))
    })
    .await?
}

/// Returns what the state says if it is sealed. Without the seal, clients would take the workspace
/// for an empty one, and create everything again.
async fn seal_of(place: &Place) -> Result<Option<Seal>, Failure> {
    let options = ReadOptions::default().ignoring_digest();
    match place.store.read(&place.workspace, &options).await? {
        Some(read) => Ok(read.with_seal().await?.1),
        None => Ok(None),
    }
}

/// Returns whether there is no state, or a readable one without resources.
async fn is_known_to_be_empty(place: &Place) -> Result<bool, Failure> {
    let Some(mut read) = place.store.read(&place.workspace, &ReadOptions::default()).await? else {
        return Ok(true);
    };
    let mut reader = HeaderReader::new();
    while let Some(chunk) = read.body.try_next().await? {
        match reader.feed(&chunk) {
            Ok(Progress::Done) => break,
            Ok(_) => {}
            Err(_) => return Ok(false),
        }
    }
    Ok(reader.finish().is_ok_and(|header| !header.has_resources))
}

fn describe(response: &mut Response, meta: &StateMeta) {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(etag) =
        meta.etag.as_ref().and_then(|etag| HeaderValue::from_str(etag.as_str()).ok())
    {
        headers.insert(ETAG, etag);
    }
}
