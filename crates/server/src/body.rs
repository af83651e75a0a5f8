//! Reading a request's body: bounded, timed, and compared with its digest.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use md5::{Digest as _, Md5};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::failure::Failure;
use crate::memory::Memory;
use crate::spool::{IN_MEMORY_BYTES, Spool, Spooled};
use crate::timeouts::LAST_PATIENCE;

/// From this size on, hashing and parsing leave the threads that serve other clients.
const LARGE_BYTES: usize = 1 << 20;

/// A body without `Content-Length` reserves memory in steps of this size.
const STEP_BYTES: u64 = 256 << 10;

/// The time limit for the next piece of a body.
#[derive(Debug)]
pub(crate) struct Pause {
    pub(crate) limit: Duration,
    pub(crate) stop: watch::Receiver<bool>,
}

impl Pause {
    /// Returns when the next piece is overdue, which is sooner once the server begins to stop.
    async fn over(&mut self) {
        let started = Instant::now();
        tokio::select! {
            () = sleep(self.limit) => return,
            _ = self.stop.wait_for(|stop| *stop) => {}
        }
        sleep_until((Instant::now() + LAST_PATIENCE).min(started + self.limit)).await;
    }
}

/// What bodies may take up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room<'a> {
    pub(crate) memory: &'a Memory,
    /// For bodies that are not kept in memory.
    pub(crate) disk: &'a Memory,
}

/// A body that has arrived.
#[derive(Debug)]
pub(crate) enum Received {
    /// In memory. The bytes keep their share of it.
    Bytes(Bytes),
    /// A long one, in a file.
    Spooled(Spooled),
}

/// Reads a body of at most `limit_bytes` into memory.
///
/// This reads nothing of a body that declares a greater length.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    limit_bytes: usize,
    pause: Pause,
) -> Result<Bytes, Failure> {
    match receive(headers, body, limit_bytes, pause, None).await? {
        Received::Bytes(bytes) => Ok(bytes),
        Received::Spooled(_) => Err(Failure::bad_request("the body is too long").closing()),
    }
}

/// Reads a body of at most `limit_bytes`. Only with `room` may it be a long one.
///
/// This reads nothing of a body that declares a greater length, or for which there is no room.
pub(crate) async fn receive(
    headers: &HeaderMap,
    mut body: Body,
    limit_bytes: usize,
    mut pause: Pause,
    room: Option<Room<'_>>,
) -> Result<Received, Failure> {
    let is_plain = |values: &HeaderValue| {
        values
            .as_bytes()
            .split(|byte| *byte == b',')
            .all(|value| value.trim_ascii().eq_ignore_ascii_case(b"identity"))
    };
    if !headers.get_all(CONTENT_ENCODING).iter().all(is_plain) {
        return Err(Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "only the content encoding `identity` is accepted",
        )
        .closing());
    }
    let too_long = || {
        Failure::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is longer than {limit_bytes} bytes"),
        )
        .closing()
    };
    let declared =
        headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|declared| declared > limit_bytes as u64) {
        return Err(too_long());
    }
    // Reserves memory for the whole body before it arrives. Otherwise several requests could each
    // hold a part and fail halfway.
    let is_long = declared.is_some_and(|declared| declared > IN_MEMORY_BYTES);
    let mut held_bytes = if is_long { 0 } else { declared.unwrap_or(0) };
    let mut held = room.map(|room| room.memory.hold(held_bytes)).transpose()?;
    let mut spool = match room {
        Some(room) if is_long => Some(Spool::begin(BytesMut::new(), declared, room.disk).await?),
        _ => None,
    };
    // The length is the client's claim, so this allocates no more than a part of it beforehand.
    let mut bytes = BytesMut::with_capacity(
        usize::try_from(declared.unwrap_or(0)).unwrap_or(0).min(LARGE_BYTES),
    );
    loop {
        let frame = tokio::select! {
            // Data that has arrived in time counts, even if this task runs late.
            biased;
            frame = body.frame() => Some(frame),
            () = pause.over() => None,
        };
        let Some(frame) = frame else {
            return Err(Failure::new(
                StatusCode::REQUEST_TIMEOUT,
                "the rest of the body did not arrive in time",
            )
            .closing());
        };
        match frame {
            None => break,
            Some(Err(_)) => {
                return Err(Failure::bad_request("the body ends early or is malformed").closing());
            }
            Some(Ok(frame)) => {
                let Ok(data) = frame.into_data() else { continue };
                let before = spool.as_ref().map_or(bytes.len() as u64, Spool::len);
                let arrived = before + data.len() as u64;
                if arrived > limit_bytes as u64 {
                    return Err(too_long());
                }
                if let (Some(room), None, true) = (room, &spool, arrived > IN_MEMORY_BYTES) {
                    let bytes = std::mem::take(&mut bytes);
                    spool = Some(Spool::begin(bytes, declared, room.disk).await?);
                    held = None;
                }
                if let (Some(room), Some(spool)) = (room, &mut spool) {
                    spool.add(&data, room.disk).await?;
                    continue;
                }
                let missing = ((bytes.len() + data.len()) as u64).saturating_sub(held_bytes);
                if let (Some(held), Some(room)) = (&mut held, room)
                    && missing > 0
                {
                    let step = missing.max(STEP_BYTES);
                    held.add(room.memory.hold(step)?);
                    held_bytes += step;
                }
                bytes.extend_from_slice(&data);
            }
        }
    }
    if let Some(spool) = spool {
        let md5 = headers.get("content-md5").map(HeaderValue::as_bytes);
        return spool.finish(md5).await.map(Received::Spooled);
    }
    let bytes = match held {
        Some(held) => held.keep(bytes.freeze()),
        None => bytes.freeze(),
    };
    verify(headers, &bytes).await?;
    Ok(Received::Bytes(bytes))
}

/// Returns the value of `Content-MD5` for a sum.
pub(crate) fn as_content_md5(sum: &[u8]) -> String {
    STANDARD.encode(sum)
}

/// Returns the value of `Content-MD5` for `bytes`.
pub(crate) async fn content_md5(bytes: &Bytes) -> String {
    as_content_md5(&off_thread(bytes, |bytes| <[u8; 16]>::from(Md5::digest(bytes))).await)
}

/// Calculates something from a body, on a thread for blocking work if the body is long.
pub(crate) async fn off_thread<T: Send + 'static>(
    bytes: &Bytes,
    calculate: impl FnOnce(&[u8]) -> T + Send + 'static,
) -> T {
    if bytes.len() < LARGE_BYTES {
        return calculate(bytes);
    }
    let bytes = bytes.clone();
    match tokio::task::spawn_blocking(move || calculate(&bytes)).await {
        Ok(value) => value,
        // A blocking task is never cancelled while its runtime lives, so it panicked: pass that on.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

async fn verify(headers: &HeaderMap, bytes: &Bytes) -> Result<(), Failure> {
    let Some(claimed) = headers.get("content-md5") else { return Ok(()) };
    if claimed.as_bytes() == content_md5(bytes).await.as_bytes() {
        Ok(())
    } else {
        Err(Failure::bad_request("the body does not match its `Content-MD5`"))
    }
}
