//! The common part of GET and HEAD: finding a version, its conditions, bytes and headers.

use std::ops::Range as Span;

use redb::ReadTransaction;
use s3s::dto::*;
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use super::error::precondition_failed;
use super::{
    checksum_type_of, encryption_of, metadata_of, shows_version, size_of, strong, with_header,
};
use crate::quirks::Quirks;
use crate::store::versions;
use crate::store::{
    BUCKETS, Checksums, Content, VERSIONS, Version, Versioning, buckets, internal, time_of,
};

/// The parameters of a GET or HEAD.
pub(super) struct Select {
    pub(super) quirks: Quirks,
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) version_id: Option<String>,
    pub(super) range: Option<Range>,
    pub(super) part_number: Option<i32>,
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
    pub(super) if_modified_since: Option<Timestamp>,
    pub(super) if_unmodified_since: Option<Timestamp>,
}

/// The version that a GET or HEAD found.
pub(super) struct Found {
    pub(super) version: Version,
    pub(super) content: Content,
    pub(super) versioning: Versioning,
    /// The bytes to send.
    pub(super) span: Span<u64>,
    pub(super) is_partial: bool,
    pub(super) part_count: Option<i32>,
    is_id_shown: bool,
}

impl Select {
    /// Finds the version, in one transaction.
    pub(super) fn find(&self, txn: &ReadTransaction) -> S3Result<Found> {
        let versioning =
            buckets::get(&txn.open_table(BUCKETS).map_err(internal)?, &self.bucket)?.versioning;
        let versions = txn.open_table(VERSIONS).map_err(internal)?;
        let mut version = match &self.version_id {
            None => versions::current(&versions, &self.bucket, &self.key)?
                .ok_or_else(|| s3_error!(NoSuchKey, "The specified key does not exist."))?,
            Some(id) => {
                let all = versions::versions_of(&versions, &self.bucket, &self.key)?;
                let found = all.into_iter().find(|(_, version)| version.id == *id);
                found
                    .ok_or_else(|| {
                        s3_error!(NoSuchVersion, "The specified version does not exist.")
                    })?
                    .1
            }
        };
        let Some(content) = version.content.take() else {
            let error = match self.version_id {
                None => s3_error!(NoSuchKey, "The specified key does not exist."),
                Some(_) => {
                    s3_error!(
                        MethodNotAllowed,
                        "The specified method is not allowed against this resource."
                    )
                }
            };
            return Err(with_header(
                error,
                &[("x-amz-delete-marker", "true"), ("x-amz-version-id", &version.id)],
            ));
        };
        self.check_conditions(&version, &content)?;
        let whole = 0..content.size_bytes;
        let (span, is_partial, part_count) = match (&self.range, self.part_number) {
            (Some(range), _) => {
                let span = range.check(content.size_bytes).map_err(|_| {
                    let size = format!("bytes */{}", content.size_bytes);
                    with_header(
                        s3_error!(InvalidRange, "The requested range is not satisfiable"),
                        &[("content-range", &size)],
                    )
                })?;
                (span, true, None)
            }
            (None, Some(number)) => part_span(&content, number)?,
            (None, None) => (whole, false, None),
        };
        let is_id_shown = self.version_id.is_some() || shows_version(self.quirks, &version.id);
        Ok(Found { version, content, versioning, span, is_partial, part_count, is_id_shown })
    }

    /// In the order of <https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2>: an ETag has the
    /// last word over a time.
    fn check_conditions(&self, version: &Version, content: &Content) -> S3Result<()> {
        let matches = |condition: &ETagCondition| match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(etag) => etag.value() == content.etag,
        };
        // Times in headers have whole seconds.
        let modified = Timestamp::from(time_of(version.modified_ms / 1000 * 1000));
        match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) if !matches(condition) => {
                return Err(precondition_failed("If-Match"));
            }
            (None, Some(since)) if modified > *since => {
                return Err(precondition_failed("If-Unmodified-Since"));
            }
            _ => {}
        }
        let is_known = match (&self.if_none_match, &self.if_modified_since) {
            (Some(condition), _) => matches(condition),
            (None, Some(since)) => modified <= *since,
            (None, None) => false,
        };
        if is_known {
            let etag = format!("\"{}\"", content.etag);
            return Err(with_header(S3Error::new(S3ErrorCode::NotModified), &[("etag", &etag)]));
        }
        Ok(())
    }
}

impl Found {
    /// The version id, if the bucket ever had versions.
    pub(super) fn shown_version(&self) -> Option<String> {
        (self.versioning != Versioning::Never && self.is_id_shown).then(|| self.version.id.clone())
    }

    /// The headers of the answer.
    pub(super) fn describe(&self, wants_checksums: bool) -> HeadObjectOutput {
        let headers = &self.content.headers;
        // A checksum covers the whole object, so the answer with a part has none.
        let checksums = if wants_checksums && !self.is_partial {
            self.content.checksums.clone()
        } else {
            Checksums::default()
        };
        let last = self.span.end.saturating_sub(1);
        HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            bucket_key_enabled: headers.bucket_key_enabled,
            cache_control: headers.cache_control.clone(),
            checksum_type: checksum_type_of(&checksums),
            checksum_crc32: checksums.crc32,
            checksum_crc32c: checksums.crc32c,
            checksum_crc64nvme: checksums.crc64nvme,
            checksum_sha1: checksums.sha1,
            checksum_sha256: checksums.sha256,
            content_disposition: headers.content_disposition.clone(),
            content_encoding: headers.content_encoding.clone(),
            content_language: headers.content_language.clone(),
            content_length: Some(size_of(self.span.end - self.span.start)),
            content_range: self
                .is_partial
                .then(|| format!("bytes {}-{last}/{}", self.span.start, self.content.size_bytes)),
            content_type: headers
                .content_type
                .clone()
                .or_else(|| Some("binary/octet-stream".to_owned())),
            e_tag: Some(strong(&self.content.etag)),
            last_modified: Some(Timestamp::from(time_of(self.version.modified_ms))),
            metadata: metadata_of(headers),
            parts_count: self.part_count,
            server_side_encryption: encryption_of(headers),
            ssekms_key_id: headers.kms_key_id.clone(),
            version_id: self.shown_version(),
            ..Default::default()
        }
    }
}

/// The bytes of one part. An object that was not uploaded in parts has one.
fn part_span(content: &Content, number: i32) -> S3Result<(Span<u64>, bool, Option<i32>)> {
    let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    let Some((index, segment)) =
        index.and_then(|index| Some((index, content.segments.get(index)?)))
    else {
        return Err(s3_error!(InvalidRange, "The requested partnumber is not satisfiable"));
    };
    let start: u64 = content.segments[..index].iter().map(|segment| segment.size_bytes).sum();
    let count = i32::try_from(content.segments.len()).unwrap_or(i32::MAX);
    let in_parts = content.etag.contains('-');
    Ok((start..start + segment.size_bytes, in_parts, in_parts.then_some(count)))
}
