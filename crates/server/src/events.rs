//! Events, for programs that run a server and need more than its log.
//!
//! A client of the protocol shows the status, such as `HTTP error: 409`, and not the reason. A
//! program that runs a server for one client can print the reason itself.

use std::fmt;
use std::sync::Arc;

use remote_state_core::{Error, LockId};

use crate::action::Action;

/// A choice that a [`Policy`](crate::Policy) makes.
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

/// The outcome of a request for a state.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The server carried out a request.
    #[non_exhaustive]
    Done {
        /// The name that the client knows the state by.
        state: &'a str,
        /// What the request was for.
        action: Action,
        /// The lock that the request named, or took.
        lock: Option<&'a LockId>,
    },
    /// The server refused a request, or the request failed.
    #[non_exhaustive]
    Refused {
        /// The name that the client knows the state by.
        state: &'a str,
        /// What the request was for.
        action: Action,
        /// Whether another client's lock is the reason. Clients print that themselves.
        is_about_a_lock: bool,
        /// The message in the answer, which the client may not show.
        message: &'a str,
        /// The error of the store, if that is the reason.
        cause: Option<&'a Error>,
        /// The choice under which the server would carry out the request.
        choice: Option<PolicyChoice>,
    },
    /// A client replaced a state that had resources by one without any, in an operation that does
    /// not exist for that purpose.
    #[non_exhaustive]
    Emptied {
        /// The name that the client knows the state by.
        state: &'a str,
    },
}

/// A function that receives events.
type Notify = dyn Fn(&Event<'_>) + Send + Sync;

/// The receiver of events, if there is one.
#[derive(Clone, Default)]
pub(crate) struct Observer(Option<Arc<Notify>>);

impl Observer {
    pub(crate) fn new(notify: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(notify)))
    }

    /// Returns whether there is a receiver.
    pub(crate) fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// Passes an event on, and returns whether there is a receiver.
    pub(crate) fn notify(&self, event: &Event<'_>) -> bool {
        if let Some(notify) = &self.0 {
            notify(event);
        }
        self.0.is_some()
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observer").field(&self.0.is_some()).finish()
    }
}
