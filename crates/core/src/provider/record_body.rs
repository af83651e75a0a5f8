//! Reading the body of a lock object as it arrives.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{Stream, TryStreamExt as _};
use tokio::time::timeout;

use crate::error::{Error, ErrorKind, Result};
use crate::provider::claim::LONGEST_LOCK_OBJECT;

/// How long a record may take to arrive. A timeout for each piece alone would let a store that
/// sends one byte at a time take days.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads the body of a lock object, for [`parse_lock_record`](crate::provider::parse_lock_record).
/// It stops reading at a body that is too long for a record.
///
/// # Errors
/// The body's own; `Unavailable` if the body is incomplete after a minute.
pub async fn read_record_body(
    operation: &'static str,
    object: &str,
    body: impl Stream<Item = Result<Bytes>>,
) -> Result<Vec<u8>> {
    read_within(PATIENCE, operation, object, body).await
}

async fn read_within(
    patience: Duration,
    operation: &'static str,
    object: &str,
    body: impl Stream<Item = Result<Bytes>>,
) -> Result<Vec<u8>> {
    let mut body = pin!(body);
    let read = async {
        let mut text = Vec::new();
        while text.len() <= LONGEST_LOCK_OBJECT
            && let Some(bytes) = body.try_next().await?
        {
            text.extend_from_slice(&bytes);
        }
        Ok(text)
    };
    timeout(patience, read).await.unwrap_or_else(|_| {
        let message = format!(
            "cannot {operation} `{object}`: after {} s its record is not all there",
            patience.as_secs()
        );
        Err(Error::new(ErrorKind::Unavailable, operation, message)
            .with_hint("the store sends it too slowly: check the network, and try again"))
    })
}

#[cfg(test)]
mod tests {
    use futures_util::stream::{self, StreamExt as _};
    use tokio::time::sleep;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(50);

    async fn read(body: impl Stream<Item = Result<Bytes>>) -> Result<Vec<u8>> {
        // Without a limit of its own, this test would wait as long as a client does.
        let read = read_within(PATIENCE, "lock", "s3://b/k.tflock", body);
        timeout(PATIENCE * 100, read).await.expect("it ends in time")
    }

    #[tokio::test]
    async fn a_record_that_comes_byte_by_byte_without_end_is_given_up() {
        let drops = stream::repeat(()).then(|()| async {
            sleep(PATIENCE / 10).await;
            Ok(Bytes::from_static(b"{"))
        });
        let error = read(drops).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(error.message().starts_with("cannot lock `s3://b/k.tflock`"), "{error}");
    }

    #[tokio::test]
    async fn a_record_is_all_its_pieces_and_what_is_too_long_for_one_is_cut_off() {
        let pieces = stream::iter([Ok(Bytes::from_static(b"{")), Ok(Bytes::from_static(b"}"))]);
        assert_eq!(read(pieces).await.unwrap(), b"{}");
        let endless = stream::repeat_with(|| Ok(Bytes::from_static(&[b' '; 1000])));
        let text = read(endless).await.unwrap();
        assert!((LONGEST_LOCK_OBJECT + 1..LONGEST_LOCK_OBJECT + 1001).contains(&text.len()));
    }

    #[tokio::test]
    async fn a_record_that_breaks_off_is_an_error_and_no_short_record() {
        let broken = || Err(Error::new(ErrorKind::Unavailable, "lock", "the transfer broke off"));
        let error = read(stream::iter([Ok(Bytes::from_static(b"{")), broken()])).await.unwrap_err();
        assert_eq!(error.message(), "the transfer broke off");
    }
}
