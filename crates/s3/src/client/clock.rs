//! Requests that a service refused because of the time in their signature.
//!
//! The SDK learns the service's time from the `Date` of every reply, and signs with it from then
//! on. It repeats a request that was refused because of its time, except if the request must never
//! be repeated or retries are off.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use remote_state_core::provider::warn_of_clock;

/// The difference between clocks that every service tolerates, in seconds.
const SKEW_SECONDS: u64 = 4 * 60;

/// Warns if a service refuses this machine's clock: from then on the SDK uses the service's time.
#[derive(Debug)]
pub(crate) struct ClockWarning;

impl Intercept for ClockWarning {
    fn name(&self) -> &'static str {
        "clock"
    }

    fn read_before_deserialization(
        &self,
        context: &context::BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answer = context.response();
        // A cached reply holds an old time.
        if !matches!(answer.status().as_u16(), 400 | 403) || answer.headers().get("age").is_some() {
            return Ok(());
        }
        let date = answer.headers().get("date");
        let theirs = date.and_then(|date| DateTime::from_str(date, DateTimeFormat::HttpDate).ok());
        let Some(theirs) = theirs else { return Ok(()) };
        let seconds = theirs.secs() - jiff::Timestamp::now().as_second();
        if seconds.unsigned_abs() > SKEW_SECONDS {
            warn_of_clock(seconds);
        }
        Ok(())
    }
}

/// Sends a request, and sends it again if the service refused its time: then nothing was done, and
/// the SDK has learned the service's time from that reply and signs with it.
pub(crate) async fn in_time<T, E, F>(
    mut send: impl FnMut() -> F,
) -> Result<T, SdkError<E, HttpResponse>>
where
    E: ProvideErrorMetadata,
    F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
{
    match send().await {
        Err(error) if is_about_time(error.code(), error.message()) => {
            tracing::debug!("the request was refused for its time and is sent once more");
            send().await
        }
        other => other,
    }
}

/// Whether a service refuses a request because of the time in its signature. S3 has a code for
/// this; other services have one code for every fault of a signature, and only the sentence shows
/// it.
pub(crate) fn is_about_time(code: Option<&str>, sentence: Option<&str>) -> bool {
    let is_said = || sentence.is_some_and(|words| TIMES.iter().any(|said| words.contains(said)));
    match code {
        Some("RequestTimeTooSkewed") => true,
        Some("InvalidSignatureException" | "SignatureDoesNotMatch") => is_said(),
        _ => false,
    }
}

/// "Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z", "Signature not yet
/// current: 20260101T003000Z is still later than 20260101T001500Z".
const TIMES: [&str; 2] = ["Signature expired", "Signature not yet current"];
