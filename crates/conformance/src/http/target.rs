//! The server under test.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use remote_state_core::{StateStore, Workspace};

use crate::faults::Faults;

/// A server under test, and what the test may do without it.
///
/// Every behaviour works on states with names of its own, so many may use one server, even at the
/// same time. The exceptions are `sigterm_finishes_write_in_flight`, and those that need
/// [`Faults`].
#[derive(Clone)]
pub struct HttpTarget {
    base_url: String,
    pub(super) token: Option<String>,
    pub(super) max_state_bytes: usize,
    pub(super) client: reqwest::Client,
    native: Option<(Arc<dyn StateStore>, Names)>,
    faults: Option<Faults>,
    stop: Option<Arc<dyn Fn() + Send + Sync>>,
    guard: Arc<dyn Any + Send + Sync>,
}

/// The meaning of the name in a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// A state key in the store's bucket.
    Keys,
    /// A workspace of the store's state key.
    Workspaces,
}

impl fmt::Debug for HttpTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTarget").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

impl HttpTarget {
    /// Names a server by its base address, such as `http://127.0.0.1:8080`. Only plain `http` is
    /// supported.
    ///
    /// # Panics
    /// If the HTTP client cannot be made, or the address is not an `http` one.
    pub fn new(base_url: impl Into<String>) -> Self {
        let base_url = base_url.into();
        assert!(base_url.starts_with("http://"), "`{base_url}` should start with `http://`");
        // No TLS is used. But where another crate of the build turns it on, a client cannot be made
        // without a provider for it.
        let _already_there = rustls::crypto::ring::default_provider().install_default();
        // Following a redirect would hide it, and a proxy would answer instead of the server.
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build();
        Self {
            base_url: base_url.trim_end_matches('/').to_owned(),
            token: None,
            max_state_bytes: 64 << 20,
            client: client.expect("an HTTP client without TLS needs nothing of the system"),
            native: None,
            faults: None,
            stop: None,
            guard: Arc::new(()),
        }
    }

    /// Sets the token that the server requires.
    #[must_use]
    pub fn with_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Sets the longest state that the server accepts, in bytes; 64 MiB.
    #[must_use]
    pub fn with_max_state_bytes(mut self, max_state_bytes: usize) -> Self {
        self.max_state_bytes = max_state_bytes;
        self
    }

    /// Sets a store that a native client would use beside the server.
    #[must_use]
    pub fn with_native(mut self, store: Arc<dyn StateStore>, names: Names) -> Self {
        self.native = Some((store, names));
        self
    }

    /// Sets the switch that makes the server's store fail.
    #[must_use]
    pub fn with_faults(mut self, faults: Faults) -> Self {
        self.faults = Some(faults);
        self
    }

    /// Sets a function that makes the server stop, as SIGTERM does.
    #[must_use]
    pub fn with_stop(mut self, stop: impl Fn() + Send + Sync + 'static) -> Self {
        self.stop = Some(Arc::new(stop));
        self
    }

    /// Keeps something alive as long as the target: a server in this process, a temporary folder.
    #[must_use]
    pub fn with_guard(mut self, guard: impl Any + Send + Sync) -> Self {
        self.guard = Arc::new((self.guard, guard));
        self
    }

    /// Returns the base address, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Returns `host:port`.
    pub(super) fn authority(&self) -> &str {
        let rest = self.base_url.strip_prefix("http://").unwrap_or(&self.base_url);
        rest.split('/').next().unwrap_or(rest)
    }

    /// Returns the path before `/state/…`, if the server is not at the root.
    pub(super) fn prefix(&self) -> &str {
        self.base_url
            .strip_prefix("http://")
            .and_then(|rest| rest.strip_prefix(self.authority()))
            .unwrap_or_default()
    }

    /// Returns where a native client finds the state that has this name at the server.
    pub(super) fn native(&self, name: &str) -> (Arc<dyn StateStore>, Workspace) {
        let (store, names) =
            self.native.as_ref().expect("this behaviour needs `HttpTarget::with_native`");
        match names {
            Names::Keys => (
                store
                    .with_state_key(name)
                    .unwrap_or_else(|error| panic!("`{name}` should be a state key: {error:?}")),
                Workspace::default(),
            ),
            Names::Workspaces => (Arc::clone(store), crate::fixtures::workspace(name)),
        }
    }

    pub(super) fn faults(&self) -> &Faults {
        self.faults.as_ref().expect("this behaviour needs `HttpTarget::with_faults`")
    }

    pub(super) fn stop(&self) {
        (self.stop.as_ref().expect("this behaviour needs `HttpTarget::with_stop`"))();
    }
}
