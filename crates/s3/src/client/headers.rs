//! The headers of a reply that are read.
//!
//! The SDK reads every header that the API has, and rejects a reply if one of them has another form
//! than it expects: metadata that are not UTF-8, a second `Content-Type` from a proxy. Most of them
//! are not needed, so a reply keeps only the needed headers.

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::Headers;
use aws_smithy_types::config_bag::ConfigBag;
use remote_state_core::Annotations;

const LAST_MODIFIED: &str = "last-modified";

/// The headers of a reply that this crate or the SDK reads.
const NEEDED: [&str; 12] = [
    // A cached reply holds an old time.
    "age",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "etag",
    LAST_MODIFIED,
    "retry-after",
    "x-amz-bucket-region",
    "x-amz-id-2",
    "x-amz-request-id",
    "x-amz-version-id",
];

/// The prefix of the headers that hold checksums of the body.
const CHECKSUM: &str = "x-amz-checksum-";

/// The prefix of the headers that hold metadata of an object.
const METADATA: &str = "x-amz-meta-";

/// Drops the headers of a reply that are not needed.
#[derive(Debug)]
pub(crate) struct NeededHeaders;

impl Intercept for NeededHeaders {
    fn name(&self) -> &'static str {
        "needed headers"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut context::BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.response_mut().headers_mut();
        *headers = needed(headers)?;
        Ok(())
    }
}

/// Returns the needed headers.
///
/// # Errors
/// A needed header that comes twice with different values.
fn needed(headers: &Headers) -> Result<Headers, String> {
    // The rule of a lock file has the prefix of annotations too.
    fn own(name: &str) -> Option<&str> {
        name.strip_prefix(METADATA)?.strip_prefix(Annotations::PREFIX)
    }
    // What a writer noted decides nothing, unlike the rule of a lock file.
    let is_note = |name: &str| own(name).is_some_and(|name| name != Annotations::LOCK_RULE);
    let mut kept = Headers::new();
    for (name, value) in headers {
        let counts = NEEDED.contains(&name) || name.starts_with(CHECKSUM) || own(name).is_some();
        let is_time = || DateTime::from_str(value, DateTimeFormat::HttpDate).is_ok();
        if !counts || (name == LAST_MODIFIED && !is_time()) {
            continue;
        }
        match kept.get(name) {
            None => drop(kept.insert(name.to_owned(), value.to_owned())),
            Some(first)
                if first == value
                    || matches!(name, "content-type" | "date" | LAST_MODIFIED)
                    || is_note(name) => {}
            Some(_) => return Err(format!("the answer has two different headers `{name}`")),
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(headers: &[(&'static str, &'static str)]) -> Result<Vec<String>, String> {
        let mut all = Headers::new();
        for (name, value) in headers {
            all.append(*name, *value);
        }
        let kept = needed(&all)?;
        Ok(kept.iter().map(|(name, value)| format!("{name}: {value}")).collect())
    }

    #[test]
    fn what_decides_something_must_be_clear_and_a_note_need_not() {
        for name in ["etag", "content-range", "x-amz-version-id", "x-amz-meta-remote-state-lock"] {
            assert!(kept(&[(name, "a"), (name, "b")]).is_err(), "{name}");
            assert!(kept(&[(name, "a"), (name, "a")]).is_ok(), "{name}");
        }
        for name in ["x-amz-meta-remote-state-who", "content-type", "date"] {
            let first = kept(&[(name, "a"), (name, "b")]).unwrap();
            assert_eq!(first, [format!("{name}: a")], "{name}");
        }
        assert_eq!(kept(&[("x-amz-meta-other", "a"), ("x-amz-meta-other", "b")]).unwrap(), [""; 0]);
    }
}
