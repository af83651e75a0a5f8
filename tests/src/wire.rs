//! Requests as sent on the wire, signed by the vendor's SDK, for tests that send them in pieces.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{Config, RequestChecksumCalculation};
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::server::{S3Server, TABLE};

/// A complete request.
#[derive(Debug, Clone)]
pub struct Wire {
    bytes: Vec<u8>,
}

impl S3Server {
    /// Returns a PUT that must create an object.
    pub async fn signed_create(&self, key: &str, body: &[u8]) -> Wire {
        let sent = Captured::default();
        let config = Config::builder()
            .http_client(sent.client())
            .retry_config(RetryConfig::disabled())
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
        let put = self.client().put_object().bucket(&self.bucket).key(key).if_none_match("*");
        let put = put
            .body(ByteStream::from(body.to_vec()))
            .customize()
            .config_override(config)
            .send()
            .await;
        put.expect_err("nothing is sent");
        sent.wire(&self.endpoint)
    }

    /// Returns a `PutItem` that must create an item with an attribute `Info`.
    ///
    /// # Panics
    /// If there is no table.
    pub async fn signed_item(&self, id: &str, info: &str) -> Wire {
        let sent = Captured::default();
        let config = aws_sdk_dynamodb::Config::builder()
            .http_client(sent.client())
            .retry_config(RetryConfig::disabled());
        let put = self.tables().put_item().table_name(TABLE);
        let put = put.item("LockID", AttributeValue::S(id.to_owned()));
        let put = put.item("Info", AttributeValue::S(info.to_owned()));
        let put = put.condition_expression("attribute_not_exists(LockID)");
        put.customize().config_override(config).send().await.expect_err("nothing is sent");
        sent.wire(self.dynamodb_endpoint.as_deref().expect("there is a table"))
    }

    /// Opens a connection of its own to one of the server's endpoints.
    ///
    /// # Panics
    /// If nothing listens there.
    pub fn connect(&self, endpoint: &str) -> Connection {
        let authority = authority(endpoint);
        let stream =
            TcpStream::connect(authority).unwrap_or_else(|error| panic!("{endpoint}: {error}"));
        // Send each piece as it is written.
        stream.set_nodelay(true).expect("a connection takes options");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a connection takes options");
        let Some(file) = self.ca_file.filter(|_| endpoint.starts_with("https:")) else {
            return Connection(Box::new(stream));
        };
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(file).expect("it is a certificate"))
            .expect("it is an authority");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has them")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host).to_owned();
        let name = ServerName::try_from(host).expect("it is a name or an address");
        let tls =
            ClientConnection::new(Arc::new(config), name).expect("the configuration is whole");
        Connection(Box::new(StreamOwned::new(tls, stream)))
    }
}

trait Pipe: Read + Write + Send {}
impl<T: Read + Write + Send> Pipe for T {}

/// A connection for one request.
pub struct Connection(Box<dyn Pipe>);

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

impl Connection {
    /// Sends bytes at once.
    ///
    /// # Panics
    /// If the server does not accept them.
    pub fn send(&mut self, bytes: &[u8]) {
        self.0
            .write_all(bytes)
            .and_then(|()| self.0.flush())
            .expect("the server takes what is sent");
    }

    /// Reads the answer's status and closes the connection.
    ///
    /// # Panics
    /// If there is no answer.
    pub fn status(mut self) -> u16 {
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\r\n") {
            match self.0.read(&mut byte) {
                Ok(1) => line.push(byte[0]),
                Ok(_) => panic!("the server ended the connection without an answer"),
                Err(error) => panic!("the server did not answer: {error}"),
            }
        }
        let line = String::from_utf8_lossy(&line);
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.unwrap_or_else(|| panic!("the server should speak HTTP, not `{line}`"))
    }
}

impl Wire {
    /// Returns all but the last byte, and the last byte.
    ///
    /// # Panics
    /// Never: no request is shorter than that.
    pub fn halves(&self) -> (&[u8], &[u8]) {
        self.bytes.split_at(self.bytes.len() - 1)
    }
}

/// The request that an SDK would have sent.
#[derive(Debug, Clone, Default)]
struct Captured(Arc<Mutex<Option<HttpRequest>>>);

impl Captured {
    fn client(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self.clone());
        http_client_fn(move |_, _| connector.clone())
    }

    fn wire(&self, endpoint: &str) -> Wire {
        let request = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let request = request.expect("the SDK has a request to send");
        let target =
            request.uri().strip_prefix(endpoint).expect("it is for the endpoint").to_owned();
        let target = if target.is_empty() { "/".to_owned() } else { target };
        let mut head = format!("{} {target} HTTP/1.1\r\n", request.method());
        for (name, value) in request.headers() {
            write!(head, "{name}: {value}\r\n").expect("a string takes everything");
        }
        for (name, value) in [("host", authority(endpoint)), ("connection", "close")] {
            if request.headers().get(name).is_none() {
                write!(head, "{name}: {value}\r\n").expect("a string takes everything");
            }
        }
        let body = request.body().bytes().expect("the body is in memory");
        if request.headers().get("content-length").is_none() {
            write!(head, "content-length: {}\r\n", body.len()).expect("a string takes everything");
        }
        Wire { bytes: [head.as_bytes(), b"\r\n", body].concat() }
    }
}

impl HttpConnector for Captured {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(request);
        HttpConnectorFuture::ready(Err(ConnectorError::user("it is only looked at".into())))
    }
}

fn authority(endpoint: &str) -> &str {
    endpoint.split("://").nth(1).unwrap_or(endpoint).trim_end_matches('/')
}
