//! The metadata service of an ECS instance:
//! <https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata>.

use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use s3s::{Body, HttpResponse};

use super::{Sts, utc};

/// Whether the metadata service of the emulated instance requires a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetadataMode {
    /// It issues tokens, and does not require them: the default of the service.
    Normal,
    /// It refuses requests without a token.
    Hardened,
    /// It issues no tokens, as in its first version.
    Old,
}

/// The role of the emulated instance.
#[derive(Debug, Clone)]
pub(crate) struct InstanceRole {
    pub(crate) name: String,
    pub(crate) mode: MetadataMode,
}

const TOKEN_PATH: &str = "/latest/api/token";
const ROLES_PATH: &str = "/latest/meta-data/ram/security-credentials/";
/// The token. It protects against forged requests through other programs, and need not be secret.
const TOKEN: &str = "a-token-of-the-emulators-metadata";

/// Returns whether a request is for the metadata service.
pub(super) fn is_addressed(head: &Parts) -> bool {
    let path = head.uri.path();
    !head.headers.contains_key(AUTHORIZATION)
        && (path == TOKEN_PATH || path.starts_with(ROLES_PATH))
}

impl Sts {
    /// Answers a request for metadata.
    pub(super) fn metadata(&self, head: &Parts) -> HttpResponse {
        let Some(role) = &self.instance_role else { return text(StatusCode::NOT_FOUND, "") };
        let path = head.uri.path();
        if path == TOKEN_PATH {
            let lasts = header(&head.headers, "x-aliyun-ecs-metadata-token-ttl-seconds");
            let is_allowed = lasts
                .and_then(|text| text.parse::<u32>().ok())
                .is_some_and(|seconds| (1..=21_600).contains(&seconds));
            return match (role.mode, &head.method) {
                (MetadataMode::Old, _) => text(StatusCode::NOT_FOUND, ""),
                (_, &Method::PUT) if is_allowed => text(StatusCode::OK, TOKEN),
                (_, &Method::PUT) => text(StatusCode::BAD_REQUEST, ""),
                _ => text(StatusCode::METHOD_NOT_ALLOWED, ""),
            };
        }
        let is_trusted = match (role.mode, header(&head.headers, "x-aliyun-ecs-metadata-token")) {
            (MetadataMode::Old, _) | (MetadataMode::Normal, None) => true,
            (MetadataMode::Hardened, None) => false,
            (_, Some(token)) => token == TOKEN,
        };
        if !is_trusted {
            return text(StatusCode::FORBIDDEN, "");
        }
        match path.strip_prefix(ROLES_PATH) {
            Some("") => text(StatusCode::OK, &role.name),
            Some(name) if name == role.name => {
                let issued = self.keys.issue(self.lifetime);
                let credentials = serde_json::json!({
                    "AccessKeyId": issued.access_key,
                    "AccessKeySecret": issued.secret_key,
                    "SecurityToken": issued.token,
                    "Expiration": utc(issued.expires_ms),
                    "LastUpdated": utc(crate::store::now_ms()),
                    "Code": "Success",
                });
                text(StatusCode::OK, &credentials.to_string())
            }
            _ => text(StatusCode::NOT_FOUND, ""),
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn text(status: StatusCode, text: &str) -> HttpResponse {
    let mut answer = HttpResponse::new(Body::from(text.to_owned()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    answer
}
