//! The role of the ECS instance, from its metadata service: hardened mode first, and the older mode
//! if the service does not know that.
//!
//! <https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata>

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use remote_state_core::{Error, Result};
use serde::Deserialize;
use tokio::time::timeout;
use url::Url;

use crate::body::read;
use crate::credentials::sts::Handed;
use crate::credentials::{Credentials, Source, Surroundings, no_credentials};

/// The service runs on the machine itself: where it is missing, a command must not wait long.
const PATIENCE: Duration = Duration::from_secs(2);

/// The lifetime of the service's own token.
const TOKEN_SECONDS: &str = "21600";

/// The maximum length of an answer, in bytes.
const MOST_BYTES: usize = 64 * 1024;

/// The credentials of an instance's role.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) endpoint: Url,
    /// The role; `None` to use the role that the service names.
    pub(super) role_name: Option<String>,
}

impl fmt::Display for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.role_name {
            Some(name) => write!(f, "instance role `{name}`"),
            None => f.write_str("instance metadata"),
        }
    }
}

/// An answer, by status and body.
type Answer = (u16, Vec<u8>);

#[async_trait]
impl Source for Metadata {
    async fn load(&self, surroundings: &Surroundings) -> Result<Credentials> {
        let token = self.token(surroundings).await?;
        let role = match &self.role_name {
            Some(name) => name.clone(),
            None => {
                let (status, body) = self.get(surroundings, token.as_deref(), "").await?;
                let name = String::from_utf8_lossy(&body).trim().to_owned();
                if status != 200 || name.is_empty() {
                    return Err(no_credentials("this instance has no role"));
                }
                name
            }
        };
        let (status, body) = self.get(surroundings, token.as_deref(), &role).await?;
        let refused = |because: String| {
            no_credentials(format!("the metadata service has no credentials for the role `{role}`"))
                .because(because)
        };
        if status != 200 {
            return Err(refused(format!("it answered with status {status}")));
        }
        let said: Said = serde_json::from_slice(&body)
            .map_err(|_| refused("its answer is not what the service's answers are".to_owned()))?;
        if said.code != "Success" {
            return Err(refused(format!("it answered `{}`", said.code)));
        }
        let handed: Handed = serde_json::from_slice(&body).map_err(|_| {
            refused("its answer lacks an access key, or has a malformed one".to_owned())
        })?;
        Ok(handed.into())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Said {
    #[serde(default)]
    code: String,
}

impl Metadata {
    /// Requests a token; `None` if the service knows only the older mode, which has none.
    async fn token(&self, surroundings: &Surroundings) -> Result<Option<String>> {
        let url = self.url("latest/api/token");
        let request = surroundings
            .http
            .direct()
            .put(url)
            .header("X-aliyun-ecs-metadata-token-ttl-seconds", TOKEN_SECONDS);
        let (status, body) = self.exchange(request).await?;
        Ok((status == 200)
            .then(|| String::from_utf8_lossy(&body).trim().to_owned())
            .filter(|token| !token.is_empty()))
    }

    async fn get(
        &self,
        surroundings: &Surroundings,
        token: Option<&str>,
        role: &str,
    ) -> Result<Answer> {
        let path =
            format!("latest/meta-data/ram/security-credentials/{}", crate::sign::encode(role));
        let mut request = surroundings.http.direct().get(self.url(&path));
        if let Some(token) = token {
            request = request.header("X-aliyun-ecs-metadata-token", token);
        }
        self.exchange(request).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.endpoint.as_str().trim_end_matches('/'))
    }

    async fn exchange(&self, request: reqwest::RequestBuilder) -> Result<Answer> {
        let exchange = async {
            let mut answer = request
                .send()
                .await
                .map_err(|error| self.silent(&crate::error::last_reason(&error)))?;
            let body =
                read(&mut answer, MOST_BYTES).await.map_err(|reason| self.silent(&reason))?;
            Ok((answer.status().as_u16(), body))
        };
        timeout(PATIENCE, exchange).await.map_err(|_| self.silent("it does not answer"))?
    }

    fn silent(&self, reason: &str) -> Error {
        no_credentials("cannot reach the metadata service")
            .because(format!("{}: {reason}", self.endpoint.as_str().trim_end_matches('/')))
            .with_retryable(true)
    }
}
