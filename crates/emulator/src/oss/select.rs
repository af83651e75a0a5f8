//! GET and HEAD.

use std::ops::Range;

use hyper::StatusCode;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use redb::ReadTransaction;
use s3s::dto::StreamingBlob;
use s3s::{Body, HttpResponse};

use super::answer::{empty, header_time, set, timestamp};
use super::call::Call;
use super::refusal::Refusal;
use super::{Oss, headers};
use crate::body::Outgoing;
use crate::store::versions;
use crate::store::{BUCKETS, Content, OssKind, VERSIONS, Version, Versioning, buckets, internal};

/// The object that a request names.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) content: Content,
    id: String,
    modified_ms: u64,
    versioning: Versioning,
}

impl Oss {
    /// <https://www.alibabacloud.com/help/en/oss/developer-reference/getobject>
    pub(super) async fn object(&self, call: &Call) -> Result<HttpResponse, Refusal> {
        let found = self.find(call).await?;
        check_conditions(call, &found)?;
        let size = found.content.size_bytes;
        let wanted = call.header("range").map(|range| parse_range(range, size));
        let is_strict = call.header("x-oss-range-behavior") == Some("standard");
        let (span, is_partial) = match wanted {
            None => (0..size, false),
            Some(Some(span)) => (span, true),
            Some(None) if is_strict => {
                return Err(Refusal::new(
                    416,
                    "InvalidRange",
                    "The requested range cannot be satisfied.",
                )
                .with_header("content-range", format!("bytes */{size}")));
            }
            // By default the service ignores a range that does not fit.
            Some(None) => (0..size, false),
        };
        let status = if is_partial { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
        let mut answer = describe(&found, status);
        if is_partial {
            set(
                &mut answer,
                "content-range",
                &format!("bytes {}-{}/{size}", span.start, span.end - 1),
            );
        }
        set(&mut answer, "content-length", &(span.end - span.start).to_string());
        for (parameter, header) in [
            ("response-cache-control", "cache-control"),
            ("response-content-disposition", "content-disposition"),
            ("response-content-encoding", "content-encoding"),
            ("response-content-language", "content-language"),
            ("response-content-type", "content-type"),
            ("response-expires", "expires"),
        ] {
            if let Some(value) = call.query.get(parameter) {
                set(&mut answer, header, value);
            }
        }
        let bytes = Outgoing::start(self.storage.clone(), found.content.segments, span);
        *answer.body_mut() = Body::from(StreamingBlob::new(bytes));
        Ok(answer)
    }

    /// <https://www.alibabacloud.com/help/en/oss/developer-reference/headobject>
    pub(super) async fn object_head(&self, call: &Call) -> Result<HttpResponse, Refusal> {
        let found = self.find(call).await?;
        check_conditions(call, &found)?;
        let mut answer = describe(&found, StatusCode::OK);
        set(&mut answer, "content-length", &found.content.size_bytes.to_string());
        Ok(answer)
    }

    /// <https://www.alibabacloud.com/help/en/oss/developer-reference/getobjectmeta>
    pub(super) async fn object_meta(&self, call: &Call) -> Result<HttpResponse, Refusal> {
        let found = self.find(call).await?;
        let mut answer = empty(StatusCode::OK);
        headers::set_digests(&mut answer, &found.content);
        set(&mut answer, "last-modified", &header_time(found.modified_ms));
        set(&mut answer, "content-length", &found.content.size_bytes.to_string());
        set_version(&mut answer, &found);
        if call.method == hyper::Method::GET {
            // The answer to a GET has no body, so the length of the object can only be stated to
            // HEAD.
            set(&mut answer, "content-length", "0");
        }
        Ok(answer)
    }

    /// Finds the version that a request is about.
    pub(super) async fn find(&self, call: &Call) -> Result<Found, Refusal> {
        let (bucket, key, version) =
            (call.own_bucket(), call.own_key(), call.query.text("versionId"));
        self.storage.read(move |txn| find(txn, &bucket, &key, version.as_deref())).await
    }
}

fn find(
    txn: &ReadTransaction,
    bucket: &str,
    key: &str,
    version: Option<&str>,
) -> Result<Found, Refusal> {
    let versioning = buckets::get(&txn.open_table(BUCKETS).map_err(internal)?, bucket)?.versioning;
    let versions = txn.open_table(VERSIONS).map_err(internal)?;
    let found: Version = match version {
        None => versions::current(&versions, bucket, key)?.ok_or_else(Refusal::no_such_key)?,
        Some(id) => {
            let all = versions::versions_of(&versions, bucket, key)?;
            all.into_iter().find(|(_, found)| found.id == id).map(|(_, found)| found).ok_or_else(
                || Refusal::new(404, "NoSuchVersion", "The specified version does not exist."),
            )?
        }
    };
    let Some(content) = found.content else {
        let refusal = match version {
            None => Refusal::no_such_key(),
            Some(_) => Refusal::new(
                405,
                "MethodNotAllowed",
                "The specified method is not allowed against this resource.",
            ),
        };
        return Err(refusal
            .with_header("x-oss-delete-marker", "true")
            .with_header("x-oss-version-id", found.id));
    };
    Ok(Found { content, id: found.id, modified_ms: found.modified_ms, versioning })
}

/// Returns an answer with the headers of the object.
fn describe(found: &Found, status: StatusCode) -> HttpResponse {
    let mut answer = empty(status);
    headers::set_stored(&mut answer, &found.content.headers);
    headers::set_digests(&mut answer, &found.content);
    set(&mut answer, "accept-ranges", "bytes");
    set(&mut answer, "last-modified", &header_time(found.modified_ms));
    set(&mut answer, "x-oss-storage-class", "Standard");
    match found.content.oss.kind {
        OssKind::Normal => set(&mut answer, "x-oss-object-type", "Normal"),
        OssKind::Appendable => {
            set(&mut answer, "x-oss-object-type", "Appendable");
            set(&mut answer, "x-oss-next-append-position", &found.content.size_bytes.to_string());
        }
    }
    set_version(&mut answer, found);
    answer
}

fn set_version(answer: &mut HttpResponse, found: &Found) {
    if found.versioning != Versioning::Never {
        set(answer, "x-oss-version-id", &found.id);
    }
}

/// In the order of <https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2>.
fn check_conditions(call: &Call, found: &Found) -> Result<(), Refusal> {
    let etag = headers::etag(&found.content);
    let bare = etag.trim_matches('"');
    let matches = |wanted: &str| {
        wanted
            .split(',')
            .map(|one| one.trim().trim_matches('"'))
            .any(|one| one == "*" || one == bare)
    };
    let time = |name: &str| -> Option<Timestamp> {
        rfc2822::DateTimeParser::new().parse_timestamp(call.header(name)?).ok()
    };
    // Times in headers have whole seconds.
    let modified = timestamp(found.modified_ms / 1000 * 1000);
    let failed = match (call.header("if-match"), time("if-unmodified-since")) {
        (Some(wanted), _) => !matches(wanted),
        (None, Some(since)) => modified > since,
        (None, None) => false,
    };
    if failed {
        return Err(Refusal::new(
            412,
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold.",
        ));
    }
    let is_known = match (call.header("if-none-match"), time("if-modified-since")) {
        (Some(wanted), _) => matches(wanted),
        (None, Some(since)) => modified <= since,
        (None, None) => false,
    };
    if is_known {
        return Err(Refusal::new(304, "NotModified", "The object has not been modified.")
            .with_header("etag", etag)
            .with_header("last-modified", header_time(found.modified_ms)));
    }
    Ok(())
}

/// Reads one range of bytes. Returns `None` if an object of this size has no such range.
fn parse_range(text: &str, size: u64) -> Option<Range<u64>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let span = match (first, last) {
        ("", last) => size.checked_sub(last.parse().ok()?)?..size,
        (first, "") => first.parse().ok()?..size,
        (first, last) => first.parse().ok()?..last.parse::<u64>().ok()?.checked_add(1)?,
    };
    (span.start < span.end && span.end <= size).then_some(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ranges_within_the_object_are_ranges() {
        assert_eq!(parse_range("bytes=0-1", 3), Some(0..2));
        assert_eq!(parse_range("bytes=1-", 3), Some(1..3));
        assert_eq!(parse_range("bytes=-1", 3), Some(2..3));
        for wrong in
            ["bytes=3-4", "bytes=0-3", "bytes=2-1", "bytes=0-1,2-2", "items=0-1", "bytes=a-b"]
        {
            assert_eq!(parse_range(wrong, 3), None, "{wrong}");
        }
    }
}
