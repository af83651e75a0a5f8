//! One method for each call of the API. No policy here: the callers decide what an answer means for
//! a state or a lock.

use std::sync::Arc;

use remote_state_core::provider::Cursor;
use remote_state_core::{ErrorKind, Result};
use reqwest::{Method, StatusCode};

use crate::config::{Encryption, OssConfig};
use crate::error::{Failure, Outcome};
use crate::layout::object_url;
use crate::payload::Payload;
use crate::request::{Answer, Call, Reads, Repeat, Sender};
use crate::xml::{self, Listing, VersioningConfiguration, Versions};

/// The id of the version from before versioning, and of the version that replaces it while
/// versioning is suspended. Unlike other ids, the service reuses this one for another object.
pub(crate) const NULL_VERSION: &str = "null";

/// The maximum number of objects on a page of a listing.
const PAGE: &str = "1000";

/// A connection to one bucket.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) sender: Sender,
    /// The headers of every write.
    written_as: Arc<WrittenAs>,
}

#[derive(Debug)]
struct WrittenAs {
    encryption: Option<Encryption>,
    acl: Option<String>,
}

/// How an object is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PutMode {
    /// Replaces any object.
    Overwrite,
    /// Refuses to replace an object. The service ignores this on a bucket that keeps versions, or
    /// did.
    ForbidOverwrite,
}

/// What the store reports about an object that it wrote.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) etag: Option<String>,
    pub(crate) version: Option<String>,
}

/// Whether a bucket keeps versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EverVersioned {
    /// The bucket keeps versions, or did once.
    EnabledOrSuspended,
    /// The bucket never kept versions.
    Never,
}

impl Client {
    pub(crate) fn new(sender: Sender, config: &OssConfig) -> Self {
        let written_as =
            WrittenAs { encryption: config.encryption.clone(), acl: config.acl.clone() };
        Self { sender, written_as: Arc::new(written_as) }
    }

    /// Reads an object, or exactly one version of it, or the first `limit` bytes, and checks that
    /// the store answered: the store always sends the entity tag.
    ///
    /// <https://www.alibabacloud.com/help/en/oss/developer-reference/getobject>
    pub(crate) async fn get(
        &self,
        operation: &'static str,
        key: &str,
        version: Option<&str>,
        limit: Option<u64>,
    ) -> Result<Answer, Failure> {
        let mut call = Call::new(operation, Method::GET, Some(key));
        if let Some(limit) = limit {
            call.headers.push(("range", format!("bytes=0-{}", limit - 1)));
            // Without this header the service sends the whole if the range ends beyond it.
            call.headers.push(("x-oss-range-behavior", "standard".to_owned()));
        }
        call.query.extend(version.map(|version| ("versionId", Some(version.to_owned()))));
        call.reads = Reads::Stream;
        let answer = self.sender.send(&call).await?;
        if answer.header("etag").is_some() {
            Ok(answer)
        } else {
            Err(self.stranger(operation, key))
        }
    }

    /// <https://www.alibabacloud.com/help/en/oss/developer-reference/putobject>
    pub(crate) async fn put(
        &self,
        operation: &'static str,
        key: &str,
        payload: &Payload,
        mode: PutMode,
        repeat: Repeat,
    ) -> Result<Stored, Failure> {
        let mut call = Call::new(operation, Method::PUT, Some(key));
        call.headers = self.headers(true);
        if mode == PutMode::ForbidOverwrite {
            call.headers.push(("x-oss-forbid-overwrite", "true".to_owned()));
        }
        call.payload = Some(payload);
        call.repeat = repeat;
        let answer = self.sender.send(&call).await?;
        self.stored(operation, key, payload, &answer, "etag")
    }

    /// Creates an object by appending to a missing one. Never repeats the request: the second could
    /// fail because of the first.
    ///
    /// Unlike `x-oss-forbid-overwrite`, this is create-only also on buckets that keep versions.
    /// Never create an empty object this way: the store would accept the next append.
    ///
    /// <https://www.alibabacloud.com/help/en/oss/developer-reference/appendobject>
    pub(crate) async fn append_once(
        &self,
        operation: &'static str,
        key: &str,
        payload: &Payload,
    ) -> Result<Stored, Failure> {
        debug_assert!(
            payload.size_bytes() > 0,
            "an empty object would let the next append through"
        );
        let mut call = Call::new(operation, Method::POST, Some(key));
        call.query = vec![("append", None), ("position", Some("0".to_owned()))];
        // The call accepts no KMS key: the store uses the bucket's own.
        call.headers = self.headers(false);
        call.payload = Some(payload);
        call.repeat = Repeat::Never;
        let answer = self.sender.send(&call).await?;
        self.stored(operation, key, payload, &answer, "x-oss-next-append-position")
    }

    fn headers(&self, takes_kms_key: bool) -> Vec<(&'static str, String)> {
        let mut headers = Vec::new();
        if let Some(Encryption { algorithm, kms_key_id }) = &self.written_as.encryption {
            headers.push(("x-oss-server-side-encryption", (*algorithm).to_owned()));
            if let Some(key) = kms_key_id.as_ref().filter(|_| takes_kms_key) {
                headers.push(("x-oss-server-side-encryption-key-id", key.clone()));
            }
        }
        // Native clients send `x-oss-acl`, the header for buckets, which has no effect on objects.
        headers.extend(self.written_as.acl.clone().map(|acl| ("x-oss-object-acl", acl)));
        headers
    }

    /// Checks that the store answered, which always sends the header `sign`, and that it has the
    /// bytes that were sent.
    fn stored(
        &self,
        operation: &'static str,
        key: &str,
        payload: &Payload,
        answer: &Answer,
        sign: &str,
    ) -> Result<Stored, Failure> {
        if answer.header(sign).is_none() {
            return Err(self.stranger(operation, key));
        }
        if let Some(crc) = answer.header("x-oss-hash-crc64ecma")
            && crc.parse() != Ok(payload.crc64)
        {
            let object = self.url(key);
            let error = self.sender.about(operation, &object).error(
                ErrorKind::Unavailable,
                "the store has something else than what was sent (CRC-64)",
            );
            // The store has written the object: the caller reads it back.
            return Err(Failure { outcome: Outcome::Unknown, error });
        }
        let text = |name: &str| answer.header(name).map(str::to_owned);
        Ok(Stored { etag: text("etag"), version: text("x-oss-version-id") })
    }

    /// Deletes an object, or exactly one version of it, and checks that the store answered: it
    /// sends a 204, whether the object existed or not.
    ///
    /// <https://www.alibabacloud.com/help/en/oss/developer-reference/deleteobject>
    pub(crate) async fn delete(
        &self,
        operation: &'static str,
        key: &str,
        version: Option<&str>,
        repeat: Repeat,
    ) -> Result<(), Failure> {
        let mut call = Call::new(operation, Method::DELETE, Some(key));
        call.query.extend(version.map(|version| ("versionId", Some(version.to_owned()))));
        call.repeat = repeat;
        let answer = self.sender.send(&call).await?;
        if answer.response.status() == StatusCode::NO_CONTENT {
            Ok(())
        } else {
            Err(self.stranger(operation, key))
        }
    }

    /// <https://www.alibabacloud.com/help/en/oss/developer-reference/listobjects>
    pub(crate) async fn list(
        &self,
        operation: &'static str,
        prefix: &str,
        marker: Option<String>,
    ) -> Result<Listing, Failure> {
        let mut call = Call::new(operation, Method::GET, None);
        call.query = vec![
            ("encoding-type", Some("url".to_owned())),
            ("max-keys", Some(PAGE.to_owned())),
            ("prefix", Some(prefix.to_owned())),
        ];
        call.query.extend(marker.map(|marker| ("marker", Some(marker))));
        let answer = self.sender.send(&call).await?;
        self.parse(operation, prefix, &answer.text)
    }

    /// <https://www.alibabacloud.com/help/en/oss/developer-reference/listobjectversions>
    pub(crate) async fn list_versions(
        &self,
        operation: &'static str,
        prefix: &str,
        after: Option<Cursor>,
    ) -> Result<Versions, Failure> {
        let mut call = Call::new(operation, Method::GET, None);
        call.query = vec![
            ("versions", None),
            ("encoding-type", Some("url".to_owned())),
            ("max-keys", Some(PAGE.to_owned())),
            ("prefix", Some(prefix.to_owned())),
        ];
        if let Some(Cursor { key, version, .. }) = after {
            call.query.push(("key-marker", Some(key)));
            call.query.push(("version-id-marker", version));
        }
        let answer = self.sender.send(&call).await?;
        self.parse(operation, prefix, &answer.text)
    }

    /// <https://www.alibabacloud.com/help/en/oss/developer-reference/getbucketversioning>
    pub(crate) async fn versioning(
        &self,
        operation: &'static str,
    ) -> Result<EverVersioned, Failure> {
        let mut call = Call::new(operation, Method::GET, None);
        call.query = vec![("versioning", None)];
        let answer = self.sender.send(&call).await?;
        let configuration: VersioningConfiguration = self.parse(operation, "", &answer.text)?;
        Ok(match configuration.status.as_deref() {
            None => EverVersioned::Never,
            Some("Enabled" | "Suspended") => EverVersioned::EnabledOrSuspended,
            Some(_) => return Err(self.stranger(operation, "")),
        })
    }

    fn parse<T: xml::Document>(
        &self,
        operation: &'static str,
        key: &str,
        text: &str,
    ) -> Result<T, Failure> {
        xml::parse(text).ok_or_else(|| self.stranger(operation, key))
    }

    /// Creates the failure for an answer that is not the store's: the outcome of the request is
    /// unknown.
    fn stranger(&self, operation: &'static str, key: &str) -> Failure {
        let object = self.url(key);
        let error = self
            .sender
            .about(operation, &object)
            .error(
                ErrorKind::Unexpected,
                "the server at this endpoint does not respond as OSS does",
            )
            .with_context("store", self.sender.store())
            .with_hint("look for a proxy or a login page between this machine and the store");
        Failure { outcome: Outcome::Unknown, error }
    }

    pub(crate) fn url(&self, key: &str) -> String {
        object_url(self.sender.bucket(), key)
    }
}
