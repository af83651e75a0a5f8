//! Objects that are encrypted with a key that has to be sent with each request, and the errors
//! about a key that is missing or wrong.

use std::sync::Arc;

use remote_state_core::Backend as _;
use remote_state_core::config::{Environment, Layer, Origin, Setting, Sourced, resolve};
use remote_state_core::{Error, ErrorKind, ReadOptions, StateStore, Workspace};
use remote_state_s3::{PROVIDER, S3Config};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

/// Starts a server that replies to every request with an error, as stores do; the emulator has no
/// such keys, and other stores have sentences of their own.
async fn store_that_answers(status: u16, code: &'static str, sentence: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 8192];
            let _: usize = stream.read(&mut request).await.unwrap();
            let body = format!("<Error><Code>{code}</Code><Message>{sentence}</Message></Error>");
            let head = format!(
                "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all((head + &body).as_bytes()).await.unwrap();
        }
    });
    endpoint
}

fn store(endpoint: &str, key: Option<&str>) -> Arc<dyn StateStore> {
    let keys = [
        ("bucket", "b"),
        ("key", "k"),
        ("region", "us-east-1"),
        ("endpoint", endpoint),
        ("access_key", "a"),
        ("secret_key", "s"),
        ("use_path_style", "true"),
        ("use_lockfile", "true"),
        ("dialect", "aws"),
    ];
    let encrypt = key.map(|_| ("encrypt", "true"));
    let layer: Layer = keys
        .into_iter()
        .chain(encrypt)
        .map(|(name, value)| {
            (name.to_owned(), Sourced::new(Setting::from(value), Origin::file("main.tf", 1)))
        })
        .collect();
    let env: Environment = key.map(|key| ("AWS_SSE_CUSTOMER_KEY", key)).into_iter().collect();
    S3Config::from_resolved(&resolve(&PROVIDER, &env, &[layer]).unwrap()).unwrap().open().unwrap()
}

/// Returns the errors of reading the state and of reading the lock.
async fn errors(store: &Arc<dyn StateStore>) -> [Error; 2] {
    let here = Workspace::default();
    [
        store.read(&here, &ReadOptions::default()).await.err().unwrap(),
        store.inspect(&here).await.err().unwrap(),
    ]
}

#[tokio::test]
async fn object_whose_key_is_not_configured_says_which_key_to_set() {
    for sentence in [
        "The object was stored using a form of Server Side Encryption. The correct parameters \
         must be provided to retrieve the object.",
        "Requests specifying Server Side Encryption with Customer provided keys must provide a \
         valid encryption algorithm.",
    ] {
        let endpoint = store_that_answers(400, "InvalidRequest", sentence).await;
        for error in errors(&store(&endpoint, None)).await {
            assert_eq!(error.kind(), ErrorKind::ConfigInvalid, "{error:?}");
            assert!(error.message().contains("s3://b/k"), "{error}");
            assert!(
                error.message().contains("has to be sent along (SSE-C), and none is configured"),
                "{error}"
            );
            for word in ["`sse_customer_key`", "`AWS_SSE_CUSTOMER_KEY`", "`encrypt = true`"] {
                assert!(error.hints()[0].contains(word), "{:?}", error.hints());
            }
        }
    }
}

#[tokio::test]
async fn object_with_another_key_says_where_the_wrong_one_was_set() {
    for (status, code, sentence) in [
        (403, "AccessDenied", "Access Denied."),
        (400, "InvalidArgument", "The calculated MD5 hash of the SSE key did not match"),
    ] {
        let endpoint = store_that_answers(status, code, sentence).await;
        for error in errors(&store(&endpoint, Some(KEY))).await {
            assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error:?}");
            assert!(
                error.message().contains("may not be the one that it is encrypted with"),
                "{error}"
            );
            assert!(
                error.context().contains(&("key set in", "$AWS_SSE_CUSTOMER_KEY".to_owned())),
                "{error:?}"
            );
            assert!(!format!("{error:?}").contains(KEY));
        }
    }
}

#[tokio::test]
async fn object_without_such_a_key_says_that_one_was_sent() {
    let sentence = "The encryption parameters are not applicable to this object.";
    let endpoint = store_that_answers(400, "InvalidRequest", sentence).await;
    for error in errors(&store(&endpoint, Some(KEY))).await {
        assert_eq!(error.kind(), ErrorKind::ConfigInvalid, "{error:?}");
        assert!(error.message().contains("not encrypted with a key that is sent along"), "{error}");
    }
}

#[tokio::test]
async fn other_refusals_are_not_blamed_on_a_key() {
    let endpoint = store_that_answers(400, "InvalidRequest", "The bucket is on holiday.").await;
    for error in errors(&store(&endpoint, None)).await {
        assert_eq!(error.kind(), ErrorKind::Unexpected, "{error:?}");
    }
    let endpoint = store_that_answers(403, "AccessDenied", "Access Denied").await;
    for error in errors(&store(&endpoint, None)).await {
        assert!(!error.message().contains("SSE-C"), "{error}");
    }
}
