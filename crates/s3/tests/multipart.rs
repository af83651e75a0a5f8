//! Large states that are sent over slow links in parts.

mod common;
#[path = "common/raw.rs"]
mod raw;

use std::sync::Arc;
use std::time::Duration;

use common::{ceph_emulator, emulator, store};
use remote_state_core::{
    ContentHash, ETag, ErrorKind, LockInfo, ReadOptions, StateFile, StateStore, StateStoreExt as _,
    Workspace, WriteMode,
};
use remote_state_emulator::{Emulator, Fault, Misbehaviour, Recorder, Request};
use tempfile::NamedTempFile;

const SIZE_BYTES: usize = 17 << 20;

fn state(fill: u8) -> Vec<u8> {
    let mut bytes =
        br#"{"version":4,"serial":1,"lineage":"l","outputs":{},"resources":[]}"#.to_vec();
    bytes.extend((bytes.len()..SIZE_BYTES).map(|at| if at % 1000 == 0 { b'\n' } else { fill }));
    bytes
}

fn file(bytes: &[u8]) -> (NamedTempFile, StateFile) {
    let on_disk = NamedTempFile::new().expect("the temporary folder is writable");
    std::fs::write(on_disk.path(), bytes).expect("it is ours");
    let file = StateFile::read(on_disk.path(), |_| Ok(())).expect("it was just written");
    (on_disk, file)
}

/// Returns a store that has measured that its link is slow.
async fn far_away(keys: &[(&str, &str)]) -> (Emulator, Arc<dyn StateStore>) {
    let emulator = emulator().await;
    let store = store(&emulator, keys);
    emulator.faults().set_latency(Duration::from_millis(20));
    assert!(store.read(&Workspace::default(), &ReadOptions::default()).await.unwrap().is_none());
    drop(emulator.requests().take());
    (emulator, store)
}

fn is(request: &Request, method: &str, query: &str) -> bool {
    request.method == method && request.query.contains(query)
}

fn count(requests: &[Request], method: &str, query: &str) -> usize {
    requests.iter().filter(|request| is(request, method, query)).count()
}

#[tokio::test]
async fn parts_are_put_together_to_the_very_bytes_and_carry_what_one_request_would() {
    let keys = [("dialect", "aws"), ("acl", "bucket-owner-full-control"), ("encrypt", "true")];
    let (emulator, store) = far_away(&keys).await;
    let bytes = state(b' ');
    let (_on_disk, file) = file(&bytes);
    let meta =
        store.write(&Workspace::default(), file.into(), &WriteMode::Create.into()).await.unwrap();
    let requests = emulator.requests().take();
    assert_eq!(requests.len(), 6, "begin, four parts, put together: {requests:?}");
    assert!(is(&requests[0], "POST", "uploads") && is(&requests[5], "POST", "uploadId"));
    let header = |request: &Request, name: &str| request.headers.get(name).cloned();
    let begun = |name| header(&requests[0], name);
    assert_eq!(begun("content-type").as_deref(), Some("application/json"));
    assert_eq!(begun("x-amz-acl").as_deref(), Some("bucket-owner-full-control"));
    assert_eq!(begun("x-amz-server-side-encryption").as_deref(), Some("AES256"));
    assert_eq!(begun("x-amz-checksum-algorithm").as_deref(), Some("SHA256"));
    assert_eq!(header(&requests[5], "if-none-match").as_deref(), Some("*"));
    let mut hashes: Vec<_> =
        bytes.chunks(5 << 20).map(|part| Some(ContentHash::of(part).to_string())).collect();
    let mut sent: Vec<_> =
        requests[1..5].iter().map(|part| header(part, "x-amz-content-sha256")).collect();
    hashes.sort();
    sent.sort();
    assert_eq!(sent, hashes);
    assert!(requests[1..5].iter().all(|part| header(part, "x-amz-checksum-sha256").is_some()));
    let read = store.read_bytes(&Workspace::default()).await.unwrap().unwrap();
    assert!(read.bytes == bytes);
    assert_eq!(read.meta.etag, meta.etag);
}

#[tokio::test]
async fn key_of_the_customer_goes_with_every_part() {
    let key = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
    let keys = [("dialect", "aws"), ("encrypt", "true"), ("sse_customer_key", key)];
    let emulator = emulator().await;
    let store = store(&emulator, &keys);
    emulator.faults().set_latency(Duration::from_millis(20));
    // Like Amazon, the emulator stores nothing under such a key over plain HTTP. Only the requests
    // that it got matter.
    drop(store.read(&Workspace::default(), &ReadOptions::default()).await);
    drop(emulator.requests().take());
    let written =
        store.write(&Workspace::default(), bytes(b' '), &WriteMode::Overwrite.into()).await;
    assert!(written.is_err());
    let requests = emulator.requests().take();
    assert!(is(&requests[0], "POST", "uploads"), "{requests:?}");
    for request in requests.iter().filter(|request| request.method != "DELETE") {
        let sent = request.headers.get("x-amz-server-side-encryption-customer-key");
        assert_eq!(sent.map(String::as_str), Some(key), "{}", request.query);
    }
}

fn bytes(fill: u8) -> remote_state_core::Outgoing {
    bytes::Bytes::from(state(fill)).into()
}

#[tokio::test]
async fn store_of_which_nothing_is_known_gets_sums_of_its_parts() {
    let (emulator, store) = far_away(&[]).await;
    store.write(&Workspace::default(), bytes(b' '), &WriteMode::Create.into()).await.unwrap();
    let requests = emulator.requests().take();
    let parts: Vec<_> =
        requests.iter().filter(|request| is(request, "PUT", "partNumber")).collect();
    assert_eq!(parts.len(), 4);
    assert!(parts.iter().all(|part| part.headers.contains_key("content-md5")));
    assert!(store.read_bytes(&Workspace::default()).await.unwrap().unwrap().bytes == state(b' '));
}

#[tokio::test]
async fn one_request_is_enough_while_nothing_says_that_the_link_is_slow() {
    let emulator = emulator().await;
    let store = store(&emulator, &[("dialect", "aws")]);
    store.write(&Workspace::default(), bytes(b' '), &WriteMode::Overwrite.into()).await.unwrap();
    assert_eq!(emulator.requests().take().len(), 1);
}

/// Injects a fault once the upload has begun, so that it acts on the requests that follow.
async fn inject_after_the_beginning(emulator: &Emulator, fault: Fault) {
    while emulator.requests().count() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    emulator.faults().inject(fault);
}

#[tokio::test]
async fn upload_that_fails_is_given_up_and_nothing_is_stored() {
    for method in ["PUT", "POST"] {
        let (emulator, store) = far_away(&[("dialect", "aws"), ("max_retries", "1")]).await;
        let denied =
            Misbehaviour::AnswerWithoutWork { status: 403, code: "AccessDenied".to_owned() };
        let here = Workspace::default();
        let create = WriteMode::Create.into();
        let (written, ()) = tokio::join!(
            store.write(&here, bytes(b' '), &create),
            inject_after_the_beginning(&emulator, Fault::new(denied).with_method(method)),
        );
        assert_eq!(written.unwrap_err().kind(), ErrorKind::PermissionDenied, "{method}");
        let requests = emulator.requests().take();
        assert_eq!(count(&requests, "DELETE", "uploadId"), 1, "{method}: {requests:?}");
        emulator.faults().clear();
        assert!(store.read(&here, &ReadOptions::default()).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn upload_whose_last_answer_was_lost_is_known_to_be_done() {
    // The reply begins with 200 before the parts are put together, and may end in an error.
    let late = Misbehaviour::AnswerAfterWork { status: 200, code: "InternalError".to_owned() };
    for (lost, max_retries) in [
        (Misbehaviour::LoseReply, "3"),
        (Misbehaviour::internal_error_after_work(), "3"),
        (late.clone(), "3"),
        (late, "1"),
    ] {
        let (emulator, store) = far_away(&[("dialect", "aws"), ("max_retries", max_retries)]).await;
        let here = Workspace::default();
        let create = WriteMode::Create.into();
        let (written, ()) = tokio::join!(
            store.write(&here, bytes(b' '), &create),
            inject_after_the_beginning(
                &emulator,
                Fault::new(lost).with_method("POST").with_times(1)
            ),
        );
        let meta = written.unwrap();
        emulator.faults().clear();
        assert_eq!(store.read_bytes(&here).await.unwrap().unwrap().meta.etag, meta.etag);
    }
}

#[tokio::test]
async fn state_that_was_changed_meanwhile_is_not_overwritten_by_parts() {
    for dialect in ["aws", "minio"] {
        let (emulator, store) = far_away(&[("dialect", dialect)]).await;
        let here = Workspace::default();
        let small = || bytes::Bytes::from_static(b"{}").into();
        store.write(&here, small(), &WriteMode::Create.into()).await.unwrap();
        drop(emulator.requests().take());
        for mode in [WriteMode::Create, WriteMode::Update(ETag::new("\"of another\""))] {
            let error = store.write(&here, bytes(b' '), &mode.into()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
            let requests = emulator.requests().take();
            assert_eq!(count(&requests, "POST", "uploads"), 1, "{requests:?}");
            assert_eq!(count(&requests, "DELETE", "uploadId"), 1);
            assert_eq!(store.read_bytes(&here).await.unwrap().unwrap().bytes.as_ref(), b"{}");
            drop(emulator.requests().take());
        }
    }
}

/// A client that writes while the parts are being sent is not overwritten, even if the store
/// ignores conditions.
#[tokio::test]
async fn without_conditions_the_object_is_looked_at_again_before_the_parts_are_put_together() {
    let here = Workspace::default();
    let small = || bytes::Bytes::from_static(b"{}").into();
    let (emulator, late) = far_away(&[("dialect", "generic")]).await;
    let other = store(&emulator, &[("dialect", "generic")]);
    let mut requests = Vec::new();
    let create = WriteMode::Create.into();
    let (written, ()) = tokio::join!(late.write(&here, bytes(b' '), &create), async {
        until(emulator.requests(), &mut requests, "POST", "uploads").await;
        other.write(&here, small(), &WriteMode::Create.into()).await.unwrap();
    });
    assert_eq!(written.unwrap_err().kind(), ErrorKind::PreconditionFailed);
    assert_eq!(other.read_bytes(&here).await.unwrap().unwrap().bytes.as_ref(), b"{}");
    requests.extend(emulator.requests().take());
    assert_eq!(count(&requests, "DELETE", "uploadId"), 1, "{requests:?}");

    let emulator = ceph_emulator().await;
    let keys = [("bucket", "versioned"), ("dialect", "ceph")];
    let ours = store(&emulator, &keys);
    let info = LockInfo::new("test", "me@here", "1", jiff::Timestamp::UNIX_EPOCH).unwrap();
    ours.acquire(&here, &info).await.unwrap();
    emulator.faults().set_latency(Duration::from_millis(20));
    let slow = store(&emulator, &keys);
    assert!(slow.read(&here, &ReadOptions::default()).await.unwrap().is_none());
    drop(emulator.requests().take());
    let native = raw::client(&emulator);
    let overwrite = WriteMode::Overwrite.into();
    let (written, ()) = tokio::join!(slow.write(&here, bytes(b' '), &overwrite), async {
        until(emulator.requests(), &mut Vec::new(), "POST", "uploads").await;
        let put = native.put_object().bucket("versioned").key("net/terraform.tfstate.tflock");
        drop(put.body(info.to_json().into_bytes().into()).send().await.unwrap());
    });
    assert_eq!(written.unwrap_err().kind(), ErrorKind::LockHeld);
    assert!(
        slow.read(&here, &ReadOptions::default()).await.unwrap().is_none(),
        "nothing was written"
    );
}

#[tokio::test]
async fn upload_that_is_dropped_in_the_middle_is_given_up_behind_it() {
    let (emulator, store) = far_away(&[("dialect", "aws")]).await;
    let recorder = emulator.requests().clone();
    // One part arrives, the others never do.
    for (delay, times) in [(0, 1), (600, u32::MAX)] {
        let delay = Misbehaviour::Delay(Duration::from_secs(delay));
        emulator.faults().inject(Fault::new(delay).with_method("PUT").with_times(times));
    }
    let mut requests = Vec::new();
    let here = Workspace::default();
    let create = WriteMode::Create.into();
    tokio::select! {
        written = store.write(&here, bytes(b' '), &create) => {
            panic!("it waits for its parts: {written:?}")
        }
        () = until(&recorder, &mut requests, "PUT", "partNumber") => {}
    }
    until(&recorder, &mut requests, "DELETE", "uploadId").await;
}

#[tokio::test]
async fn giving_an_upload_up_is_tried_again() {
    for failing in [Misbehaviour::internal_error(), Misbehaviour::LoseReply] {
        let (emulator, store) = far_away(&[("dialect", "aws")]).await;
        let denied =
            Misbehaviour::AnswerWithoutWork { status: 403, code: "AccessDenied".to_owned() };
        let here = Workspace::default();
        emulator.faults().inject(Fault::new(failing).with_method("DELETE").with_times(1));
        let create = WriteMode::Create.into();
        let (written, ()) = tokio::join!(
            store.write(&here, bytes(b' '), &create),
            inject_after_the_beginning(&emulator, Fault::new(denied).with_method("PUT")),
        );
        assert_eq!(written.unwrap_err().kind(), ErrorKind::PermissionDenied);
        let requests = emulator.requests().take();
        assert_eq!(count(&requests, "DELETE", "uploadId"), 2, "{requests:?}");
    }
}

/// Waits for a request.
async fn until(recorder: &Recorder, requests: &mut Vec<Request>, method: &str, query: &str) {
    let seen = async {
        while count(requests, method, query) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
            requests.extend(recorder.take());
        }
    };
    tokio::time::timeout(Duration::from_secs(60), seen).await.expect("the request should come");
}
