//! What whoever runs the server may want to know at once, beside the log.
//!
//! The protocol has only statuses: a client shows `HTTP error: 409` and nothing of the reason. A
//! program that runs a server for one client can tell the reason itself.

use std::fmt;
use std::sync::Arc;

use remote_state_core::{Error, LockId};

use crate::action::Action;

/// The part of a [`Policy`](crate::Policy) that decides about something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PolicyChoice {
    /// [`Policy::require_lock`](crate::Policy::require_lock).
    RequireLock,
    /// [`Policy::emptied`](crate::Policy::emptied).
    Emptied,
    /// [`Policy::force_write`](crate::Policy::force_write).
    ForceWrite,
}

/// Something that happened to a state, or was refused.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A request was granted.
    Done {
        /// The name that the client knows the state by.
        state: &'a str,
        /// What the request was for.
        action: Action,
        /// The lock that it named, or took.
        lock: Option<&'a LockId>,
    },
    /// A request was refused, or failed.
    Refused {
        /// The name that the client knows the state by.
        state: &'a str,
        /// What the request was for.
        action: Action,
        /// Whether somebody else's lock is the reason, which clients tell by themselves.
        is_about_a_lock: bool,
        /// What the client was told, though it may not show it.
        message: &'a str,
        /// The failure of the store, where it is the reason.
        cause: Option<&'a Error>,
        /// The choice by which it would be granted.
        choice: Option<PolicyChoice>,
    },
    /// A state that had resources was replaced by one without any, by something that is not for
    /// that.
    Emptied {
        /// The name that the client knows the state by.
        state: &'a str,
    },
}

/// Tells somebody.
type Tell = dyn Fn(&Event<'_>) + Send + Sync;

/// Who is told of events.
#[derive(Clone, Default)]
pub(crate) struct Observer(Option<Arc<Tell>>);

impl Observer {
    pub(crate) fn new(tell: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }

    /// Returns whether anybody listens.
    pub(crate) fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// Tells of an event, and says whether anybody listens.
    pub(crate) fn tell(&self, event: &Event<'_>) -> bool {
        if let Some(tell) = &self.0 {
            tell(event);
        }
        self.0.is_some()
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observer").field(&self.0.is_some()).finish()
    }
}
