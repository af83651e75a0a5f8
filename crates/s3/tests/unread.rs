//! Files that are sent while they are read.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{emulator, store};
use remote_state_core::{
    ContentHash, Error, ErrorKind, Outgoing, StateFile, StateStore, StateStoreExt as _, Workspace,
    WriteMode,
};
use remote_state_emulator::{Emulator, Fault, Misbehaviour, Request};
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
    let file = StateFile::open(on_disk.path()).expect("it was just written");
    (on_disk, file)
}

fn no() -> Error {
    Error::new(ErrorKind::InvalidState, "look", "it is no state")
}

/// Starts a store that holds a short state.
async fn with_state(keys: &[(&str, &str)]) -> (Emulator, Arc<dyn StateStore>) {
    let emulator = emulator().await;
    let store = store(&emulator, keys);
    let before = bytes::Bytes::from_static(b"before");
    store.write(&Workspace::default(), before.into(), &WriteMode::Overwrite.into()).await.unwrap();
    drop(emulator.requests().take());
    (emulator, store)
}

async fn stored(store: &Arc<dyn StateStore>) -> Vec<u8> {
    store.read_bytes(&Workspace::default()).await.unwrap().unwrap().bytes.to_vec()
}

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers.get(name).map(String::as_str)
}

#[tokio::test]
async fn only_where_a_trailer_is_known_or_allowed_a_file_is_sent_before_its_hash_is_known() {
    let (minio, aws, generic) = ("minio", "aws", "generic");
    for (dialect, keys, is_unread) in [
        (minio, &[][..], true),
        (minio, &[("unsigned_trailer", "false")], false),
        (minio, &[("skip_s3_checksum", "true")], false),
        (aws, &[], false),
        (aws, &[("unsigned_trailer", "true")], true),
        (generic, &[], false),
    ] {
        let keys: Vec<_> = [("dialect", dialect)].into_iter().chain(keys.to_vec()).collect();
        let (emulator, store) = with_state(&keys).await;
        let bytes = state(3 << 20);
        let (_on_disk, file) = file(&bytes);
        store
            .write(&Workspace::default(), file.into(), &WriteMode::Overwrite.into())
            .await
            .unwrap();
        let requests = emulator.requests().take();
        let [request] = &*requests else { panic!("{requests:?}") };
        let expected = is_unread.then_some("aws-chunked");
        assert_eq!(header(request, "content-encoding"), expected, "{keys:?}");
        if is_unread {
            assert_eq!(
                header(request, "x-amz-content-sha256"),
                Some("STREAMING-UNSIGNED-PAYLOAD-TRAILER")
            );
            assert_eq!(header(request, "x-amz-trailer"), Some("x-amz-checksum-crc32c"));
            let size = (3 << 20).to_string();
            assert_eq!(header(request, "x-amz-decoded-content-length"), Some(&*size));
        } else if dialect == aws || keys.contains(&("skip_s3_checksum", "true")) {
            let hash = ContentHash::of(&bytes).to_string();
            assert_eq!(header(request, "x-amz-content-sha256"), Some(&*hash));
        }
        assert!(stored(&store).await == bytes);
    }
}

#[tokio::test]
async fn file_whose_end_is_no_state_is_sent_once_and_not_stored() {
    let (emulator, store) = with_state(&[("dialect", "minio")]).await;
    let (_on_disk, file) = file(&state(3 << 20));
    let file = file.with_look(|incoming| {
        while incoming.next_piece()?.is_some() {}
        Err(no())
    });
    let written =
        store.write(&Workspace::default(), file.into(), &WriteMode::Overwrite.into()).await;
    let error = written.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::InvalidState, no().message()));
    assert!(emulator.requests().take().len() <= 1, "it is no state however often it is sent");
    assert_eq!(stored(&store).await, b"before");
}

#[tokio::test]
async fn decision_is_made_while_the_file_is_sent() {
    for is_yes in [true, false] {
        let (emulator, store) = with_state(&[("dialect", "minio")]).await;
        let bytes = state(3 << 20);
        let (_on_disk, file) = file(&bytes);
        let decision = async move {
            // It may take longer than all of the sending.
            tokio::time::sleep(Duration::from_millis(300)).await;
            if is_yes { Ok(()) } else { Err(no()) }
        };
        let outgoing = Outgoing::new(file).with_decision(decision);
        let written =
            store.write(&Workspace::default(), outgoing, &WriteMode::Overwrite.into()).await;
        drop(emulator);
        assert_eq!(written.map_err(|error| error.kind()).is_ok(), is_yes);
    }
}

#[tokio::test]
async fn file_whose_answer_was_lost_is_known_to_be_stored() {
    for mode in [WriteMode::Create, WriteMode::Overwrite] {
        let emulator = emulator().await;
        let store = store(&emulator, &[("dialect", "minio")]);
        let lost = Fault::new(Misbehaviour::LoseReply).with_method("PUT").with_times(3);
        emulator.faults().inject(lost);
        let (_on_disk, file) = file(&state(3 << 20));
        let meta = store.write(&Workspace::default(), file.into(), &mode.into()).await.unwrap();
        let read = store.read_bytes(&Workspace::default()).await.unwrap().unwrap();
        assert_eq!(meta.etag, read.meta.etag);
    }
}

#[tokio::test]
async fn file_is_sent_again_after_a_store_that_was_busy() {
    let (emulator, store) = with_state(&[("dialect", "minio")]).await;
    let busy = Misbehaviour::AnswerWithoutWork { status: 503, code: "SlowDown".to_owned() };
    emulator.faults().inject(Fault::new(busy).with_method("PUT").with_times(1));
    let bytes = state(3 << 20);
    let (_on_disk, file) = file(&bytes);
    store.write(&Workspace::default(), file.into(), &WriteMode::Overwrite.into()).await.unwrap();
    assert!(stored(&store).await == bytes);
}

/// Of a file that is sent in parts, too.
#[tokio::test]
async fn parts_are_put_together_only_if_every_look_agrees() {
    for agrees in [true, false] {
        let (emulator, store) = with_state(&[("dialect", "minio")]).await;
        emulator.faults().set_latency(Duration::from_millis(30));
        // The link must be known to be slow.
        drop(stored(&store).await);
        let slow = common::store(&emulator, &[("dialect", "minio")]);
        assert_eq!(stored(&slow).await, b"before");
        drop(emulator.requests().take());
        let bytes = state(17 << 20);
        let (_on_disk, file) = file(&bytes);
        let file = file.with_look(move |incoming| {
            while incoming.next_piece()?.is_some() {}
            if agrees { Ok(()) } else { Err(no()) }
        });
        let written =
            slow.write(&Workspace::default(), file.into(), &WriteMode::Overwrite.into()).await;
        assert_eq!(written.is_ok(), agrees, "{written:?}");
        let sent: Vec<_> = emulator.requests().take();
        let operation = |request: &Request| request.operation.clone().unwrap_or_default();
        let has = |name: &str| sent.iter().any(|request| operation(request) == name);
        assert!(has("CreateMultipartUpload"), "{sent:?}");
        assert_eq!(has("CompleteMultipartUpload"), agrees);
        assert_eq!(has("AbortMultipartUpload"), !agrees);
        assert_eq!(stored(&slow).await == bytes, agrees);
    }
}
