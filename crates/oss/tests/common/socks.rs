//! A SOCKS proxy that takes every name for one address.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Starts it. Returns its address, and what it is asked to connect to. With a user, `USER:PASSWORD`
/// is demanded.
pub(crate) async fn socks(
    target: SocketAddr,
    user: Option<&'static str>,
) -> (SocketAddr, UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
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
        let name = String::from_utf8(field(&mut client).await?).unwrap();
        let password = String::from_utf8(field(&mut client).await?).unwrap();
        let is_right = format!("{name}:{password}") == user;
        client.write_all(&[1, u8::from(!is_right)]).await?;
        if !is_right {
            return Ok(());
        }
    }
    let mut head = [0; 4];
    client.read_exact(&mut head).await?;
    assert_eq!(head, [5, 1, 0, 3], "a connection is asked for, and by name");
    let host = String::from_utf8(field(&mut client).await?).unwrap();
    let port = client.read_u16().await?;
    told.send(format!("{host}:{port}")).unwrap();
    if host.starts_with("refused") {
        return client.write_all(&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]).await;
    }
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    let mut server = TcpStream::connect(target).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

/// Bytes behind their number.
async fn field(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::from(stream.read_u8().await?)];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}
