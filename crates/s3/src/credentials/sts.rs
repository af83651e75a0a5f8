//! Credentials from the Security Token Service, and the accounts that they belong to.
//!
//! The SDK refreshes them: its cache requests new ones before the old ones expire.

use std::error::Error as StdError;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::types::{PolicyDescriptorType, Tag};
use remote_state_core::provider::ProxyFailed;
use remote_state_core::{Advice, ErrorKind};
use secrecy::ExposeSecret as _;

use crate::causes::causes;
use crate::credentials::denied::{Denied, GIVE_KEYS};
use crate::credentials::guard::check_token;
use crate::credentials::role::{Role, Session, Token, TokenFile, WebIdentity};
use crate::transport::Unanswered;

/// Turns a reply of STS into the reason why there are no credentials.
pub(crate) fn denied<E>(message: String, origin: &str, error: SdkError<E>) -> CredentialsError
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    // The credentials for the request are missing themselves: that is the reason.
    let because_of_source = causes(&error).any(|error| error.is::<CredentialsError>());
    let (kind, because, advice) = match &error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            let sentence = answer.err().message().unwrap_or_default();
            // A reply of a proxy, or of a store with its own form of errors, may have no code.
            let because = match answer.err().code() {
                Some(code) => reason(code, sentence),
                None => format!("it answered {status} without saying why"),
            };
            let (kind, advice) = match answer.err().code().unwrap_or_default() {
                "AccessDenied" | "" if status == 403 => (
                    ErrorKind::PermissionDenied,
                    "check the trust policy of the role, `external_id`, and that the credentials \
                     may call `sts:AssumeRole`"
                        .into(),
                ),
                "ValidationError" | "MalformedPolicyDocument" | "PackedPolicyTooLarge" => {
                    (ErrorKind::ConfigInvalid, Advice::CheckConfiguration)
                }
                _ if status >= 500 => (ErrorKind::Unavailable, "try again later".into()),
                _ => (ErrorKind::CredentialInvalid, Advice::CheckCredentials),
            };
            (kind, Some(because), advice)
        }
        _ if because_of_source => (
            ErrorKind::CredentialInvalid,
            Some(Denied::in_chain(&error).map_or_else(
                || "there are no credentials to ask with".to_owned(),
                |inner| inner.message.clone(),
            )),
            GIVE_KEYS,
        ),
        _ => match ProxyFailed::in_chain(&error) {
            Some(failed) => (failed.kind, Some(failed.to_string()), failed.hint.into()),
            None => (
                ErrorKind::Unavailable,
                Some(match Unanswered::in_chain(&error) {
                    Some(Unanswered { server, .. }) => {
                        format!("STS cannot be reached at `{server}`")
                    }
                    None => "STS cannot be reached".to_owned(),
                }),
                Advice::CheckNetwork(vec!["endpoints.sts", "sts_region"]),
            ),
        },
    };
    let inner = Denied::in_chain(&error);
    let answers = inner.map(|inner| inner.answers.clone()).unwrap_or_default();
    let advice = inner.map_or_else(|| Box::new(advice), |inner| inner.advice.clone());
    Denied { kind, message, because, origin: Some(origin.to_owned()), answers, advice }
        .into_credentials_error()
}

/// How many characters of a service's sentence are passed on.
const MOST_OF_A_SENTENCE: usize = 300;

/// The words, in lower case, with which a sentence begins to repeat the signed request.
const REPETITIONS: [&str; 4] =
    ["string to sign", "string-to-sign", "canonical string", "canonical request"];

/// Summarises a reply of STS in one line, without what it repeats of the request: the signed
/// headers hold the session's token.
fn reason(code: &str, sentence: &str) -> String {
    let is_about_signature = matches!(code, "SignatureDoesNotMatch" | "IncompleteSignature");
    if sentence.is_empty() || is_about_signature || code.starts_with("InvalidSignature") {
        return code.to_owned();
    }
    let lower = sentence.to_ascii_lowercase();
    let end =
        REPETITIONS.iter().filter_map(|words| lower.find(words)).min().unwrap_or(sentence.len());
    let kept = sentence[..end].chars().filter(|c| !c.is_control()).take(MOST_OF_A_SENTENCE);
    kept.fold(format!("{code}: "), |mut line, c| {
        line.push(c);
        line
    })
}

pub(crate) fn client(sdk: &SdkConfig) -> aws_sdk_sts::Client {
    aws_sdk_sts::Client::new(sdk)
}

fn session_name(session: &Session) -> String {
    session
        .name
        .clone()
        .unwrap_or_else(|| format!("remote-state-{}", jiff::Timestamp::now().as_millisecond()))
}

fn seconds(session: &Session) -> Option<i32> {
    session.duration.map(|duration| i32::try_from(duration.as_secs()).unwrap_or(i32::MAX))
}

fn policy_arns(session: &Session) -> Option<Vec<PolicyDescriptorType>> {
    let descriptor = |arn: &String| PolicyDescriptorType::builder().arn(arn).build();
    (!session.policy_arns.is_empty()).then(|| session.policy_arns.iter().map(descriptor).collect())
}

fn credentials(
    answer: Option<aws_sdk_sts::types::Credentials>,
    source: &'static str,
) -> Result<Credentials, CredentialsError> {
    let given =
        answer.ok_or_else(|| CredentialsError::unhandled("STS answered without credentials"))?;
    let expires = SystemTime::UNIX_EPOCH
        + Duration::from_secs(u64::try_from(given.expiration.secs()).unwrap_or_default());
    Ok(Credentials::new(
        given.access_key_id,
        given.secret_access_key,
        Some(given.session_token),
        Some(expires),
        source,
    ))
}

/// Assumes a role with other credentials.
#[derive(Debug)]
pub(crate) struct AssumeRole {
    client: aws_sdk_sts::Client,
    role: Role,
}

impl AssumeRole {
    /// Takes a configuration that holds the credentials for the request.
    pub(crate) fn new(sdk: &SdkConfig, role: &Role) -> Self {
        Self { client: client(sdk), role: role.clone() }
    }

    /// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
    async fn assume(&self) -> Result<Credentials, CredentialsError> {
        let Role { session, external_id, source_identity, tags, transitive_tag_keys } = &self.role;
        let tag = |(name, value): (&String, &String)| Tag::builder().key(name).value(value).build();
        let tags: Vec<_> =
            tags.iter().map(tag).collect::<Result<_, _>>().map_err(CredentialsError::unhandled)?;
        let call = self
            .client
            .assume_role()
            .role_arn(&session.role_arn)
            .role_session_name(session_name(session))
            .set_duration_seconds(seconds(session))
            .set_external_id(external_id.clone())
            .set_policy(session.policy.clone())
            .set_policy_arns(policy_arns(session))
            .set_source_identity(source_identity.clone())
            .set_tags((!tags.is_empty()).then_some(tags))
            .set_transitive_tag_keys(
                (!transitive_tag_keys.is_empty()).then(|| transitive_tag_keys.clone()),
            );
        let answer = call.send().await.map_err(|error| {
            denied(format!("cannot assume the role `{}`", session.role_arn), &session.origin, error)
        })?;
        credentials(answer.credentials, "assumed role")
    }
}

impl ProvideCredentials for AssumeRole {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.assume())
    }
}

/// Assumes a role with a token.
#[derive(Debug)]
pub(crate) struct AssumeRoleWithWebIdentity {
    client: aws_sdk_sts::Client,
    identity: WebIdentity,
}

impl AssumeRoleWithWebIdentity {
    /// Takes a configuration without credentials: the token is the credential.
    pub(crate) fn new(sdk: &SdkConfig, identity: &WebIdentity) -> Self {
        Self { client: client(sdk), identity: identity.clone() }
    }

    /// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>
    async fn assume(&self) -> Result<Credentials, CredentialsError> {
        let WebIdentity { session, token } = &self.identity;
        let token = match token {
            Token::Given(token) => token.expose_secret().to_owned(),
            Token::File(TokenFile { path, named_by_directory }) => {
                let text = tokio::fs::read_to_string(path).await.map_err(|error| {
                    Denied::new(
                        ErrorKind::CredentialInvalid,
                        format!("cannot read the web identity token `{}`", path.display()),
                        "check `assume_role_with_web_identity.web_identity_token_file`",
                    )
                    .because(error.to_string())
                    .set_in(&session.origin)
                    .into_credentials_error()
                })?;
                if let Some(origin) = named_by_directory {
                    check_token(path, &text, origin).map_err(Denied::into_credentials_error)?;
                }
                text
            }
        };
        let call = self
            .client
            .assume_role_with_web_identity()
            .role_arn(&session.role_arn)
            .role_session_name(session_name(session))
            .set_duration_seconds(seconds(session))
            .set_policy(session.policy.clone())
            .set_policy_arns(policy_arns(session))
            .web_identity_token(token.trim());
        let answer = call.send().await.map_err(|error| {
            let message = format!(
                "cannot assume the role `{}` with the web identity token",
                session.role_arn
            );
            denied(message, &session.origin, error)
        })?;
        credentials(answer.credentials, "web identity")
    }
}

impl ProvideCredentials for AssumeRoleWithWebIdentity {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.assume())
    }
}

/// Which accounts may be used.
#[derive(Clone, Debug)]
pub(crate) struct Accounts {
    /// Whether the list is of allowed accounts, and not of forbidden ones.
    pub(crate) is_allowed: bool,
    pub(crate) ids: Vec<String>,
    /// Where the list was set, for messages.
    pub(crate) origin: String,
}

impl Accounts {
    fn admit(&self, account: &str) -> Result<(), Denied> {
        let is_listed = self.ids.iter().any(|id| id == account);
        if is_listed == self.is_allowed {
            return Ok(());
        }
        let reason = if self.is_allowed {
            "which is not among the `allowed_account_ids`"
        } else {
            "which is among the `forbidden_account_ids`"
        };
        Err(Denied::new(
            ErrorKind::CredentialInvalid,
            format!("the credentials belong to account `{account}`, {reason}"),
            "use credentials of the account that is meant",
        )
        .set_in(&self.origin))
    }
}

/// Passes credentials on only if they belong to an allowed account.
#[derive(Debug)]
pub(crate) struct Admitted {
    source: SharedCredentialsProvider,
    sdk: SdkConfig,
    accounts: Accounts,
}

impl Admitted {
    pub(crate) fn new(
        sdk: &SdkConfig,
        source: SharedCredentialsProvider,
        accounts: &Accounts,
    ) -> Self {
        Self { source, sdk: sdk.clone(), accounts: accounts.clone() }
    }

    /// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>
    async fn check(&self) -> Result<Credentials, CredentialsError> {
        let credentials = self.source.provide_credentials().await?;
        let provider = SharedCredentialsProvider::new(credentials.clone());
        let sdk = self.sdk.clone().into_builder().credentials_provider(provider).build();
        let answer = client(&sdk).get_caller_identity().send().await.map_err(|error| {
            denied("cannot tell whose the credentials are".to_owned(), &self.accounts.origin, error)
        })?;
        self.accounts
            .admit(answer.account.as_deref().unwrap_or_default())
            .map_err(Denied::into_credentials_error)?;
        Ok(credentials)
    }
}

impl ProvideCredentials for Admitted {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.check())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_service_never_repeat_the_request_that_was_signed() {
        let signed = "The request signature we calculated does not match. The Canonical String \
                      for this request should have been\n'POST\nx-amz-security-token:hunter2";
        for code in ["SignatureDoesNotMatch", "IncompleteSignature", "InvalidSignatureException"] {
            assert_eq!(reason(code, signed), code);
        }
        for marker in [
            "The Canonical String",
            "the canonical request",
            "The String-to-Sign",
            "The string to sign",
        ] {
            let because = reason("SomethingNew", &format!("It is not right. {marker} is hunter2"));
            assert!(
                because.starts_with("SomethingNew: It is not right.")
                    && !because.contains("hunter2"),
                "{because}"
            );
        }
        assert_eq!(reason("AccessDenied", "You\u{7} may not."), "AccessDenied: You may not.");
        assert_eq!(
            reason("AccessDenied", &"ä".repeat(1000)).chars().count(),
            "AccessDenied: ".len() + 300
        );
    }
}
