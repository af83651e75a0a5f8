//! Checks that run before a source of credentials may act on what a file of the directory says.
//! `config/held.rs` decides what those files may cause.

use std::path::{Path, PathBuf};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use remote_state_core::config::is_web_token;
use remote_state_core::{Advice, ErrorKind};

use crate::credentials::denied::Denied;

/// Why a source is not used.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) message: String,
    /// Where it was set.
    pub(crate) origin: String,
    pub(crate) advice: Advice,
}

impl Refusal {
    pub(crate) fn denied(self) -> Denied {
        Denied::new(ErrorKind::CredentialInvalid, self.message, self.advice).set_in(&self.origin)
    }
}

/// The reasons against a profile.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    pub(crate) refusal: Option<Refusal>,
    /// The token files that files of the directory name, and where they do.
    pub(crate) tokens: Vec<(PathBuf, String)>,
}

impl Guard {
    async fn check(&self) -> Result<(), Denied> {
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone().denied());
        }
        for (path, origin) in &self.tokens {
            // A file that cannot be read is not sent either, and its reader reports why.
            if let Ok(text) = tokio::fs::read(path).await {
                check_token(path, &String::from_utf8_lossy(&text), origin)?;
            }
        }
        Ok(())
    }
}

/// Refuses to send anything but a token: a file of the directory may name any file of the machine.
pub(crate) fn check_token(path: &Path, text: &str, origin: &str) -> Result<(), Denied> {
    if is_web_token(text.trim()) {
        return Ok(());
    }
    let message = format!(
        "`{}` was not sent: a file of the directory names it as a web identity token, and it \
         holds none",
        path.display()
    );
    let advice = Advice::text(
        "a token is three parts of base64url with dots between them; a file of another \
                form must be named by you, in `AWS_WEB_IDENTITY_TOKEN_FILE`",
    );
    Err(Refusal { message, origin: origin.to_owned(), advice }.denied())
}

/// A source that is used only if its guard has no reason against it.
#[derive(Debug)]
pub(crate) struct Guarded<P> {
    pub(crate) guard: Guard,
    pub(crate) source: P,
}

impl<P: ProvideCredentials> Guarded<P> {
    async fn ask(&self) -> Result<Credentials, CredentialsError> {
        self.guard.check().await.map_err(Denied::into_credentials_error)?;
        self.source.provide_credentials().await
    }
}

impl<P: ProvideCredentials> ProvideCredentials for Guarded<P> {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.ask())
    }
}
