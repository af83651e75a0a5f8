//! Which request goes through which proxy, and how long a connection may take.

use aws_config::SdkConfig;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use remote_state_core::config::{
    Environment, Layer, Origin, ResolvedConfig, Setting, Sourced, resolve,
};

use remote_state_core::ErrorKind;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::PROVIDER;
use crate::config::keys;
use crate::error::{About, Failure, Outcome, failure};

fn proxies(keys: &[(&str, &str)], env: &[(&str, &str)]) -> (Proxies, Vec<String>) {
    let needed = [("bucket", "b"), ("key", "k"), ("region", "r")];
    let at = |value: &str| Sourced::new(Setting::from(value), Origin::file("main.tf", 3));
    let layer: Layer =
        needed.iter().chain(keys).map(|(name, value)| ((*name).to_owned(), at(value))).collect();
    let env: Environment = env.iter().copied().collect();
    let config: ResolvedConfig = resolve(&PROVIDER, &env, &[layer]).unwrap();
    let mut notes = Vec::new();
    let proxies = Proxies::from_resolved(&config, &mut notes).unwrap();
    (proxies, notes)
}

/// Returns the proxies for `http` and for `https`, by their hosts; empty for none.
fn hosts(proxies: &Proxies) -> (String, String) {
    let host = |named: Option<&Named>| match named {
        Some(proxy) => proxy.as_ref().unwrap().uri().host().unwrap().to_owned(),
        None => String::new(),
    };
    (host(proxies.http()), host(proxies.https()))
}

#[test]
fn proxies_of_the_configuration_go_before_those_of_the_environment() {
    const NONE: &[(&str, &str)] = &[];
    let conf = "http://conf";
    let other = "http://other";
    // Keys, environment, the proxies for `http` and `https`, and whether there is a note.
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a [(&'a str, &'a str)], (&'a str, &'a str), bool);
    let cases: &[Case<'_>] = &[
        (NONE, NONE, ("", ""), false),
        (&[("http_proxy", conf)], NONE, ("conf", "conf"), true),
        (&[("http_proxy", "")], NONE, ("", ""), false),
        (&[("https_proxy", conf)], NONE, ("", "conf"), false),
        (&[("https_proxy", "")], NONE, ("", ""), false),
        (&[("http_proxy", conf), ("https_proxy", other)], NONE, ("conf", "other"), false),
        (&[("http_proxy", conf), ("https_proxy", "")], NONE, ("conf", ""), false),
        (&[("http_proxy", ""), ("https_proxy", other)], NONE, ("", "other"), false),
        (NONE, &[("HTTP_PROXY", "http://env")], ("env", ""), false),
        (NONE, &[("http_proxy", "http://env")], ("env", ""), false),
        (NONE, &[("HTTPS_PROXY", "http://env")], ("", "env"), false),
        (NONE, &[("https_proxy", "http://env")], ("", "env"), false),
        (
            NONE,
            &[("HTTP_PROXY", "http://upper"), ("http_proxy", "http://lower")],
            ("upper", ""),
            false,
        ),
        (NONE, &[("HTTP_PROXY", ""), ("http_proxy", "http://lower")], ("lower", ""), false),
        (&[("http_proxy", conf)], &[("HTTP_PROXY", "http://env")], ("conf", "conf"), true),
        (&[("http_proxy", conf)], &[("HTTPS_PROXY", "http://env")], ("conf", "env"), false),
        (&[("http_proxy", conf)], &[("https_proxy", "http://env")], ("conf", "env"), false),
        (
            &[("http_proxy", "")],
            &[("HTTP_PROXY", "http://env"), ("HTTPS_PROXY", "http://env")],
            ("", "env"),
            false,
        ),
        (
            &[("https_proxy", "")],
            &[("HTTP_PROXY", "http://env"), ("HTTPS_PROXY", "http://env")],
            ("env", ""),
            false,
        ),
        (
            &[("https_proxy", conf)],
            &[("HTTP_PROXY", "http://env"), ("HTTPS_PROXY", "http://env")],
            ("env", "conf"),
            false,
        ),
    ];
    for (keys, env, expected, has_note) in cases {
        let (found, notes) = proxies(keys, env);
        let (http, https) = hosts(&found);
        assert_eq!((http.as_str(), https.as_str()), *expected, "{keys:?} {env:?}");
        assert_eq!(!notes.is_empty(), *has_note, "{keys:?} {env:?}: {notes:?}");
    }
    let (_, notes) = proxies(&[("http_proxy", conf)], &[]);
    assert!(notes[0].contains("main.tf:3") && notes[0].contains("`https_proxy`"), "{notes:?}");
}

#[test]
fn what_is_near_or_excepted_is_asked_directly() {
    let (proxies, _) = proxies(
        &[
            ("http_proxy", "http://conf"),
            (
                "no_proxy",
                "Example.com, .below.example, \
                 *.star.example,10.0.0.0/8,192.0.2.7,ported.example:8443,[2001:db8::1]:90,,x:y",
            ),
        ],
        &[],
    );
    let applies = |url: &str| proxies.applies_to(&url.parse().unwrap());
    for url in [
        "http://localhost:9000",
        "http://127.1.2.3",
        "http://[::1]:1",
        "http://169.254.169.254/latest",
        "http://169.254.170.2",
        "http://[fd00:ec2::254]",
        "https://example.com",
        "https://a.example.com",
        "https://a.below.example",
        "https://a.star.example",
        "http://10.1.2.3",
        "http://192.0.2.7:99",
        "https://ported.example:8443",
        "http://[2001:db8::1]:90",
    ] {
        assert!(!applies(url), "{url}");
    }
    for url in [
        "https://notexample.com",
        "https://below.example",
        "https://star.example",
        "http://11.1.2.3",
        "http://192.0.2.8",
        "https://ported.example",
        "http://[2001:db8::1]",
        "https://s3.eu-central-1.amazonaws.com",
    ] {
        assert!(applies(url), "{url}");
    }
}

#[test]
fn exceptions_come_from_the_configuration_or_from_the_environment() {
    for (keys, env) in [
        (&[("no_proxy", "*")][..], &[][..]),
        (&[], &[("NO_PROXY", "*")]),
        (&[], &[("no_proxy", "*")]),
        (&[("no_proxy", "a.example")], &[("NO_PROXY", "*")]),
    ] {
        let (proxies, _) = proxies(keys, &[env, &[("HTTP_PROXY", "http://env")]].concat());
        assert!(!proxies.applies_to(&"http://a.example".parse().unwrap()), "{keys:?} {env:?}");
    }
    let (proxies, _) =
        proxies(&[("no_proxy", "a.example")], &[("NO_PROXY", "*"), ("HTTP_PROXY", "http://env")]);
    assert!(proxies.applies_to(&"http://b.example".parse().unwrap()));
}

#[test]
fn proxy_is_a_url_whose_password_does_not_show() {
    let (proxies, _) = proxies(&[("http_proxy", "alice:hunter2%40@proxy.example:3128")], &[]);
    assert!(
        !format!("{proxies:?}").contains("hunter2") && !format!("{proxies:?}").contains("alice")
    );
    let proxy = proxies.http().unwrap().as_ref().unwrap();
    assert_eq!(proxy.uri().to_string(), "http://proxy.example:3128/");
    // `alice:hunter2@`
    assert_eq!(proxy.authorization().unwrap(), "Basic YWxpY2U6aHVudGVyMkA=");
    // The last two are URLs, but no URIs.
    for bad in [
        "socks4://proxy.example:1080",
        "ftp://proxy.example",
        "http://",
        "http://a{b}:3128",
        "http://alice:hunter2@a{b}:3128",
    ] {
        let pairs = [("bucket", "b"), ("key", "k"), ("region", "r"), ("https_proxy", bad)];
        let config = ResolvedConfig::from_pairs(&PROVIDER, pairs).unwrap();
        let error = Proxies::from_resolved(&config, &mut Vec::new()).unwrap_err();
        assert!(error.message().contains("`https_proxy`"), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

/// How a peer begins before it falls silent.
#[derive(Clone, Copy, Debug)]
enum Opening {
    Nothing,
    Connect,
    Socks,
}

impl Opening {
    async fn play(self, stream: &mut TcpStream) -> std::io::Result<()> {
        match self {
            Self::Nothing => Ok(()),
            Self::Connect => {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await?);
                }
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await
            }
            Self::Socks => {
                // Version 5 and one method, which the proxy accepts.
                stream.read_exact(&mut [0; 3]).await?;
                stream.write_all(&[5, 0]).await?;
                // A name of seven bytes, and a port.
                stream.read_exact(&mut [0; 14]).await?;
                stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await
            }
        }
    }
}

/// Starts a peer that falls silent, and returns its address.
async fn silent(opening: Opening) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            drop(opening.play(&mut stream).await);
            kept.push(stream);
        }
    }));
    address
}

/// Returns the failure of a read at an endpoint where a connection may take a tenth of a second.
async fn failure_in_a_tenth(endpoint: &str, env: &[(&str, &str)]) -> Failure {
    let (proxies, _) = proxies(&[], env);
    let credentials = Credentials::new("a", "b", None, None, "test");
    let sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(client(&Trust::Bundle([].into()), &proxies, Duration::from_millis(100)))
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::disabled())
        .endpoint_url(endpoint)
        .build();
    let config = aws_sdk_s3::config::Builder::from(&sdk).force_path_style(true).build();
    let asked = aws_sdk_s3::Client::from_conf(config).get_object().bucket("b").key("k").send();
    let answer = tokio::time::timeout(Duration::from_secs(15), asked).await;
    let error = answer.expect("the limit holds").expect_err("nothing answers");
    let pairs = [("bucket", "b"), ("key", "k"), ("region", "us-east-1"), ("endpoint", endpoint)];
    let config = ResolvedConfig::from_pairs(&PROVIDER, pairs).unwrap();
    let about = About {
        operation: "read",
        object: "s3://b/k",
        bucket: "b",
        store: endpoint,
        region: "us-east-1",
        config: &config,
        credentials: "a test",
        endpoint: keys::ENDPOINTS_S3,
    };
    failure(about, error)
}

#[tokio::test]
async fn server_that_never_speaks_tls_costs_the_limit_for_connections_and_was_sent_nothing() {
    let server = format!("https://{}", silent(Opening::Nothing).await);
    let tunnel = format!("http://{}", silent(Opening::Connect).await);
    let socks = format!("socks5://{}", silent(Opening::Socks).await);
    for (endpoint, env) in [
        (server.as_str(), &[][..]),
        ("https://s3.test", &[("HTTPS_PROXY", tunnel.as_str())]),
        ("https://s3.test", &[("HTTPS_PROXY", &socks)]),
    ] {
        let Failure { outcome, error } = failure_in_a_tenth(endpoint, env).await;
        assert_eq!(outcome, Outcome::Unsent, "{env:?}: {error:?}");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{env:?}: {error:?}");
        let fault = format!("cannot reach {endpoint}");
        assert!(error.message().contains(&fault), "{env:?}: {error:?}");
        let because = error.context().iter().find(|(label, _)| *label == "because");
        let because = because.map(|(_, reason)| reason.as_str());
        assert_eq!(because, Some("no TLS with the server within 0.1 s"), "{env:?}: {error:?}");
    }
}

#[tokio::test]
async fn proxy_that_never_answers_costs_the_limit_for_connections_and_is_named() {
    let silent = silent(Opening::Nothing).await;
    for scheme in ["http", "https", "socks5"] {
        let url = format!("{scheme}://{silent}");
        let env = [("HTTPS_PROXY", url.as_str())];
        let Failure { outcome, error } = failure_in_a_tenth("https://s3.test", &env).await;
        assert_eq!(outcome, Outcome::Unsent, "{url}: {error:?}");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{url}: {error:?}");
        let fault = format!("the proxy `{url}` cannot be reached");
        assert!(error.message().contains(&fault), "{error:?}");
        let reason = "it does not answer within 0.1 s";
        assert!(format!("{error:?}").contains(reason), "{url}: {error:?}");
    }
}
