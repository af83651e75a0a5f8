//! Requests: their content, their number, and their route.

mod common;
#[path = "common/fake.rs"]
mod fake;

use std::sync::Arc;

use bytes::Bytes;
use common::{emulator, here, info, store};
use fake::{fake, http};
use remote_state_core::{ErrorKind, LockTarget, StateStoreExt as _, WriteMode};
use remote_state_emulator::{Emulator, Fault, Misbehaviour, Request};

fn operations(emulator: &Emulator) -> Vec<String> {
    emulator.requests().take().into_iter().filter_map(|request| request.operation).collect()
}

/// Takes the first lock, with which the client tests an unknown store.
async fn prove(store: &Arc<dyn remote_state_core::StateStore>) {
    let held = store.acquire(&here(), &info()).await.unwrap();
    drop(store.release(&here(), &LockTarget::Id(held.id)).await.unwrap());
}

#[tokio::test]
async fn lock_and_unlock_take_no_more_requests_than_the_bucket_needs() {
    for (bucket, expected) in [
        (
            "tfstate",
            &["GetBucketVersioning", "PutObject", "GetObject", "GetObject", "DeleteObject"][..],
        ),
        ("versioned", &["AppendObject", "GetObject", "GetObject", "DeleteObject"]),
        ("suspended", &["AppendObject", "GetObject", "GetObject", "DeleteObject"]),
    ] {
        let emulator = emulator().await;
        let store = store(&emulator, &[("bucket", bucket)]);
        prove(&store).await;
        drop(operations(&emulator));
        prove(&store).await;
        assert_eq!(operations(&emulator), expected, "{bucket}");
    }
}

#[tokio::test]
async fn where_the_status_of_versions_may_not_be_asked_for_the_lock_is_appended() {
    for bucket in ["tfstate", "versioned"] {
        let emulator = emulator().await;
        let refused =
            Misbehaviour::AnswerWithoutWork { status: 403, code: "AccessDenied".to_owned() };
        emulator.faults().inject(Fault::new(refused).with_operation("GetBucketVersioning"));
        let store = store(&emulator, &[("bucket", bucket)]);
        let held = store.acquire(&here(), &info()).await.unwrap();
        assert_eq!(store.acquire(&here(), &info()).await.unwrap_err().kind(), ErrorKind::LockHeld);
        drop(store.release(&here(), &LockTarget::Id(held.id)).await.unwrap());
        let asked = operations(&emulator);
        assert!(
            asked.iter().any(|name| name == "AppendObject")
                && !asked.iter().any(|name| name == "PutObject"),
            "{asked:?}"
        );
    }
}

#[tokio::test]
async fn read_and_write_take_one_request() {
    let emulator = emulator().await;
    let store = store(&emulator, &[]);
    assert!(store.read_bytes(&here()).await.unwrap().is_none());
    drop(
        store
            .write(&here(), Bytes::from_static(b"{}").into(), &WriteMode::Overwrite.into())
            .await
            .unwrap(),
    );
    assert!(store.read_bytes(&here()).await.unwrap().is_some());
    assert_eq!(operations(&emulator), ["GetObject", "PutObject", "GetObject"]);
}

#[tokio::test]
async fn encryption_and_acl_go_with_whatever_is_written() {
    for (keys, algorithm, key) in [
        (&[("encrypt", "true")][..], "AES256", None),
        (&[("encrypt", "true"), ("sse_algorithm", "KMS")], "KMS", None),
        (&[("encrypt", "true"), ("kms_key_id", "k1")], "KMS", Some("k1")),
    ] {
        let emulator = emulator().await;
        let keys: Vec<_> =
            keys.iter().copied().chain([("acl", "private"), ("bucket", "versioned")]).collect();
        let store = store(&emulator, &keys);
        drop(
            store
                .write(&here(), Bytes::from_static(b"{}").into(), &WriteMode::Overwrite.into())
                .await
                .unwrap(),
        );
        drop(store.acquire(&here(), &info()).await.unwrap());
        let asked = emulator.requests().take();
        let sent = |request: &Request, name: &str| request.headers.get(name).cloned();
        for (method, expected_key) in [("PUT", key), ("POST", None)] {
            let request = asked.iter().find(|request| request.method == method).unwrap();
            assert_eq!(sent(request, "x-oss-server-side-encryption").as_deref(), Some(algorithm));
            // An append uses only the bucket's own key.
            let sent_key = sent(request, "x-oss-server-side-encryption-key-id");
            assert_eq!(sent_key.as_deref(), expected_key, "{method}");
            assert_eq!(sent(request, "x-oss-object-acl").as_deref(), Some("private"));
            assert!(sent(request, "content-md5").is_some());
        }
    }
}

#[tokio::test]
async fn a_wrong_clock_is_put_right_by_the_services() {
    let (url, asked) = fake(|count, _| {
        if count == 0 {
            let skewed = "<Error><Code>RequestTimeTooSkewed</Code></Error>";
            http("403 Forbidden", "date: Tue, 02 Jan 2024 03:04:05 GMT\r\n", skewed)
        } else {
            http("200 OK", "etag: \"E1\"\r\n", "{}")
        }
    })
    .await;
    let emulator = emulator().await;
    let store = store(&emulator, &[("endpoint", &url)]);
    assert_eq!(store.read_bytes(&here()).await.unwrap().unwrap().bytes.as_ref(), b"{}");
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 2);
    assert!(asked[1].contains("x-oss-date: 20240102T0304"), "{}", asked[1]);
}

#[tokio::test]
async fn a_proxy_takes_everything_but_this_machine_and_what_is_excepted() {
    let (proxy, asked) =
        fake(|_, _| http("404 Not Found", "", "<Error><Code>NoSuchKey</Code></Error>")).await;
    let emulator = emulator().await;
    let through = |endpoint: &str, except: &str| {
        store(
            &emulator,
            &[
                ("endpoint", endpoint),
                ("proxy", &proxy),
                ("no_proxy", except),
                ("max_retries", "0"),
            ],
        )
    };
    let nowhere = "http://oss.invalid";
    assert!(through(nowhere, "").read_bytes(&here()).await.unwrap().is_none());
    assert!(
        asked.lock().unwrap()[0]
            .starts_with("GET http://tfstate.oss.invalid/env%3A/terraform.tfstate ")
    );
    // The emulator is on this machine.
    assert!(through(&emulator.endpoint(), "").read_bytes(&here()).await.unwrap().is_none());
    for except in ["oss.invalid", ".invalid", "other.example,oss.invalid", "*"] {
        let error = through(nowhere, except).read_bytes(&here()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{except}");
    }
    assert!(through(nowhere, "example.com").read_bytes(&here()).await.unwrap().is_none());
    assert_eq!(asked.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_location_service_is_asked_only_if_one_is_named_and_its_failure_is_told() {
    let emulator = emulator().await;
    let place = emulator.endpoint();
    let answer = format!(
        "{{\"Endpoints\":{{\"Endpoint\":[{{\"Type\":\"other\",\"Endpoint\":\"x\"}},{{\"Type\":\"\
         openAPI\",\"Endpoint\":\"{place}\"}}]}}}}"
    );
    let (service, asked) = fake(move |_, _| http("200 OK", "", &answer)).await;
    let keys = [("endpoint", ""), ("location_endpoint", service.as_str())];
    assert!(store(&emulator, &keys).read_bytes(&here()).await.unwrap().is_none());
    assert!(asked.lock().unwrap()[0].contains("Action=DescribeEndpoints"), "{asked:?}");
    for body in ["{}", "<html>", "{\"Endpoints\":{}}", "{\"Endpoints\":null}"] {
        let (service, _asked) = fake(move |_, _| http("200 OK", "", body)).await;
        let keys = [("endpoint", ""), ("location_endpoint", service.as_str())];
        let error = store(&emulator, &keys).read_bytes(&here()).await.unwrap_err();
        assert_eq!(error.message(), "cannot find the endpoint of region `cn-beijing`", "{body}");
        assert!(error.hints()[0].contains("`endpoint`"), "{error:?}");
    }
}

#[tokio::test]
async fn temporary_keys_go_with_their_token_in_both_signatures() {
    let emulator = Emulator::builder()
        .with_temporary_credentials("temp", "tempsecret", "token+/=")
        .with_bucket(common::BUCKET)
        .start()
        .await
        .unwrap();
    for version in ["v1", "v4"] {
        let keys =
            [("access_key", "temp"), ("secret_key", "tempsecret"), ("signature_version", version)];
        let with_token: Vec<_> =
            keys.iter().copied().chain([("security_token", "token+/=")]).collect();
        assert!(
            store(&emulator, &with_token).read_bytes(&here()).await.unwrap().is_none(),
            "{version}"
        );
        let error = store(&emulator, &keys).read_bytes(&here()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CredentialInvalid, "{version}: {error:?}");
    }
}
