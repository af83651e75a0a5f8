//! Errors and their documents:
//! <https://www.alibabacloud.com/help/en/oss/developer-reference/error-responses>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use quick_xml::{DeError, SeError};
use s3s::{Body, HttpResponse};
use serde::Serialize;

use super::xml;
use crate::store::Error;

/// An error in the words of OSS.
#[derive(Debug)]
pub(super) struct Refusal {
    status: u16,
    pub(super) code: String,
    message: String,
    /// The number under which the vendor documents this case, if it is known.
    ec: Option<&'static str>,
    headers: Vec<(&'static str, String)>,
    details: Box<Details>,
}

/// The signed text, in the answer to a wrong signature, by which a client finds its mistake.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Details {
    #[serde(rename = "OSSAccessKeyId", skip_serializing_if = "Option::is_none")]
    pub(super) access_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signature_provided: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) string_to_sign: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) canonical_request: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document<'a> {
    code: &'a str,
    message: &'a str,
    request_id: &'a str,
    host_id: &'a str,
    #[serde(rename = "OSSAccessKeyId", skip_serializing_if = "Option::is_none")]
    access_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature_provided: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    string_to_sign: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    canonical_request: Option<&'a str>,
    #[serde(rename = "EC", skip_serializing_if = "Option::is_none")]
    ec: Option<&'a str>,
}

impl Refusal {
    pub(super) fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        let details = Box::default();
        Self {
            status,
            code: code.into(),
            message: message.into(),
            ec: None,
            headers: Vec::new(),
            details,
        }
    }

    pub(super) fn invalid_argument(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidArgument", message)
    }

    pub(super) fn not_implemented(message: impl Into<String>) -> Self {
        Self::new(501, "NotImplemented", message)
    }

    pub(super) fn no_such_key() -> Self {
        Self::new(404, "NoSuchKey", "The specified key does not exist.").with_ec("0026-00000001")
    }

    pub(super) fn with_ec(mut self, ec: &'static str) -> Self {
        self.ec = Some(ec);
        self
    }

    pub(super) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn with_details(mut self, details: Details) -> Self {
        *self.details = details;
        self
    }

    /// Writes the answer. An answer to HEAD has no body, so its document is in a header.
    pub(super) fn render(&self, is_head: bool, host: &str, request_id: &str) -> HttpResponse {
        let document = Document {
            code: &self.code,
            message: &self.message,
            request_id,
            host_id: host,
            access_key: self.details.access_key.as_deref(),
            signature_provided: self.details.signature_provided.as_deref(),
            string_to_sign: self.details.string_to_sign.as_deref(),
            canonical_request: self.details.canonical_request.as_deref(),
            ec: self.ec,
        };
        let text = xml::document("Error", &document).unwrap_or_default();
        let mut answer = HttpResponse::new(Body::empty());
        *answer.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut set = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                answer.headers_mut().insert(name, value);
            }
        };
        for (name, value) in &self.headers {
            set(name, value);
        }
        if let Some(ec) = self.ec {
            set("x-oss-ec", ec);
        }
        if is_head {
            set("x-oss-err", &BASE64.encode(&text));
        } else if self.status != StatusCode::NOT_MODIFIED.as_u16() {
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
            *answer.body_mut() = Body::from(text);
        }
        answer
    }
}

/// Turns an error of the store into one of OSS.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::BucketMissing => {
                Self::new(404, "NoSuchBucket", "The specified bucket does not exist.")
                    .with_ec("0015-00000101")
            }
            Error::BucketHasUploads | Error::BucketHasVersions => Self::new(
                409,
                "BucketNotEmpty",
                "The bucket has objects. Please delete them first.",
            ),
            error => {
                tracing::warn!(%error, "the store failed");
                Self::new(500, "InternalError", "Please contact the server administrator.")
            }
        }
    }
}

impl From<SeError> for Refusal {
    fn from(error: SeError) -> Self {
        tracing::warn!(%error, "cannot write an answer");
        Self::new(500, "InternalError", "The answer could not be written.")
    }
}

impl From<DeError> for Refusal {
    fn from(_error: DeError) -> Self {
        Self::new(
            400,
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate.",
        )
    }
}
