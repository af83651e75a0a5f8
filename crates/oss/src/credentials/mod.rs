//! Credentials and their sources. `default.rs` defines the order of the sources.

mod default;
mod metadata;
mod oidc;
mod process;
mod profile;
mod role;
mod sts;
#[cfg(test)]
mod tests;

mod uri;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use remote_state_core::{Advice, Error, ErrorKind, Result};
use secrecy::SecretString;
use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::http::Http;

pub(crate) use default::{Held, OidcToken, Wanted, choose};
pub(crate) use profile::{Profile, SESSION_NAME, SESSION_SECONDS};
pub(crate) use role::Role;
pub(crate) use sts::{Common, StsEndpoint, common_parameters, is_about_time};

/// Temporary credentials are renewed this long before they expire.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// The keys that sign a request.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub(crate) access_key: String,
    pub(crate) secret_key: SecretString,
    /// The token of temporary credentials.
    pub(crate) security_token: Option<SecretString>,
    /// When they expire; `None` if they do not.
    pub(crate) expires: Option<Timestamp>,
}

impl Credentials {
    pub(crate) fn new(
        access_key: impl Into<String>,
        secret_key: impl Into<SecretString>,
        security_token: Option<String>,
    ) -> Self {
        Self {
            access_key: access_key.into(),
            secret_key: secret_key.into(),
            security_token: security_token
                .filter(|token| !token.is_empty())
                .map(SecretString::from),
            expires: None,
        }
    }

    fn are_good_at(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| expires > now)
    }

    fn last_a_while(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| expires.duration_since(now) > MARGIN)
    }
}

/// What a source needs to find credentials.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) http: Http,
    pub(crate) clock: Clock,
}

/// One source of credentials. Its [`Display`](fmt::Display) names it for messages.
#[async_trait]
pub(crate) trait Source: fmt::Debug + fmt::Display + Send + Sync {
    /// # Errors
    /// `CredentialInvalid` with the source's answer, never with a secret.
    async fn load(&self, surroundings: &Surroundings) -> Result<Credentials>;
}

/// Credentials that renew themselves. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    source: Arc<dyn Source>,
    surroundings: Surroundings,
    known: Arc<Mutex<Option<Credentials>>>,
}

impl Provider {
    pub(crate) fn new(source: Arc<dyn Source>, surroundings: Surroundings) -> Self {
        Self { source, surroundings, known: Arc::default() }
    }

    /// Returns credentials that are valid for the next request.
    ///
    /// # Errors
    /// `CredentialInvalid` if there are none.
    pub(crate) async fn credentials(&self) -> Result<Credentials> {
        // Held while the source loads, so that concurrent requests load once.
        let mut known = self.known.lock().await;
        let now = self.surroundings.clock.now();
        if let Some(credentials) = known.as_ref().filter(|known| known.last_a_while(now)) {
            return Ok(credentials.clone());
        }
        match (self.source.load(&self.surroundings).await, known.as_ref()) {
            (Ok(credentials), _) => Ok(known.insert(credentials).clone()),
            // The credentials expire soon, but are still valid.
            (Err(error), Some(credentials)) if credentials.are_good_at(now) => {
                tracing::warn!(
                    error = error.to_string(),
                    source = self.source.to_string(),
                    "credentials could not be renewed yet"
                );
                Ok(credentials.clone())
            }
            (Err(error), _) => Err(error),
        }
    }
}

/// Creates the error of a source without credentials.
fn no_credentials(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::CredentialInvalid, "find credentials", message)
}

/// Fixed keys.
#[derive(Clone, Debug)]
struct Static {
    credentials: Credentials,
    origin: String,
}

impl fmt::Display for Static {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "access key, set in {}", self.origin)
    }
}

#[async_trait]
impl Source for Static {
    async fn load(&self, _: &Surroundings) -> Result<Credentials> {
        Ok(self.credentials.clone())
    }
}

/// Several sources; the first that has credentials wins.
#[derive(Debug)]
struct Chain(Vec<Arc<dyn Source>>);

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what this machine offers")
    }
}

#[async_trait]
impl Source for Chain {
    async fn load(&self, surroundings: &Surroundings) -> Result<Credentials> {
        let mut answers = Vec::new();
        for source in &self.0 {
            match source.load(surroundings).await {
                Ok(credentials) => {
                    tracing::debug!(source = source.to_string(), "credentials were found");
                    return Ok(credentials);
                }
                Err(error) => answers.push(format!("{source}: {}", whole(&error))),
            }
        }
        let error = answers
            .into_iter()
            .fold(no_credentials("no credentials were found"), |error, answer| {
                error.with_context("asked", answer)
            });
        Err(error
            .with_advice(Advice::GiveCredentials(&["ALICLOUD_ACCESS_KEY", "ALICLOUD_SECRET_KEY"])))
    }
}

/// An error's message and reason.
fn whole(error: &Error) -> String {
    match error.reason() {
        Some(reason) => format!("{error} ({reason})"),
        None => error.to_string(),
    }
}
