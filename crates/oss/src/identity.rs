//! The identity behind the credentials.
//!
//! <https://www.alibabacloud.com/help/en/ram/developer-reference/api-sts-2015-04-01-getcalleridentity>

use remote_state_core::{Caller, Identity, Result};
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use crate::config::OssConfig;
use crate::credentials::{Common, StsEndpoint, Surroundings};
use crate::request::Sender;
use crate::sign::sign_rpc;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    account_id: String,
    #[serde(default)]
    arn: String,
    #[serde(default)]
    principal_id: String,
}

impl OssConfig {
    /// Loads the credentials and asks STS for their identity.
    ///
    /// A store outside the vendor's domains has accounts of its own: without an STS endpoint for it
    /// (`sts_endpoint`) this sends no request.
    ///
    /// # Errors
    /// `CredentialInvalid` without credentials, or if STS refuses them or cannot be reached.
    pub(crate) async fn find_identity(&self) -> Result<Identity> {
        let sender = Sender::new(self)?;
        let credentials = sender.credentials.credentials().await?;
        let sts = &self.credentials.sts;
        let no_service_to_ask = if matches!(sts, StsEndpoint::Given(_)) {
            None
        } else {
            match sender.endpoint("find out whose the credentials are").await {
                Ok(endpoint) if endpoint.is_public => None,
                Ok(_) => Some(
                    "the store is not the vendor's own, and no `sts_endpoint` is set for it"
                        .to_owned(),
                ),
                Err(error) => Some(error.to_string()),
            }
        };
        let caller = if let Some(reason) = no_service_to_ask {
            Caller::Unknown(reason)
        } else {
            let surroundings =
                Surroundings { http: sender.http.clone(), clock: sender.clock.clone() };
            let form = |common: &Common| {
                let mut parameters = common.with("GetCallerIdentity", "2015-04-01");
                parameters.extend([
                    ("AccessKeyId", credentials.access_key.as_str()),
                    ("SignatureMethod", "HMAC-SHA1"),
                    ("SignatureVersion", "1.0"),
                ]);
                if let Some(token) = &credentials.security_token {
                    parameters.push(("SecurityToken", token.expose_secret()));
                }
                sign_rpc("POST", &parameters, &credentials)
            };
            let Answer { account_id, arn, principal_id } =
                sts.ask(&surroundings, "cannot find out whose the credentials are", form).await?;
            Caller::Known { account: account_id, arn, user_id: principal_id }
        };
        let region = self.region.clone().unwrap_or_default();
        let endpoint = sender.store().trim_matches('`').to_owned();
        Ok(Identity::new(
            caller,
            sender.credentials_source(),
            credentials.access_key.clone(),
            region,
            endpoint,
        )
        .with_expiry(credentials.expires))
    }
}
