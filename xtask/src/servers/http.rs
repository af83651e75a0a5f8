//! A minimal HTTP client, for preparing servers.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::Result;

const LIMIT: Duration = Duration::from_secs(10);

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Sends one request over plain HTTP, and reads the whole answer.
pub(crate) fn ask(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Reply> {
    let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    let length = body.len();
    let mut request = format!(
        "{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: \
         {length}\r\n"
    );
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{request}\r\n{body}").as_bytes())?;
    let mut reply = Vec::new();
    match stream.read_to_end(&mut reply) {
        Ok(_) => {}
        // The bytes before a reset are the answer.
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => return Err(error.into()),
    }
    let reply = String::from_utf8_lossy(&reply);
    let status = reply.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| format!("{address} gave no answer to {method} {target}"))?;
    let body = reply.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned();
    Ok(Reply { status, body })
}

/// Like [`ask`], for requests that must succeed.
pub(crate) fn demand(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Reply> {
    let reply = ask(address, method, target, headers, body)?;
    if (200..300).contains(&reply.status) {
        return Ok(reply);
    }
    Err(format!("the server answered {method} {target} with {}: {}", reply.status, reply.body)
        .into())
}

/// Returns whether a server answers over HTTP, with any status.
pub(crate) fn answers(address: SocketAddr) -> bool {
    ask(address, "GET", "/", &[], "").is_ok()
}
