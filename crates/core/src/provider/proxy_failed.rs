//! Errors of proxies, worded alike for every provider.

use std::fmt;

use crate::error::{Error, ErrorKind};

/// A proxy as messages describe it, without user name and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyName {
    /// Its URL without user name and password.
    pub url: String,
    /// Where it was configured.
    pub origin: String,
    /// Whether its URL has a user name.
    pub has_user: bool,
}

/// Why nothing can be sent through a proxy. It is an error type so that the errors of HTTP clients
/// can carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyFailed {
    /// The category.
    pub kind: ErrorKind,
    /// The proxy and the failure, in words.
    pub fault: String,
    /// The reason, if it is known.
    pub because: Option<String>,
    /// Where the proxy was configured.
    pub origin: String,
    /// What to do about it.
    pub hint: &'static str,
    /// Whether the request certainly reached no server beyond the proxy.
    pub is_unsent: bool,
}

impl ProxyName {
    /// Creates a failure of the proxy.
    pub fn failed(&self, fault: &str) -> ProxyFailed {
        ProxyFailed {
            kind: ErrorKind::Unavailable,
            fault: format!("the proxy `{}` {fault}", self.url),
            because: None,
            origin: self.origin.clone(),
            hint: "check the proxy, or name the host in `no_proxy` to ask it directly",
            is_unsent: true,
        }
    }

    /// Creates the failure for a proxy that cannot be reached.
    pub fn unreachable(&self, reason: impl Into<String>) -> ProxyFailed {
        self.failed("cannot be reached").because(reason)
    }

    /// Creates the failure for a proxy that does not connect to a server.
    pub fn refuses(&self, server: &str, status: Option<u16>) -> ProxyFailed {
        match status {
            Some(status) => {
                self.failed(&format!("refuses to connect to `{server}` (status {status})"))
            }
            None => self.failed(&format!("refuses to connect to `{server}`")),
        }
    }

    /// Creates the failure for a SOCKS proxy, from the HTTP client's message.
    pub fn socks_failed(&self, words: &str) -> ProxyFailed {
        let reason = words.strip_prefix("SOCKS error: ").unwrap_or(words);
        if reason.contains("credentials not accepted") || reason.contains("user/pass") {
            self.wants_user()
        } else if reason.contains("underlying connection") {
            self.failed("cannot be reached")
        } else {
            self.failed("refuses to connect to the server").because(reason)
        }
    }

    /// Creates the failure for a proxy that requires credentials, or rejects the given ones.
    pub fn wants_user(&self) -> ProxyFailed {
        let (fault, hint) = if self.has_user {
            (
                "does not accept the user name and the password of its URL",
                "check both; a `@`, `:` or `/` in them is written `%40`, `%3A` or `%2F`",
            )
        } else {
            (
                "wants a user name and a password",
                "write them into the URL of the proxy, before its host: `USER:PASSWORD@HOST:PORT`",
            )
        };
        ProxyFailed { hint, kind: ErrorKind::CredentialInvalid, ..self.failed(fault) }
    }

    /// Distinguishes the answer of a proxy that forwards whole requests from the answer of a
    /// service.
    pub fn answered(&self, status: u16, is_services: bool) -> Option<ProxyFailed> {
        match status {
            407 => Some(self.wants_user()),
            502..=504 if !is_services => {
                let failed =
                    self.failed(&format!("or the server behind it answers with status {status}"));
                // It is unknown whether the proxy forwarded the request.
                Some(ProxyFailed { is_unsent: false, ..failed })
            }
            _ => None,
        }
    }
}

impl ProxyFailed {
    /// Creates the failure for a configured value that is no proxy, with the reason.
    pub fn unusable(origin: String, reason: &str, hint: &'static str) -> Self {
        Self {
            kind: ErrorKind::ConfigInvalid,
            fault: "the proxy cannot be used".to_owned(),
            because: Some(reason.to_owned()),
            origin,
            hint,
            is_unsent: true,
        }
    }

    /// Adds the reason.
    #[must_use]
    pub fn because(self, reason: impl Into<String>) -> Self {
        Self { because: Some(reason.into()), ..self }
    }

    /// Returns whether the same request may succeed in a moment. A proxy that requires another
    /// user, or that cannot be used at all, fails until the configuration changes.
    pub fn is_passing(&self) -> bool {
        self.kind == ErrorKind::Unavailable
    }

    /// Returns the failure inside an error.
    pub fn in_chain<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Self> {
        std::iter::successors(Some(error), |&error| error.source())
            .find_map(|error| error.downcast_ref::<Self>())
    }

    /// Adds the failure's details to an error.
    pub fn explain(&self, error: Error) -> Error {
        let error = match &self.because {
            Some(because) => error.with_context("because", because),
            None => error,
        };
        error.with_context("proxy set in", &self.origin).with_hint(self.hint)
    }
}

impl fmt::Display for ProxyFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, set in {}", self.fault, self.origin)?;
        match &self.because {
            Some(because) => write!(f, ": {because}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ProxyFailed {}
