//! Why there are no credentials.

use std::error::Error as StdError;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use remote_state_core::{Advice, Error, ErrorKind};

use crate::causes::causes;

/// A source's name and its answer.
pub(crate) type Answer = (&'static str, String);

/// The advice for when no source has credentials.
pub(crate) const GIVE_KEYS: Advice =
    Advice::GiveCredentials(&["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]);

/// Why there are no credentials, in this crate's own words. It is carried inside the SDK's error,
/// see `error.rs`.
#[derive(Debug)]
pub(crate) struct Denied {
    pub(crate) kind: ErrorKind,
    pub(crate) message: String,
    pub(crate) because: Option<String>,
    /// Where the setting that failed was set.
    pub(crate) origin: Option<String>,
    /// What the sources of credentials answered, for those that were tried.
    pub(crate) answers: Vec<Answer>,
    /// Boxed, since errors are returned by value.
    pub(crate) advice: Box<Advice>,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Denied {}

impl Denied {
    pub(crate) fn new(kind: ErrorKind, message: String, advice: impl Into<Advice>) -> Self {
        let advice = Box::new(advice.into());
        Self { kind, message, because: None, origin: None, answers: Vec::new(), advice }
    }

    pub(crate) fn with_answers(self, answers: Vec<Answer>) -> Self {
        Self { answers, ..self }
    }

    pub(super) fn because(self, reason: impl Into<String>) -> Self {
        Self { because: Some(reason.into()), ..self }
    }

    pub(crate) fn set_in(self, origin: &str) -> Self {
        Self { origin: Some(origin.to_owned()), ..self }
    }

    /// Adds the details of the reason to an error.
    pub(crate) fn explain(&self, error: Error, credentials: &str) -> Error {
        let add = |error: Error, label, value: &Option<String>| match value {
            Some(value) => error.with_context(label, value),
            None => error,
        };
        let error = add(add(error, "set in", &self.origin), "because", &self.because);
        let error = error.with_context("credentials", credentials);
        let answers = self.answers.iter();
        answers
            .fold(error, |error, (source, answer)| error.with_context(source, answer))
            .with_advice((*self.advice).clone())
    }

    /// Returns the reason that an error of the SDK carries.
    pub(crate) fn in_chain<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        causes(error).find_map(|error| error.downcast_ref())
    }

    pub(crate) fn into_credentials_error(self) -> CredentialsError {
        CredentialsError::provider_error(self)
    }
}
