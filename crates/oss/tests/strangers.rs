//! Answers that are not the service's: from a proxy, a login page, a service of another kind. Their
//! success is no success.

mod common;
#[path = "common/fake.rs"]
mod fake;

use std::sync::Arc;

use bytes::Bytes;
use common::{emulator, here, info, store};
use fake::{fake, http};
use remote_state_core::{Error, ErrorKind, LockTarget, ReadOptions, StateStore, WriteMode};

/// Pages of a proxy or a captive portal: an empty one, one in HTML, one that happens to begin like
/// a message.
const PAGES: [&str; 3] = ["", "<html><body>Sign in</body></html>", "\n\u{3}abc"];

/// A store whose bucket is behind `page`.
async fn bucket_behind(
    page: &'static str,
) -> (Arc<dyn StateStore>, remote_state_emulator::Emulator) {
    let emulator = emulator().await;
    let (url, _) = fake(move |_, _| http("200 OK", "", page)).await;
    (store(&emulator, &[("endpoint", &url), ("max_retries", "0")]), emulator)
}

/// Returns whether the error, or its reason, says that the answer is not from OSS.
fn is_told_as_a_stranger(error: &Error) -> bool {
    let because = error
        .context()
        .iter()
        .filter(|(label, _)| *label == "because")
        .map(|(_, reason)| &**reason);
    because
        .chain([error.message()])
        .any(|text| text.contains("the server at this endpoint does not respond as OSS does"))
}

/// A store whose bucket is real, and whose table is behind `page`.
async fn behind(page: &'static str) -> (Arc<dyn StateStore>, remote_state_emulator::Emulator) {
    let emulator = emulator().await;
    let (url, _) = fake(move |_, _| http("200 OK", "", page)).await;
    let keys =
        [("tablestore_endpoint", &*url), ("tablestore_table", "locks"), ("max_retries", "0")];
    (store(&emulator, &keys), emulator)
}

#[tokio::test]
async fn a_page_in_place_of_the_table_gives_no_lock() {
    for page in PAGES {
        let (store, _emulator) = behind(page).await;
        let error = store.acquire(&here(), &info()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unknown, "{page:?}: {error:?}");
        assert!(format!("{error:?}").contains("does not respond as Tablestore does"), "{error:?}");
        let error = store.inspect(&here()).await.unwrap_err();
        assert!(
            error
                .message()
                .ends_with("the server at this endpoint does not respond as Tablestore does"),
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
        let error =
            store.write(&here(), state.into(), &WriteMode::Overwrite.into()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DigestMismatch, "{page:?}: {error:?}");
        assert!(
            error.message().contains("its digest may or may not have been recorded"),
            "{error}"
        );
        let error = store.delete(&here()).await.unwrap_err();
        assert!(error.message().contains("its digest may or may not have been"), "{error}");
    }
}

#[tokio::test]
async fn a_page_in_place_of_the_bucket_is_neither_a_listing_nor_a_write() {
    use futures_util::StreamExt as _;
    for page in PAGES {
        let (store, _emulator) = bucket_behind(page).await;
        let listed = store.workspaces().collect::<Vec<_>>().await;
        assert!(
            matches!(&listed[..], [Err(error)] if error.kind() == ErrorKind::Unexpected),
            "{listed:?}"
        );
        let state = Bytes::from_static(b"{}");
        let error =
            store.write(&here(), state.into(), &WriteMode::Overwrite.into()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unknown, "{page:?}: {error:?}");
        assert!(is_told_as_a_stranger(&error), "{error:?}");
    }
}

#[tokio::test]
async fn a_page_in_place_of_the_bucket_is_no_state_nor_says_that_there_is_none() {
    for page in PAGES {
        let (store, _emulator) = bucket_behind(page).await;
        let error = store.read(&here(), &ReadOptions::default()).await.map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unexpected, "{page:?}: {error:?}");
        assert!(is_told_as_a_stranger(&error), "{error:?}");
        let state = Bytes::from_static(b"{}");
        let error =
            store.write(&here(), state.into(), &WriteMode::Create.into()).await.unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::Unexpected,
            "no one else has changed it: {page:?}: {error:?}"
        );
        let error = store.delete(&here()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unknown, "{page:?}: {error:?}");
        assert!(is_told_as_a_stranger(&error), "{error:?}");
    }
}

#[tokio::test]
async fn a_page_in_place_of_the_bucket_is_no_lock_and_gives_none() {
    for page in PAGES {
        let (store, _emulator) = bucket_behind(page).await;
        for error in [
            store.acquire(&here(), &info()).await.map(drop).unwrap_err(),
            store.inspect(&here()).await.map(drop).unwrap_err(),
            store.release(&here(), &LockTarget::Unreadable).await.map(drop).unwrap_err(),
            store.release(&here(), &LockTarget::Id(info().id)).await.map(drop).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Unexpected, "{page:?}: {error:?}");
            assert!(is_told_as_a_stranger(&error), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_page_in_answer_to_the_delete_of_a_lock_does_not_say_that_it_is_released() {
    for page in PAGES {
        let held = info();
        let record = held.to_json();
        let (url, _) = fake(move |_, request| match request.split(' ').next() {
            Some("GET") => http("200 OK", "etag: \"E1\"\r\n", &record),
            _ => http("200 OK", "", page),
        })
        .await;
        let emulator = emulator().await;
        let store = store(&emulator, &[("endpoint", &url), ("max_retries", "0")]);
        let error = store.release(&here(), &LockTarget::Id(held.id)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unknown, "{page:?}: {error:?}");
        assert!(error.message().contains("may or may not have been released"), "{error}");
    }
}

#[tokio::test]
async fn an_endpoint_that_a_service_named_is_put_to_the_proof_like_any_other() {
    use remote_state_emulator::{Fault, Misbehaviour};
    let emulator = emulator().await;
    emulator.faults().inject(Fault::new(Misbehaviour::IgnoreConditions));
    let place = emulator.endpoint();
    let answer = format!(
        "{{\"Endpoints\":{{\"Endpoint\":[{{\"Type\":\"openAPI\",\"Endpoint\":\"{place}\"}}]}}}}"
    );
    let (service, _) = fake(move |_, _| http("200 OK", "", &answer)).await;
    let store = store(&emulator, &[("endpoint", ""), ("location_endpoint", &service)]);
    let error = store.acquire(&here(), &info()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
}

#[tokio::test]
async fn listing_that_always_goes_on_ends_with_an_error_that_names_the_store() {
    use futures_util::TryStreamExt as _;
    for length in [1, 3, 50] {
        let (url, asked) = fake(move |count, request| {
            let (name, id) = (format!("w{}", count % length), count % length);
            let page = if request.lines().next().unwrap_or_default().contains("versions") {
                format!(
                    "<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>env:/\
                     terraform.tfstate</NextKeyMarker><NextVersionIdMarker>m{count}</\
                     NextVersionIdMarker><Version><Key>env:/terraform.tfstate</\
                     Key><VersionId>v{id}</VersionId><IsLatest>false</\
                     IsLatest><LastModified>2024-01-02T03:04:05.000Z</LastModified><ETag>\"e\"</\
                     ETag><Size>1</Size></Version></ListVersionsResult>"
                )
            } else {
                format!(
                    "<ListBucketResult><IsTruncated>true</IsTruncated><NextMarker>m{count}</\
                     NextMarker><Contents><Key>env:/{name}/terraform.tfstate</Key></Contents></\
                     ListBucketResult>"
                )
            };
            http("200 OK", "", &page)
        })
        .await;
        let emulator = emulator().await;
        let store = store(&emulator, &[("endpoint", &url), ("max_retries", "0")]);
        let error = store.workspaces().try_collect::<Vec<_>>().await.unwrap_err();
        let told = format!("{error} {:?}", error.context());
        assert!(told.contains("circles") && told.contains(&url), "{told}");
        let error = store.versions(&here()).try_collect::<Vec<_>>().await.unwrap_err();
        let told = format!("{error} {:?}", error.context());
        assert!(told.contains("circles") && told.contains(&url), "{told}");
        assert!(asked.lock().unwrap().len() <= 8 * length + 8);
    }
}
