//! What is asked of a store, and what it says of what it was given.

use std::ops::Range;

/// What an object must be for a request to be carried out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Condition<'a> {
    None,
    /// It must not exist.
    IfAbsent,
    /// It must have this entity tag.
    IfMatch(&'a str),
    /// It must have this entity tag, which is sent as it stands here.
    IfMatchAs(&'a str),
}

/// Which bytes of an object are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Select<'a> {
    /// Those of this version, instead of the current one.
    pub(crate) version: Option<&'a str>,
    /// These alone.
    pub(crate) range: Option<Range<u64>>,
    /// Only if the object still has this entity tag.
    pub(crate) if_match: Option<&'a str>,
}

/// Whether a request may be sent again whose answer does not decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// As often as is configured. The caller does not learn of it.
    AsConfigured,
    /// Never: the caller looks at the store before it asks again.
    Never,
}

/// What is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Object {
    Lock,
    /// The lock file, marked by whoever is about to remove it.
    Mark,
    State,
}

impl Object {
    pub(super) fn operation(self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::Mark => "unlock",
            Self::State => "write",
        }
    }
}

/// What the store says of an object that was written.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) etag: Option<String>,
    pub(crate) version: Option<String>,
}
