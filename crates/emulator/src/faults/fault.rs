//! One way to misbehave, and the requests that it applies to.

use super::misbehaviour::Misbehaviour;
use crate::recorder::Request;

/// One way to misbehave, and the requests it applies to: all of them, unless limited.
#[derive(Debug, Clone)]
pub struct Fault {
    pub(super) misbehaviour: Misbehaviour,
    pub(super) skips: u32,
    pub(super) times: Option<u32>,
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

    /// Skips the first `skips` requests that it would apply to.
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

    pub(super) fn matches(&self, request: &Request, traits: Traits) -> bool {
        let has = |name: &String| request.parameters().any(|found| found == name);
        let relevant = match self.misbehaviour {
            Misbehaviour::IgnoreConditions | Misbehaviour::IgnoreConditionsOnVersionedBuckets => {
                traits.is_conditional
            }
            Misbehaviour::IgnoreUpdateConditions | Misbehaviour::MeetBareTagsOnly => {
                traits.is_update
            }
            Misbehaviour::RefuseTrailers => traits.is_chunked,
            Misbehaviour::IgnoreRanges | Misbehaviour::TruncateBody { .. } => {
                request.method == "GET"
            }
            _ => true,
        };
        relevant
            && self.times != Some(0)
            && (traits.is_update || !self.is_update)
            && self.method.as_ref().is_none_or(|method| *method == request.method)
            && self.operation.as_ref().is_none_or(|name| request.operation.as_ref() == Some(name))
            && self
                .key_part
                .as_ref()
                .is_none_or(|part| request.key.as_ref().is_some_and(|key| key.contains(part)))
            && self
                .key_suffix
                .as_ref()
                .is_none_or(|suffix| request.key.as_ref().is_some_and(|key| key.ends_with(suffix)))
            && self.parameter.as_ref().is_none_or(has)
            && !self.absent_parameter.as_ref().is_some_and(has)
    }
}

/// What faults see of a request beside its [record](Request).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Traits {
    pub(crate) is_conditional: bool,
    /// The request has `If-Match`. Always false for OSS and for tables.
    pub(crate) is_update: bool,
    pub(crate) is_chunked: bool,
}
