//! A SOCKS proxy for tests of providers.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Starts a SOCKS proxy that connects every client with one address, whatever host the client asks
/// for, except hosts whose name begins with `refused`. Returns the proxy's address, and what it is
/// asked to connect to. With a user, the proxy demands that `USER:PASSWORD`.
///
/// # Panics
/// If the proxy cannot listen on this machine.
pub async fn socks_proxy(
    target: SocketAddr,
    user: Option<&'static str>,
) -> (SocketAddr, UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let (told, asked) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            // Who breaks off has had what he wanted.
            drop(tokio::spawn(serve(client, target, user, told.clone())));
        }
    });
    (address, asked)
}

/// <https://www.rfc-editor.org/rfc/rfc1928>, <https://www.rfc-editor.org/rfc/rfc1929>
async fn serve(
    mut client: TcpStream,
    target: SocketAddr,
    user: Option<&'static str>,
    told: UnboundedSender<String>,
) -> std::io::Result<()> {
    assert_eq!(client.read_u8().await?, 5);
    let offered = field(&mut client).await?;
    let method = if user.is_some() { 2 } else { 0 };
    if !offered.contains(&method) {
        return client.write_all(&[5, 255]).await;
    }
    client.write_all(&[5, method]).await?;
    if let Some(user) = user {
        assert_eq!(client.read_u8().await?, 1);
        let name = text(&mut client).await?;
        let password = text(&mut client).await?;
        let is_right = format!("{name}:{password}") == user;
        client.write_all(&[1, u8::from(!is_right)]).await?;
        if !is_right {
            return Ok(());
        }
    }
    let mut head = [0; 4];
    client.read_exact(&mut head).await?;
    assert_eq!(head, [5, 1, 0, 3], "a connection is asked for, and by name");
    let host = text(&mut client).await?;
    let port = client.read_u16().await?;
    // A test that has seen enough listens no more.
    drop(told.send(format!("{host}:{port}")));
    if host.starts_with("refused") {
        return client.write_all(&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]).await;
    }
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    let mut server = TcpStream::connect(target).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

async fn text(stream: &mut TcpStream) -> std::io::Result<String> {
    field(stream).await.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Bytes behind their number.
async fn field(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::from(stream.read_u8().await?)];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}
