//! States that are streamed: from a file, in parts, over links of every kind.

mod common;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use common::{emulator, store};
use futures_util::TryStreamExt as _;
use remote_state_core::{
    ContentHash, ErrorKind, ReadOptions, StateFile, StateStore, StateStoreExt as _, Workspace,
    WriteMode,
};
use remote_state_emulator::{Emulator, Fault, Misbehaviour};
use tempfile::NamedTempFile;

/// Returns a state of many pieces, all different.
fn state(size_bytes: usize) -> Vec<u8> {
    let mut bytes = br#"{"version":4,"serial":1,"lineage":"l","outputs":{},"resources":["#.to_vec();
    let mut number = 0_u64;
    while bytes.len() < size_bytes {
        bytes.extend_from_slice(format!("{number:020},\n").as_bytes());
        number += 1;
    }
    bytes.truncate(size_bytes);
    bytes
}

fn file(bytes: &[u8]) -> (NamedTempFile, StateFile) {
    let on_disk = NamedTempFile::new().expect("the temporary folder is writable");
    std::fs::write(on_disk.path(), bytes).expect("it is ours");
    let file = StateFile::read(on_disk.path(), |_| Ok(())).expect("it was just written");
    (on_disk, file)
}

#[tokio::test]
async fn file_goes_in_one_request_that_is_bound_to_its_bytes() {
    for dialect in ["aws", "generic", "minio"] {
        let emulator = emulator().await;
        let store = store(&emulator, &[("dialect", dialect)]);
        let bytes = state(3 << 20);
        let (_on_disk, file) = file(&bytes);
        store
            .write(&Workspace::default(), file.into(), &WriteMode::Overwrite.into())
            .await
            .unwrap();
        let requests = emulator.requests().take();
        assert_eq!(requests.len(), 1, "{requests:?}");
        let header = |name: &str| requests[0].headers.get(name).map(String::as_str);
        let hash = ContentHash::of(&bytes);
        if dialect == "minio" {
            // The store checks the checksum, whose header is signed: a second hash of the body
            // would prove nothing more.
            assert_eq!(header("x-amz-content-sha256"), Some("UNSIGNED-PAYLOAD"));
            assert_eq!(
                header("x-amz-checksum-sha256"),
                Some(BASE64.encode(hash.as_bytes()).as_str())
            );
        } else {
            assert_eq!(header("x-amz-content-sha256"), Some(hash.to_string().as_str()));
        }
        assert_eq!(header("content-length"), Some((3 << 20).to_string().as_str()));
        assert_eq!((header("content-encoding"), header("x-amz-trailer")), (None, None));
        let stored = store.read_bytes(&Workspace::default()).await.unwrap().unwrap();
        assert!(stored.bytes == bytes);
    }
}

#[tokio::test]
async fn file_that_changed_since_it_was_looked_at_is_not_written() {
    let emulator = emulator().await;
    let store = store(&emulator, &[("dialect", "aws"), ("max_retries", "2")]);
    let here = Workspace::default();
    store
        .write(&here, Bytes::from_static(b"{}").into(), &WriteMode::Overwrite.into())
        .await
        .unwrap();
    let (on_disk, file) = file(&state(1 << 20));
    std::fs::write(on_disk.path(), state((1 << 20) + 1)).unwrap();
    let error = store.write(&here, file.into(), &WriteMode::Overwrite.into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Local, "no attempt was whole, so nothing is in doubt");
    assert_eq!(store.read_bytes(&here).await.unwrap().unwrap().bytes.as_ref(), b"{}");
}

#[tokio::test]
async fn write_of_a_file_whose_answer_was_lost_is_known_to_be_done() {
    for mode in [WriteMode::Create, WriteMode::Overwrite] {
        let emulator = emulator().await;
        let store = store(&emulator, &[("dialect", "aws")]);
        emulator
            .faults()
            .inject(Fault::new(Misbehaviour::LoseReply).with_method("PUT").with_times(2));
        let (_on_disk, file) = file(&state(1 << 20));
        let meta = store.write(&Workspace::default(), file.into(), &mode.into()).await.unwrap();
        assert_eq!(
            meta.etag,
            store.read_bytes(&Workspace::default()).await.unwrap().unwrap().meta.etag
        );
    }
}

/// Stores a state of 12 MiB behind a link on which one connection takes seconds for it, and drops
/// the recorded request.
async fn behind_a_slow_link(keys: &[(&str, &str)]) -> (Emulator, Arc<dyn StateStore>, Vec<u8>) {
    let emulator = emulator().await;
    let store = store(&emulator, keys);
    let bytes = state(12 << 20);
    store
        .write(
            &Workspace::default(),
            Bytes::from(bytes.clone()).into(),
            &WriteMode::Overwrite.into(),
        )
        .await
        .unwrap();
    drop(emulator.requests().take());
    emulator.faults().set_latency(Duration::from_millis(20));
    emulator.faults().set_bytes_per_second(Some(6_000_000));
    (emulator, store, bytes)
}

fn ranges(emulator: &Emulator) -> usize {
    emulator
        .requests()
        .take()
        .iter()
        .filter(|request| request.headers.contains_key("range"))
        .count()
}

#[tokio::test]
async fn over_a_slow_link_a_large_state_comes_in_parts_of_one_object() {
    for dialect in ["aws", "generic"] {
        let (emulator, store, bytes) = behind_a_slow_link(&[("dialect", dialect)]).await;
        let read = store.read_bytes(&Workspace::default()).await.unwrap().unwrap();
        assert!(read.bytes == bytes);
        let requests = emulator.requests().take();
        let (whole, parts): (Vec<_>, Vec<_>) =
            requests.iter().partition(|request| !request.headers.contains_key("range"));
        assert_eq!(whole.len(), 1);
        assert!(parts.len() > 8, "{} parts", parts.len());
        let etag = read.meta.etag.unwrap();
        for part in parts {
            assert_eq!(part.headers.get("if-match").map(String::as_str), Some(etag.as_str()));
        }
    }
}

#[tokio::test]
async fn state_that_is_overwritten_while_its_parts_come_in_is_still_the_one_that_was_begun() {
    let (emulator, store, bytes) = behind_a_slow_link(&[("dialect", "aws")]).await;
    let mut read =
        store.read(&Workspace::default(), &ReadOptions::default()).await.unwrap().unwrap();
    let mut found = Vec::new();
    let mut is_overwritten = false;
    while let Some(piece) = read.body.try_next().await.unwrap() {
        found.extend_from_slice(&piece);
        if found.len() > 3 << 20 && !is_overwritten {
            is_overwritten = true;
            let other = Bytes::from_static(b"{}");
            store
                .write(&Workspace::default(), other.into(), &WriteMode::Overwrite.into())
                .await
                .unwrap();
        }
    }
    assert!(found == bytes, "one state, and no mixture of two");
    assert!(ranges(&emulator) > 0);
}

#[tokio::test]
async fn store_that_sends_no_parts_is_read_through_one_connection() {
    let refusal = Misbehaviour::AnswerWithoutWork { status: 403, code: "AccessDenied".to_owned() };
    for misbehaviour in [Misbehaviour::IgnoreRanges, refusal] {
        let (emulator, store, bytes) = behind_a_slow_link(&[]).await;
        let read =
            store.read(&Workspace::default(), &ReadOptions::default()).await.unwrap().unwrap();
        emulator.faults().inject(Fault::new(misbehaviour));
        assert!(read.collect().await.unwrap().bytes == bytes);
        assert!(ranges(&emulator) > 0);
    }
}
