//! The bytes of an object as they arrive.

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use remote_state_core::{Error, ErrorKind, Result};
use reqwest::Response;

use crate::body::chunk;
use crate::payload::Crc64;

/// A running transfer.
struct Transfer {
    response: Response,
    left_bytes: u64,
    crc: Crc64,
    /// The expected checksum of all bytes, if the store sends one.
    expected: Option<u64>,
    object: String,
}

impl Transfer {
    fn broken(&self, reason: &str) -> Error {
        Error::new(
            ErrorKind::Unavailable,
            "read",
            format!("cannot read `{}`: {reason}", self.object),
        )
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        let left = self.left_bytes;
        match chunk(&mut self.response).await {
            Ok(Some(bytes)) => {
                self.left_bytes = left
                    .checked_sub(bytes.len() as u64)
                    .ok_or_else(|| self.broken("the store sent more bytes than it announced"))?;
                self.crc.update(&bytes);
                Ok(Some(bytes))
            }
            Ok(None) if left > 0 => {
                Err(self.broken(&format!("the transfer ended with {left} bytes to come")))
            }
            Ok(None) if self.expected.is_some_and(|expected| expected != self.crc.finish()) => {
                Err(self.broken("it was damaged on its way (CRC-64)"))
            }
            Ok(None) => Ok(None),
            Err(reason) => Err(self
                .broken(&format!("the transfer broke off with {left} bytes to come"))
                .with_context("because", reason)),
        }
    }
}

/// Passes the bytes on, and checks at the end that none is missing or damaged.
pub(crate) fn body(
    response: Response,
    size_bytes: u64,
    expected: Option<u64>,
    object: String,
) -> BoxStream<'static, Result<Bytes>> {
    let transfer =
        Transfer { response, left_bytes: size_bytes, crc: Crc64::default(), expected, object };
    stream::try_unfold(transfer, |mut transfer| async move {
        Ok(transfer.next().await?.map(|bytes| (bytes, transfer)))
    })
    .boxed()
}
