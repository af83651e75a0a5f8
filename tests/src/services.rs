//! Fake sources of credentials, on loopback: the metadata service of an instance, the endpoint of a
//! container, and STS.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

/// A service that answers by a function, and records the requests. It ends with the process.
#[derive(Debug)]
pub struct Service {
    /// Its URL.
    pub url: String,
    heard: Arc<Mutex<Vec<Heard>>>,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Heard {
    /// `GET /path`
    pub line: String,
    /// The headers in lower case, one on each line.
    pub headers: String,
    /// The body as it was sent.
    pub body: String,
}

impl Service {
    /// Starts one; the function returns a status and a body.
    ///
    /// # Panics
    /// If there is no free port.
    pub fn start(answer: impl Fn(&Heard) -> (u16, String) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let url = format!("http://{}", listener.local_addr().expect("it has an address"));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let remembered = heard.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that hangs up early needs no answer.
                let Some(request) = hear(&stream) else { continue };
                let (status, body) = answer(&request);
                remembered.lock().unwrap_or_else(PoisonError::into_inner).push(request);
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status} X\r\nconnection: \
                     close\r\nx-aws-ec2-metadata-token-ttl-seconds: 60\r\ncontent-length: \
                     {length}\r\n\r\n"
                );
                drop((&stream).write_all((head + &body).as_bytes()));
            }
        });
        Self { url, heard }
    }

    /// Returns the requests since the last call.
    pub fn heard(&self) -> Vec<Heard> {
        std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn hear(stream: &TcpStream) -> Option<Heard> {
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let mut reader = BufReader::new(stream);
    let (mut line, mut headers) = (String::new(), String::new());
    let _: usize = reader.read_line(&mut line).ok()?;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header).ok()? == 0 {
            return None;
        }
        if header == "\r\n" {
            break;
        }
        headers.push_str(&header.to_ascii_lowercase());
    }
    let length = headers
        .lines()
        .find_map(|header| header.strip_prefix("content-length: ")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let line = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    Some(Heard { line, headers, body: String::from_utf8(body).ok()? })
}

fn soon(lifetime: Duration) -> String {
    (Timestamp::now() + lifetime).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Starts the metadata service of an instance, which issues this access key.
///
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html>
pub fn metadata(access_key: &'static str) -> Service {
    Service::start(move |request| {
        let body = match request.line.as_str() {
            "PUT /latest/api/token" => "the-token".to_owned(),
            "GET /latest/meta-data/iam/security-credentials/" => "the-role".to_owned(),
            "GET /latest/meta-data/iam/security-credentials/the-role" => format!(
                r#"{{"Code":"Success","LastUpdated":"2026-01-01T00:00:00Z","Type":"AWS-HMAC","AccessKeyId":"{access_key}","SecretAccessKey":"s","Token":"t","Expiration":"{}"}}"#,
                soon(Duration::from_secs(3600))
            ),
            _ => return (404, String::new()),
        };
        (200, body)
    })
}

/// Starts the endpoint of a container, which issues the keys that `keys` returns, each time with
/// this lifetime.
///
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>
pub fn container(
    keys: impl Fn() -> (String, String) + Send + 'static,
    lifetime: Duration,
) -> Service {
    Service::start(move |_| {
        let (access_key, secret_key) = keys();
        let expires = soon(lifetime);
        (
            200,
            format!(
                r#"{{"AccessKeyId":"{access_key}","SecretAccessKey":"{secret_key}","Token":"t","Expiration":"{expires}"}}"#
            ),
        )
    })
}

/// Starts STS. It names a caller by the access key, and issues sessions called `assumed` and
/// `webidentity`; but it refuses one to `denied`.
///
/// <https://docs.aws.amazon.com/STS/latest/APIReference/>
pub fn sts() -> Service {
    Service::start(|request| {
        let asker = request
            .headers
            .split_once("credential=")
            .map_or("", |(_, rest)| rest.split('/').next().unwrap_or(""));
        let action = request
            .body
            .split('&')
            .find_map(|field| field.strip_prefix("Action="))
            .unwrap_or("none");
        let session = |id: &str| {
            format!(
                "<Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>s</\
                 SecretAccessKey><SessionToken>t</SessionToken><Expiration>{}</Expiration></\
                 Credentials>",
                soon(Duration::from_secs(3600))
            )
        };
        let result = match action {
            _ if asker == "denied" => {
                let error = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</\
                             Code><Message>you may not</Message></Error></ErrorResponse>";
                return (403, error.to_owned());
            }
            "AssumeRole" => session("assumed"),
            "AssumeRoleWithWebIdentity" => session("webidentity"),
            "GetCallerIdentity" => format!(
                "<Arn>arn:aws:iam::123456789012:user/{asker}</Arn><UserId>id-of-{asker}</\
                 UserId><Account>123456789012</Account>"
            ),
            _ => return (400, String::new()),
        };
        (
            200,
            format!(
                "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
                 <{action}Result>{result}</{action}Result></{action}Response>"
            ),
        )
    })
}
