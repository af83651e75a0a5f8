//! Reads the body of an answer, piece by piece and within a time limit.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;
use tokio::time::timeout;

use crate::error::last_reason;
use crate::http::answer_timeout;

/// Reads a whole body, in the time that the slowest link takes for `most_bytes`.
///
/// # Errors
/// Why the body is incomplete. A body longer than `most_bytes` is cut off.
pub(crate) async fn read(response: &mut Response, most_bytes: usize) -> Result<Vec<u8>, String> {
    read_within(answer_timeout(most_bytes as u64), response, most_bytes).await
}

async fn read_within(
    patience: Duration,
    response: &mut Response,
    most_bytes: usize,
) -> Result<Vec<u8>, String> {
    let all = async {
        let mut body = Vec::new();
        while let Some(bytes) = chunk(response).await? {
            body.extend_from_slice(&bytes);
            if body.len() > most_bytes {
                return Err(format!("it is longer than {most_bytes} bytes"));
            }
        }
        Ok(body)
    };
    let late = |_| Err(format!("after {} s it is not all there", patience.as_secs()));
    timeout(patience, all).await.unwrap_or_else(late)
}

/// Reads the next piece of a body; `None` at its end.
///
/// # Errors
/// Why the piece does not arrive.
pub(crate) async fn chunk(response: &mut Response) -> Result<Option<Bytes>, String> {
    match timeout(answer_timeout(0), response.chunk()).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(last_reason(&error)),
        Err(_) => Err("the rest of it does not come".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::time::sleep;

    use super::*;
    use crate::http::Http;

    /// A connection on which an answer arrives byte by byte, without end.
    async fn dripping() -> Response {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert_ne!(stream.read(&mut [0; 1024]).await.unwrap(), 0, "a request came");
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n").await.unwrap();
            while stream.write_all(b" ").await.is_ok() {
                sleep(Duration::from_millis(10)).await;
            }
        }));
        Http::default().client(&url).unwrap().get(&url).send().await.unwrap()
    }

    #[tokio::test]
    async fn an_answer_that_comes_byte_by_byte_without_end_is_given_up() {
        let mut response = dripping().await;
        let read = read_within(Duration::from_millis(100), &mut response, 60_000);
        let read = timeout(Duration::from_secs(10), read).await.expect("it ends in time");
        assert_eq!(read, Err("after 0 s it is not all there".to_owned()));
    }
}
