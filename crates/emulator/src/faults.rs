//! Misbehaviour on request.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use s3s::StdError;

use crate::clock::Clock;

/// A handle on how an emulator misbehaves, which can be changed while it runs. Clones share their
/// state.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    armed: Arc<Mutex<Vec<Fault>>>,
    link: Arc<Link>,
    clock: Clock,
}

/// A slow link, read by every connection at every step.
#[derive(Debug, Default)]
pub(crate) struct Link {
    latency_micros: AtomicU64,
    /// Zero is no limit.
    bytes_per_second: AtomicU64,
}

impl Faults {
    /// Arms a fault. Faults of different kinds act together on a request; of the same kind, the one
    /// armed first acts until it is used up.
    pub fn inject(&self, fault: Fault) {
        self.lock().push(fault);
    }

    /// Disarms every fault, makes the link fast again and puts the clock right.
    pub fn clear(&self) {
        self.lock().clear();
        self.set_latency(Duration::ZERO);
        self.set_bytes_per_second(None);
        self.set_clock_ahead(SignedDuration::ZERO);
    }

    /// How many faults are still armed; a fault without a limit counts until
    /// [`clear`](Self::clear).
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Delays every request by this much, as the distance to a far region does. Zero, the default,
    /// is no delay.
    pub fn set_latency(&self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.link.latency_micros.store(micros, Ordering::Relaxed);
    }

    /// Limits each connection, in each direction. None, the default, is no limit.
    pub fn set_bytes_per_second(&self, limit: Option<u64>) {
        self.link.bytes_per_second.store(limit.unwrap_or(0), Ordering::Relaxed);
    }

    /// Puts the clock ahead of this machine's by this much, or behind it. Requests whose signature
    /// says another time than this clock, by more than 15 minutes, are refused as each service
    /// refuses them; the answer says the time.
    pub fn set_clock_ahead(&self, ahead: SignedDuration) {
        self.clock.set_ahead(ahead);
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock.clone()
    }

    pub(crate) fn link(&self) -> Arc<Link> {
        Arc::clone(&self.link)
    }

    /// Decides what goes wrong with one request, using up faults that are limited.
    pub(crate) fn plan(&self, target: &Target<'_>) -> Plan {
        let mut plan = Plan { delay: self.link.latency(), ..Plan::default() };
        self.lock().retain_mut(|fault| {
            if !fault.matches(target) {
                return true;
            }
            if let Some(left) = fault.skips.checked_sub(1) {
                fault.skips = left;
                return true;
            }
            if !plan.add(&fault.misbehaviour) {
                return true;
            }
            match &mut fault.times {
                None => true,
                Some(left) => {
                    *left -= 1;
                    *left > 0
                }
            }
        });
        plan
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link {
    fn latency(&self) -> Duration {
        Duration::from_micros(self.latency_micros.load(Ordering::Relaxed))
    }

    pub(crate) fn bytes_per_second(&self) -> Option<u64> {
        Some(self.bytes_per_second.load(Ordering::Relaxed)).filter(|limit| *limit > 0)
    }
}

/// One way to misbehave, and the requests it applies to: all of them, forever, unless narrowed.
#[derive(Debug, Clone)]
pub struct Fault {
    misbehaviour: Misbehaviour,
    skips: u32,
    times: Option<u32>,
    method: Option<String>,
    operation: Option<String>,
    key_part: Option<String>,
    key_suffix: Option<String>,
    parameter: Option<String>,
    absent_parameter: Option<String>,
    is_update: bool,
}

impl Fault {
    /// A fault that applies to every request.
    pub fn new(misbehaviour: Misbehaviour) -> Self {
        Self {
            misbehaviour,
            skips: 0,
            times: None,
            method: None,
            operation: None,
            key_part: None,
            key_suffix: None,
            parameter: None,
            absent_parameter: None,
            is_update: false,
        }
    }

    /// Limits it to the next `times` requests that it applies to. Zero disarms it at once.
    #[must_use]
    pub fn with_times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Leaves alone the first `skips` requests that it would apply to.
    #[must_use]
    pub fn with_skips(mut self, skips: u32) -> Self {
        self.skips = skips;
        self
    }

    /// Limits it to a method, such as `PUT`.
    #[must_use]
    pub fn with_method(mut self, method: impl Into<String>) -> Self {
        self.method = Some(method.into());
        self
    }

    /// Limits it to an operation of DynamoDB, OSS or Tablestore, such as `PutItem`, `AppendObject`
    /// or `PutRow`. The key of a request for a table is the `LockID` of its item, or the first
    /// part of its row's primary key.
    #[must_use]
    pub fn with_operation(mut self, operation: impl Into<String>) -> Self {
        self.operation = Some(operation.into());
        self
    }

    /// Limits it to keys that contain this text. A request without a key never matches.
    #[must_use]
    pub fn with_key_containing(mut self, part: impl Into<String>) -> Self {
        self.key_part = Some(part.into());
        self
    }

    /// Limits it to keys that end in this text. A request without a key never matches.
    #[must_use]
    pub fn with_key_suffix(mut self, suffix: impl Into<String>) -> Self {
        self.key_suffix = Some(suffix.into());
        self
    }

    /// Limits it to requests that do not have this parameter in their query.
    #[must_use]
    pub fn without_parameter(mut self, name: impl Into<String>) -> Self {
        self.absent_parameter = Some(name.into());
        self
    }

    /// Limits it to requests that have this parameter in their query, such as `versions`.
    #[must_use]
    pub fn with_parameter(mut self, name: impl Into<String>) -> Self {
        self.parameter = Some(name.into());
        self
    }

    /// Limits it to requests with `If-Match`.
    #[must_use]
    pub fn with_update_condition(mut self) -> Self {
        self.is_update = true;
        self
    }

    fn matches(&self, target: &Target<'_>) -> bool {
        let key = target.key.unwrap_or_default();
        let relevant = match self.misbehaviour {
            Misbehaviour::IgnoreConditions | Misbehaviour::IgnoreConditionsOnVersionedBuckets => {
                target.is_conditional
            }
            Misbehaviour::IgnoreUpdateConditions | Misbehaviour::MeetBareTagsOnly => {
                target.is_update
            }
            Misbehaviour::RefuseTrailers => target.is_chunked,
            Misbehaviour::IgnoreRanges | Misbehaviour::TruncateBody { .. } => {
                target.method == "GET"
            }
            _ => true,
        };
        relevant
            && self.times != Some(0)
            && (target.is_update || !self.is_update)
            && self.method.as_ref().is_none_or(|method| method == target.method)
            && self.operation.as_ref().is_none_or(|operation| target.operation == Some(operation))
            && self.key_part.as_ref().is_none_or(|part| target.key.is_some() && key.contains(part))
            && self
                .key_suffix
                .as_ref()
                .is_none_or(|suffix| target.key.is_some() && key.ends_with(suffix))
            && self
                .parameter
                .as_ref()
                .is_none_or(|name| target.parameters().any(|found| found == name))
            && self
                .absent_parameter
                .as_ref()
                .is_none_or(|name| target.parameters().all(|found| found != name))
    }
}

/// A way to misbehave.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misbehaviour {
    /// Does the work, then answers with this status and error code.
    AnswerAfterWork {
        /// For example 500.
        status: u16,
        /// For example `InternalError`.
        code: String,
    },
    /// Answers with this status and error code, and does nothing.
    AnswerWithoutWork {
        /// For example 503.
        status: u16,
        /// For example `SlowDown`.
        code: String,
    },
    /// Waits before doing anything, on top of [`Faults::set_latency`].
    Delay(Duration),
    /// Says of a bucket of OSS that it never kept versions, as it was in the moment before they
    /// were turned on.
    ForgetVersioning,
    /// Takes no notice of `If-Match` and `If-None-Match` on a write, as stores do that do not know
    /// them; nor, on OSS, of `x-oss-forbid-overwrite` and of the position of an append.
    IgnoreConditions,
    /// Takes no notice of `If-Match` on a write to S3, but of `If-None-Match`.
    IgnoreUpdateConditions,
    /// Takes no notice of them on buckets with versioning enabled, as Ceph does.
    IgnoreConditionsOnVersionedBuckets,
    /// Takes no notice of `Range` on a GET, and answers with the whole object, as servers may.
    IgnoreRanges,
    /// Does the work, then closes the connection without an answer.
    LoseReply,
    /// Closes the connection and does nothing.
    LoseRequest,
    /// Takes an entity tag in `If-Match` for a wrong one unless it comes without its quotes, as
    /// Ceph does.
    MeetBareTagsOnly,
    /// Names wrong checksums in answers of S3 and a wrong CRC-64 in those of OSS, which then differ
    /// from the body, as those of one do that was damaged on its way.
    MisstateChecksum,
    /// Answers bodies with trailing checksums (`aws-chunked`) with 400 `XAmzContentSHA256Mismatch`,
    /// as older Ceph does.
    RefuseTrailers,
    /// Lists at most this many entries on a page of OSS, whatever is asked for, as the service may.
    ShortPages {
        /// How many, at least one.
        entries: usize,
    },
    /// Sends this much of the answer to a GET, then closes the connection. `Content-Length` still
    /// promises all of it.
    TruncateBody {
        /// How much is sent.
        after_bytes: u64,
    },
}

impl Misbehaviour {
    /// Answers 500 `InternalError` and does nothing.
    pub fn internal_error() -> Self {
        Self::AnswerWithoutWork { status: 500, code: "InternalError".to_owned() }
    }

    /// Answers 503 `SlowDown` and does nothing.
    pub fn slow_down() -> Self {
        Self::AnswerWithoutWork { status: 503, code: "SlowDown".to_owned() }
    }

    /// Does the work and answers 500 `InternalError`.
    pub fn internal_error_after_work() -> Self {
        Self::AnswerAfterWork { status: 500, code: "InternalError".to_owned() }
    }
}

/// What a fault can see of a request.
#[derive(Debug)]
pub(crate) struct Target<'a> {
    pub(crate) method: &'a str,
    /// Not known for S3: what that is asked for shows when the request is taken apart, which is
    /// too late for a fault.
    pub(crate) operation: Option<&'a str>,
    pub(crate) key: Option<&'a str>,
    pub(crate) query: &'a str,
    pub(crate) is_conditional: bool,
    /// It has `If-Match`. Not known of OSS and of tables.
    pub(crate) is_update: bool,
    pub(crate) is_chunked: bool,
}

impl Target<'_> {
    fn parameters(&self) -> impl Iterator<Item = &str> {
        self.query.split('&').filter_map(|parameter| parameter.split('=').next())
    }
}

/// What goes wrong with one request.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) delay: Duration,
    pub(crate) slept: bool,
    pub(crate) answer_after: Option<(u16, String)>,
    pub(crate) answer_without: Option<(u16, String)>,
    pub(crate) ignored: IgnoredConditions,
    pub(crate) bare_tags_only: bool,
    pub(crate) ignore_ranges: bool,
    pub(crate) lose_reply: bool,
    pub(crate) lose_request: bool,
    pub(crate) forget_versioning: bool,
    pub(crate) misstate_checksum: bool,
    pub(crate) page_limit: Option<usize>,
    pub(crate) refuse_trailers: bool,
    pub(crate) truncate_after: Option<u64>,
}

/// Where the conditions of writes are ignored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum IgnoredConditions {
    #[default]
    None,
    OnVersionedBuckets,
    OfUpdates,
    Everywhere,
}

impl Plan {
    /// Does the work of a request, and what was planned before and after it. An error closes the
    /// connection without an answer.
    pub(crate) async fn carry_out<R>(
        &self,
        fail: impl Fn(u16, &str) -> R,
        work: impl Future<Output = R>,
    ) -> Result<R, StdError> {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        if self.lose_request {
            return Err("the request is lost, as a fault asks".into());
        }
        if let Some((status, code)) = &self.answer_without {
            return Ok(fail(*status, code));
        }
        let answer = work.await;
        if self.lose_reply {
            return Err("the reply is lost, as a fault asks".into());
        }
        Ok(match &self.answer_after {
            Some((status, code)) => fail(*status, code),
            None => answer,
        })
    }

    /// Adds a misbehaviour; false if one of its kind is there already.
    fn add(&mut self, misbehaviour: &Misbehaviour) -> bool {
        fn set<T>(slot: &mut Option<T>, value: T) -> bool {
            let vacant = slot.is_none();
            slot.get_or_insert(value);
            vacant
        }
        match misbehaviour {
            Misbehaviour::AnswerAfterWork { status, code } => {
                set(&mut self.answer_after, (*status, code.clone()))
            }
            Misbehaviour::AnswerWithoutWork { status, code } => {
                set(&mut self.answer_without, (*status, code.clone()))
            }
            Misbehaviour::Delay(delay) => {
                let vacant = !std::mem::replace(&mut self.slept, true);
                if vacant {
                    self.delay += *delay;
                }
                vacant
            }
            Misbehaviour::IgnoreConditions => {
                let vacant = self.ignored != IgnoredConditions::Everywhere;
                self.ignored = IgnoredConditions::Everywhere;
                vacant
            }
            Misbehaviour::IgnoreConditionsOnVersionedBuckets => {
                let vacant = self.ignored == IgnoredConditions::None;
                if vacant {
                    self.ignored = IgnoredConditions::OnVersionedBuckets;
                }
                vacant
            }
            Misbehaviour::IgnoreUpdateConditions => {
                let vacant = self.ignored == IgnoredConditions::None;
                if vacant {
                    self.ignored = IgnoredConditions::OfUpdates;
                }
                vacant
            }
            Misbehaviour::MeetBareTagsOnly => !std::mem::replace(&mut self.bare_tags_only, true),
            Misbehaviour::IgnoreRanges => !std::mem::replace(&mut self.ignore_ranges, true),
            Misbehaviour::LoseReply => !std::mem::replace(&mut self.lose_reply, true),
            Misbehaviour::LoseRequest => !std::mem::replace(&mut self.lose_request, true),
            Misbehaviour::ForgetVersioning => !std::mem::replace(&mut self.forget_versioning, true),
            Misbehaviour::MisstateChecksum => !std::mem::replace(&mut self.misstate_checksum, true),
            Misbehaviour::RefuseTrailers => !std::mem::replace(&mut self.refuse_trailers, true),
            Misbehaviour::ShortPages { entries } => set(&mut self.page_limit, (*entries).max(1)),
            Misbehaviour::TruncateBody { after_bytes } => {
                set(&mut self.truncate_after, *after_bytes)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &str) -> Target<'_> {
        Target {
            method: "PUT",
            operation: None,
            key: Some(key),
            query: "",
            is_conditional: false,
            is_update: false,
            is_chunked: false,
        }
    }

    #[test]
    fn a_limited_fault_is_used_up_only_by_requests_it_matches() {
        let faults = Faults::default();
        faults.inject(
            Fault::new(Misbehaviour::internal_error())
                .with_times(2)
                .with_method("PUT")
                .with_key_suffix(".tflock"),
        );
        assert!(faults.plan(&put("a")).answer_without.is_none());
        assert!(faults.plan(&put("a.tflock")).answer_without.is_some());
        assert!(faults.plan(&put("a.tflock")).answer_without.is_some());
        assert!(faults.plan(&put("a.tflock")).answer_without.is_none());
        assert_eq!(faults.count(), 0);
    }

    #[test]
    fn two_faults_of_one_kind_act_one_after_the_other() {
        let faults = Faults::default();
        faults.inject(Fault::new(Misbehaviour::internal_error()).with_times(1));
        faults.inject(Fault::new(Misbehaviour::slow_down()).with_times(1));
        assert_eq!(faults.plan(&put("a")).answer_without.map(|(status, _)| status), Some(500));
        assert_eq!(faults.plan(&put("a")).answer_without.map(|(status, _)| status), Some(503));
    }

    #[test]
    fn a_fault_about_conditions_waits_for_a_request_that_has_some() {
        let faults = Faults::default();
        faults.inject(Fault::new(Misbehaviour::IgnoreConditions).with_times(1));
        assert_eq!(faults.plan(&put("a")).ignored, IgnoredConditions::None);
        assert_eq!(faults.count(), 1);
    }
}
