//! STS, the service that issues temporary credentials.

use jiff::Timestamp;
use remote_state_core::provider::ProxyFailed;
use remote_state_core::{Error, ErrorKind, Result};
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::body::read;
use crate::credentials::{Credentials, Surroundings, no_credentials};
use crate::http::{Http, answer_timeout};

/// The version of the API.
pub(super) const VERSION: &str = "2015-04-01";

/// The maximum length of an answer, in bytes.
const MOST_BYTES: usize = 64 * 1024;

/// The address of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StsEndpoint {
    /// The configured endpoint.
    Given(String),
    /// The endpoint of a region.
    OfRegion(String),
    /// Neither an endpoint nor a region is known.
    Unknown,
}

impl StsEndpoint {
    /// <https://www.alibabacloud.com/help/en/ram/developer-reference/api-sts-2015-04-01-endpoint>
    fn url(&self) -> Result<String> {
        let host = match self {
            Self::Given(endpoint) if endpoint.contains("://") => {
                return Ok(format!("{}/", endpoint.trim_end_matches('/')));
            }
            Self::Given(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            // The hosts of these two regions do not follow the pattern.
            Self::OfRegion(region) if region == "cn-hangzhou-finance" => {
                "sts.aliyuncs.com".to_owned()
            }
            Self::OfRegion(region) if region == "cn-north-2-gov-1" => {
                format!("sts-vpc.{region}.aliyuncs.com")
            }
            Self::OfRegion(region) => format!("sts.{region}.aliyuncs.com"),
            Self::Unknown => {
                return Err(Error::config(
                    "`region` is not set, so the STS to ask for the role is unknown",
                )
                .with_hint("set `region`, or `sts_endpoint`"));
            }
        };
        Ok(format!("https://{host}/"))
    }

    /// Sends a form with these parameters, and once more with the service's time if the service
    /// refuses ours. `what` is the message if no answer of the expected kind arrives.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        surroundings: &Surroundings,
        what: &str,
        form: impl Fn(&Common) -> String,
    ) -> Result<T> {
        let url = self.url()?;
        let ask = async || {
            let form = form(&common_parameters(surroundings)?);
            let request = |client: &Client| {
                client
                    .post(&url)
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body(form)
            };
            exchange(&surroundings.http, request, &url, what).await
        };
        let Sent { mut status, mut body, date } = ask().await?;
        if is_about_time(&body) && date.is_some_and(|date| surroundings.clock.follow(&date)) {
            Sent { status, body, .. } = ask().await?;
        }
        if let Ok(answer) = serde_json::from_slice(&body) {
            return Ok(answer);
        }
        let (code, message) = serde_json::from_slice::<Refusal>(&body)
            .map(|refusal| (refusal.code, refusal.message))
            .unwrap_or_default();
        let because = if code.is_empty() {
            format!("{url} answered with status {status}, and with nothing that was asked for")
        } else {
            format!("{url} answered {}", told(&code, &message))
        };
        Err(no_credentials(what).because(because).with_retryable(status >= 500))
    }
}

/// The maximum length of the service's message in an error, in characters.
const MOST_TOLD: usize = 300;

/// Returns what an error may show of a refusal. Messages about signatures repeat the signed text,
/// and so the security token.
fn told(code: &str, message: &str) -> String {
    let is_of_signature = matches!(code, "SignatureDoesNotMatch" | "IncompleteSignature")
        || code.starts_with("InvalidSignature");
    let lower = message.to_ascii_lowercase();
    let end = ["string to sign", "stringtosign", "securitytoken"]
        .iter()
        .filter_map(|part| lower.find(part))
        .min();
    let safe: String = message[..end.unwrap_or(message.len())].chars().take(MOST_TOLD).collect();
    let safe = safe.trim_end();
    if is_of_signature || safe.is_empty() { code.to_owned() } else { format!("{code}: {safe}") }
}

/// Returns whether the service refuses a request because of its time.
pub(crate) fn is_about_time(body: &[u8]) -> bool {
    // "Specified time stamp or date value is expired."
    serde_json::from_slice::<Refusal>(body)
        .is_ok_and(|refusal| refusal.code == "InvalidTimeStamp.Expired")
}

/// A complete answer.
struct Sent {
    status: u16,
    body: Vec<u8>,
    date: Option<String>,
}

/// Sends a request for credentials and reads the whole answer.
pub(super) async fn send(
    http: &Http,
    request: impl FnOnce(&Client) -> RequestBuilder,
    url: &str,
    what: &str,
) -> Result<(u16, Vec<u8>)> {
    exchange(http, request, url, what).await.map(|Sent { status, body, .. }| (status, body))
}

async fn exchange(
    http: &Http,
    request: impl FnOnce(&Client) -> RequestBuilder,
    url: &str,
    what: &str,
) -> Result<Sent> {
    let by_proxy =
        |failed: ProxyFailed| no_credentials(what).because(&failed).with_hint(failed.hint);
    let client = http.client(url).map_err(by_proxy)?;
    let unreachable = |reason: String| {
        Error::new(ErrorKind::CredentialInvalid, "find credentials", what.to_owned())
            .because(format!("cannot reach {url}: {reason}"))
            .with_retryable(true)
    };
    let mut answer = match tokio::time::timeout(answer_timeout(0), request(client).send()).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(unreachable(http.reason(url, &error))),
        Err(_) => return Err(unreachable("it does not answer".to_owned())),
    };
    let body = read(&mut answer, MOST_BYTES).await.map_err(unreachable)?;
    let date = answer.headers().get("date").and_then(|date| date.to_str().ok()).map(str::to_owned);
    Ok(Sent { status: answer.status().as_u16(), body, date })
}

/// The parameters of every call.
pub(crate) struct Common {
    nonce: String,
    timestamp: String,
}

pub(crate) fn common_parameters(surroundings: &Surroundings) -> Result<Common> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|error| {
        Error::new(
            ErrorKind::Local,
            "find credentials",
            format!("the system yields no random bytes: {error}"),
        )
    })?;
    let timestamp = surroundings.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    Ok(Common { nonce: crate::sign::hex(&nonce), timestamp })
}

impl Common {
    pub(crate) fn with<'a>(&'a self, action: &'a str, version: &'a str) -> Vec<(&'a str, &'a str)> {
        vec![
            ("Action", action),
            ("Version", version),
            ("Format", "JSON"),
            ("SignatureNonce", &self.nonce),
            ("Timestamp", &self.timestamp),
        ]
    }
}

/// An answer with credentials.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Session {
    pub(super) credentials: Handed,
}

/// Temporary credentials, as all services spell them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Handed {
    access_key_id: String,
    access_key_secret: String,
    #[serde(default)]
    security_token: String,
    expiration: Option<Timestamp>,
}

impl From<Handed> for Credentials {
    fn from(handed: Handed) -> Self {
        let token = Some(handed.security_token);
        Self {
            expires: handed.expiration,
            ..Self::new(handed.access_key_id, handed.access_key_secret, token)
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Refusal {
    code: String,
    #[serde(default)]
    message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_to_be_signed_is_not_told() {
        let mismatch = "it does not match our calculation. server string to sign \
                        is:POST&SecurityToken%3DSECRET";
        assert_eq!(told("SignatureDoesNotMatch", mismatch), "SignatureDoesNotMatch");
        assert_eq!(told("InvalidSignature.Malformed", "SECRET"), "InvalidSignature.Malformed");
        assert_eq!(told("Other", "Wrong é. The String To Sign is:SECRET"), "Other: Wrong é. The");
        assert_eq!(
            told("NoPermission", "You are not authorized."),
            "NoPermission: You are not authorized."
        );
        assert_eq!(told("X", &"y".repeat(1000)).len(), 303);
    }

    #[test]
    fn every_region_has_its_service() {
        for (region, url) in [
            ("cn-beijing", "https://sts.cn-beijing.aliyuncs.com/"),
            ("cn-hangzhou-finance", "https://sts.aliyuncs.com/"),
            ("cn-north-2-gov-1", "https://sts-vpc.cn-north-2-gov-1.aliyuncs.com/"),
        ] {
            assert_eq!(StsEndpoint::OfRegion(region.to_owned()).url().unwrap(), url);
        }
        let given = |text: &str| StsEndpoint::Given(text.to_owned()).url().unwrap();
        assert_eq!(given("sts.example.com"), "https://sts.example.com/");
        assert_eq!(given("http://127.0.0.1:1/"), "http://127.0.0.1:1/");
        assert_eq!(StsEndpoint::Unknown.url().unwrap_err().kind(), ErrorKind::ConfigInvalid);
    }
}
