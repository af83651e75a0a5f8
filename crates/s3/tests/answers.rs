//! Replies that say less than a person needs, or say it in other words.
//!
//! Of the same kind are replies of caches, of servers behind another protocol, and of stores that
//! lack a feature.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::opened;
use common::wire::read_request;
use futures_util::TryStreamExt as _;
use remote_state_core::Backend as _;
use remote_state_core::config::{ResolvedConfig, Setting};
use remote_state_core::{Error, ErrorKind, LockInfo, ReadOptions, StateStore, Workspace};
use remote_state_s3::{PROVIDER, S3Config};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

/// Starts a server that replies to every request with these bytes, and returns its address.
async fn answering(answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                drop(read_request(&mut client).await);
                drop(client.write_all(answer.as_bytes()).await);
            });
        }
    });
    address
}

fn store(endpoint: &str, pairs: &[(&str, &str)]) -> Arc<dyn StateStore> {
    let always = [
        ("bucket", "tfstate"),
        ("key", "k"),
        ("region", "us-east-1"),
        ("access_key", "test"),
        ("secret_key", "testtest"),
        ("use_path_style", "true"),
        ("use_lockfile", "true"),
        ("dialect", "minio"),
        ("max_retries", "1"),
        ("endpoint", endpoint),
    ];
    opened(always.iter().chain(pairs).map(|(name, value)| (*name, Setting::from(*value))))
}

fn told(error: &Error) -> String {
    format!("{error} {:?} {:?}", error.context(), error.hints())
}

/// The SDK signs with the time of a reply, and panics on a year that it cannot write.
#[tokio::test]
async fn a_time_that_no_service_has_is_not_believed() {
    for date in [
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Fri, 01 Jan 2100 00:00:00 GMT",
        "Mon, 01 Jan 0001 00:00:00 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "yesterday",
    ] {
        for (status, code) in [(403, "RequestTimeTooSkewed"), (503, "SlowDown")] {
            let body = format!("<Error><Code>{code}</Code><Message>m</Message></Error>");
            let answer = format!(
                "HTTP/1.1 {status} No\r\nconnection: close\r\ndate: {date}\r\ncontent-type: \
                 application/xml\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            let endpoint = format!("http://{}", answering(answer).await);
            let store = store(&endpoint, &[("max_retries", "2")]);
            for _ in 0..2 {
                let error =
                    store.read(&Workspace::default(), &ReadOptions::default()).await.unwrap_err();
                let expected = [ErrorKind::CredentialInvalid, ErrorKind::RateLimited];
                assert!(expected.contains(&error.kind()), "{date}: {error:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_part_that_was_not_asked_for_is_no_state() {
    for range in ["bytes 0-9/108", "bytes 10-19/20", "bytes 0-9/*"] {
        let answer = format!(
            "HTTP/1.1 206 Partial Content\r\nconnection: close\r\netag: \"e\"\r\ncontent-range: \
             {range}\r\ncontent-length: 10\r\n\r\n{{\"version\""
        );
        let store = store(&format!("http://{}", answering(answer).await), &[]);
        let error = store.read(&Workspace::default(), &ReadOptions::default()).await.unwrap_err();
        assert!(told(&error).contains("a part of it"), "{range}: {}", told(&error));
    }
    let whole = "HTTP/1.1 206 Partial Content\r\nconnection: close\r\netag: \
                 \"e\"\r\ncontent-range: bytes 0-9/10\r\ncontent-length: 10\r\n\r\n{\"version\"";
    let store = store(&format!("http://{}", answering(whole.to_owned()).await), &[]);
    assert!(store.read(&Workspace::default(), &ReadOptions::default()).await.unwrap().is_some());
}

#[tokio::test]
async fn what_the_store_says_of_a_refused_condition_is_told_with_what_to_use_instead() {
    for (status, code, sentence) in [
        (
            "501 Not Implemented",
            "NotImplemented",
            "A header you provided implies functionality that is not implemented.",
        ),
        ("400 Bad Request", "InvalidArgument", "Unsupported header If-None-Match"),
        ("405 Nothing", "Weird", "If-None-Match\u{1b}[31m is not known here"),
    ] {
        let body = format!(
            "<Error><Code>{code}</Code><Message>{}</Message></Error>",
            sentence.replace('\u{1b}', "")
        );
        let answer = format!(
            "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let store = store(&format!("http://{}", answering(answer).await), &[]);
        let info = LockInfo::new("test", "me@here", "1", jiff::Timestamp::UNIX_EPOCH).unwrap();
        let error = store.acquire(&Workspace::default(), &info).await.unwrap_err();
        let told = told(&error);
        assert!(told.contains(&sentence.replace('\u{1b}', "")), "{code}: {told}");
        assert!(told.contains("conditional writes"), "{code}: {told}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_told_as_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        // It reads something that is not a request, and its reply says so.
        while let Ok((mut client, _)) = listener.accept().await {
            let answer =
                b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            drop(client.write_all(answer).await);
        }
    });
    let store = store(&endpoint, &[]);
    let error = store.read(&Workspace::default(), &ReadOptions::default()).await.unwrap_err();
    assert!(
        told(&error).contains("plain HTTP") && told(&error).contains("`http://`"),
        "{}",
        told(&error)
    );
}

#[test]
fn the_arn_of_an_access_point_is_a_bucket_whatever_separates_it() {
    let location = |bucket: &str| {
        let pairs = [("bucket", bucket), ("key", "k"), ("region", "us-west-2")];
        let pairs = pairs.map(|(name, value)| (name, Setting::from(value)));
        let config = ResolvedConfig::from_pairs(&PROVIDER, pairs).unwrap();
        S3Config::from_resolved(&config)
            .map(|config| config.open().expect("the keys do").location(&Workspace::default()).path)
    };
    for arn in [
        "arn:aws:s3:us-west-2:123456789012:accesspoint/tf",
        "arn:aws:s3:us-west-2:123456789012:accesspoint:tf",
        "arn:aws-cn:s3:cn-north-1:123456789012:accesspoint/tf",
        "arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-1/accesspoint/tf",
    ] {
        assert_eq!(location(arn).unwrap(), format!("{arn}/k"));
    }
    for bucket in
        ["a/b", "arn:aws:s3:::b/c", "arn:aws:iam::123456789012:role/accesspoint/x", "s3://b/k"]
    {
        assert!(location(bucket).is_err(), "{bucket}");
    }
}

/// Starts a service that lists the same keys again and again, each time with a new token; returns
/// its endpoint and the number of requests.
async fn endless(
    page: impl Fn(usize) -> String + Send + Sync + 'static,
) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (asked, page) = (Arc::new(AtomicUsize::new(0)), Arc::new(page));
    let counted = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (counted, page) = (Arc::clone(&counted), Arc::clone(&page));
            tokio::spawn(async move {
                while read_request(&mut client).await.is_some() {
                    let body = page(counted.fetch_add(1, Ordering::Relaxed));
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                    if client.write_all((head + &body).as_bytes()).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    (endpoint, asked)
}

#[tokio::test]
async fn listing_that_always_goes_on_ends_with_an_error_that_names_the_store() {
    for length in [1, 3, 50] {
        let keys = move |count: usize| {
            let name = format!("w{}", count % length);
            format!(
                "<ListBucketResult><IsTruncated>true</\
                 IsTruncated><NextContinuationToken>t{count}</\
                 NextContinuationToken><Contents><Key>env:/{name}/k</Key></Contents></\
                 ListBucketResult>"
            )
        };
        let (endpoint, asked) = endless(keys).await;
        let store = store(&endpoint, &[]);
        let error = store.workspaces().try_collect::<Vec<_>>().await.unwrap_err();
        assert!(
            told(&error).contains("circles") && told(&error).contains(&endpoint),
            "{}",
            told(&error)
        );
        assert!(asked.load(Ordering::Relaxed) <= 4 * length + 4, "{asked:?}");

        let versions = move |count: usize| {
            let id = count % length;
            format!(
                "<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>k</\
                 NextKeyMarker><NextVersionIdMarker>m{count}</\
                 NextVersionIdMarker><Version><Key>k</Key><VersionId>v{id}</\
                 VersionId><IsLatest>false</IsLatest><Size>1</Size></Version></ListVersionsResult>"
            )
        };
        let (endpoint, asked) = endless(versions).await;
        let store = self::store(&endpoint, &[]);
        let error =
            store.versions(&Workspace::default()).try_collect::<Vec<_>>().await.unwrap_err();
        assert!(
            told(&error).contains("circles") && told(&error).contains(&endpoint),
            "{}",
            told(&error)
        );
        assert!(asked.load(Ordering::Relaxed) <= 4 * length + 4, "{asked:?}");
    }
}

#[tokio::test]
async fn workspaces_that_a_store_makes_up_without_end_are_an_error() {
    let keys = |count: usize| {
        let keys: String = (0..1000)
            .map(|number| format!("<Contents><Key>env:/w{count}-{number}/k</Key></Contents>"))
            .collect();
        format!(
            "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t{count}</\
             NextContinuationToken>{keys}</ListBucketResult>"
        )
    };
    let (endpoint, asked) = endless(keys).await;
    let store = store(&endpoint, &[]);
    let counted = store.workspaces().try_fold(0, async |count: usize, _| Ok(count + 1)).await;
    let error = counted.unwrap_err();
    assert!(told(&error).contains("more than 100000 workspaces"), "{}", told(&error));
    assert!(told(&error).contains(&endpoint), "{}", told(&error));
    assert!(asked.load(Ordering::Relaxed) <= 102, "{asked:?}");
}
