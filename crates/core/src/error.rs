//! The one error type of the workspace.

use std::borrow::Cow;
use std::fmt;

use crate::advice::Advice;
use crate::lock_info::LockRecord;

/// The result of every fallible operation of these libraries.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kind of an [`Error`], by which programs decide what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A configuration value is missing, unknown, malformed or in conflict with another.
    ConfigInvalid,
    /// No credentials were found, or the store did not accept them.
    CredentialInvalid,
    /// The state does not match the digest that was recorded for it.
    DigestMismatch,
    /// A document is not a state (or a lock file is not a lock record).
    InvalidState,
    /// Another client holds the lock; [`Error::holder`] says which.
    LockHeld,
    /// The named object does not exist, and the store said so.
    NotFound,
    /// This machine could not carry out the request: a file cannot be read, a pipe closed.
    Local,
    /// The store knows the caller and refuses the operation.
    PermissionDenied,
    /// The stored state is not the one that the caller expected: its `ETag`, serial or lineage
    /// differs.
    PreconditionFailed,
    /// A table that the configuration names does not exist, and the service said so. The state
    /// itself may well exist.
    TableMissing,
    /// The store demands fewer requests.
    RateLimited,
    /// The store could not be reached, or reported a failure of its own.
    Unavailable,
    /// The outcome is unknown: the store may or may not have carried out the request.
    Unknown,
    /// The store cannot do this.
    Unsupported,
    /// Any other error; likely a bug here or in the store.
    Unexpected,
}

/// An error: what failed, on which object, what is in the way and what to do next.
///
/// [`Display`](fmt::Display) gives the first line only. [`context`](Self::context) and
/// [`advice`](Self::advice) hold the rest for the program that formats the message. Neither ever
/// contains a secret or a piece of a state.
pub struct Error(Box<Inner>);

/// The label of the line with the reason.
const BECAUSE: &str = "because";

struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    message: String,
    context: Vec<(&'static str, String)>,
    advice: Vec<Advice>,
    holder: Option<LockRecord>,
    leftovers: Vec<Leftover>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    retryable: bool,
}

/// What a failed attempt may have left in a store, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Leftover {
    label: &'static str,
    value: String,
    advice: Advice,
}

impl Error {
    /// Creates an error. `message` starts in lower case and has no final period.
    pub fn new(kind: ErrorKind, operation: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            operation,
            message: message.into(),
            context: Vec::new(),
            advice: Vec::new(),
            holder: None,
            leftovers: Vec::new(),
            source: None,
            retryable: matches!(kind, ErrorKind::RateLimited | ErrorKind::Unavailable),
        }))
    }

    /// Creates a [`ErrorKind::ConfigInvalid`] error.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::ConfigInvalid, "configure", message)
    }

    /// Creates the error for a lock that another client holds.
    pub fn lock_held(
        operation: &'static str,
        message: impl Into<String>,
        holder: LockRecord,
    ) -> Self {
        let mut error = Self::new(ErrorKind::LockHeld, operation, message);
        error.0.holder = Some(holder);
        error
    }

    /// Adds a labelled line, such as `("set in", "main.tf:7")`.
    #[must_use]
    pub fn with_context(mut self, label: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((label, value.to_string()));
        self
    }

    /// Adds advice. Advice that the error has already is not repeated.
    #[must_use]
    pub fn with_advice(mut self, advice: impl Into<Advice>) -> Self {
        self.advise(advice.into());
        self
    }

    /// Adds advice as a sentence that is right in every program.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.with_advice(Advice::Text(hint.into()))
    }

    fn advise(&mut self, advice: Advice) {
        if !self.0.advice.contains(&advice) {
            self.0.advice.push(advice);
        }
    }

    /// Adds what was left in the store, or may have been: a labelled line, and advice about it.
    #[must_use]
    pub fn with_leftover(
        mut self,
        label: &'static str,
        value: impl fmt::Display,
        advice: impl Into<Advice>,
    ) -> Self {
        self.leave(Leftover { label, value: value.to_string(), advice: advice.into() });
        self
    }

    /// Carries over leftovers of an earlier attempt that were not reported.
    #[must_use]
    pub fn with_leftovers_of(mut self, earlier: &Self) -> Self {
        for leftover in &earlier.0.leftovers {
            self.leave(leftover.clone());
        }
        self
    }

    fn leave(&mut self, leftover: Leftover) {
        if self.0.leftovers.contains(&leftover) {
            return;
        }
        self.0.context.push((leftover.label, leftover.value.clone()));
        self.advise(leftover.advice.clone());
        self.0.leftovers.push(leftover);
    }

    /// Returns whether the error reports leftovers in the store, certain or possible.
    pub fn has_leftovers(&self) -> bool {
        !self.0.leftovers.is_empty()
    }

    /// Adds the reason, in a line below the message.
    #[must_use]
    pub fn because(self, reason: impl fmt::Display) -> Self {
        self.with_context(BECAUSE, reason)
    }

    /// Returns the first reason that was added with [`because`](Self::because).
    pub fn reason(&self) -> Option<&str> {
        let reason = self.0.context.iter().find(|(label, _)| *label == BECAUSE);
        reason.map(|(_, reason)| reason.as_str())
    }

    /// Sets the error that caused this one.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Sets whether the same call may succeed if it is repeated.
    #[must_use]
    pub fn with_retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = retryable;
        self
    }

    /// Returns the kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the operation that failed, as one word or two: `read`, `lock`, `list workspaces`.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// Returns the first line of the message.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the labelled lines below the message.
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.0.context
    }

    /// Returns the advice, most promising first.
    pub fn advice(&self) -> &[Advice] {
        &self.0.advice
    }

    /// Returns the [`advice`](Self::advice), worded for users of the libraries.
    pub fn hints(&self) -> Vec<String> {
        self.0.advice.iter().map(ToString::to_string).collect()
    }

    /// Returns the lock that is in the way, for [`ErrorKind::LockHeld`].
    pub fn holder(&self) -> Option<&LockRecord> {
        self.0.holder.as_ref()
    }

    /// Returns whether the same call may succeed if it is repeated.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("operation", &self.0.operation)
            .field("message", &self.0.message)
            .field("context", &self.0.context)
            .field("retryable", &self.0.retryable)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
