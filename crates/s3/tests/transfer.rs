//! States that are streamed: from a file, in parts, over links of every kind.

mod common;

use common::{emulator, store};
use remote_state_core::{ContentHash, ErrorKind, StateFile, StateStoreExt as _, Workspace, WriteMode};
use remote_state_emulator::{Fault, Misbehaviour};
use tempfile::NamedTempFile;

/// A state of many pieces, none like another.
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
async fn file_goes_in_one_request_signed_with_the_hash_of_its_bytes() {
    for dialect in ["aws", "generic", "minio"] {
        let emulator = emulator().await;
        let store = store(&emulator, &[("dialect", dialect)]);
        let bytes = state(3 << 20);
        let (_on_disk, file) = file(&bytes);
        store.write(&Workspace::default(), file.into(), &WriteMode::Overwrite).await.unwrap();
        let requests = emulator.requests().take();
        assert_eq!(requests.len(), 1, "{requests:?}");
        let header = |name: &str| requests[0].headers.get(name).map(String::as_str);
        assert_eq!(header("x-amz-content-sha256"), Some(ContentHash::of(&bytes).to_string().as_str()));
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
    store.write(&here, bytes::Bytes::from_static(b"{}").into(), &WriteMode::Overwrite).await.unwrap();
    let (on_disk, file) = file(&state(1 << 20));
    std::fs::write(on_disk.path(), state((1 << 20) + 1)).unwrap();
    let error = store.write(&here, file.into(), &WriteMode::Overwrite).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Local, "no attempt was whole, so nothing is in doubt");
    assert_eq!(store.read_bytes(&here).await.unwrap().unwrap().bytes.as_ref(), b"{}");
}

#[tokio::test]
async fn write_of_a_file_whose_answer_was_lost_is_known_to_be_done() {
    for mode in [WriteMode::Create, WriteMode::Overwrite] {
        let emulator = emulator().await;
        let store = store(&emulator, &[("dialect", "aws")]);
        emulator.faults().inject(Fault::new(Misbehaviour::LoseReply).with_method("PUT").with_times(2));
        let (_on_disk, file) = file(&state(1 << 20));
        let meta = store.write(&Workspace::default(), file.into(), &mode).await.unwrap();
        assert_eq!(meta.etag, store.read_bytes(&Workspace::default()).await.unwrap().unwrap().meta.etag);
    }
}
