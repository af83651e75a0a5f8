//! The first bytes of an object.

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use remote_state_core::provider::whole_size;
use remote_state_core::{Error, ErrorKind, Result};

/// The reply to a request for the first bytes of an object.
pub(crate) struct FirstBytes {
    answer: GetObjectOutput,
    /// The length of the body.
    length: u64,
    size_bytes: u64,
    url: String,
}

impl FirstBytes {
    pub(crate) fn new(answer: GetObjectOutput, url: String) -> Result<Self> {
        let length = answer.content_length.and_then(|length| u64::try_from(length).ok());
        let size_bytes = whole_size(answer.content_range.as_deref(), length);
        match length.zip(size_bytes) {
            Some((length, size_bytes)) => Ok(Self { answer, length, size_bytes, url }),
            None => Err(broken(&url, "the store does not say which bytes it sends")),
        }
    }

    pub(crate) fn answer(&self) -> &GetObjectOutput {
        &self.answer
    }

    /// Returns the size of the whole object.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Returns the bytes, and checks that none is missing.
    pub(crate) fn body(self) -> BoxStream<'static, Result<Bytes>> {
        body(self.answer.body, self.length, self.url)
    }
}

fn body(body: ByteStream, length: u64, url: String) -> BoxStream<'static, Result<Bytes>> {
    stream::try_unfold((body, length, url), |(mut body, left, url)| async move {
        match body.next().await {
            Some(Ok(bytes)) => match left.checked_sub(bytes.len() as u64) {
                Some(left) => Ok(Some((bytes, (body, left, url)))),
                None => Err(broken(&url, "the store sent more bytes than it announced")),
            },
            Some(Err(error)) => {
                let reason = format!("the transfer broke off with {left} bytes to come");
                Err(broken(&url, &reason).with_source(error))
            }
            None if left > 0 => {
                Err(broken(&url, &format!("the transfer ended with {left} bytes to come")))
            }
            None => Ok(None),
        }
    })
    .boxed()
}

fn broken(url: &str, reason: &str) -> Error {
    Error::new(ErrorKind::Unavailable, "read", format!("cannot read `{url}`: {reason}"))
}
