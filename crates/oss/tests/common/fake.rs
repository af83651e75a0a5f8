//! A server that answers as a test wants: a proxy, a login page, something that is not the service.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The requests received, whole and in order.
pub(crate) type Asked = Arc<Mutex<Vec<String>>>;

/// Starts the server. `answer` gets the number of earlier requests, and the request.
pub(crate) async fn fake(
    answer: impl Fn(usize, &str) -> String + Send + 'static,
) -> (String, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Asked::default();
    let kept = Arc::clone(&asked);
    drop(tokio::spawn(async move {
        let mut count = 0;
        while let Ok((mut stream, _)) = listener.accept().await {
            let request = request(&mut stream).await;
            let answer = answer(count, &request);
            // Record before answering: a test that has the answer finds the request here.
            kept.lock().unwrap().push(request);
            drop(stream.write_all(answer.as_bytes()).await);
            count += 1;
        }
    }));
    (url, asked)
}

/// Reads a request to its end: closing the connection before would break it.
async fn request(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if read.len() >= head.len() + 4 + length.unwrap_or(0) {
                return text;
            }
        }
        let mut bytes = vec![0; 16 << 10];
        match stream.read(&mut bytes).await {
            Ok(count @ 1..) => read.extend_from_slice(&bytes[..count]),
            _ => return text,
        }
    }
}

/// Formats an answer.
pub(crate) fn http(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}
