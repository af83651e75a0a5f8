//! A URL that answers with credentials.

use std::fmt;

use async_trait::async_trait;
use remote_state_core::Result;
use reqwest::Client;
use url::Url;

use crate::credentials::sts::{Handed, send};
use crate::credentials::{Credentials, Source, Surroundings, no_credentials};

/// Requests credentials from a URL.
pub(super) struct CredentialsUri(pub(super) Url);

impl fmt::Debug for CredentialsUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CredentialsUri").field(&self.place()).finish()
    }
}

impl fmt::Display for CredentialsUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "credentials of `{}`", self.place())
    }
}

impl CredentialsUri {
    /// Returns the URL without the parts that may be secret.
    fn place(&self) -> String {
        format!("{}{}", self.0.origin().ascii_serialization(), self.0.path())
    }
}

#[async_trait]
impl Source for CredentialsUri {
    async fn load(&self, surroundings: &Surroundings) -> Result<Credentials> {
        let (place, what) = (self.place(), "the URL has no credentials");
        let request = |client: &Client| client.get(self.0.clone());
        let (status, body) = send(&surroundings.http, request, &place, what).await?;
        let answer =
            (status == 200).then(|| serde_json::from_slice::<Handed>(&body).ok()).flatten();
        answer.map(Credentials::from).ok_or_else(|| {
            no_credentials(what)
                .because(format!("{place} answered with status {status} and no credentials"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shows_what_may_be_a_secret_in_the_url() {
        let uri = CredentialsUri(
            Url::parse("http://user:SECRET@127.0.0.1:7/x?token=SECRET#SECRET").unwrap(),
        );
        for shown in [format!("{uri:?}"), uri.to_string()] {
            assert!(shown.contains("http://127.0.0.1:7/x") && !shown.contains("SECRET"), "{shown}");
        }
    }
}
