//! The clock for checking the time of requests, which a fault can set ahead or behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, DATE, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use s3s::HttpResponse;

/// How far a client's clock may be off.
const SKEW_SECONDS: u64 = 15 * 60;

/// The time of an answer of Tablestore.
const OTS_DATE: HeaderName = HeaderName::from_static("x-ots-date");

/// This machine's clock with an offset, which clones share.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clock {
    ahead_seconds: Arc<AtomicI64>,
}

impl Clock {
    pub(crate) fn set_ahead(&self, ahead: SignedDuration) {
        self.ahead_seconds.store(ahead.as_secs(), Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> Timestamp {
        let ahead = SignedDuration::from_secs(self.ahead_seconds.load(Ordering::Relaxed));
        Timestamp::now().saturating_add(ahead).unwrap_or(Timestamp::MAX)
    }

    /// Returns when a request for S3 or DynamoDB was signed, if that is too far from this clock.
    pub(crate) fn refuses(&self, headers: &HeaderMap) -> Option<Timestamp> {
        let signed = headers.get("x-amz-date")?.to_str().ok()?;
        let signed = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", signed).ok()?;
        let signed = signed.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
        (signed.duration_since(self.now()).unsigned_abs().as_secs() > SKEW_SECONDS)
            .then_some(signed)
    }

    /// Writes this clock's time into an answer.
    pub(crate) fn stamp(&self, answer: &mut HttpResponse) {
        let now = self.now();
        let headers = answer.headers_mut();
        if let Ok(date) =
            HeaderValue::from_str(&now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
        {
            headers.insert(DATE, date);
        }
        // The signature covers the time, so a signed answer keeps its own.
        if headers.contains_key(OTS_DATE)
            && !headers.contains_key(AUTHORIZATION)
            && let Ok(date) =
                HeaderValue::from_str(&now.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
        {
            headers.insert(OTS_DATE, date);
        }
    }
}
