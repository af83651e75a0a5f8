//! Looks up a region's endpoint at the vendor.
//!
//! <https://www.alibabacloud.com/help/en/oss/user-guide/regions-and-endpoints>

use remote_state_core::{Error, ErrorKind, Result};
use serde::Deserialize;
use tokio::time::timeout;
use url::Url;

use crate::body::read;
use crate::credentials::{Surroundings, common_parameters, is_about_time};
use crate::endpoint::{AddressStyle, Endpoint};
use crate::http::answer_timeout;
use crate::request::Sender;
use crate::sign::sign_rpc;

/// The maximum length of an answer, in bytes.
const MOST_BYTES: usize = 64 << 10;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    endpoints: Endpoints,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Endpoints {
    #[serde(default)]
    endpoint: Vec<Offered>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Offered {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    endpoint: String,
}

/// Queries a location service. Native clients ignore a failure; here it is an error, since the
/// configuration names the service.
pub(crate) async fn endpoint(
    sender: &Sender,
    operation: &'static str,
    service: &Url,
    region: &str,
    style: Option<AddressStyle>,
) -> Result<Endpoint> {
    use secrecy::ExposeSecret as _;
    let credentials = sender.credentials.credentials().await?;
    let surroundings = Surroundings { http: sender.http.clone(), clock: sender.clock.clone() };
    let place = service.as_str();
    let failed = |reason: String| {
        Error::new(
            ErrorKind::Unavailable,
            operation,
            format!("cannot find the endpoint of region `{region}`"),
        )
        .with_context("because", format!("{place}: {reason}"))
        .with_hint("set `endpoint` instead of `location_endpoint`")
    };
    let token = credentials.security_token.as_ref().map_or("", |token| token.expose_secret());
    let ask = async || {
        let common = common_parameters(&surroundings)?;
        let mut parameters = common.with("DescribeEndpoints", "2015-06-12");
        parameters.extend([
            ("AccessKeyId", credentials.access_key.as_str()),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("ServiceCode", "oss"),
            ("Id", region),
            ("RegionId", region),
            ("SecurityToken", token),
        ]);
        let client = sender.http.client(place).map_err(|proxy| failed(proxy.to_string()))?;
        let request =
            client.post(place).header("content-type", "application/x-www-form-urlencoded");
        let request = request.body(sign_rpc("POST", &parameters, &credentials));
        let mut response = match timeout(answer_timeout(0), request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(failed(sender.http.reason(place, &error))),
            Err(_) => return Err(failed("it does not answer".to_owned())),
        };
        let body = read(&mut response, MOST_BYTES).await.map_err(&failed)?;
        Ok((response, body))
    };
    let (mut response, mut body) = ask().await?;
    let date = response.headers().get("date").and_then(|date| date.to_str().ok());
    if is_about_time(&body) && date.is_some_and(|date| sender.clock.follow(date)) {
        (response, body) = ask().await?;
    }
    let status = response.status().as_u16();
    let answer: Answer = serde_json::from_slice(&body)
        .map_err(|_| failed(format!("it answered with status {status} and no endpoints")))?;
    let offered = answer.endpoints.endpoint.into_iter().find(|offered| offered.r#type == "openAPI");
    let Some(offered) = offered else {
        return Err(failed("it knows none for that region".to_owned()));
    };
    if service.scheme() == "https" && offered.endpoint.to_ascii_lowercase().starts_with("http:") {
        return Err(failed("it was asked over TLS, and names an endpoint without".to_owned()));
    }
    Endpoint::parse(&offered.endpoint, style).map_err(|reason| failed(reason.to_owned()))
}
