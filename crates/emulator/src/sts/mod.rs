//! The sources of temporary keys: STS, and the metadata of an emulated ECS instance. The location
//! service is here too, since it has the same protocol as STS.
//!
//! See <https://www.alibabacloud.com/help/en/ram/developer-reference/api-sts-2015-04-01-overview>.

mod metadata;
mod refusal;
mod rpc;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use jiff::Timestamp;
use s3s::{Body, HttpResponse, StdError};
use serde_json::{Value, json};

pub(crate) use self::metadata::InstanceRole;
pub use self::metadata::MetadataMode;
use self::refusal::Refusal;
use self::rpc::Parameters;
use crate::clock::Clock;
use crate::faults::Plan;
use crate::keyring::Keyring;
use crate::protocol::{Call, Protocol, Target};

/// The account that everything belongs to.
const ACCOUNT: &str = "1234567890123456";

/// The longest request. A policy may have 2 KiB, a token of an identity provider more.
const REQUEST_BYTES: usize = 64 << 10;

/// How long a session lasts by default:
/// <https://www.alibabacloud.com/help/en/ram/developer-reference/api-sts-2015-04-01-assumerole>.
pub(crate) const DEFAULT_LIFETIME: Duration = Duration::from_secs(3600);

/// Answers requests for temporary keys.
#[derive(Debug, Clone)]
pub(crate) struct Sts {
    pub(crate) keys: Keyring,
    /// The roles that clients may assume, by their ARN.
    pub(crate) roles: Arc<Vec<String>>,
    /// Identity providers by their ARN, each with the token that it accepts.
    pub(crate) providers: Arc<Vec<(String, String)>>,
    pub(crate) instance_role: Option<InstanceRole>,
    /// How long the keys of an instance last, and those of a role at most.
    pub(crate) lifetime: Duration,
    pub(crate) address: SocketAddr,
    pub(crate) clock: Clock,
}

/// Returns the parameters of a request, from its query and from its form.
fn parameters(call: &Call) -> Parameters {
    let form = String::from_utf8_lossy(&call.body);
    Parameters::parse([call.head.uri.query().unwrap_or_default(), &form])
}

impl Protocol for Sts {
    type Call = Call;

    fn claims(&self, head: &Parts) -> bool {
        let is_form = head.headers.get(CONTENT_TYPE).is_some_and(|value| {
            value.as_bytes().starts_with(b"application/x-www-form-urlencoded")
        });
        let query = head.uri.query().unwrap_or_default();
        let names_action = query.split('&').any(|pair| pair.starts_with("Action="));
        let is_call = head.uri.path() == "/" && (names_action || is_form);
        is_call || metadata::is_addressed(head)
    }

    async fn read(&self, head: Parts, body: Incoming) -> Result<Call, StdError> {
        Call::read(head, body, REQUEST_BYTES).await
    }

    fn target(&self, call: &Call) -> Target {
        let operation = if metadata::is_addressed(&call.head) {
            "GetMetadata".into()
        } else {
            parameters(call).get("Action").into()
        };
        Target { operation, ..Target::default() }
    }

    async fn answer(&self, call: Call, _plan: &Plan, id: &str) -> Result<HttpResponse, StdError> {
        if metadata::is_addressed(&call.head) {
            return Ok(self.metadata(&call.head));
        }
        Ok(match self.call(call.head.method.as_str(), &parameters(&call)) {
            Ok(mut answer) => {
                answer["RequestId"] = id.into();
                write(StatusCode::OK, &answer)
            }
            Err(refusal) => self.fail(false, refusal.status, &refusal.code, &refusal.message, id),
        })
    }

    fn fail(
        &self,
        _is_head: bool,
        status: u16,
        code: &str,
        message: &str,
        id: &str,
    ) -> HttpResponse {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        write(status, &json!({"RequestId": id, "Code": code, "Message": message}))
    }
}

impl Sts {
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
                let is_temporary = user.starts_with("STS.");
                Ok(json!({
                    "AccountId": ACCOUNT,
                    "UserId": user,
                    "PrincipalId": user,
                    "IdentityType": if is_temporary { "AssumedRoleUser" } else { "RAMUser" },
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

    /// The answer of the location service: OSS of every region is at the emulator's address.
    fn endpoints(&self) -> Value {
        json!({"Endpoints": {"Endpoint": [{
            "Type": "openAPI",
            "Endpoint": self.address.to_string(),
            "Protocols": {"Protocols": ["HTTP"]},
        }]}, "Success": true})
    }
}

/// Formats a time in whole seconds, as the services do.
fn utc(ms: u64) -> String {
    let time = i64::try_from(ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn write(status: StatusCode, answer: &Value) -> HttpResponse {
    let mut response = HttpResponse::new(Body::from(answer.to_string()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json;charset=utf-8"));
    response
}
