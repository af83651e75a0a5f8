//! Where temporary keys come from: STS, and the metadata of a pretended ECS instance. The location
//! service is here too, for it speaks as STS does.
//!
//! See <https://www.alibabacloud.com/help/en/ram/developer-reference/api-sts-2015-04-01-overview>.

mod metadata;
mod rpc;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use jiff::Timestamp;
use s3s::{Body, HttpResponse};
use serde_json::{Value, json};

pub(crate) use self::metadata::InstanceRole;
pub use self::metadata::MetadataMode;
use self::rpc::Parameters;
use crate::clock::Clock;
use crate::keyring::Keyring;

/// The account that everything belongs to.
const ACCOUNT: &str = "1234567890123456";

/// How long a session lasts if nobody says: <https://www.alibabacloud.com/help/en/ram/developer-reference/api-sts-2015-04-01-assumerole>.
pub(crate) const DEFAULT_LIFETIME: Duration = Duration::from_secs(3600);

/// Answers requests for temporary keys.
#[derive(Debug, Clone)]
pub(crate) struct Sts {
    pub(crate) keys: Keyring,
    /// The roles that one may assume, by their ARN.
    pub(crate) roles: Arc<Vec<String>>,
    /// Identity providers by their ARN, each with the one token that it vouches for.
    pub(crate) providers: Arc<Vec<(String, String)>>,
    pub(crate) instance_role: Option<InstanceRole>,
    /// How long the keys of an instance last, and those of a role at most.
    pub(crate) lifetime: Duration,
    pub(crate) address: SocketAddr,
    pub(crate) clock: Clock,
}

/// Why a request is refused.
#[derive(Debug)]
struct Refusal {
    status: u16,
    code: String,
    message: String,
}

impl Refusal {
    fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into() }
    }
}

/// Whether a request is one for these services rather than another one of the same port.
pub(crate) fn is_addressed(head: &Parts) -> bool {
    let is_form = head
        .headers
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    let query = head.uri.query().unwrap_or_default();
    let names_action = query.split('&').any(|pair| pair.starts_with("Action="));
    let is_call = head.uri.path() == "/" && (names_action || is_form);
    is_call || metadata::is_addressed(head)
}

/// What a request asks for, as far as faults and the recorder want to know.
pub(crate) fn operation(head: &Parts, body: &[u8]) -> String {
    if metadata::is_addressed(head) {
        return "GetMetadata".to_owned();
    }
    parameters(head, body).get("Action").to_owned()
}

fn parameters(head: &Parts, body: &[u8]) -> Parameters {
    let form = String::from_utf8_lossy(body);
    Parameters::parse([head.uri.query().unwrap_or_default(), &form])
}

impl Sts {
    /// Answers a request.
    pub(crate) fn answer(&self, head: &Parts, body: &[u8], request_id: &str) -> HttpResponse {
        if metadata::is_addressed(head) {
            return self.metadata(head);
        }
        match self.call(head.method.as_str(), &parameters(head, body)) {
            Ok(mut answer) => {
                answer["RequestId"] = request_id.into();
                write(StatusCode::OK, &answer)
            }
            Err(refusal) => failure(refusal.status, &refusal.code, &refusal.message, request_id),
        }
    }

    fn call(&self, method: &str, parameters: &Parameters) -> Result<Value, Refusal> {
        let action = parameters.required("Action")?;
        let version = match action {
            "DescribeEndpoints" => "2015-06-12",
            _ => "2015-04-01",
        };
        if parameters.get("Version") != version {
            return Err(Refusal::new(
                400,
                "InvalidVersion",
                "Specified parameter Version is not valid.",
            ));
        }
        // The token of an identity provider takes the place of a signature.
        if action != "AssumeRoleWithOIDC" {
            parameters.check(method, &self.keys, self.clock.now())?;
        }
        match action {
            "AssumeRole" => self.assume_role(parameters),
            "AssumeRoleWithOIDC" => {
                let given =
                    (parameters.required("OIDCProviderArn")?, parameters.required("OIDCToken")?);
                let is_vouched_for =
                    self.providers.iter().any(|(provider, token)| (&**provider, &**token) == given);
                if !is_vouched_for {
                    return Err(Refusal::new(
                        400,
                        "AuthenticationFail.OIDCToken.Invalid",
                        "This OIDC token is invalid.",
                    ));
                }
                self.assume_role(parameters)
            }
            "DescribeEndpoints" => Ok(self.endpoints()),
            "GetCallerIdentity" => {
                let user = parameters.get("AccessKeyId");
                Ok(json!({
                    "AccountId": ACCOUNT,
                    "UserId": user,
                    "PrincipalId": user,
                    "IdentityType": if user.starts_with("STS.") { "AssumedRoleUser" } else { "RAMUser" },
                    "Arn": format!("acs:ram::{ACCOUNT}:user/{user}"),
                }))
            }
            _ => Err(Refusal::new(404, "InvalidAction.NotFound", "Specified api is not found.")),
        }
    }

    fn assume_role(&self, parameters: &Parameters) -> Result<Value, Refusal> {
        let (role, session) =
            (parameters.required("RoleArn")?, parameters.required("RoleSessionName")?);
        if !self.roles.iter().any(|known| known == role) {
            return Err(Refusal::new(404, "EntityNotExist.Role", "The role not exists."));
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || ".@-_".contains(c);
        if !(2..=64).contains(&session.len()) || !session.chars().all(is_name) {
            return Err(Refusal::new(
                400,
                "InvalidParameter.RoleSessionName",
                "The parameter RoleSessionName is wrongly formed.",
            ));
        }
        let asked = match parameters.get("DurationSeconds") {
            "" => DEFAULT_LIFETIME,
            text => {
                let seconds = text.parse().ok().filter(|seconds| (900..=43_200).contains(seconds));
                Duration::from_secs(seconds.ok_or_else(|| {
                    Refusal::new(
                        400,
                        "InvalidParameter.DurationSeconds",
                        "The parameter DurationSeconds is out of range.",
                    )
                })?)
            }
        };
        let issued = self.keys.issue(asked.min(self.lifetime));
        Ok(json!({
            "AssumedRoleUser": {
                "Arn": format!("{role}/{session}"),
                "AssumedRoleId": format!("{ACCOUNT}:{session}"),
            },
            "Credentials": {
                "AccessKeyId": issued.access_key,
                "AccessKeySecret": issued.secret_key,
                "SecurityToken": issued.token,
                "Expiration": utc(issued.expires_ms),
            },
        }))
    }

    /// What the location service knows: that OSS of every region is here.
    fn endpoints(&self) -> Value {
        json!({"Endpoints": {"Endpoint": [{
            "Type": "openAPI",
            "Endpoint": self.address.to_string(),
            "Protocols": {"Protocols": ["HTTP"]},
        }]}, "Success": true})
    }
}

/// A time without parts of a second, which the services do not write.
fn utc(ms: u64) -> String {
    let time = i64::try_from(ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// An error, in JSON.
pub(crate) fn failure(status: u16, code: &str, message: &str, request_id: &str) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    write(status, &json!({"RequestId": request_id, "Code": code, "Message": message}))
}

fn write(status: StatusCode, answer: &Value) -> HttpResponse {
    let mut response = HttpResponse::new(Body::from(answer.to_string()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json;charset=utf-8"));
    response
}
