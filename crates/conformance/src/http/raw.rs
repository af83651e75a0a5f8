//! Requests that a well-behaved HTTP client would not send, byte by byte.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::http::client::Answer;
use crate::http::target::HttpTarget;

/// The deadline for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

impl HttpTarget {
    /// Sends a request with this target, unencoded, and returns the answer once the connection has
    /// ended.
    ///
    /// This sends `body` unchanged, so the headers must fit it. The server may stop reading midway.
    ///
    /// # Panics
    /// As [`send`](Self::send), and if the connection does not end.
    pub async fn send_raw(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, String)],
        body: &[u8],
    ) -> Answer {
        let what = format!("{method} {target}");
        let mut head = format!(
            "{method} {}{target} HTTP/1.1\r\nHost: {}\r\n",
            self.prefix(),
            self.authority()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut stream =
            TcpStream::connect(self.authority()).await.expect("the server should be reachable");
        stream.write_all(head.as_bytes()).await.expect("a request's head should be taken");
        let (mut from, mut to) = stream.split();
        let mut received = Vec::new();
        let send = async {
            // If the server refuses the rest, its answer has the reason.
            drop(to.write_all(body).await);
        };
        let receive = from.read_to_end(&mut received);
        let both = async { tokio::join!(send, receive) };
        let ((), ended) = timeout(PATIENCE, both)
            .await
            .unwrap_or_else(|_| panic!("{what} should be answered and ended"));
        // A reset after the answer is no failure. Without an answer the test fails below.
        drop(ended);
        let answer = parse(&received)
            .unwrap_or_else(|| panic!("{what}: {} bytes are no answer", received.len()));
        answer.assert_is_speakable(&what);
        answer
    }

    /// The header that authorises a request, if the server requires one, and the one that closes
    /// the connection after the answer.
    pub fn raw_headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![("Connection", "close".to_owned())];
        if let Some(token) = &self.token {
            headers.push((
                "Authorization",
                format!("Basic {}", STANDARD.encode(format!("conformance:{token}"))),
            ));
        }
        headers
    }
}

/// Reads an answer whose body ends with the connection. This does not decode a chunked one.
fn parse(received: &[u8]) -> Option<Answer> {
    let end = received.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&received[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':')?;
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).ok()?,
            HeaderValue::from_str(value.trim()).ok()?,
        );
    }
    Some(Answer { status, headers, body: Bytes::copy_from_slice(&received[end + 4..]) })
}
