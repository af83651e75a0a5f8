//! TLS with the server, and the time limit for a whole connection.

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use rustls::ClientConfig;
use tokio::time::{Instant, timeout_at};
use tower::Service;

use super::connector::{Connector, Late, Made, Way};

type BoxError = Box<dyn StdError + Send + Sync>;

/// Makes connections that are ready for requests, with TLS if the URL is `https`.
#[derive(Clone, Debug)]
pub(super) struct Secured {
    connector: Connector,
    tls: Arc<ClientConfig>,
    patience: Duration,
}

impl Secured {
    /// No connection may take longer than `patience`, TLS included.
    pub(super) fn new(connector: Connector, tls: ClientConfig, patience: Duration) -> Self {
        Self { connector, tls: Arc::new(tls), patience }
    }

    async fn connect(mut self, server: Uri) -> Result<MaybeHttpsStream<Way>, BoxError> {
        let deadline = Instant::now() + self.patience;
        // The connector has the same limit, and its own error says what it waits for.
        let way = self.connector.call(server.clone()).await?;
        let mut tls = HttpsConnector::from((Made(Some(way)), self.tls));
        match timeout_at(deadline, tls.call(server)).await {
            Ok(stream) => stream,
            Err(_) => Err(Late { missing: "TLS with the server", patience: self.patience }.into()),
        }
    }
}

impl Service<Uri> for Secured {
    type Response = MaybeHttpsStream<Way>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, server: Uri) -> Self::Future {
        // The call has to use the service that reported that it is ready, and not its clone.
        let next = self.clone();
        Box::pin(std::mem::replace(self, next).connect(server))
    }
}
