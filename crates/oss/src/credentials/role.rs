//! Assumes a role with other credentials.
//!
//! <https://www.alibabacloud.com/help/en/ram/developer-reference/api-sts-2015-04-01-assumerole>

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use remote_state_core::Result;
use secrecy::ExposeSecret as _;

use crate::credentials::sts::{Common, Session, StsEndpoint, VERSION};
use crate::credentials::{Credentials, Source, Surroundings};
use crate::sign::sign_rpc;

/// A role to assume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) arn: String,
    pub(crate) session_name: String,
    /// The policy in JSON; empty for none.
    pub(crate) policy: String,
    pub(crate) duration_seconds: u32,
    /// The STS endpoint.
    pub(crate) sts: StsEndpoint,
}

/// The session of a role.
#[derive(Debug)]
pub(crate) struct AssumedRole {
    pub(crate) base: Arc<dyn Source>,
    pub(crate) role: Role,
}

impl fmt::Display for AssumedRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "role `{}` with {}", self.role.arn, self.base)
    }
}

#[async_trait]
impl Source for AssumedRole {
    async fn load(&self, surroundings: &Surroundings) -> Result<Credentials> {
        let base = self.base.load(surroundings).await?;
        let Role { arn, session_name, policy, duration_seconds, sts } = &self.role;
        let duration = duration_seconds.to_string();
        let form = |common: &Common| {
            let mut parameters = common.with("AssumeRole", VERSION);
            parameters.extend([
                ("AccessKeyId", base.access_key.as_str()),
                ("SignatureMethod", "HMAC-SHA1"),
                ("SignatureVersion", "1.0"),
                ("RoleArn", arn.as_str()),
                ("RoleSessionName", session_name.as_str()),
                ("DurationSeconds", duration.as_str()),
            ]);
            if !policy.is_empty() {
                parameters.push(("Policy", policy.as_str()));
            }
            if let Some(token) = &base.security_token {
                parameters.push(("SecurityToken", token.expose_secret()));
            }
            sign_rpc("POST", &parameters, &base)
        };
        let what = format!("cannot assume the role `{arn}`");
        let session: Session = sts.ask(surroundings, &what, form).await?;
        Ok(session.credentials.into())
    }
}
