//! The calls of a multipart upload: the object is sent in parts, and exists once they are put
//! together.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>

use std::ops::Range;

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use base64::Engine as _;
use remote_state_core::ErrorKind;

use super::{
    AttemptCount, BASE64, CUSTOMER_ALGORITHM, Client, Condition, CustomerKey, Encryption, Object,
    ObjectCannedAcl, ServerSideEncryption, Settings, Signed, Stored, in_time, unsent,
    with_attributes,
};
use crate::connect::timeouts;
use crate::dialect::Checksum;
use crate::error::{Failure, failure};
use crate::payload::Payload;

impl Client {
    /// Begins an upload and returns its id.
    ///
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html>
    pub(crate) async fn create_upload(
        &self,
        object: Object,
        key: &str,
        payload: &Payload,
    ) -> Result<String, Failure> {
        let operation = object.operation();
        let call = self.sdk.create_multipart_upload().bucket(self.bucket()).key(key);
        let mut call = with_attributes!(call, self.settings, object);
        if self.settings.checksum == Some(Checksum::Sha256) {
            call = call.checksum_algorithm(ChecksumAlgorithm::Sha256);
        }
        for (name, value) in payload.metadata() {
            call = call.metadata(name, value);
        }
        let fail = |error| failure(self.about(operation, &self.url(key)), error);
        let answer = in_time(|| call.clone().send()).await.map_err(fail)?;
        answer.upload_id.ok_or_else(|| {
            let reason = "the store began an upload and gave it no id";
            let url = self.url(key);
            unsent(self.about(operation, &url).error(ErrorKind::Unexpected, reason))
        })
    }

    /// Sends a part.
    ///
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html>
    pub(crate) async fn upload_part(
        &self,
        key: &str,
        id: &str,
        number: i32,
        payload: &Payload,
        part: Range<u64>,
    ) -> Result<CompletedPart, Failure> {
        let size = part.end - part.start;
        let hash = payload.hash_of(part.clone()).await.map_err(unsent)?;
        let md5 = match self.settings.checksum {
            Some(Checksum::Md5) => {
                Some(BASE64.encode(payload.md5_of(part.clone()).await.map_err(unsent)?))
            }
            _ => None,
        };
        let sha256 = self.settings.checksum == Some(Checksum::Sha256);
        let sha256 = sha256.then(|| BASE64.encode(hash.as_bytes()));
        // A call with a body cannot be cloned.
        let call = || {
            let call = self
                .sdk
                .upload_part()
                .bucket(self.bucket())
                .key(key)
                .upload_id(id)
                .part_number(number);
            let call = call.set_content_md5(md5.clone()).set_checksum_sha256(sha256.clone());
            match self.settings.encryption.customer_key() {
                Some(CustomerKey { key, md5 }) => call
                    .sse_customer_algorithm(CUSTOMER_ALGORITHM)
                    .sse_customer_key(key)
                    .sse_customer_key_md5(md5),
                None => call,
            }
        };
        let sent = in_time(|| {
            let signed = Signed::new(&self.settings.dialect, self.settings.checksum, hash);
            let call = call().body(payload.body(part.clone())).customize().interceptor(signed);
            let settings = aws_sdk_s3::config::Builder::new().timeout_config(timeouts(size));
            call.config_override(settings).send()
        });
        let sent = sent.await;
        let answer = sent.map_err(|error| match payload.take_broken() {
            Some((_, broken)) => unsent(broken),
            None => failure(self.about(Object::State.operation(), &self.url(key)), error),
        })?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(answer.e_tag)
            .set_checksum_sha256(answer.checksum_sha256)
            .build())
    }

    /// Puts the parts together: only now the object exists.
    ///
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>
    pub(crate) async fn complete_upload(
        &self,
        key: &str,
        id: &str,
        parts: Vec<CompletedPart>,
        size_bytes: u64,
        condition: Condition<'_>,
    ) -> Result<Stored, Failure> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let mut call = self
            .sdk
            .complete_multipart_upload()
            .bucket(self.bucket())
            .key(key)
            .upload_id(id)
            .multipart_upload(parts);
        if let Some(CustomerKey { key, md5 }) = self.settings.encryption.customer_key() {
            call = call
                .sse_customer_algorithm(CUSTOMER_ALGORITHM)
                .sse_customer_key(key)
                .sse_customer_key_md5(md5);
        }
        call = match condition {
            Condition::None => call,
            Condition::IfAbsent => call.if_none_match("*"),
            Condition::IfMatch(etag) => call.if_match(self.settings.dialect.if_match(etag)),
            Condition::IfMatchAs(etag) => call.if_match(etag),
        };
        let attempts = AttemptCount::default();
        let operation = Object::State.operation();
        let sent = in_time(|| {
            attempts.begin_call();
            let settings = aws_sdk_s3::config::Builder::new().timeout_config(timeouts(size_bytes));
            call.clone().customize().interceptor(attempts.clone()).config_override(settings).send()
        });
        let answer = sent.await.map_err(|error| {
            attempts.in_view_of(failure(self.about(operation, &self.url(key)), error))
        })?;
        self.stored(operation, key, answer.e_tag, answer.version_id)
    }

    /// Aborts an upload, so that its parts are not kept and charged. Succeeds if the upload does
    /// not exist any more.
    ///
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html>
    pub(crate) async fn abort_upload(&self, key: &str, id: &str) -> Result<(), Failure> {
        let call = self.sdk.abort_multipart_upload().bucket(self.bucket()).key(key).upload_id(id);
        match in_time(|| call.clone().send()).await {
            Err(error) if error.code() == Some("NoSuchUpload") => Ok(()),
            sent => sent.map(drop).map_err(|error| {
                failure(self.about("give up the upload of", &self.url(key)), error)
            }),
        }
    }

    /// Returns the command that aborts an upload by hand.
    pub(crate) fn abort_command(&self, key: &str, id: &str) -> String {
        let bucket = self.bucket();
        self.aws_command(&[
            "s3api",
            "abort-multipart-upload",
            "--bucket",
            bucket,
            "--key",
            key,
            "--upload-id",
            id,
        ])
    }
}
