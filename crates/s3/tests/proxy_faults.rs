//! A proxy that is down, refuses, or requires a user name: the error names it, and where it was
//! configured. Of the same kind are proxies on the way to STS and to DynamoDB, and values of
//! variables that name no proxy at all. A password in the URL of a proxy is never shown.

#[path = "common/wire.rs"]
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use remote_state_conformance::resolved;
use remote_state_core::Backend as _;
use remote_state_core::config::ResolvedConfig;
use remote_state_core::{Error, ErrorKind, ReadOptions, Workspace};
use remote_state_s3::{PROVIDER, S3Config};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use wire::read_request;

fn config(keys: &[(&str, &str)], env: &[(&str, &str)]) -> ResolvedConfig {
    let always = [
        ("bucket", "tfstate"),
        ("key", "k"),
        ("region", "us-east-1"),
        ("access_key", "test"),
        ("secret_key", "testtest"),
        ("use_path_style", "true"),
        ("max_retries", "1"),
    ];
    resolved(&PROVIDER, always.iter().chain(keys), env)
}

async fn failure(keys: &[(&str, &str)], env: &[(&str, &str)]) -> Error {
    let config = S3Config::from_resolved(&config(keys, env)).expect("the configuration does");
    let store = config.open().expect("the keys do");
    let read = store.read(&Workspace::default(), &ReadOptions::default()).await;
    read.expect_err("nothing can be read")
}

/// Returns the whole text of an error for a person.
fn told(error: &Error) -> String {
    let context = error.context().iter().map(|(label, value)| format!("{label}: {value}\n"));
    let hints = error.hints().into_iter().map(|hint| format!("hint: {hint}\n"));
    std::iter::once(format!("{error}\n")).chain(context).chain(hints).collect()
}

/// Starts a proxy that replies to every request with this, and returns its address.
async fn proxy(answer: &'static str) -> String {
    counted_proxy(answer).await.0
}

/// Starts a proxy that replies to every request with this, and returns its address and the number
/// of requests.
async fn counted_proxy(answer: &'static str) -> (String, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let counter = Arc::clone(&counter);
            tokio::spawn(async move {
                if read_request(&mut client).await.is_some() {
                    counter.fetch_add(1, Ordering::Relaxed);
                    drop(client.write_all(answer.as_bytes()).await);
                }
            });
        }
    });
    (address.to_string(), count)
}

/// Returns an address without a listener.
async fn unused_address() -> String {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
}

#[tokio::test]
async fn proxy_that_is_down_is_named_with_where_it_was_set() {
    let down = unused_address().await;
    let url = format!("http://alice:hunter2@{down}");
    for (keys, env, origin) in [
        (
            &[("endpoint", "https://s3.test")][..],
            &[("HTTPS_PROXY", url.as_str())][..],
            "$HTTPS_PROXY",
        ),
        (&[("endpoint", "https://s3.test")], &[("https_proxy", &url)], "$https_proxy"),
        (&[("endpoint", "http://s3.test")], &[("HTTP_PROXY", &url)], "$HTTP_PROXY"),
        (&[("endpoint", "https://s3.test"), ("https_proxy", &url)], &[], "main.tf:7"),
        (
            &[("endpoint", "https://s3.test"), ("insecure", "true")],
            &[("HTTPS_PROXY", &url)],
            "$HTTPS_PROXY",
        ),
    ] {
        let error = failure(keys, env).await;
        let told = told(&error);
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{told}");
        assert!(
            error.message().contains(&format!("the proxy `http://{down}` cannot be reached")),
            "{told}"
        );
        assert!(told.contains("because: Connection refused"), "{told}");
        assert!(told.contains(&format!("proxy set in: {origin}\n")), "{told}");
        assert!(told.contains("`no_proxy`"), "{told}");
        assert!(!format!("{error:?}{told}").contains("hunter2"), "{told}");
    }
}

#[tokio::test]
async fn proxy_that_refuses_is_told_apart_from_the_store() {
    for (status, fault) in [
        ("503 Service Unavailable", "refuses to connect to `s3.test:443` (status 503)"),
        ("403 Forbidden", "refuses to connect to `s3.test:443` (status 403)"),
        ("302 Found", "refuses to connect to `s3.test:443` (status 302)"),
    ] {
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let address = proxy(answer.leak()).await;
        let env = [("HTTPS_PROXY", format!("http://{address}"))];
        let error = failure(&[("endpoint", "https://s3.test")], &[(env[0].0, &env[0].1)]).await;
        let told = told(&error);
        assert!(
            error.message().contains(&format!("the proxy `http://{address}` {fault}")),
            "{told}"
        );
        assert!(told.contains("proxy set in: $HTTPS_PROXY"), "{told}");
    }
    let address = proxy("SSH-2.0-OpenSSH_9.2\r\n\r\n").await;
    let error = failure(
        &[("endpoint", "https://s3.test"), ("https_proxy", &format!("http://{address}"))],
        &[],
    )
    .await;
    assert!(error.message().contains("does not answer as a proxy does"), "{}", told(&error));
}

#[tokio::test]
async fn proxy_that_wants_a_password_is_told_how_to_be_given_one() {
    const ANSWER: &str = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
    let address = proxy(ANSWER).await;
    for endpoint in ["https://s3.test", "http://s3.test"] {
        for (user, fault, hint) in [
            ("", "wants a user name and a password", "`USER:PASSWORD@HOST:PORT`"),
            ("alice:hunter2@", "does not accept the user name and the password", "written `%40`"),
        ] {
            let url = format!("http://{user}{address}");
            let env = [("HTTP_PROXY", url.as_str()), ("HTTPS_PROXY", &url)];
            let error = failure(&[("endpoint", endpoint)], &env).await;
            let told = told(&error);
            assert_eq!(error.kind(), ErrorKind::CredentialInvalid, "{told}");
            assert!(error.message().contains(fault) && told.contains(hint), "{told}");
            assert!(!told.contains("hunter2"), "{told}");
        }
    }
}

#[tokio::test]
async fn proxy_that_sends_requests_on_is_named_beside_the_store_only_if_the_answer_is_no_services()
{
    let page = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/html\r\ncontent-length: \
                2\r\n\r\nno";
    let address = proxy(page).await;
    let keys = [("endpoint", "http://s3.test"), ("http_proxy", &format!("http://{address}"))];
    let error = failure(&keys, &[]).await;
    let words =
        format!("the proxy `http://{address}` or the server behind it answers with status 503");
    assert!(error.message().contains(&words), "{}", told(&error));

    let services = "HTTP/1.1 503 Slow Down\r\ncontent-type: application/xml\r\ncontent-length: \
                    43\r\n\r\n<Error><Code>SlowDown</Code></Error>       ";
    let address = proxy(services).await;
    let error = failure(
        &[("endpoint", "http://s3.test"), ("http_proxy", &format!("http://{address}"))],
        &[],
    )
    .await;
    assert_eq!(error.kind(), ErrorKind::RateLimited, "{}", told(&error));
}

#[tokio::test]
async fn proxy_on_the_way_to_sts_is_named_too() {
    let down = unused_address().await;
    let keys = [
        ("endpoint", "http://127.0.0.1:1"),
        ("role_arn", "arn:aws:iam::123456789012:role/ci"),
        ("sts_endpoint", "https://sts.test"),
    ];
    let error = failure(&keys, &[("HTTPS_PROXY", &format!("http://{down}"))]).await;
    let told = told(&error);
    assert!(error.message().contains("cannot assume the role"), "{told}");
    let because = format!("the proxy `http://{down}` cannot be reached, set in $HTTPS_PROXY");
    assert!(told.contains(&because), "{told}");
}

#[tokio::test]
async fn variable_that_names_no_proxy_is_refused_only_by_a_request_that_would_go_through_it() {
    for value in ["socks4://proxy.test:1080", "ftp://proxy.test", "http://", "http://a{b}:3128"] {
        let keys = [("endpoint", "https://s3.test")];
        let error = failure(&keys, &[("HTTPS_PROXY", value)]).await;
        let told = told(&error);
        assert_eq!(error.kind(), ErrorKind::ConfigInvalid, "{value}: {told}");
        assert!(told.contains("proxy set in: $HTTPS_PROXY"), "{value}: {told}");
        // A request without a proxy fails for a reason of its own.
        for env in
            [[("HTTPS_PROXY", value), ("NO_PROXY", "*")], [("HTTP_PROXY", value), ("X", "y")]]
        {
            let keys = [("endpoint", "https://127.0.0.1:1")];
            let error = failure(&keys, &env).await;
            assert!(
                error.message().contains("cannot reach `https://127.0.0.1:1`"),
                "{value}: {error}"
            );
        }
    }
}

#[tokio::test]
async fn what_a_proxy_refuses_for_good_is_not_asked_again() {
    const WANTS_USER: &str = "HTTP/1.1 407 Who Asks\r\ncontent-length: 0\r\n\r\n";
    const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
    let sts = [
        ("endpoint", "http://127.0.0.1:1"),
        ("role_arn", "arn:aws:iam::123456789012:role/ci"),
        ("sts_endpoint", "https://sts.test"),
    ];
    let store = [("endpoint", "https://s3.test")];
    for (answer, user, keys, times) in [
        (WANTS_USER, "", &store[..], 1),
        (WANTS_USER, "alice:hunter2@", &store[..], 1),
        (WANTS_USER, "", &sts[..], 1),
        // A failure that may pass is tried again.
        (BUSY, "", &store[..], 3),
    ] {
        let (address, count) = counted_proxy(answer).await;
        let keys: Vec<_> = keys.iter().copied().chain([("max_retries", "3")]).collect();
        let error = failure(&keys, &[("HTTPS_PROXY", &format!("http://{user}{address}"))]).await;
        assert_eq!(count.load(Ordering::Relaxed), times, "{}", told(&error));
        let kind = if times == 1 { ErrorKind::CredentialInvalid } else { ErrorKind::Unavailable };
        assert_eq!(error.kind(), kind, "{}", told(&error));
    }
}

#[tokio::test]
async fn value_that_names_no_proxy_is_told_at_once() {
    for value in ["socks4://proxy.test:1080", "ftp://proxy.test", "http://a{b}:3128"] {
        let keys = [("endpoint", "https://s3.test"), ("max_retries", "20")];
        // With that many attempts the pauses between them take minutes.
        let env = [("HTTPS_PROXY", value)];
        let error = tokio::time::timeout(Duration::from_secs(20), failure(&keys, &env)).await;
        let error = error.expect("nothing is asked again");
        assert_eq!(error.kind(), ErrorKind::ConfigInvalid, "{value}: {}", told(&error));
    }
}
