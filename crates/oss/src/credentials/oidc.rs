//! Assuming a role with the token of an identity provider (RRSA, GitHub, GitLab). The request is not signed: the token is what counts.
//!
//! <https://www.alibabacloud.com/help/en/ram/developer-reference/api-sts-2015-04-01-assumerolewithoidc>

use std::fmt;

use async_trait::async_trait;
use remote_state_core::Result;

use crate::credentials::default::OidcToken;
use crate::credentials::role::Role;
use crate::credentials::sts::{Common, Session, StsEndpoint, VERSION};
use crate::credentials::{Credentials, Source, Surroundings, no_credentials};
use crate::sign::encode;

/// The session of a role, for a token.
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
        let OidcToken { provider_arn, file } = &self.token;
        // Read each time: whoever gave the token out replaces it.
        let token = tokio::fs::read_to_string(file).await.map_err(|error| {
            no_credentials(format!("cannot read the token in `{}`", file.display()))
                .with_context("because", error)
        })?;
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
