//! The checksum that a store recorded of an object, checked against the bytes that arrive.
//!
//! Of the same kind are lock files, versions of a state, states that arrive in parts over a slow
//! link, objects that other programs wrote with a checksum of their own choice, and stores that
//! name a checksum without a request for it.

mod common;

#[path = "common/raw.rs"]
mod raw;

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::types::ChecksumAlgorithm;
use bytes::Bytes;
use common::{BUCKET, emulator, store};
use remote_state_core::{
    Error, LockInfo, ReadOptions, StateStore, StateStoreExt as _, Workspace, WriteMode,
};
use remote_state_emulator::{Emulator, Fault, Misbehaviour};

const KEY: &str = "net/terraform.tfstate";
const STATE: &[u8] = br#"{"version":4,"serial":1,"lineage":"l","outputs":{},"resources":[]}"#;
const ASKING: [&str; 4] = ["aws", "minio", "ceph", "garage"];

async fn read(store: &Arc<dyn StateStore>) -> Result<Bytes, Error> {
    Ok(store.read_bytes(&Workspace::default()).await?.expect("there is a state").bytes)
}

fn misstate(emulator: &Emulator) {
    emulator.faults().inject(Fault::new(Misbehaviour::MisstateChecksum).with_method("GET"));
}

/// Stores a state as another program does, with a checksum of its choice.
async fn put(emulator: &Emulator, algorithm: Option<ChecksumAlgorithm>) {
    let put = raw::client(emulator)
        .put_object()
        .bucket(BUCKET)
        .key(KEY)
        .body(Bytes::from_static(STATE).into());
    let calculated = match algorithm {
        Some(_) => RequestChecksumCalculation::WhenSupported,
        None => RequestChecksumCalculation::WhenRequired,
    };
    let settings = aws_sdk_s3::config::Builder::new().request_checksum_calculation(calculated);
    let put = put.set_checksum_algorithm(algorithm).customize().config_override(settings);
    drop(put.send().await.expect("the state is stored"));
}

#[tokio::test]
async fn whichever_checksum_a_store_recorded_is_verified_and_named() {
    for (algorithm, name) in [
        (ChecksumAlgorithm::Sha256, "SHA-256"),
        (ChecksumAlgorithm::Sha1, "SHA-1"),
        (ChecksumAlgorithm::Crc32, "CRC32"),
        (ChecksumAlgorithm::Crc32C, "CRC32C"),
        (ChecksumAlgorithm::Crc64Nvme, "CRC64NVME"),
    ] {
        let emulator = emulator().await;
        put(&emulator, Some(algorithm)).await;
        for dialect in ASKING {
            let store = store(&emulator, &[("dialect", dialect)]);
            assert_eq!(read(&store).await.unwrap(), STATE, "{name} {dialect}");
        }
        misstate(&emulator);
        for dialect in ASKING {
            let found = read(&store(&emulator, &[("dialect", dialect)])).await;
            let error = found.expect_err(&format!("{name} {dialect}"));
            let expected =
                format!("the {name} of the received bytes differs from the one the store recorded");
            assert!(error.to_string().contains(&expected), "{dialect}: {error}");
            assert!(error.to_string().contains(KEY), "{error}");
        }
    }
}

#[tokio::test]
async fn object_without_a_checksum_is_read() {
    let emulator = emulator().await;
    put(&emulator, None).await;
    misstate(&emulator);
    for dialect in ASKING {
        assert_eq!(
            read(&store(&emulator, &[("dialect", dialect)])).await.unwrap(),
            STATE,
            "{dialect}"
        );
    }
}

#[tokio::test]
async fn checksum_is_asked_for_where_the_dialect_allows_it_and_it_is_wanted() {
    let emulator = emulator().await;
    put(&emulator, Some(ChecksumAlgorithm::Sha256)).await;
    let asked = async |keys: &[(&str, &str)]| {
        let store = store(&emulator, keys);
        drop(emulator.requests().take());
        assert_eq!(read(&store).await.unwrap(), STATE);
        let gets = emulator.requests().take();
        gets.iter().any(|request| request.headers.contains_key("x-amz-checksum-mode"))
    };
    for dialect in ASKING {
        assert!(asked(&[("dialect", dialect)]).await, "{dialect}");
        assert!(!asked(&[("dialect", dialect), ("skip_s3_checksum", "true")]).await, "{dialect}");
    }
    for dialect in ["spaces", "r2", "generic"] {
        assert!(!asked(&[("dialect", dialect)]).await, "{dialect}");
    }
}

#[tokio::test]
async fn last_bytes_are_not_passed_on_before_the_checksum_is_verified() {
    use futures_util::TryStreamExt as _;
    let emulator = emulator().await;
    let store = store(&emulator, &[("dialect", "minio")]);
    let bytes = Bytes::from(vec![b' '; 3 << 20]);
    store
        .write(&Workspace::default(), bytes.clone().into(), &WriteMode::Overwrite.into())
        .await
        .unwrap();
    misstate(&emulator);
    let mut state =
        store.read(&Workspace::default(), &ReadOptions::default()).await.unwrap().unwrap();
    let mut passed_on = 0;
    let error = loop {
        match state.body.try_next().await {
            Ok(Some(piece)) => passed_on += piece.len(),
            Ok(None) => panic!("the body ended as if all were well"),
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("SHA-256"), "{error}");
    assert!(passed_on < bytes.len(), "{passed_on} bytes were passed on");
}

#[tokio::test]
async fn state_that_comes_in_parts_is_verified_as_a_whole() {
    for is_right in [true, false] {
        let emulator = emulator().await;
        let store = store(&emulator, &[("dialect", "minio")]);
        let bytes = Bytes::from((0..12_u32 << 20).map(|at| (at >> 9) as u8).collect::<Vec<_>>());
        let here = Workspace::default();
        drop(store.write(&here, bytes.clone().into(), &WriteMode::Overwrite.into()).await.unwrap());
        drop(emulator.requests().take());
        if !is_right {
            misstate(&emulator);
        }
        emulator.faults().set_latency(Duration::from_millis(20));
        emulator.faults().set_bytes_per_second(Some(6_000_000));
        let found = read(&store).await;
        let requests = emulator.requests().take();
        let parts: Vec<_> =
            requests.iter().filter(|request| request.headers.contains_key("range")).collect();
        assert!(parts.len() > 8, "{} parts", parts.len());
        assert!(
            parts.iter().all(|part| !part.headers.contains_key("x-amz-checksum-mode")),
            "{parts:?}"
        );
        match (is_right, found) {
            (true, found) => assert!(found.unwrap() == bytes),
            (false, found) => assert!(found.unwrap_err().to_string().contains("SHA-256")),
        }
    }
}

#[tokio::test]
async fn lock_file_and_version_of_a_state_are_verified() {
    let emulator = emulator().await;
    let here = Workspace::default();
    let store = store(&emulator, &[("dialect", "minio"), ("bucket", "versioned")]);
    let info = LockInfo::new("test", "me@here", "1", jiff::Timestamp::UNIX_EPOCH).unwrap();
    drop(store.acquire(&here, &info).await.unwrap());
    let meta = store
        .write(&here, Bytes::from_static(STATE).into(), &WriteMode::Overwrite.into())
        .await
        .unwrap();
    let options =
        ReadOptions::default().with_version(meta.version.expect("the bucket keeps versions"));
    assert!(store.read(&here, &options).await.unwrap().is_some());
    assert!(store.inspect(&here).await.unwrap().is_some());
    misstate(&emulator);
    let state = store.read(&here, &options).await.unwrap().unwrap();
    let error = state.collect().await.unwrap_err();
    assert!(error.to_string().contains("SHA-256"), "{error}");
    let error = store.inspect(&here).await.unwrap_err();
    assert!(
        error.to_string().contains("SHA-256") && error.to_string().contains(".tflock"),
        "{error}"
    );
}

#[tokio::test]
async fn checksum_that_is_not_wanted_is_not_looked_at() {
    let emulator = emulator().await;
    put(&emulator, Some(ChecksumAlgorithm::Sha256)).await;
    misstate(&emulator);
    let store = store(&emulator, &[("dialect", "aws"), ("skip_s3_checksum", "true")]);
    assert_eq!(read(&store).await.unwrap(), STATE);
}
