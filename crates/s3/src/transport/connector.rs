//! Makes a connection: directly, or through a proxy.

use std::error::Error as StdError;
use std::fmt;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::proxy::SocksV5;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector as TcpConnector};
use hyper_util::rt::TokioIo;
use remote_state_core::provider::ProxyFailed;
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower::Service;

use super::proxy::{Named, Proxy};
use crate::causes::causes;

type BoxError = Box<dyn StdError + Send + Sync>;

/// A connection to the proxy, or to the server if there is none.
type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// The maximum length of a proxy's reply before the tunnel begins, in bytes.
const MOST_OF_A_HEAD: usize = 16 << 10;

/// Makes connections that have no TLS with the server yet, see `secured.rs`.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    tcp: TcpConnector,
    /// With TLS if the proxy's URL says so.
    to_proxy: HttpsConnector<TcpConnector>,
    proxy: Option<Named>,
    patience: Duration,
}

impl Connector {
    /// `tls` is for a proxy that is reached by TLS. No connection may take longer than `patience`.
    pub(super) fn new(proxy: Option<Named>, tls: ClientConfig, patience: Duration) -> Self {
        let mut tcp = TcpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(patience));
        Self { to_proxy: HttpsConnector::from((tcp.clone(), tls)), tcp, proxy, patience }
    }

    async fn connect(mut self, server: Uri) -> Result<Way, BoxError> {
        let proxy = match &self.proxy {
            None => {
                let late = || Late { missing: "connection", patience: self.patience };
                let stream = match timeout(self.patience, self.tcp.call(server)).await {
                    Ok(Err(error)) if has_timed_out(&error) => return Err(late().into()),
                    Ok(stream) => MaybeHttpsStream::Http(stream?),
                    // Looking up the name has no limit of its own.
                    Err(_) => return Err(late().into()),
                };
                return Ok(Way { stream, is_forward: false });
            }
            Some(Ok(proxy)) => proxy.clone(),
            Some(Err(failed)) => return Err(failed.clone().into()),
        };
        let patience = self.patience;
        let silent = || {
            let seconds = patience.as_secs_f64();
            proxy.name().unreachable(format!("it does not answer within {seconds} s"))
        };
        match timeout(patience, self.through(&proxy, server)).await {
            Ok(way) => Ok(way?),
            Err(_) => Err(silent().into()),
        }
    }

    async fn through(&mut self, proxy: &Proxy, server: Uri) -> Result<Way, ProxyFailed> {
        let stream = self
            .to_proxy
            .call(proxy.uri())
            .await
            .map_err(|error| proxy.name().unreachable(last(&*error)))?;
        if proxy.is_socks() {
            Ok(Way { stream: socks(stream, proxy, &server).await?, is_forward: false })
        } else if server.scheme_str() == Some("https") {
            Ok(Way { stream: tunnel(stream, proxy, &server).await?, is_forward: false })
        } else {
            Ok(Way { stream, is_forward: true })
        }
    }
}

/// A step that did not finish in time.
#[derive(Debug)]
pub(super) struct Late {
    pub(super) missing: &'static str,
    pub(super) patience: Duration,
}

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no {} within {} s", self.missing, self.patience.as_secs_f64())
    }
}

impl StdError for Late {}

/// Returns whether TCP itself gave up waiting.
fn has_timed_out(error: &(dyn StdError + 'static)) -> bool {
    causes(error)
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::TimedOut)
}

/// Returns the innermost cause.
fn last(error: &(dyn StdError + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

/// Makes a SOCKS proxy connect to the server.
///
/// <https://www.rfc-editor.org/rfc/rfc1928>
async fn socks(stream: Stream, proxy: &Proxy, server: &Uri) -> Result<Stream, ProxyFailed> {
    let host = server.host().unwrap_or_default();
    let usual = if server.scheme_str() == Some("https") { 443 } else { 80 };
    let port = server.port_u16().unwrap_or(usual);
    let name = proxy.name();
    let server = format!("http://{host}:{port}").parse::<Uri>();
    let server = server.map_err(|error| name.failed("is not asked").because(error.to_string()))?;
    let mut socks = SocksV5::new(proxy.uri(), Made(Some(stream)));
    if let Some((user, password)) = proxy.user() {
        socks = socks.with_auth(user, password);
    }
    socks.call(server).await.map_err(|error| name.socks_failed(&error.to_string()))
}

/// A connection that exists already.
pub(super) struct Made<S>(pub(super) Option<S>);

impl<S> Service<Uri> for Made<S> {
    type Response = S;
    type Error = io::Error;
    type Future = Ready<io::Result<S>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        ready(self.0.take().ok_or_else(|| io::ErrorKind::NotConnected.into()))
    }
}

/// Makes the proxy connect to the server.
///
/// <https://www.rfc-editor.org/rfc/rfc9110#name-connect>
async fn tunnel(stream: Stream, proxy: &Proxy, server: &Uri) -> Result<Stream, ProxyFailed> {
    let authority =
        format!("{}:{}", server.host().unwrap_or_default(), server.port_u16().unwrap_or(443));
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
    if let Some(value) = proxy.authorization() {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(value.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    let name = proxy.name();
    let broken =
        |error: io::Error| name.failed("breaks the connection off").because(error.to_string());
    let mut stream = TokioIo::new(stream);
    stream.write_all(&request).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    // The bytes after the head are the server's, and must not be read here.
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == MOST_OF_A_HEAD {
            return Err(name.failed("does not answer as a proxy does"));
        }
        head.push(stream.read_u8().await.map_err(broken)?);
    }
    match status(&head) {
        Some(200..300) => Ok(stream.into_inner()),
        Some(407) => Err(name.wants_user()),
        Some(status) => Err(name.refuses(&authority, Some(status))),
        None => Err(name.failed("does not answer as a proxy does")),
    }
}

/// `HTTP/1.1 200 Connection established`
fn status(head: &[u8]) -> Option<u16> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    words.next()?.parse().ok()
}

impl Service<Uri> for Connector {
    type Response = Way;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Way, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let tcp = self.tcp.poll_ready(context).map_err(BoxError::from);
        if self.proxy.is_none() { tcp } else { self.to_proxy.poll_ready(context) }
    }

    fn call(&mut self, server: Uri) -> Self::Future {
        // The call has to use the service that reported that it is ready, and not its clone.
        let next = self.clone();
        Box::pin(std::mem::replace(self, next).connect(server))
    }
}

/// A connection to a server.
pub(super) struct Way {
    stream: Stream,
    /// Whether it ends at a proxy that gets whole requests, and forwards them.
    is_forward: bool,
}

impl Connection for Way {
    fn connected(&self) -> Connected {
        self.stream.connected().proxy(self.is_forward)
    }
}

impl Read for Way {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Way {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
