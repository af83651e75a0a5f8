//! Requests as services of a test's own read them.

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// Reads a request to its end; nothing if it breaks off.
pub(crate) async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let request = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = request.split_once("\r\n\r\n") {
            let length = head
                .to_ascii_lowercase()
                .split_once("content-length: ")
                .and_then(|(_, rest)| rest.lines().next()?.trim().parse::<usize>().ok());
            if body.len() >= length.unwrap_or_default() {
                return Some(request.into_owned());
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
