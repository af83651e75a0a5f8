//! Sources of credentials that are tried one after another. Each source's answer is kept for the
//! error if none has credentials.

use std::error::Error as StdError;
use std::sync::{Arc, Mutex, PoisonError};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use remote_state_core::config::unprintable;
use remote_state_core::provider::ProxyFailed;
use remote_state_core::{Advice, ErrorKind};

use crate::credentials::denied::{Answer, Denied, GIVE_KEYS};
use crate::credentials::logins::Logins;
use crate::transport::Unanswered;

/// The length, in characters, to which messages cut an answer.
const LONGEST_ANSWER: usize = 300;

/// The name of the source that gave the credentials last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found(Arc<Mutex<Option<String>>>);

impl Found {
    pub(crate) fn source(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, source: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(source.to_owned());
    }
}

/// Sources in the order in which they are tried, until one has credentials or fails.
#[derive(Debug)]
pub(crate) struct Chain {
    links: Vec<Link>,
    found: Found,
    advice: Advice,
}

#[derive(Debug)]
enum Link {
    /// A source that is known to have no credentials.
    Empty(Answer),
    Source {
        label: &'static str,
        /// The name in messages, such as `` profile `ci` ``.
        name: String,
        provider: SharedCredentialsProvider,
        logins: Box<Logins>,
    },
}

impl Chain {
    pub(crate) fn new(found: &Found) -> Self {
        Self { links: Vec::new(), found: found.clone(), advice: GIVE_KEYS }
    }

    /// Sets the advice for when no source has credentials.
    pub(crate) fn with_advice(self, advice: Advice) -> Self {
        Self { advice, ..self }
    }

    /// Adds a source that has no credentials, with the reason.
    pub(crate) fn without(mut self, label: &'static str, reason: &str) -> Self {
        self.links.push(Link::Empty((label, reason.to_owned())));
        self
    }

    /// Adds a source.
    pub(crate) fn or(
        self,
        label: &'static str,
        name: String,
        provider: impl ProvideCredentials + 'static,
    ) -> Self {
        self.or_profile(label, name, provider, Logins::default())
    }

    /// Adds a profile, and the logins that it may need.
    pub(crate) fn or_profile(
        mut self,
        label: &'static str,
        name: String,
        provider: impl ProvideCredentials + 'static,
        logins: Logins,
    ) -> Self {
        let provider = SharedCredentialsProvider::new(provider);
        let logins = Box::new(logins);
        self.links.push(Link::Source { label, name, provider, logins });
        self
    }

    async fn ask(&self) -> Result<Credentials, CredentialsError> {
        let mut answers = Vec::new();
        let mut message = "no credentials were found".to_owned();
        let (mut advice, mut origin) = (self.advice.clone(), None);
        let mut kind = ErrorKind::CredentialInvalid;
        for link in &self.links {
            let (label, name, provider, logins) = match link {
                Link::Empty(answer) => {
                    answers.push(answer.clone());
                    continue;
                }
                Link::Source { label, name, provider, logins } => (*label, name, provider, logins),
            };
            match provider.provide_credentials().await {
                Ok(credentials) => {
                    // The SDK cannot handle characters that a header must not hold.
                    let texts = [Some(credentials.access_key_id()), credentials.session_token()];
                    if let Some(reason) = texts.into_iter().flatten().find_map(unprintable) {
                        let message = format!(
                            "the access key or the token of {name} cannot be used: {reason}"
                        );
                        let advice = "see what the source hands out";
                        return Err(Denied::new(ErrorKind::ConfigInvalid, message, advice)
                            .into_credentials_error());
                    }
                    self.found.set(name);
                    return Ok(credentials);
                }
                Err(error) => {
                    // A source that is meant to have credentials and fails is not skipped: those of
                    // other sources could be for another account.
                    let is_passed_over = logins.missing.is_none()
                        && matches!(error, CredentialsError::CredentialsNotLoaded(_));
                    if logins.missing.is_none() {
                        answers.push((label, words(name, &error)));
                    }
                    if !is_passed_over {
                        message = format!("no credentials: {name} failed");
                        if let Some(denied) = Denied::in_chain(&error) {
                            advice = (*denied.advice).clone();
                            origin = denied.origin.clone();
                        }
                        if let Some(Unanswered { server, .. }) = Unanswered::in_chain(&error) {
                            message = format!(
                                "no credentials: `{server}` cannot be reached, which {name} needs"
                            );
                            kind = ErrorKind::Unavailable;
                            advice = "check the network, and the URL of that service".into();
                        }
                        if let Some((reason, what_to_do)) = logins.about(&error) {
                            message = format!("no credentials: {reason}");
                            advice = what_to_do.into();
                            let missing = logins.missing.as_ref();
                            origin = missing.map(|missing| missing.origin.clone()).or(origin);
                        }
                        if let Some(failed) = ProxyFailed::in_chain(&error) {
                            message = format!("no credentials: {}", failed.fault);
                            (kind, advice, origin) =
                                (failed.kind, failed.hint.into(), Some(failed.origin.clone()));
                        }
                        break;
                    }
                }
            }
        }
        let denied = Denied { origin, ..Denied::new(kind, message, advice) };
        Err(denied.with_answers(answers).into_credentials_error())
    }
}

impl ProvideCredentials for Chain {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.ask())
    }
}

/// Returns a source's own words on one line. The SDK's sentence, which wraps them, says less and is
/// left out.
fn words(name: &str, error: &CredentialsError) -> String {
    let mut sentences = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        sentences.push(error.to_string());
        cause = error.source();
    }
    sentences.dedup();
    if sentences.is_empty() {
        return match error {
            CredentialsError::CredentialsNotLoaded(_) => format!("{name} has none"),
            other => other.to_string(),
        };
    }
    let line = sentences.join(": ");
    let mut line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if let Some((end, _)) = line.char_indices().nth(LONGEST_ANSWER) {
        line.truncate(end);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    type Reply = Result<&'static str, fn() -> CredentialsError>;

    #[derive(Debug)]
    struct Given(Reply);

    impl ProvideCredentials for Given {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::ready(match self.0 {
                Ok(id) => Ok(Credentials::new(id, "secret", None, None, "test")),
                Err(error) => Err(error()),
            })
        }
    }

    fn chain(found: &Found, sources: &[Reply]) -> Chain {
        let labels = ["one", "two", "three"];
        let add = |chain: Chain, (source, label): (&Reply, _)| {
            chain.or(label, format!("source {label}"), Given(*source))
        };
        sources.iter().zip(labels).fold(Chain::new(found).without("zero", "not asked"), add)
    }

    fn nothing() -> CredentialsError {
        CredentialsError::not_loaded("the file\nis not there")
    }

    fn silence() -> CredentialsError {
        CredentialsError::not_loaded_no_source()
    }

    fn failure() -> CredentialsError {
        CredentialsError::provider_error("connection refused")
    }

    #[tokio::test]
    async fn first_source_that_has_credentials_is_named() {
        let found = Found::default();
        let chain = chain(&found, &[Err(nothing), Ok("AKIA"), Ok("other")]);
        assert_eq!(chain.provide_credentials().await.unwrap().access_key_id(), "AKIA");
        assert_eq!(found.source().as_deref(), Some("source two"));
    }

    #[tokio::test]
    async fn chain_that_ends_empty_tells_what_each_source_answered_in_order() {
        let error = chain(&Found::default(), &[Err(nothing), Err(silence)])
            .provide_credentials()
            .await
            .unwrap_err();
        let denied = Denied::in_chain(&error).unwrap();
        assert_eq!(denied.to_string(), "no credentials were found");
        let answers = [
            ("zero", "not asked"),
            ("one", "the file is not there"),
            ("two", "source two has none"),
        ];
        assert_eq!(denied.answers, answers.map(|(label, answer)| (label, answer.to_owned())));
    }

    #[tokio::test]
    async fn source_that_fails_is_not_passed_over() {
        let found = Found::default();
        let error =
            chain(&found, &[Err(failure), Ok("AKIA")]).provide_credentials().await.unwrap_err();
        let denied = Denied::in_chain(&error).unwrap();
        assert_eq!(denied.to_string(), "no credentials: source one failed");
        assert_eq!(denied.answers[1], ("one", "connection refused".to_owned()));
        assert_eq!(found.source(), None);
    }
}
