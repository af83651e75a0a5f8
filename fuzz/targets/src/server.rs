//! Input of the server from the network.

use std::cell::OnceCell;
use std::net::SocketAddr;
use std::sync::Arc;

use remote_state_conformance::MemoryStore;
use remote_state_server::{Auth, Server, States};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

const TOKEN: &str = "a token";

/// Bytes that may or may not be a request.
pub(crate) fn raw(bytes: &[u8]) {
    with_server(|running| drop(running.answer(&[bytes])));
}

/// A valid request: the first line is `METHOD PATH`, the rest is the body.
pub(crate) fn request(bytes: &[u8]) {
    let at = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (line, body) = (&bytes[..at], bytes.get(at + 1..).unwrap_or_default());
    let head = format!(
        " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nConnection: \
         close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    with_server(|running| {
        let answer = running.answer(&[line, head.as_bytes(), body]);
        assert!(
            !answer.starts_with(b"HTTP/1.1 500"),
            "no input is to blame: {}",
            answer.escape_ascii()
        );
    });
}

/// A server over a store in memory.
struct Running {
    runtime: Runtime,
    address: SocketAddr,
}

impl Running {
    fn start() -> Self {
        // One thread, so that a panic in the server occurs on the thread that sent the bytes.
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let address = runtime.block_on(async {
            let states = States::workspaces(Arc::new(MemoryStore::new()));
            let builder = Server::builder(states).with_auth(Auth::token(TOKEN));
            let server =
                builder.bind(([127, 0, 0, 1], 0).into()).await.expect("a loopback port is free");
            let address = server.local_addr();
            drop(tokio::spawn(server.run_until(std::future::pending())));
            address
        });
        Self { runtime, address }
    }

    /// Sends only these parts, and returns the answer up to the server's close.
    fn answer(&self, parts: &[&[u8]]) -> Vec<u8> {
        let bytes = parts.concat();
        self.runtime.block_on(async {
            let mut stream = TcpStream::connect(self.address).await.expect("the server listens");
            let mut answer = Vec::new();
            let (mut reading, mut writing) = stream.split();
            let send = async {
                // The server may hang up before it has read everything.
                if writing.write_all(&bytes).await.is_ok() {
                    drop(writing.shutdown().await);
                }
            };
            let receive = async { drop(reading.read_to_end(&mut answer).await) };
            tokio::join!(send, receive);
            answer
        })
    }
}

fn with_server(run: impl FnOnce(&Running)) {
    thread_local! {
        static RUNNING: OnceCell<Running> = const { OnceCell::new() };
    }
    RUNNING.with(|cell| run(cell.get_or_init(Running::start)));
}
