//! Which objects exist, and with which headers they are written and read.

mod common;

use std::collections::BTreeSet;

use common::{emulator, store};
use futures_util::TryStreamExt as _;
use remote_state_core::{
    ErrorKind, LockInfo, LockTarget, ReadOptions, StateStore, StateStoreExt as _, Workspace,
    WriteMode,
};
use remote_state_emulator::{Emulator, Fault, Misbehaviour, Request};

fn info() -> LockInfo {
    LockInfo::new("test", "me@here", "1", jiff::Timestamp::UNIX_EPOCH).unwrap()
}

fn workspace(name: &str) -> Workspace {
    name.parse().unwrap()
}

async fn write(store: &dyn StateStore, workspace: &Workspace) {
    let state = bytes::Bytes::from_static(b"{}");
    drop(store.write(workspace, state.into(), &WriteMode::Overwrite.into()).await.unwrap());
}

async fn lock_and_unlock(store: &dyn StateStore, workspace: &Workspace) {
    let info = store.acquire(workspace, &info()).await.unwrap();
    drop(store.release(workspace, &LockTarget::Id(info.id)).await.unwrap());
}

async fn names(store: &dyn StateStore) -> Vec<String> {
    let mut names: Vec<_> =
        store.workspaces().map_ok(|workspace| workspace.to_string()).try_collect().await.unwrap();
    names.sort();
    names
}

#[tokio::test]
async fn workspace_that_is_named_like_the_prefix_is_listed() {
    let emulator = emulator().await;
    let store = store(&emulator, &[("workspace_key_prefix", "env")]);
    write(&*store, &workspace("env-1")).await;
    assert_eq!(names(&*store).await, ["env-1"]);
}

#[tokio::test]
async fn keys_and_prefixes_of_every_shape_lead_to_their_workspaces() {
    let emulator = emulator().await;
    for (prefix, key) in
        [("", "net/a.tfstate"), ("project/env:", "b.tfstate"), ("env:", "deep/er/c.tfstate")]
    {
        let store = store(&emulator, &[("workspace_key_prefix", prefix), ("key", key)]);
        assert_eq!(names(&*store).await, [""; 0]);
        for name in ["foo", "bar"] {
            write(&*store, &workspace(name)).await;
        }
        assert_eq!(names(&*store).await, ["bar", "foo"]);
        store.delete(&workspace("foo")).await.unwrap();
        assert!(store.read(&workspace("foo"), &ReadOptions::default()).await.unwrap().is_none());
        assert_eq!(names(&*store).await, ["bar"]);
    }
}

#[tokio::test]
async fn lock_file_of_a_workspace_lies_beside_its_state() {
    let emulator = emulator().await;
    let store = store(&emulator, &[("workspace_key_prefix", "team/x"), ("dialect", "aws")]);
    lock_and_unlock(&*store, &workspace("dev")).await;
    let keys: BTreeSet<_> =
        emulator.requests().take().into_iter().filter_map(|request| request.key).collect();
    assert_eq!(keys, BTreeSet::from(["team/x/dev/net/terraform.tfstate.tflock".to_owned()]));
}

#[tokio::test]
async fn listing_that_is_denied_is_an_error_and_only_a_listing_needs_it() {
    let emulator = emulator().await;
    let denied = Misbehaviour::AnswerWithoutWork { status: 403, code: "AccessDenied".to_owned() };
    for prefix in ["env:", "team"] {
        let store = store(&emulator, &[("workspace_key_prefix", prefix), ("dialect", "aws")]);
        emulator.faults().inject(Fault::new(denied.clone()));
        let listed: Result<Vec<_>, _> = store.workspaces().try_collect().await;
        let error = listed.unwrap_err();
        emulator.faults().clear();
        drop(emulator.requests().take());
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error:?}");
        assert!(error.hints()[0].contains("`s3:ListBucket`"), "{error:?}");
        for workspace in [Workspace::default(), workspace("dev")] {
            write(&*store, &workspace).await;
            assert!(store.read_bytes(&workspace).await.unwrap().is_some());
            lock_and_unlock(&*store, &workspace).await;
        }
        let operations: Vec<_> =
            emulator.requests().take().into_iter().map(|request| request.operation).collect();
        assert!(!operations.contains(&Some("ListObjectsV2".to_owned())), "{operations:?}");
    }
}

/// Writes, reads, locks and unlocks, and returns the requests by method and whether they were about
/// the lock file.
async fn requests(
    emulator: &Emulator,
    keys: &[(&str, &str)],
) -> impl Fn(&str, bool) -> Request + use<> {
    let store = store(emulator, keys);
    let here = Workspace::default();
    write(&*store, &here).await;
    assert!(store.read_bytes(&here).await.unwrap().is_some());
    lock_and_unlock(&*store, &here).await;
    let requests = emulator.requests().take();
    move |method, is_lock| {
        let is_it = |request: &&Request| {
            request.method == method
                && request.key.as_deref().is_some_and(|key| key.ends_with(".tflock") == is_lock)
        };
        requests.iter().find(is_it).expect("there was such a request").clone()
    }
}

#[tokio::test]
async fn checksums_are_headers_unless_they_are_not_wanted() {
    let emulator = emulator().await;
    let with = requests(&emulator, &[("dialect", "aws")]).await;
    let without = requests(&emulator, &[("dialect", "aws"), ("skip_s3_checksum", "true")]).await;
    for is_lock in [false, true] {
        let (put, get) = (with("PUT", is_lock), with("GET", is_lock));
        assert!(put.headers.contains_key("x-amz-checksum-sha256"), "{put:?}");
        assert_eq!(get.headers.get("x-amz-checksum-mode").map(String::as_str), Some("ENABLED"));
        for request in [put, get, without("PUT", is_lock), without("GET", is_lock)] {
            // Never a trailer, always the hash of the body that is really sent.
            for absent in ["content-encoding", "x-amz-trailer", "x-amz-decoded-content-length"] {
                assert!(!request.headers.contains_key(absent), "{request:?}");
            }
            assert_eq!(request.headers["x-amz-content-sha256"].len(), 64, "{request:?}");
        }
        for request in [without("PUT", is_lock), without("GET", is_lock), without("DELETE", true)] {
            let is_checksum =
                |name: &&String| name.contains("checksum") || name.as_str() == "content-md5";
            assert_eq!(request.headers.keys().find(is_checksum), None, "{request:?}");
        }
    }
}

#[tokio::test]
async fn lock_file_is_written_with_the_headers_of_the_state() {
    let emulator = emulator().await;
    let sent = requests(
        &emulator,
        &[
            ("dialect", "aws"),
            ("encrypt", "true"),
            ("kms_key_id", "alias/tf"),
            ("acl", "bucket-owner-full-control"),
        ],
    )
    .await;
    let (state, lock) = (sent("PUT", false), sent("PUT", true));
    for name in [
        "content-type",
        "x-amz-acl",
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-aws-kms-key-id",
    ] {
        assert!(state.headers.contains_key(name), "{name}");
        assert_eq!(state.headers.get(name), lock.headers.get(name), "{name}");
    }
    assert_eq!(lock.headers["if-none-match"], "*");
}
