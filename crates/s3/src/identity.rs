//! The account that the credentials belong to.

use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sdk_sts::error::{ProvideErrorMetadata as _, SdkError};
use remote_state_core::{Caller, Error, ErrorKind, Identity, Result};

use crate::config::{S3Config, keys};
use crate::connect;
use crate::credentials::denied::Denied;
use crate::credentials::denied::GIVE_KEYS;
use crate::credentials::sts::{client, denied};
use crate::dialect::{Dialect, DialectName};

const OPERATION: &str = "identify";

/// The codes with which STS refuses credentials: these are answers about the client. Any other
/// refusal comes from a service that is not STS.
///
/// <https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html>
const ABOUT_US: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "OptInRequired",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "Throttling",
    "UnrecognizedClientException",
];

impl S3Config {
    /// Looks for the credentials and asks STS for their account.
    ///
    /// A store that is not Amazon's has accounts of its own: unless an STS is configured for it
    /// (`endpoints.sts`), no service is asked.
    ///
    /// # Errors
    /// `CredentialInvalid` without credentials, or if STS does not accept them; `Unavailable` if
    /// STS cannot be reached.
    pub(crate) async fn find_identity(&self) -> Result<Identity> {
        let access = connect::access(self);
        let provider = access.shared.credentials_provider().ok_or_else(|| {
            Error::new(
                ErrorKind::Unexpected,
                OPERATION,
                "the configuration leads to no credentials",
            )
        })?;
        let credentials = provider.provide_credentials().await.map_err(|error| {
            let error: Box<dyn std::error::Error + Send + Sync> = error.into();
            self.no_credentials(&*error)
        })?;
        let source = match access.found.source() {
            Some(found) if !self.credentials_origin.contains(&found) => {
                format!("{}: {found}", self.credentials_origin)
            }
            _ => self.credentials_origin.clone(),
        };
        let source = match &self.role {
            Some(role) => format!(
                "role `{}`, set in {}, assumed with {source}",
                role.session.role_arn, role.session.origin
            ),
            None => source,
        };
        let expires = credentials.expiry().and_then(|time| jiff::Timestamp::try_from(time).ok());
        let access_key_id = credentials.access_key_id().to_owned();
        let sts = access
            .sts
            .into_builder()
            .credentials_provider(SharedCredentialsProvider::new(credentials));
        let caller = self.caller(&sts.build()).await?;
        let dialect = Dialect::choose(self.dialect, self.endpoint.as_ref());
        let endpoint = match &self.endpoint {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None => "Amazon S3".to_owned(),
        };
        Ok(Identity::new(caller, source, access_key_id, &self.region, endpoint)
            .with_expiry(expires)
            .with_dialect(dialect.name.to_string()))
    }

    /// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>
    async fn caller(&self, sts: &aws_config::SdkConfig) -> Result<Caller> {
        // The configured dialect does not matter here: a store with Amazon's dialect need not be
        // Amazon's, and only its host shows that.
        let is_amazons = Dialect::choose(None, self.endpoint.as_ref()).name == DialectName::Aws;
        let endpoint = self.connection.sts_endpoint.as_ref();
        if endpoint.is_none() && !is_amazons {
            return Ok(Caller::Unknown(
                "the store is not Amazon's, and no STS of its own is named in `endpoints.sts`"
                    .to_owned(),
            ));
        }
        let name = endpoint.map_or("Amazon's STS", |url| url.as_str().trim_end_matches('/'));
        let is_no_sts = |reason: &str| {
            Caller::Unknown(format!("`{name}` does not answer as STS does ({reason})"))
        };
        match client(sts).get_caller_identity().send().await {
            Ok(answer) => match (answer.account, answer.arn, answer.user_id) {
                (Some(account), Some(arn), Some(user_id)) => {
                    Ok(Caller::Known { account, arn, user_id })
                }
                _ => Ok(is_no_sts("the answer names no identity")),
            },
            Err(SdkError::ResponseError(_)) => Ok(is_no_sts("the answer cannot be read")),
            Err(SdkError::ServiceError(answer))
                if answer.raw().status().as_u16() < 500
                    || answer.raw().status().as_u16() == 501 =>
            {
                let code = answer.err().code().unwrap_or("no code").to_owned();
                let status = answer.raw().status().as_u16();
                if !ABOUT_US.contains(&code.as_str()) {
                    let code: String = code.chars().filter(|c| !c.is_control()).take(80).collect();
                    return Ok(is_no_sts(&format!("status {status}, {code}")));
                }
                Err(self.refused(SdkError::ServiceError(answer)))
            }
            Err(error) => Err(self.refused(error)),
        }
    }

    fn refused<E>(&self, error: SdkError<E>) -> Error
    where
        E: aws_sdk_sts::error::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let message = "cannot tell whose the credentials are".to_owned();
        let origin = self.resolved.origin_if_set(keys::ENDPOINTS_STS);
        let origin = origin.unwrap_or_else(|| self.resolved.origin(keys::REGION)).to_string();
        self.no_credentials(&denied(message, &origin, error))
    }

    fn no_credentials(&self, error: &(dyn std::error::Error + 'static)) -> Error {
        let new = |kind, message: &str| Error::new(kind, OPERATION, message);
        match Denied::in_chain(error) {
            Some(denied) => {
                denied.explain(new(denied.kind, &denied.message), &self.credentials_origin)
            }
            None => new(
                ErrorKind::CredentialInvalid,
                "no credentials were found, or their source failed",
            )
            .with_context("credentials", &self.credentials_origin)
            .with_advice(GIVE_KEYS),
        }
    }
}
