//! Requests as a test's own services read them.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Reads a request to its end; `None` if it breaks off.
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

/// Starts a store without objects, and returns its address and the requests that it gets.
pub(crate) async fn recorder() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let Some(request) = read_request(&mut client).await else { continue };
            let line = request.lines().next().unwrap_or_default().to_owned();
            told.lock().unwrap().push(line);
            let body = "<Error><Code>NoSuchKey</Code><Message>none</Message></Error>";
            let head = format!(
                "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            drop(client.write_all((head + body).as_bytes()).await);
        }
    });
    (address, asked)
}
