//! A server over a store in memory, and requests byte by byte.

use std::sync::Arc;
use std::time::Duration;

use remote_state_conformance::{Faults, FaultyStore, HttpTarget, MemoryStore};
use remote_state_server::{Auth, Server, ServerBuilder, States};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// The deadline for what a test waits for: long enough for any machine, and shorter than the
/// server's own limits.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Running {
    pub(crate) target: HttpTarget,
    pub(crate) memory: MemoryStore,
    pub(crate) faults: Faults,
    pub(crate) stop: tokio::sync::oneshot::Sender<()>,
    pub(crate) ended: JoinHandle<remote_state_core::Result<()>>,
}

pub(crate) async fn start(set_up: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Running {
    let memory = MemoryStore::new();
    let (store, faults) = FaultyStore::wrap(Arc::new(memory.clone()));
    let builder = Server::builder(States::workspaces(store)).with_auth(Auth::none());
    let server = set_up(builder).bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let target = HttpTarget::new(format!("http://{}", server.local_addr()));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let ended = tokio::spawn(server.run_until(async move { stopped.await.unwrap_or_default() }));
    Running { target, memory, faults, stop, ended }
}

impl Running {
    /// Opens a connection and sends this.
    pub(crate) async fn begin(&self, sent: impl AsRef<[u8]>) -> TcpStream {
        let address = self.target.base_url().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(sent.as_ref()).await.unwrap();
        stream
    }

    /// Returns the status of the answer to this, or 0 if there is none.
    pub(crate) async fn answer(&self, sent: impl AsRef<[u8]>) -> u16 {
        status(self.begin(sent).await).await
    }
}

/// Returns the status that arrives on a connection, or 0.
pub(crate) async fn status(mut stream: TcpStream) -> u16 {
    let mut start = [0; 12];
    match tokio::time::timeout(PATIENCE, stream.read_exact(&mut start)).await {
        Ok(Ok(_)) => String::from_utf8_lossy(&start[9..]).parse().unwrap_or(0),
        _ => 0,
    }
}

/// Returns the head of a request with a body of this length.
pub(crate) fn head(method: &str, path: &str, length: usize) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n")
}

pub(crate) fn state(serial: u64, padding: usize) -> String {
    format!(
        r#"{{"version":4,"serial":{serial},"lineage":"l","resources":[],"x":"{}"}}"#,
        "x".repeat(padding)
    )
}
