//! The crate's own connections: the SDK's client checks certificates only in its own way, and does
//! not report a proxy's reply.

use std::error::Error as StdError;
use std::sync::OnceLock;
use std::time::Duration;

use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::ErrorKind as Retry;
use http::header::{CONTENT_TYPE, PROXY_AUTHORIZATION};
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use remote_state_core::provider::ProxyFailed;

use super::connector::Connector;
use super::proxy::{Named, Proxy};
use super::secured::Secured;
use super::trust::Trust;
use crate::causes::causes;

type Connections = Client<Secured, SdkBody>;

/// Which connections are made, and which certificates they trust.
#[derive(Clone, Debug)]
pub(super) struct Kind {
    pub(super) trust: Trust,
    pub(super) proxy: Option<Named>,
    /// Whether the connections to the servers use TLS.
    pub(super) is_tls: bool,
    /// The time limit for TCP, the proxy and TLS together.
    pub(super) connect_timeout: Duration,
}

/// Makes a client. It reads and connects nothing before its first request.
pub(super) fn client(kind: Kind) -> SharedHttpClient {
    SharedHttpClient::new(Pool { kind, connections: OnceLock::new() })
}

#[derive(Debug)]
struct Pool {
    kind: Kind,
    connections: OnceLock<Connections>,
}

impl Pool {
    fn make(&self) -> Connections {
        let Kind { trust, proxy, is_tls, connect_timeout } = &self.kind;
        let needs_trust = *is_tls || matches!(proxy, Some(Ok(proxy)) if proxy.has_tls());
        let tls = if needs_trust { trust.settings() } else { Trust::Bundle([].into()).settings() };
        let connector = Connector::new(proxy.clone(), tls.clone(), *connect_timeout);
        Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(Secured::new(
            connector,
            tls,
            *connect_timeout,
        ))
    }
}

impl HttpClient for Pool {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let forward = match &self.kind {
            Kind { proxy: Some(Ok(proxy)), is_tls: false, .. } => {
                Some(proxy.clone()).filter(|proxy| !proxy.is_socks())
            }
            _ => None,
        };
        SharedHttpConnector::new(Sender {
            connections: self.connections.get_or_init(|| self.make()).clone(),
            forward,
            read_timeout: settings.read_timeout(),
        })
    }
}

#[derive(Debug)]
struct Sender {
    connections: Connections,
    /// The proxy that gets whole requests, and forwards them.
    forward: Option<Proxy>,
    read_timeout: Option<Duration>,
}

impl HttpConnector for Sender {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => {
                return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into())));
            }
        };
        if let Some(value) = self.forward.as_ref().and_then(Proxy::authorization) {
            request.headers_mut().insert(PROXY_AUTHORIZATION, value);
        }
        // A connection on which a request failed is not used for the next one: the SDK requests
        // this.
        let captured = capture_connection(&mut request);
        if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
            capture.set_connection_retriever(move || Some(metadata(&captured)));
        }
        let answer = self.connections.request(request);
        let (read_timeout, forward) = (self.read_timeout, self.forward.clone());
        HttpConnectorFuture::new(async move {
            let answer = match read_timeout {
                None => answer.await,
                Some(timeout) => tokio::time::timeout(timeout, answer)
                    .await
                    .map_err(|error| ConnectorError::timeout(error.into()))?,
            };
            let answer = answer.map_err(sorted)?;
            let status = answer.status().as_u16();
            let form = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            // Services reply in XML or in JSON, with any status.
            let is_services =
                form.is_some_and(|form| form.contains("xml") || form.contains("json"));
            match forward.and_then(|proxy| proxy.name().answered(status, is_services)) {
                Some(failed) if failed.is_unsent => Err(ConnectorError::other(failed.into(), None)),
                Some(failed) => {
                    Err(ConnectorError::other(failed.into(), Some(Retry::TransientError)))
                }
                None => HttpResponse::try_from(answer.map(SdkBody::from_body_1_x))
                    .map_err(|error| ConnectorError::other(error.into(), None)),
            }
        })
    }
}

fn metadata(captured: &CaptureConnection) -> ConnectionMetadata {
    let captured = captured.clone();
    ConnectionMetadata::builder()
        .poison_fn(move || {
            if let Some(connection) = captured.connection_metadata().as_ref() {
                connection.poison();
            }
        })
        .build()
}

/// Classifies an error for the SDK: whether the same request may be sent again.
fn sorted(error: ClientError) -> ConnectorError {
    if ProxyFailed::in_chain(&error).is_some_and(|failed| !failed.is_passing()) {
        return ConnectorError::other(error.into(), None);
    }
    let by_hyper = find::<hyper::Error>(&error);
    let is_io = error.is_connect() || find::<std::io::Error>(&error).is_some();
    if by_hyper.is_some_and(hyper::Error::is_user) {
        ConnectorError::user(error.into())
    } else if by_hyper.is_some_and(hyper::Error::is_timeout) {
        ConnectorError::timeout(error.into())
    } else if is_io || by_hyper.is_some_and(|error| error.is_closed() || error.is_canceled()) {
        ConnectorError::io(error.into())
    } else if by_hyper.is_some_and(hyper::Error::is_incomplete_message) {
        ConnectorError::other(error.into(), Some(Retry::TransientError))
    } else {
        ConnectorError::other(error.into(), None)
    }
}

fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    causes(error).find_map(|error| error.downcast_ref())
}
