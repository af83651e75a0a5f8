//! What answers is not the service: a proxy, a login page, a service of another kind. Its yes is no yes.

mod common;
#[path = "common/fake.rs"]
mod fake;

use std::sync::Arc;

use bytes::Bytes;
use common::{emulator, store};
use fake::{fake, http};
use remote_state_core::{ErrorKind, LockInfo, ReadOptions, StateStore, Workspace, WriteMode};

/// What stands behind a proxy or a captive portal: an empty page, one in HTML, one that happens to begin as a message does.
const PAGES: [&str; 3] = ["", "<html><body>Sign in</body></html>", "\n\u{3}abc"];

fn info() -> LockInfo {
    LockInfo::new("test", "me@here", "1", jiff::Timestamp::UNIX_EPOCH).unwrap()
}

fn here() -> Workspace {
    Workspace::default()
}

/// A store whose bucket is right, and whose table is behind `page`.
async fn behind(page: &'static str) -> (Arc<dyn StateStore>, remote_state_emulator::Emulator) {
    let emulator = emulator().await;
    let (url, _) = fake(move |_, _| http("200 OK", "", page)).await;
    let keys = [("tablestore_endpoint", &*url), ("tablestore_table", "locks"), ("max_retries", "0")];
    (store(&emulator, &keys), emulator)
}

#[tokio::test]
async fn a_page_in_place_of_the_table_gives_nobody_a_lock() {
    for page in PAGES {
        let (store, _emulator) = behind(page).await;
        let error = store.acquire(&here(), &info()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unknown, "{page:?}: {error:?}");
        assert!(format!("{error:?}").contains("does not answer as Tablestore does"), "{error:?}");
        let error = store.inspect(&here()).await.unwrap_err();
        assert!(
            error.message().ends_with("what answers there does not answer as Tablestore does"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_page_in_place_of_the_table_is_no_digest_and_keeps_none() {
    for page in PAGES {
        let (store, _emulator) = behind(page).await;
        drop(store.read(&here(), &ReadOptions::default()).await.map(drop).unwrap_err());
        let state = Bytes::from_static(b"{}");
        let error = store.write(&here(), state.into(), &WriteMode::Overwrite).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DigestMismatch, "{page:?}: {error:?}");
        assert!(error.message().contains("its digest may or may not have been recorded"), "{error}");
        let error = store.delete(&here()).await.unwrap_err();
        assert!(error.message().contains("its digest may or may not have been"), "{error}");
    }
}

#[tokio::test]
async fn a_page_in_place_of_the_bucket_is_neither_a_listing_nor_a_write() {
    use futures_util::StreamExt as _;
    for page in PAGES {
        let emulator = emulator().await;
        let (url, _) = fake(move |_, _| http("200 OK", "", page)).await;
        let store = store(&emulator, &[("endpoint", &url), ("max_retries", "0")]);
        let listed = store.workspaces().collect::<Vec<_>>().await;
        assert!(matches!(&listed[..], [Err(error)] if error.kind() == ErrorKind::Unexpected), "{listed:?}");
        let state = Bytes::from_static(b"{}");
        let error = store.write(&here(), state.into(), &WriteMode::Overwrite).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unknown, "{page:?}: {error:?}");
        let because = error.context().iter().find(|(label, _)| *label == "because");
        assert!(
            because.is_some_and(|(_, reason)| reason.contains("does not answer as OSS does")),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn an_endpoint_that_a_service_named_is_put_to_the_proof_like_any_other() {
    use remote_state_emulator::{Fault, Misbehaviour};
    let emulator = emulator().await;
    emulator.faults().inject(Fault::new(Misbehaviour::IgnoreConditions));
    let place = emulator.endpoint();
    let answer =
        format!("{{\"Endpoints\":{{\"Endpoint\":[{{\"Type\":\"openAPI\",\"Endpoint\":\"{place}\"}}]}}}}");
    let (service, _) = fake(move |_, _| http("200 OK", "", &answer)).await;
    let store = store(&emulator, &[("endpoint", ""), ("location_endpoint", &service)]);
    let error = store.acquire(&here(), &info()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
}
