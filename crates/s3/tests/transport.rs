//! Connections to the store: through proxies, over TLS with untrusted certificates, and how much of
//! a reply is read.

use std::net::SocketAddr;
use std::sync::Arc;

use remote_state_conformance::{resolved, socks_proxy};
use remote_state_core::config::ResolvedConfig;
use remote_state_core::{Backend as _, ErrorKind, ReadOptions, Result, StateRead, Workspace};
use remote_state_emulator::Emulator;
use remote_state_s3::{PROVIDER, S3Config};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_rustls::TlsAcceptor;

const BUCKET: &str = "tfstate";

async fn emulator() -> Emulator {
    let builder = Emulator::builder().with_credentials("test", "testtest").with_bucket(BUCKET);
    builder.start().await.expect("the emulator starts")
}

/// A name that only a proxy can resolve.
const STORE: &str = "s3.store.test";

fn config(endpoint: &str, keys: &[(&str, &str)], env: &[(&str, &str)]) -> ResolvedConfig {
    let always = [
        ("bucket", BUCKET),
        ("key", "k"),
        ("region", "us-east-1"),
        ("endpoint", endpoint),
        ("access_key", "test"),
        ("secret_key", "testtest"),
        ("use_path_style", "true"),
        ("max_retries", "1"),
    ];
    resolved(&PROVIDER, always.iter().chain(keys), env)
}

async fn read(config: &ResolvedConfig) -> Result<Option<StateRead>> {
    let store = S3Config::from_resolved(config).expect("the keys do").open().expect("the keys do");
    store.read(&Workspace::default(), &ReadOptions::default()).await
}

fn address(emulator: &Emulator) -> SocketAddr {
    emulator.endpoint().trim_start_matches("http://").parse().expect("it listens on an address")
}

/// Starts a proxy that resolves every name to one address, and returns the head of each request
/// that it got.
async fn proxy(target: SocketAddr) -> (String, UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://alice:hunter2@{}", listener.local_addr().unwrap());
    let (told, heads) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let told = told.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(client.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap();
                let mut server = TcpStream::connect(target).await.unwrap();
                if head.starts_with("CONNECT ") {
                    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                } else {
                    server.write_all(as_origin_sees_it(&head).as_bytes()).await.unwrap();
                }
                told.send(head).unwrap();
                drop(copy_bidirectional(&mut client, &mut server).await);
            });
        }
    });
    (url, heads)
}

/// `GET http://host/path HTTP/1.1` as `GET /path HTTP/1.1`, for one request on the connection.
fn as_origin_sees_it(head: &str) -> String {
    let path =
        head.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..])).unwrap();
    let method = head.split(' ').next().unwrap();
    format!("{method} {}", path.replacen("\r\n", "\r\nconnection: close\r\n", 1))
}

/// Starts a server that terminates TLS with an untrusted certificate and forwards the bytes;
/// returns its address and the certificate.
async fn tls(target: SocketAddr) -> (SocketAddr, String) {
    let names = ["127.0.0.1".to_owned(), STORE.to_owned()];
    let certified = rcgen::generate_simple_self_signed(names).unwrap();
    let key =
        rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that does not trust the certificate hangs up.
                let Ok(client) = acceptor.accept(client).await else { return };
                join(client, TcpStream::connect(target).await.unwrap()).await;
            });
        }
    });
    (address, certified.cert.pem())
}

async fn join(
    mut one: impl AsyncRead + AsyncWrite + Unpin,
    mut other: impl AsyncRead + AsyncWrite + Unpin,
) {
    drop(copy_bidirectional(&mut one, &mut other).await);
}

#[tokio::test]
async fn plain_requests_go_through_the_proxy_of_the_configuration_or_the_environment() {
    let emulator = emulator().await;
    let (proxy, mut heads) = proxy(address(&emulator)).await;
    let endpoint = format!("http://{STORE}:9000");
    for (keys, env) in
        [(&[("http_proxy", proxy.as_str())][..], &[][..]), (&[], &[("http_proxy", proxy.as_str())])]
    {
        assert!(read(&config(&endpoint, keys, env)).await.unwrap().is_none());
        let head = heads.try_recv().unwrap();
        assert!(head.starts_with(&format!("GET http://{STORE}:9000/tfstate/k")), "{head}");
        // `alice:hunter2`
        assert!(
            head.to_ascii_lowercase().contains("proxy-authorization: basic ywxpy2u6ahvudgvymg=="),
            "{head}"
        );
    }
}

#[tokio::test]
async fn this_machine_is_asked_without_a_proxy() {
    let emulator = emulator().await;
    let (proxy, mut heads) = proxy(address(&emulator)).await;
    assert!(
        read(&config(&emulator.endpoint(), &[("http_proxy", &proxy)], &[]))
            .await
            .unwrap()
            .is_none()
    );
    assert!(heads.try_recv().is_err());
}

#[tokio::test]
async fn proxy_that_is_not_wanted_is_not_used() {
    let emulator = emulator().await;
    let (proxy, mut heads) = proxy(address(&emulator)).await;
    let endpoint = format!("http://{STORE}:9000");
    let env = [("HTTP_PROXY", proxy.as_str())];
    for keys in [[("http_proxy", "")], [("no_proxy", "store.test")]] {
        // Without the proxy the name does not resolve.
        let error = read(&config(&endpoint, &keys, &env)).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(heads.try_recv().is_err());
    }
}

#[tokio::test]
async fn tls_goes_through_a_tunnel_whose_ends_trust_each_other() {
    let emulator = emulator().await;
    let (tls, pem) = tls(address(&emulator)).await;
    let (proxy, mut heads) = proxy(tls).await;
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("ca.pem");
    std::fs::write(&bundle, pem).unwrap();
    let bundle = ("custom_ca_bundle", bundle.to_str().unwrap());
    let endpoint = format!("https://{STORE}");
    for keys in [
        &[("https_proxy", proxy.as_str()), bundle][..],
        // As in Terraform, one proxy is for both.
        &[("http_proxy", &proxy), bundle],
        &[("https_proxy", &proxy), ("insecure", "true")],
    ] {
        assert!(read(&config(&endpoint, keys, &[])).await.unwrap().is_none());
        let head = heads.try_recv().unwrap();
        assert!(head.starts_with(&format!("CONNECT {STORE}:443 ")), "{head}");
        assert!(
            head.to_ascii_lowercase().contains("proxy-authorization: basic ywxpy2u6ahvudgvymg=="),
            "{head}"
        );
    }
    let error = read(&config(&endpoint, &[("https_proxy", &proxy)], &[])).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
}

#[tokio::test]
async fn certificate_without_a_trusted_authority_is_accepted_only_if_configured() {
    let emulator = emulator().await;
    let (tls, pem) = tls(address(&emulator)).await;
    let endpoint = format!("https://{tls}");
    let error = read(&config(&endpoint, &[], &[])).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(emulator.requests().take().is_empty());

    let insecure = config(&endpoint, &[("insecure", "true")], &[]);
    assert!(read(&insecure).await.unwrap().is_none());
    let notes = S3Config::from_resolved(&insecure).unwrap().warnings().to_vec();
    assert!(notes[0].starts_with("`insecure` (main.tf:7) accepts any certificate"), "{notes:?}");

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), pem).unwrap();
    let home = [("CERTS", folder.path().to_str().unwrap())];
    let trusted = config(&endpoint, &[("custom_ca_bundle", "${CERTS}/ca.pem")], &home);
    assert!(read(&trusted).await.unwrap().is_none());
}

/// Of the same kind are a proxy for one scheme alone, one in the configuration, and a refusal of
/// each step.
#[tokio::test]
async fn socks_proxies_are_spoken_to_with_and_without_tls_and_a_password() {
    let emulator = emulator().await;
    let plain = format!("http://{STORE}:9000");
    let (proxy, mut asked) = socks_proxy(address(&emulator), None).await;
    for scheme in ["socks5", "socks5h"] {
        let url = format!("{scheme}://{proxy}");
        for (keys, env) in
            [(&[("http_proxy", url.as_str())][..], &[][..]), (&[], &[("HTTP_PROXY", url.as_str())])]
        {
            assert!(read(&config(&plain, keys, env)).await.unwrap().is_none());
            assert_eq!(asked.try_recv().unwrap(), format!("{STORE}:9000"));
        }
    }
    assert!(
        read(&config(
            &format!("http://{STORE}"),
            &[("http_proxy", &format!("socks5h://{proxy}"))],
            &[]
        ))
        .await
        .is_ok()
    );
    assert_eq!(asked.try_recv().unwrap(), format!("{STORE}:80"));

    let (tls, _) = tls(address(&emulator)).await;
    let (proxy, mut asked) = socks_proxy(tls, Some("alice:p@ss")).await;
    let secure = format!("https://{STORE}");
    let with = |user: &str| format!("socks5h://{user}{proxy}");
    let insecure = ("insecure", "true");
    assert!(
        read(&config(&secure, &[insecure], &[("HTTPS_PROXY", &with("alice:p%40ss@"))]))
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(asked.try_recv().unwrap(), format!("{STORE}:443"));

    for (url, store, kind, fault) in [
        (
            with("alice:wrong@"),
            STORE,
            ErrorKind::CredentialInvalid,
            "does not accept the user name",
        ),
        (with(""), STORE, ErrorKind::CredentialInvalid, "wants a user name and a password"),
        (
            with("alice:p%40ss@"),
            "refused.test",
            ErrorKind::Unavailable,
            "refuses to connect to the server",
        ),
        ("socks5://127.0.0.1:1".to_owned(), STORE, ErrorKind::Unavailable, "cannot be reached"),
    ] {
        let keys = config(&format!("https://{store}"), &[insecure], &[("HTTPS_PROXY", &url)]);
        let error = read(&keys).await.err().unwrap();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(
            error.message().contains("the proxy `socks5") && error.message().contains(fault),
            "{error:?}"
        );
        assert!(
            error.context().contains(&("proxy set in", "$HTTPS_PROXY".to_owned())),
            "{error:?}"
        );
        assert!(!format!("{error:?}").contains("wrong"), "{error:?}");
    }
}

/// Starts a server that replies to every request with a status and an endless body.
async fn endless(status: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                if client.read(&mut request).await.is_err() {
                    return;
                }
                let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/xml\r\n\r\n<A>");
                if client.write_all(head.as_bytes()).await.is_err() {
                    return;
                }
                let noise = vec![b'x'; 1 << 16];
                while client.write_all(&noise).await.is_ok() {}
            });
        }
    });
    endpoint
}

#[tokio::test]
async fn answer_without_end_is_not_read_to_its_end() {
    for status in ["500 Internal Server Error", "403 Forbidden", "404 Not Found"] {
        let error = read(&config(&endless(status).await, &[], &[])).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{status}: {error:?}");
    }
    let store = S3Config::from_resolved(&config(&endless("200 OK").await, &[], &[]))
        .unwrap()
        .open()
        .unwrap();
    let first = futures_util::StreamExt::next(&mut store.workspaces()).await.unwrap();
    assert_eq!(first.unwrap_err().kind(), ErrorKind::Unavailable);
}
