//! How many requests an operation takes: what the protocol needs, and no more.

mod common;

use common::{TABLE, emulator, store, store_with};
use remote_state_core::config::{Origin, Setting, Sourced};
use remote_state_core::{
    LockInfo, LockTarget, ReadOptions, StateStoreExt as _, Workspace, WriteMode,
};
use remote_state_emulator::{Emulator, Request};

fn methods(emulator: &Emulator) -> Vec<String> {
    emulator.requests().take().into_iter().map(|request| request.method).collect()
}

fn info() -> LockInfo {
    LockInfo::new("test", "me@here", "1", jiff::Timestamp::UNIX_EPOCH).unwrap()
}

#[tokio::test]
async fn lock_and_unlock_take_three_requests_on_a_store_that_is_known() {
    let emulator = emulator().await;
    let store = store(&emulator, &[("dialect", "aws")]);
    let info = store.acquire(&Workspace::default(), &info()).await.unwrap();
    drop(store.release(&Workspace::default(), &LockTarget::Id(info.id)).await.unwrap());
    assert_eq!(methods(&emulator), ["PUT", "GET", "DELETE"]);
}

#[tokio::test]
async fn push_takes_five_requests_two_for_each_table_item_and_a_look_without_a_certificate() {
    let lock_read_write_unlock =
        ["PutObject", "GetObject", "PutObject", "GetObject", "DeleteObject"];
    let with_digest = [
        "PutObject",
        "PutItem",
        // The table is not at one of the vendor's endpoints, so changes are read back there.
        "GetItem",
        "GetItem",
        "GetObject",
        "PutObject",
        "PutItem",
        "GetItem",
        "GetItem",
        "DeleteItem",
        "GetItem",
        "GetObject",
        "DeleteObject",
    ];
    for (table, expected) in [("", &lock_read_write_unlock[..]), (TABLE, &with_digest)] {
        let emulator = emulator().await;
        let store = store(&emulator, &[("dialect", "aws"), ("dynamodb_table", table)]);
        let (here, state) = (Workspace::default(), bytes::Bytes::from_static(b"{}"));
        let info = store.acquire(&here, &info()).await.unwrap();
        assert!(store.read(&here, &ReadOptions::default()).await.unwrap().is_none());
        store.write(&here, state.into(), &WriteMode::Create.into()).await.unwrap();
        drop(store.release(&here, &LockTarget::Id(info.id)).await.unwrap());
        let operation = |request: Request| request.operation.unwrap_or_default();
        let mut sent: Vec<_> = emulator.requests().take().into_iter().map(operation).collect();
        // State and digest are read at the same time, and either may come first.
        let mut expected = expected.to_vec();
        sent.sort_unstable();
        expected.sort_unstable();
        assert_eq!(sent, expected);
    }
}

#[tokio::test]
async fn proof_takes_a_look_and_a_second_create_and_only_once() {
    let emulator = emulator().await;
    let store = store(&emulator, &[]);
    let first = [
        "GET", "PUT", "PUT", // The create is conditional …
        "PUT", "PUT", // … and so is the replacement.
        "GET", "PUT", "DELETE",
    ];
    for expected in [&first[..], &["PUT", "GET", "PUT", "DELETE"]] {
        let info = store.acquire(&Workspace::default(), &info()).await.unwrap();
        drop(store.release(&Workspace::default(), &LockTarget::Id(info.id)).await.unwrap());
        assert_eq!(methods(&emulator), expected);
    }
}

#[tokio::test]
async fn read_takes_one_request() {
    let emulator = emulator().await;
    let store = store(&emulator, &[]);
    assert!(store.read(&Workspace::default(), &ReadOptions::default()).await.unwrap().is_none());
    assert_eq!(methods(&emulator), ["GET"]);
    store
        .write(
            &Workspace::default(),
            bytes::Bytes::from_static(b"{}").into(),
            &WriteMode::Overwrite.into(),
        )
        .await
        .unwrap();
    assert_eq!(methods(&emulator), ["PUT"]);
    assert!(store.read_bytes(&Workspace::default()).await.unwrap().is_some());
    assert_eq!(methods(&emulator), ["GET"]);
}

#[tokio::test]
async fn key_of_the_customer_goes_with_requests_for_state_and_lock_file_and_with_nothing_else() {
    let emulator = emulator().await;
    let key = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
    let store =
        store(&emulator, &[("dialect", "aws"), ("encrypt", "true"), ("sse_customer_key", key)]);
    // Like Amazon, the emulator stores nothing under such a key over plain HTTP. Only the requests
    // that it got matter.
    let (state, here) = (bytes::Bytes::from_static(b"{}"), Workspace::default());
    drop(store.write(&here, state.into(), &WriteMode::Overwrite.into()).await);
    drop(store.read(&here, &ReadOptions::default()).await);
    drop(store.acquire(&here, &info()).await);
    drop(store.inspect(&here).await);
    drop(store.delete(&here).await);
    let requests = emulator.requests().take();
    for (method, suffix) in [
        ("PUT", "tfstate"),
        ("GET", "tfstate"),
        ("PUT", "tflock"),
        ("GET", "tflock"),
        ("DELETE", "tfstate"),
    ] {
        let is_it = |request: &&Request| {
            request.method == method
                && request.key.as_deref().is_some_and(|key| key.ends_with(suffix))
        };
        let request = requests
            .iter()
            .find(is_it)
            .unwrap_or_else(|| panic!("{method} {suffix}: {requests:?}"));
        let sent = |name: &str| {
            request.headers.get(&format!("x-amz-server-side-encryption{name}")).map(String::as_str)
        };
        let expected = (method != "DELETE").then_some(());
        assert_eq!(sent("-customer-algorithm"), expected.map(|()| "AES256"));
        assert_eq!(sent("-customer-key"), expected.map(|()| key));
        assert_eq!(
            sent("-customer-key-md5"),
            expected.map(|()| "y4HAEFCYWuvAXWFTtA1Qpg=="),
            "{method}"
        );
        assert_eq!(sent(""), None, "no other encryption beside it");
    }
}

#[tokio::test]
async fn tags_go_with_what_is_written_and_each_object_has_its_own() {
    let emulator = emulator().await;
    let tags = |value: &str| {
        let member = |name: &str, value: &str| {
            (name.to_owned(), Sourced::new(value.into(), Origin::Program))
        };
        Setting::Object(vec![member("team", value), member("a b", "1")])
    };
    let keys =
        [("state_tags", tags("net&ops")), ("lock_tags", tags("locks")), ("dialect", "aws".into())];
    let (state, here) = (bytes::Bytes::from_static(b"{}"), Workspace::default());
    let store = store_with(&emulator, keys);
    let info = store.acquire(&here, &info()).await.unwrap();
    drop(store.write(&here, state.into(), &WriteMode::Overwrite.into()).await.unwrap());
    assert!(store.read_bytes(&here).await.unwrap().is_some());
    drop(store.release(&here, &LockTarget::Id(info.id)).await.unwrap());
    let tagging =
        |request: Request| (request.method, request.headers.get("x-amz-tagging").cloned());
    let sent: Vec<_> = emulator.requests().take().into_iter().map(tagging).collect();
    let expected = [
        ("PUT", Some("a+b=1&team=locks")),
        ("PUT", Some("a+b=1&team=net%26ops")),
        ("GET", None),
        ("GET", None),
        ("DELETE", None),
    ];
    assert_eq!(sent, expected.map(|(method, tags)| (method.to_owned(), tags.map(str::to_owned))));
}
