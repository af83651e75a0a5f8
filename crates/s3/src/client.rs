//! One method for each call of the API. No policy here: the callers decide what a reply means for a
//! state or a lock.

mod clock;
mod customer_key;
mod headers;
mod request;
mod sending;
mod upload;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_s3::operation::delete_object::builders::DeleteObjectFluentBuilder;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::{BucketVersioningStatus, ObjectCannedAcl, ServerSideEncryption};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use remote_state_core::ErrorKind;
use remote_state_core::config::ResolvedConfig;

pub(crate) use self::clock::{ClockWarning, in_time, is_about_time};
use self::customer_key::{CUSTOMER_ALGORITHM, CustomerKey};
pub(crate) use self::headers::NeededHeaders;
pub(crate) use self::request::{Condition, Object, Repeat, Select, Stored};
pub(crate) use self::sending::{AttemptCount, unsent};
use self::sending::{LastStatus, NO_CONTENT, Signed, repeated};
use crate::checksum::{self, Recorded};
use crate::config::{Encryption, S3Config, Tags, keys};
use crate::connect::timeouts;
use crate::dialect::{Checksum, Dialect, UnreadFiles, Versioned};
use crate::encrypted::read_failure;
use crate::error::{About, Failure, Outcome, about_versions, aws_command, failure};
use crate::layout::object_url;
use crate::lock::rule::RULE;
use crate::payload::Payload;
use crate::payload::unread::End;

/// A connection to one bucket.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    sdk: aws_sdk_s3::Client,
    settings: Arc<Settings>,
}

#[derive(Debug)]
struct Settings {
    bucket: String,
    region: String,
    store: String,
    /// The URL of a store that is not Amazon's, or not at its default address.
    endpoint: Option<String>,
    config: Arc<ResolvedConfig>,
    credentials: String,
    encryption: Encryption,
    tags: Tags,
    acl: Option<String>,
    checksum: Option<Checksum>,
    asks_for_checksums: bool,
    verifies: bool,
    /// Whether a file is sent while it is read.
    sends_unread: bool,
    dialect: Dialect,
    /// The shortest round trip of a small request so far, in microseconds; `u64::MAX` if there was
    /// none.
    shortest_trip: AtomicU64,
}

/// A store with a round trip this long is far away, or slow. On one machine or in one network a
/// round trip takes a few milliseconds.
pub(crate) const SLOW_TRIP: Duration = Duration::from_millis(15);

/// The size up to which the time to send a body is negligible.
const SMALL_BYTES: u64 = 16 << 10;

/// Sets the attributes of a stored object, the same for a single PUT and for an upload in parts.
macro_rules! with_attributes {
    ($call:expr, $settings:expr, $object:expr) => {{
        let Settings { encryption, tags, acl, .. } = &*$settings;
        let tags = match $object {
            Object::Lock | Object::Mark => &tags.lock,
            Object::State => &tags.state,
        };
        let acl = acl.as_deref().map(ObjectCannedAcl::from);
        let call = $call.content_type("application/json").set_tagging(tags.clone()).set_acl(acl);
        match (encryption, encryption.customer_key()) {
            (Encryption::Bucket, _) => call,
            (Encryption::Kms(key), _) => {
                call.server_side_encryption(ServerSideEncryption::AwsKms).ssekms_key_id(key)
            }
            (Encryption::Store, _) => call.server_side_encryption(ServerSideEncryption::Aes256),
            (Encryption::Customer(_), key) => {
                let (key, md5) = key.map(|CustomerKey { key, md5 }| (key, md5)).unzip();
                call.sse_customer_algorithm(CUSTOMER_ALGORITHM)
                    .set_sse_customer_key(key.map(str::to_owned))
                    .set_sse_customer_key_md5(md5)
            }
        }
    }};
}
use with_attributes;

impl Client {
    pub(crate) fn new(sdk: aws_sdk_s3::Client, config: &S3Config, dialect: Dialect) -> Self {
        let endpoint =
            config.endpoint.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned());
        let store = match &endpoint {
            Some(url) => format!("`{url}`"),
            None => format!("Amazon S3 in `{}`", config.region),
        };
        Self {
            sdk,
            settings: Arc::new(Settings {
                bucket: config.bucket.clone(),
                region: config.region.clone(),
                store,
                endpoint,
                config: config.resolved.clone(),
                credentials: config.credentials_origin.clone(),
                encryption: config.encryption.clone(),
                tags: config.tags.clone(),
                acl: config.acl.clone(),
                checksum: (!config.skip_checksum).then_some(dialect.checksum),
                asks_for_checksums: dialect.asks_for_checksums && !config.skip_checksum,
                verifies: !config.skip_checksum,
                sends_unread: !config.skip_checksum
                    && config.connection.is_safe_to(config.endpoint.as_ref())
                    && config
                        .unsigned_trailer
                        .unwrap_or(dialect.unread_files == UnreadFiles::UnsignedTrailer),
                dialect,
                shortest_trip: AtomicU64::new(u64::MAX),
            }),
        }
    }

    /// Returns the shortest round trip so far, or zero if there was none.
    pub(crate) fn shortest_trip(&self) -> Duration {
        match self.settings.shortest_trip.load(Ordering::Relaxed) {
            u64::MAX => Duration::ZERO,
            micros => Duration::from_micros(micros),
        }
    }

    /// Returns whether a file is sent while it is read.
    pub(crate) fn sends_unread(&self) -> bool {
        self.settings.sends_unread
    }

    /// Records the round trip of a small request.
    fn note_trip(&self, started: Instant) {
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let _before = self.settings.shortest_trip.fetch_min(micros, Ordering::Relaxed);
    }

    /// Returns the store's name for messages.
    pub(crate) fn store(&self) -> &str {
        &self.settings.store
    }

    pub(crate) fn sdk(&self) -> &aws_sdk_s3::Client {
        &self.sdk
    }

    /// Returns a command of the vendor's tool, for manual work on this store.
    pub(crate) fn aws_command(&self, words: &[&str]) -> String {
        aws_command(words, &self.settings.region, self.settings.endpoint.as_deref())
    }

    pub(crate) fn bucket(&self) -> &str {
        &self.settings.bucket
    }

    pub(crate) fn about<'a>(&'a self, operation: &'static str, object: &'a str) -> About<'a> {
        let Settings { bucket, region, store, config, credentials, .. } = &*self.settings;
        let endpoint = keys::ENDPOINTS_S3;
        About { operation, object, bucket, store, region, config, credentials, endpoint }
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>
    pub(crate) async fn get(
        &self,
        operation: &'static str,
        key: &str,
        select: &Select<'_>,
    ) -> Result<GetObjectOutput, Failure> {
        let range =
            select.range.as_ref().map(|range| format!("bytes={}-{}", range.start, range.end - 1));
        let mut call = self
            .sdk
            .get_object()
            .bucket(self.bucket())
            .key(key)
            .set_version_id(select.version.map(str::to_owned))
            .set_if_match(select.if_match.map(str::to_owned))
            .set_range(range);
        if let Some(CustomerKey { key, md5 }) = self.settings.encryption.customer_key() {
            call = call
                .sse_customer_algorithm(CUSTOMER_ALGORITHM)
                .sse_customer_key(key)
                .sse_customer_key_md5(md5);
        }
        // The store's checksum of the whole object does not apply to a part.
        let asks = select.range.is_none() && self.settings.asks_for_checksums;
        let started = Instant::now();
        let sent = in_time(|| {
            let call = call.clone().customize().mutate_request(move |request| {
                if asks {
                    let _before =
                        request.headers_mut().insert(checksum::ASKED.0, checksum::ASKED.1);
                }
            });
            call.send()
        });
        let sent = sent.await;
        self.note_trip(started);
        let answer = sent.map_err(|error| {
            let failure = read_failure(self.about(operation, &self.url(key)), error);
            if select.version.is_some() { about_versions(failure) } else { failure }
        })?;
        if answer.e_tag.is_none() {
            return Err(self.stranger(operation, key));
        }
        let length = answer.content_length.unwrap_or_default();
        let whole = format!("bytes 0-{}/{length}", length - 1);
        let is_part = answer.content_range.as_ref().is_some_and(|range| *range != whole);
        if select.range.is_none() && is_part {
            // A cache or a proxy may reply so. A part would pass for the whole.
            let reason = "the store sent a part of it, and was asked for the whole";
            let error = self.about(operation, &self.url(key)).error(ErrorKind::Unavailable, reason);
            return Err(Failure { outcome: Outcome::Unknown, error });
        }
        Ok(answer)
    }

    /// Returns the checksum that the reply to a GET of a whole object names, unless checksums are
    /// disabled.
    pub(crate) fn recorded(&self, answer: &GetObjectOutput) -> Option<Recorded> {
        self.settings.verifies.then(|| Recorded::of(answer)).flatten()
    }

    /// Writes a state in one request, which is repeated as configured.
    pub(crate) async fn put_state(
        &self,
        key: &str,
        payload: &Payload,
        condition: Condition<'_>,
    ) -> Result<Stored, Failure> {
        self.put(Object::State, key, payload, condition, Repeat::AsConfigured).await
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>
    pub(crate) async fn put(
        &self,
        object: Object,
        key: &str,
        payload: &Payload,
        condition: Condition<'_>,
        repeat: Repeat,
    ) -> Result<Stored, Failure> {
        let operation = object.operation();
        let Settings { checksum, dialect, .. } = &*self.settings;
        let md5 = match checksum {
            Some(Checksum::Md5) if !payload.is_unread() => {
                Some(BASE64.encode(payload.md5().await.map_err(unsent)?))
            }
            _ => None,
        };
        // A body that is read while it is sent has its checksum behind it.
        let (size, hash) = (payload.size_bytes(), payload.hash_before());
        let sha256 = hash.filter(|_| *checksum == Some(Checksum::Sha256));
        let sha256 = sha256.map(|hash| BASE64.encode(hash.as_bytes()));
        // A call with a body cannot be cloned.
        let call = || {
            let call = self.sdk.put_object().bucket(self.bucket()).key(key);
            let mut call = with_attributes!(call, self.settings, object);
            if !matches!(object, Object::State) && dialect.versioned == Versioned::ByList {
                call = call.metadata(RULE.0, RULE.1);
            }
            for (name, value) in payload.metadata() {
                call = call.metadata(name, value);
            }
            call = call.set_content_md5(md5.clone()).set_checksum_sha256(sha256.clone());
            match condition {
                Condition::None => call,
                Condition::IfAbsent => call.if_none_match("*"),
                Condition::IfMatch(etag) => call.if_match(dialect.if_match(etag)),
                Condition::IfMatchAs(etag) => call.if_match(etag),
            }
        };
        let attempts = AttemptCount::default();
        let started = Instant::now();
        let sent = in_time(|| {
            // This is the error of an earlier request's body, and not about this request.
            drop(payload.take_broken());
            attempts.begin_call();
            let call = call()
                .body(payload.whole_body())
                .customize()
                .interceptor(attempts.clone())
                .interceptor(match hash {
                    Some(hash) => Signed::new(dialect, *checksum, hash),
                    None => Signed::Trailer(size),
                });
            call.config_override(repeated(repeat).timeout_config(timeouts(size))).send()
        });
        let sent = sent.await;
        if size <= SMALL_BYTES {
            self.note_trip(started);
        }
        let end = payload.close();
        let answer = sent.map_err(|error| match payload.take_broken() {
            Some((times, broken)) if times == attempts.count() => unsent(broken),
            _ => {
                let failed = failure(self.about(operation, &self.url(key)), error);
                let outcome = match failed.outcome {
                    Outcome::Unknown if end == Some(End::Withheld) => Outcome::Unsent,
                    outcome => outcome,
                };
                attempts.in_view_of(Failure { outcome, ..failed })
            }
        })?;
        // A store that decodes the body names its checksum. A success without that may come from a
        // proxy, or from a store that has kept the coding as a part of the object.
        let is_vouched_for = match &end {
            None => true,
            Some(End::Withheld) => false,
            Some(End::Given(checksum)) => answer.checksum_crc32_c.as_ref() == Some(checksum),
        };
        if !is_vouched_for {
            return Err(self.stranger(operation, key));
        }
        self.stored(operation, key, answer.e_tag, answer.version_id)
    }

    /// Accepts a success only if it names an entity tag, as that of every store does: a proxy or a
    /// login page accepts every request.
    fn stored(
        &self,
        operation: &'static str,
        key: &str,
        etag: Option<String>,
        version: Option<String>,
    ) -> Result<Stored, Failure> {
        if etag.is_some() {
            Ok(Stored { etag, version })
        } else {
            Err(self.stranger(operation, key))
        }
    }

    /// Returns the failure for a reply that is not from an S3 store: the outcome of the request is
    /// unknown.
    fn stranger(&self, operation: &'static str, key: &str) -> Failure {
        let error = self
            .about(operation, &self.url(key))
            .error(ErrorKind::Unexpected, "the server at this endpoint does not respond as S3 does")
            .with_context("store", self.store())
            .with_hint("look for a proxy or a login page between this machine and the store");
        Failure { outcome: Outcome::Unknown, error }
    }

    /// Deletes the object under a key; the request is repeated as configured.
    pub(crate) async fn delete(&self, operation: &'static str, key: &str) -> Result<(), Failure> {
        self.send_delete(operation, key, self.sdk.delete_object(), Repeat::AsConfigured).await
    }

    /// Deletes an object and never repeats the request: the second could delete an object of
    /// another client.
    pub(crate) async fn delete_once(
        &self,
        operation: &'static str,
        key: &str,
        condition: Condition<'_>,
    ) -> Result<(), Failure> {
        let mut call = self.sdk.delete_object();
        if let Condition::IfMatch(etag) = condition {
            call = call.if_match(etag);
        }
        self.send_delete(operation, key, call, Repeat::Never).await
    }

    /// Deletes one version for good.
    pub(crate) async fn delete_version(
        &self,
        operation: &'static str,
        key: &str,
        version: &str,
        repeat: Repeat,
    ) -> Result<(), Failure> {
        let call = self.sdk.delete_object().version_id(version);
        self.send_delete(operation, key, call, repeat).await.map_err(about_versions)
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html>
    async fn send_delete(
        &self,
        operation: &'static str,
        key: &str,
        call: DeleteObjectFluentBuilder,
        repeat: Repeat,
    ) -> Result<(), Failure> {
        let (attempts, status) = (AttemptCount::default(), LastStatus::default());
        let call = call.bucket(self.bucket()).key(key);
        let sent = in_time(|| {
            attempts.begin_call();
            let call =
                call.clone().customize().interceptor(attempts.clone()).interceptor(status.clone());
            call.config_override(repeated(repeat)).send()
        });
        let sent = sent.await;
        drop(sent.map_err(|error| {
            attempts.in_view_of(failure(self.about(operation, &self.url(key)), error))
        })?);
        // Stores reply without a body. A proxy or a login page accepts every request, and its
        // replies have one.
        if status.get() == NO_CONTENT { Ok(()) } else { Err(self.stranger(operation, key)) }
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>
    pub(crate) async fn list(
        &self,
        operation: &'static str,
        prefix: &str,
        token: Option<String>,
    ) -> Result<ListObjectsV2Output, Failure> {
        let call = self
            .sdk
            .list_objects_v2()
            .bucket(self.bucket())
            .prefix(prefix)
            .set_continuation_token(token);
        let sent = in_time(|| call.clone().send()).await;
        sent.map_err(|error| failure(self.about(operation, &self.url(prefix)), error))
    }

    /// Returns whether the bucket makes versions.
    pub(crate) async fn is_versioned(&self, operation: &'static str) -> Result<bool, Failure> {
        Ok(self.versioning(operation).await? == Some(BucketVersioningStatus::Enabled))
    }

    /// Returns whether the bucket makes versions or ever made any: versioning can be suspended, but
    /// never disabled again.
    pub(crate) async fn was_versioned(&self, operation: &'static str) -> Result<bool, Failure> {
        Ok(self.versioning(operation).await?.is_some())
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html>
    async fn versioning(
        &self,
        operation: &'static str,
    ) -> Result<Option<BucketVersioningStatus>, Failure> {
        let call = self.sdk.get_bucket_versioning().bucket(self.bucket());
        let sent = in_time(|| call.clone().send()).await;
        let answer = sent.map_err(|error| {
            about_versions(failure(self.about(operation, &self.url("")), error))
        })?;
        Ok(answer.status)
    }

    pub(crate) fn url(&self, key: &str) -> String {
        object_url(self.bucket(), key)
    }
}
