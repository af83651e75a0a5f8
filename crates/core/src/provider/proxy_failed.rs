//! Why nothing can be sent through a proxy, in words that are the same for every provider.

use std::fmt;

use crate::error::{Error, ErrorKind};

/// What messages say of a proxy. No user name and no password is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyName {
    /// Its URL without user name and password.
    pub url: String,
    /// Where it was named.
    pub origin: String,
    /// Whether its URL holds a user name.
    pub has_user: bool,
}

/// Why nothing can be sent through a proxy. It is an error, so that it can travel inside those of
/// clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyFailed {
    /// The category.
    pub kind: ErrorKind,
    /// The proxy and what is wrong with it, in words.
    pub fault: String,
    /// The reason, if it is known.
    pub because: Option<String>,
    /// Where the proxy was named.
    pub origin: String,
    /// What to do about it.
    pub hint: &'static str,
    /// Whether it is certain that the request got no further than to the proxy.
    pub is_unsent: bool,
}

impl ProxyName {
    /// Says what is wrong with the proxy.
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

    /// Says that the proxy cannot be reached.
    pub fn unreachable(&self, reason: impl Into<String>) -> ProxyFailed {
        self.failed("cannot be reached").because(reason)
    }

    /// Says that the proxy does not connect us with a server.
    pub fn refuses(&self, server: &str, status: Option<u16>) -> ProxyFailed {
        match status {
            Some(status) => {
                self.failed(&format!("refuses to connect to `{server}` (status {status})"))
            }
            None => self.failed(&format!("refuses to connect to `{server}`")),
        }
    }

    /// Says what is wrong with a SOCKS proxy, by what the HTTP client says of it.
    pub fn socks_failed(&self, words: &str) -> ProxyFailed {
        let reason = words.strip_prefix("SOCKS error: ").unwrap_or(words);
        if reason.contains("credentials not accepted") || reason.contains("user/pass") {
            self.wants_user()
        } else if reason.contains("underlying connection") {
            self.failed("cannot be reached")
        } else {
            self.failed("does not connect us with the server").because(reason)
        }
    }

    /// Says that the proxy wants to know who asks, or does not accept what it is told.
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

    /// Tells the answer of a proxy that sends whole requests on from the answer of a service.
    pub fn answered(&self, status: u16, is_services: bool) -> Option<ProxyFailed> {
        match status {
            407 => Some(self.wants_user()),
            502..=504 if !is_services => {
                let failed =
                    self.failed(&format!("or the server behind it answers with status {status}"));
                // Nobody knows whether the request was sent on.
                Some(ProxyFailed { is_unsent: false, ..failed })
            }
            _ => None,
        }
    }
}

impl ProxyFailed {
    /// Says that what was named is no proxy, and why.
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

    /// Returns whether the same request may succeed in a moment. A proxy that wants another user,
    /// or that cannot be used at all, fails again until the configuration changes.
    pub fn is_passing(&self) -> bool {
        self.kind == ErrorKind::Unavailable
    }

    /// Returns the failure that an error carries.
    pub fn in_chain<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Self> {
        std::iter::successors(Some(error), |&error| error.source())
            .find_map(|error| error.downcast_ref::<Self>())
    }

    /// Adds to an error what belongs to the failure.
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
