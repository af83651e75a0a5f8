//! Long states on their way in: each is kept in a file without a name that only this user can read,
//! until all of it has arrived.
//!
//! A slow client takes up room on the disk and no memory, and no turn of its state. The file can be
//! sent to the store as often as it takes.

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use bytes::BytesMut;
use remote_state_core::{ErrorKind, HeaderReader, Progress, StateFile, StateHeader};
use tokio::task::spawn_blocking;

use crate::failure::Failure;
use crate::memory::{Memory, Share};

/// A state of at most this many bytes stays in memory.
pub(crate) const IN_MEMORY_BYTES: u64 = 4 << 20;

/// How many bytes are collected before they are written to the file.
const STEP_BYTES: usize = 1 << 20;

/// A long state that has arrived whole, and is a state.
#[derive(Debug)]
pub(crate) struct Spooled {
    pub(crate) file: StateFile,
    pub(crate) header: StateHeader,
    /// The room that it takes up.
    pub(crate) share: Share,
}

/// A long state that is arriving.
#[derive(Debug)]
pub(crate) struct Spool {
    file: Option<File>,
    collected: BytesMut,
    share: Share,
    held_bytes: u64,
    written_bytes: u64,
}

impl Spool {
    /// Begins to keep a state of which this has arrived. `declared` is the length that the client
    /// has announced.
    pub(crate) async fn begin(
        arrived: BytesMut,
        declared: Option<u64>,
        room: &Memory,
    ) -> Result<Self, Failure> {
        let held_bytes = declared.unwrap_or(0).max(arrived.len() as u64);
        let share = room.hold(held_bytes)?;
        let file = off_thread(tempfile::tempfile).await?;
        let mut spool =
            Self { file: Some(file), collected: arrived, share, held_bytes, written_bytes: 0 };
        spool.flush().await?;
        Ok(spool)
    }

    pub(crate) fn len(&self) -> u64 {
        self.written_bytes + self.collected.len() as u64
    }

    pub(crate) async fn add(&mut self, bytes: &[u8], room: &Memory) -> Result<(), Failure> {
        self.collected.extend_from_slice(bytes);
        let missing = self.len().saturating_sub(self.held_bytes);
        if missing > 0 {
            let step = missing.max(STEP_BYTES as u64);
            self.share.add(room.hold(step)?);
            self.held_bytes += step;
        }
        if self.collected.len() < STEP_BYTES { Ok(()) } else { self.flush().await }
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        let bytes = std::mem::take(&mut self.collected);
        self.written_bytes += bytes.len() as u64;
        let Some(mut file) = self.file.take() else { return Ok(()) };
        let (file, mut bytes) = off_thread(move || {
            file.write_all(&bytes)?;
            Ok((file, bytes))
        })
        .await?;
        bytes.clear();
        (self.file, self.collected) = (Some(file), bytes);
        Ok(())
    }

    /// Looks at all that has arrived: whether it is a state, and whether it has this `Content-MD5`.
    pub(crate) async fn finish(mut self, md5: Option<&[u8]>) -> Result<Spooled, Failure> {
        self.flush().await?;
        let Self { file, share, .. } = self;
        let Some(file) = file else { return Err(cannot_keep(&io::ErrorKind::NotFound.into())) };
        let found = Arc::new(Mutex::new(None));
        let header = Arc::clone(&found);
        let file = StateFile::unnamed(file, "the state that arrived")?.with_look(move |incoming| {
            let mut reader = HeaderReader::whole();
            while let Some(piece) = incoming.next_piece()? {
                let _: Progress = reader.feed(&piece)?;
            }
            *header.lock().unwrap_or_else(PoisonError::into_inner) = Some(reader.finish()?);
            Ok(())
        });
        let looking = spawn_blocking(move || {
            let passed = file.pass(true, |_| std::ops::ControlFlow::Continue(()));
            passed.map(|_is_whole| file)
        });
        let looked = looking.await.map_err(|_| {
            Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "the request was not finished")
        })?;
        let file = looked.map_err(|error| match error.kind() {
            ErrorKind::InvalidState => {
                Failure::new(StatusCode::UNPROCESSABLE_ENTITY, error.message())
            }
            _ => error.into(),
        })?;
        let computed = file.md5().map(|sum| crate::body::as_content_md5(sum.as_ref()));
        if let Some(md5) = md5
            && computed.as_deref().map(str::as_bytes) != Some(md5)
        {
            return Err(Failure::bad_request("the body does not match its `Content-MD5`"));
        }
        let header = found.lock().unwrap_or_else(PoisonError::into_inner).take();
        let header = header.ok_or_else(|| cannot_keep(&io::ErrorKind::UnexpectedEof.into()))?;
        Ok(Spooled { file, header, share })
    }
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    let worked = spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)));
    worked.map_err(|error| cannot_keep(&error))
}

/// The answer if this machine cannot keep a state. The server does not read the rest of the body.
fn cannot_keep(error: &io::Error) -> Failure {
    let is_full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let error = error.to_string();
    tracing::error!(error, "a state that arrives cannot be kept in a temporary file");
    if is_full {
        Failure::new(StatusCode::INSUFFICIENT_STORAGE, "this server's disk is full").closing()
    } else {
        let message = "this server cannot keep the state in a temporary file";
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, message).closing()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_has_a_status_of_its_own() {
        for (kind, status) in [
            (io::ErrorKind::StorageFull, 507),
            (io::ErrorKind::QuotaExceeded, 507),
            (io::ErrorKind::PermissionDenied, 500),
        ] {
            let response = cannot_keep(&kind.into()).into_response();
            assert_eq!(response.status().as_u16(), status, "{kind}");
        }
    }
}
