//! A proxy that is down, refuses, or demands authentication: the error names it, and where it was
//! configured. Related tests: proxies on the way to STS, to the location service and to Tablestore,
//! and variables whose values are no proxy.

mod common;
#[path = "common/fake.rs"]
mod fake;

use std::sync::Arc;
use std::time::Duration;

use common::{emulator, here};
use fake::{fake, http};
use remote_state_conformance::{resolved, socks_proxy};
use remote_state_core::Backend as _;
use remote_state_core::{Error, ErrorKind, StateStore, StateStoreExt as _};
use remote_state_oss::{OssConfig, PROVIDER};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

async fn failure(keys: &[(&str, &str)], env: &[(&str, &str)]) -> Error {
    opened(keys, env).read_bytes(&here()).await.expect_err("nothing can be read")
}

fn opened(keys: &[(&str, &str)], env: &[(&str, &str)]) -> Arc<dyn StateStore> {
    let always = [
        ("bucket", "tfstate"),
        ("region", "cn-beijing"),
        ("access_key", "test"),
        ("secret_key", "testtest"),
        ("max_retries", "0"),
    ];
    let config = resolved(&PROVIDER, always.iter().chain(keys), env);
    let config = OssConfig::from_resolved(&config).expect("the configuration does");
    config.open().expect("the credentials do")
}

/// What is behind the tunnel of a proxy.
#[derive(Clone, Copy, Debug)]
enum Behind {
    /// The server refuses with a TLS alert.
    Alert,
    /// The server closes the connection without reading the TLS request.
    Close,
    /// The server closes the connection after it has read the TLS request.
    CloseLater,
    /// Nothing at all.
    Silence,
}

/// A proxy that opens every tunnel, and what is behind it.
async fn tunnel(behind: Behind) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut client, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(client.read_u8().await.unwrap());
            }
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let mut hello = vec![0; 16 << 10];
            match behind {
                // Closing a connection with unread bytes resets it.
                Behind::Close => drop(client.peek(&mut hello).await),
                Behind::Silence => {
                    drop(client.read(&mut hello).await);
                    // The tunnel is open. The clock jumps over the rest of the time limit.
                    tokio::time::pause();
                    kept.push(client);
                }
                Behind::CloseLater => drop(client.read(&mut hello).await),
                Behind::Alert => {
                    drop(client.read(&mut hello).await);
                    // TLS 1.2, two bytes: fatal, handshake_failure.
                    client.write_all(&[21, 3, 3, 0, 2, 2, 40]).await.unwrap();
                }
            }
        }
    }));
    url
}

/// A proxy that uses TLS, with a certificate from no trusted authority.
async fn untrusted() -> String {
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    drop(tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            // A client that does not trust the certificate hangs up.
            drop(acceptor.accept(client).await);
        }
    }));
    url
}

/// Returns why a lock in a table fails through a proxy.
async fn table_failure(table: &str, proxy: &str, retries: (&str, &str)) -> Error {
    let keys = [
        ("endpoint", "http://127.0.0.1:1"),
        ("tablestore_endpoint", table),
        ("tablestore_table", "locks"),
        retries,
    ];
    let store = opened(&keys, &[("HTTPS_PROXY", proxy)]);
    store.inspect(&here()).await.expect_err("no lock can be read")
}

/// Returns everything that the error says.
fn told(error: &Error) -> String {
    let context = error.context().iter().map(|(label, value)| format!("{label}: {value}\n"));
    let hints = error.hints().into_iter().map(|hint| format!("hint: {hint}\n"));
    std::iter::once(format!("{error}\n")).chain(context).chain(hints).collect()
}

/// Returns an address without a listener.
async fn unused_address() -> String {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
}

#[tokio::test]
async fn proxy_that_is_down_is_named_with_where_it_was_set() {
    let down = unused_address().await;
    let url = format!("http://alice:hunter2@{down}");
    for (endpoint, keys, env, origin) in [
        ("https://oss.test", &[][..], &[("HTTPS_PROXY", url.as_str())][..], "$HTTPS_PROXY"),
        ("http://oss.test", &[], &[("http_proxy", &url)], "$http_proxy"),
        ("https://oss.test", &[("proxy", url.as_str())], &[], "main.tf:7"),
    ] {
        let keys: Vec<_> = keys.iter().copied().chain([("endpoint", endpoint)]).collect();
        let error = failure(&keys, env).await;
        let told = told(&error);
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{told}");
        assert!(
            error.message().contains(&format!("the proxy `http://{down}` cannot be reached")),
            "{told}"
        );
        assert!(told.contains("because: Connection refused"), "{told}");
        assert!(told.contains(&format!("proxy set in: {origin}\n")), "{told}");
        assert!(!format!("{error:?}{told}").contains("hunter2"), "{told}");
    }
}

#[tokio::test]
async fn proxy_that_refuses_or_wants_a_password_is_told_apart_from_the_store() {
    for (status, endpoint, fault) in [
        (
            "503 Service Unavailable",
            "https://oss.test",
            "refuses to connect to `tfstate.oss.test:443`",
        ),
        (
            "407 Proxy Authentication Required",
            "https://oss.test",
            "wants a user name and a password",
        ),
        (
            "407 Proxy Authentication Required",
            "http://oss.test",
            "wants a user name and a password",
        ),
        (
            "503 Service Unavailable",
            "http://oss.test",
            "or the server behind it answers with status 503",
        ),
    ] {
        let (proxy, _asked) = fake(move |_, _| http(status, "", "")).await;
        let error = failure(&[("endpoint", endpoint)], &[("HTTPS_PROXY", &proxy)]).await;
        let told = told(&error);
        assert!(error.message().contains(&format!("the proxy `{proxy}` {fault}")), "{told}");
        assert!(told.contains("proxy set in: $HTTPS_PROXY"), "{told}");
    }
    // An answer of the service itself is not the proxy's.
    let of_service = "x-oss-request-id: R1\r\ncontent-type: application/xml\r\n";
    let (proxy, _asked) = fake(move |_, _| {
        http("503 Busy", of_service, "<Error><Code>ServiceUnavailable</Code></Error>")
    })
    .await;
    let error = failure(&[("endpoint", "http://oss.test")], &[("HTTPS_PROXY", &proxy)]).await;
    assert!(error.message().contains("ServiceUnavailable"), "{}", told(&error));
}

#[tokio::test]
async fn socks_proxies_are_spoken_to_with_and_without_a_password() {
    let emulator = emulator().await;
    let target = emulator.endpoint().trim_start_matches("http://").parse().unwrap();
    let (proxy, mut asked) = socks_proxy(target, Some("test:p@ss")).await;
    let endpoint = ("endpoint", "http://oss.test:9000");
    let style = ("address_style", "path");
    for scheme in ["socks5", "socks5h"] {
        let url = format!("{scheme}://test:p%40ss@{proxy}");
        for (keys, env) in [
            (&[endpoint, style][..], &[("HTTPS_PROXY", url.as_str())][..]),
            (&[endpoint, style, ("proxy", &url)], &[]),
        ] {
            assert!(opened(keys, env).read_bytes(&here()).await.unwrap().is_none());
            assert_eq!(asked.try_recv().unwrap(), "oss.test:9000");
        }
    }
    for (url, kind, fault) in [
        (
            format!("socks5h://test:wrong@{proxy}"),
            ErrorKind::CredentialInvalid,
            "does not accept the user name",
        ),
        (
            format!("socks5h://{proxy}"),
            ErrorKind::CredentialInvalid,
            "wants a user name and a password",
        ),
        ("socks5://127.0.0.1:1".to_owned(), ErrorKind::Unavailable, "cannot be reached"),
    ] {
        let error = failure(&[endpoint], &[("HTTPS_PROXY", &url)]).await;
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(
            error.message().contains("the proxy `socks5h") && error.message().contains(fault),
            "{error:?}"
        );
        assert!(!format!("{error:?}").contains("wrong"), "{error:?}");
    }
}

#[tokio::test]
async fn proxy_on_the_way_to_another_service_is_named_too() {
    let down = unused_address().await;
    let env = [("HTTPS_PROXY", format!("http://{down}"))];
    for keys in [
        &[("assume_role_role_arn", "acs:ram::123456:role/tf"), ("endpoint", "http://127.0.0.1:1")]
            [..],
        &[("location_endpoint", "https://location.test")],
    ] {
        let error = failure(keys, &[(env[0].0, &env[0].1)]).await;
        let told = told(&error);
        let because = format!("the proxy `http://{down}` cannot be reached, set in $HTTPS_PROXY");
        assert!(told.contains(&because), "{told}");
    }
}

#[tokio::test]
async fn variable_that_names_no_proxy_is_refused_only_by_a_request_that_would_go_through_it() {
    for value in ["socks4://proxy.test:1080", "ftp://proxy.test", "http://", "http://a{b}:3128"] {
        let error = failure(&[("endpoint", "https://oss.test")], &[("HTTPS_PROXY", value)]).await;
        let told = told(&error);
        assert_eq!(error.kind(), ErrorKind::ConfigInvalid, "{value}: {told}");
        assert!(told.contains("proxy set in: $HTTPS_PROXY"), "{value}: {told}");
        let env = [("HTTPS_PROXY", value), ("NO_PROXY", "*")];
        let error = failure(&[("endpoint", "https://oss.invalid")], &env).await;
        assert!(error.message().contains("cannot reach `https://"), "{value}: {error}");
    }
}

#[tokio::test]
async fn what_a_proxy_refuses_for_good_is_not_asked_again() {
    const WANTS_USER: &str = "407 Proxy Authentication Required";
    let retries = ("max_retries", "2");
    for (status, endpoint, user, times) in [
        (WANTS_USER, "https://oss.test", "", 1),
        (WANTS_USER, "https://oss.test", "alice:hunter2@", 1),
        (WANTS_USER, "http://oss.test", "", 1),
        // A transient failure is retried.
        ("503 Service Unavailable", "https://oss.test", "", 3),
        ("503 Service Unavailable", "http://oss.test", "", 3),
    ] {
        let (proxy, asked) = fake(move |_, _| http(status, "", "")).await;
        let url = proxy.replace("http://", &format!("http://{user}"));
        let error = failure(&[("endpoint", endpoint), retries], &[("HTTPS_PROXY", &url)]).await;
        assert_eq!(asked.lock().unwrap().len(), times, "{status} {endpoint}: {}", told(&error));
    }
    for (status, table, times) in [
        (WANTS_USER, "https://ots.test", 1),
        (WANTS_USER, "http://ots.test", 1),
        ("503 Service Unavailable", "https://ots.test", 3),
    ] {
        let (proxy, asked) = fake(move |_, _| http(status, "", "")).await;
        let error = table_failure(table, &proxy, retries).await;
        assert_eq!(asked.lock().unwrap().len(), times, "{status} {table}: {}", told(&error));
        let kind = if times == 1 { ErrorKind::CredentialInvalid } else { ErrorKind::Unavailable };
        assert_eq!(error.kind(), kind, "{status} {table}: {}", told(&error));
    }
}

#[tokio::test]
async fn value_that_names_no_proxy_is_told_at_once_by_a_table_too() {
    for value in ["socks4://proxy.test:1080", "ftp://proxy.test", "http://a{b}:3128"] {
        // With that many attempts the pauses between them take minutes.
        let failed = table_failure("https://ots.test", value, ("max_retries", "60"));
        let error = tokio::time::timeout(Duration::from_secs(20), failed).await;
        let error = error.expect("nothing is asked again");
        assert_eq!(error.kind(), ErrorKind::ConfigInvalid, "{value}: {}", told(&error));
    }
}

#[tokio::test]
async fn tls_that_fails_behind_a_tunnel_is_no_fault_of_the_proxy() {
    for (behind, reason) in [
        (Behind::Alert, "received fatal alert: HandshakeFailure"),
        (Behind::Close, "Connection reset by peer"),
        (Behind::CloseLater, "tls handshake eof"),
    ] {
        let proxy = tunnel(behind).await;
        for (error, server) in [
            (failure(&[("endpoint", "https://oss.test")], &[("HTTPS_PROXY", &proxy)]).await, "oss"),
            (table_failure("https://ots.test", &proxy, ("max_retries", "0")).await, "ots"),
        ] {
            let told = told(&error);
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{behind:?}: {told}");
            let fault = format!("cannot reach `https://{server}.test");
            assert!(error.message().contains(&fault), "{behind:?}: {told}");
            assert!(told.contains(reason), "{behind:?}: {told}");
            assert!(!told.contains("the proxy"), "{behind:?}: {told}");
        }
    }
}

#[tokio::test]
async fn tls_that_fails_at_a_proxy_is_its_fault() {
    let proxy = untrusted().await;
    for (error, what) in [
        (failure(&[("endpoint", "https://oss.test")], &[("HTTPS_PROXY", &proxy)]).await, "tunnel"),
        (failure(&[("endpoint", "http://oss.test")], &[("HTTPS_PROXY", &proxy)]).await, "forward"),
        (table_failure("https://ots.test", &proxy, ("max_retries", "0")).await, "table"),
    ] {
        let told = told(&error);
        assert!(
            error.message().contains(&format!("the proxy `{proxy}` cannot be reached")),
            "{what}: {told}"
        );
        assert!(told.contains("certificate"), "{what}: {told}");
        assert!(told.contains("proxy set in: $HTTPS_PROXY"), "{what}: {told}");
    }
}

#[tokio::test]
async fn silence_behind_a_tunnel_is_that_of_the_proxy_or_of_the_server() {
    let proxy = tunnel(Behind::Silence).await;
    let error = failure(&[("endpoint", "https://oss.test")], &[("HTTPS_PROXY", &proxy)]).await;
    let fault = format!("the proxy `{proxy}` or the server behind it does not answer");
    assert!(error.message().contains(&fault), "{}", told(&error));
}
