//! Request and response types of `Client`.

use std::ops::Range;

/// The condition on which the store carries out a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Condition<'a> {
    None,
    /// The object must not exist.
    IfAbsent,
    /// The object must have this entity tag.
    IfMatch(&'a str),
    /// The object must have this entity tag, which is sent exactly as given.
    IfMatchAs(&'a str),
}

/// Which bytes of an object to read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Select<'a> {
    /// The bytes of this version, instead of the current one.
    pub(crate) version: Option<&'a str>,
    /// These bytes alone.
    pub(crate) range: Option<Range<u64>>,
    /// Only if the object still has this entity tag.
    pub(crate) if_match: Option<&'a str>,
}

/// Whether a request may be sent again if its reply decides nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// As often as configured. The caller does not see the repetitions.
    AsConfigured,
    /// Never: the caller checks the store before it sends another request.
    Never,
}

/// The kind of object to write.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Object {
    Lock,
    /// The lock file with the mark of the client that is about to delete it.
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

/// What the store returns for a written object.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) etag: Option<String>,
    pub(crate) version: Option<String>,
}
