//! Assumes a role with the token of an identity provider (RRSA, GitHub, GitLab). The request is
//! unsigned: the token authenticates it.
//!
//! <https://www.alibabacloud.com/help/en/ram/developer-reference/api-sts-2015-04-01-assumerolewithoidc>

use std::fmt;

use async_trait::async_trait;
use remote_state_core::Result;
use remote_state_core::config::is_web_token;

use crate::credentials::default::OidcToken;
use crate::credentials::role::Role;
use crate::credentials::sts::{Common, Session, StsEndpoint, VERSION};
use crate::credentials::{Credentials, Source, Surroundings, no_credentials};
use crate::sign::encode;

/// A role's session in exchange for a token.
#[derive(Debug)]
pub(super) struct Oidc {
    pub(super) token: OidcToken,
    pub(super) role: Role,
}

impl fmt::Display for Oidc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "role `{}` with the token in `{}`", self.role.arn, self.token.file.display())
    }
}

#[async_trait]
impl Source for Oidc {
    async fn load(&self, surroundings: &Surroundings) -> Result<Credentials> {
        let OidcToken { provider_arn, file, named_by_directory, open_sts } = &self.token;
        if let Some(origin) = open_sts {
            return Err(no_credentials(format!(
                "the token in `{}` was not sent: a file of the directory sends it over plain \
                 `http`",
                file.display()
            ))
            .with_context("set in", format!("{origin} (`sts_endpoint`)"))
            .with_hint(
                "use `https`, or name the endpoint yourself, in `ALIBABA_CLOUD_STS_ENDPOINT`",
            ));
        }
        // Read each time: the identity provider replaces the file.
        let token = tokio::fs::read_to_string(file).await.map_err(|error| {
            no_credentials(format!("cannot read the token in `{}`", file.display())).because(error)
        })?;
        // A file of the directory may name any file of the machine.
        if let Some(origin) = named_by_directory.as_ref().filter(|_| !is_web_token(token.trim())) {
            return Err(no_credentials(format!(
                "`{}` was not sent: a file of the directory names it as a token, and it holds none",
                file.display()
            ))
            .with_context("set in", origin)
            .with_hint(
                "a token is three parts of base64url with dots between them; a file of another \
                 form must be named by you, in `ALIBABA_CLOUD_OIDC_TOKEN_FILE`",
            ));
        }
        let Role { arn, session_name, policy, duration_seconds, sts } = &self.role;
        let duration = duration_seconds.to_string();
        let form = |common: &Common| {
            let mut parameters = common.with("AssumeRoleWithOIDC", VERSION);
            parameters.extend([
                ("OIDCProviderArn", provider_arn.as_str()),
                ("RoleArn", arn.as_str()),
                ("RoleSessionName", session_name.as_str()),
                ("OIDCToken", token.trim()),
                ("DurationSeconds", duration.as_str()),
            ]);
            if !policy.is_empty() {
                parameters.push(("Policy", policy.as_str()));
            }
            let pairs = parameters.into_iter();
            pairs
                .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
                .collect::<Vec<_>>()
                .join("&")
        };
        let anywhere = StsEndpoint::Given("sts.aliyuncs.com".to_owned());
        let sts = if *sts == StsEndpoint::Unknown { &anywhere } else { sts };
        let what = format!("cannot assume the role `{arn}` with the token in `{}`", file.display());
        let session: Session = sts.ask(surroundings, &what, form).await?;
        Ok(session.credentials.into())
    }
}
