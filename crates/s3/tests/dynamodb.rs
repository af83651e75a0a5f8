//! Locks and digests in a DynamoDB table, alone and beside the lock file.

mod common;

use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use common::{TABLE, emulator, store, yes_to_everything};
use futures_util::TryStreamExt as _;
use remote_state_core::{
    ErrorKind, LockInfo, LockTarget, ReadOptions, Released, StateStore, StateStoreExt as _, Workspace,
    WriteMode,
};
use remote_state_emulator::{Emulator, Fault, Misbehaviour};

const STATE: &[u8] = br#"{"version":4,"serial":1,"lineage":"l","outputs":{},"resources":[]}"#;
const ID: &str = "tfstate/net/terraform.tfstate";
const DIGEST_ID: &str = "tfstate/net/terraform.tfstate-md5";

fn info() -> LockInfo {
    LockInfo::new("test", "me@here", "1", jiff::Timestamp::UNIX_EPOCH).unwrap()
}

fn here() -> Workspace {
    Workspace::default()
}

/// Locks in the table alone, on a store whose conditional writes are known to work.
fn items(emulator: &Emulator) -> Arc<dyn StateStore> {
    store(emulator, &[("dynamodb_table", TABLE), ("use_lockfile", "false"), ("dialect", "aws")])
}

/// Lock file and table.
fn both(emulator: &Emulator) -> Arc<dyn StateStore> {
    store(emulator, &[("dynamodb_table", TABLE), ("dialect", "aws")])
}

/// The lock file alone.
fn files(emulator: &Emulator) -> Arc<dyn StateStore> {
    store(emulator, &[("dialect", "aws")])
}

fn table(emulator: &Emulator) -> aws_sdk_dynamodb::Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(aws_sdk_dynamodb::config::Region::new("us-east-1"))
        .endpoint_url(emulator.endpoint())
        .credentials_provider(aws_credential_types::Credentials::new("test", "testtest", None, None, "test"))
        .build();
    aws_sdk_dynamodb::Client::from_conf(config)
}

/// Everything in the table: the attributes of each item as text, sorted.
async fn all_items(emulator: &Emulator) -> Vec<Vec<(String, String)>> {
    let found = table(emulator).scan().table_name(TABLE).send().await.unwrap();
    let text = |value: AttributeValue| value.as_s().cloned().unwrap();
    let sorted = |item: std::collections::HashMap<String, AttributeValue>| {
        let mut item: Vec<_> = item.into_iter().map(|(name, value)| (name, text(value))).collect();
        item.sort();
        item
    };
    found.items.unwrap_or_default().into_iter().map(sorted).collect()
}

async fn put_item(emulator: &Emulator, id: &str, attribute: &str, value: AttributeValue) {
    let put = table(emulator).put_item().table_name(TABLE).item("LockID", AttributeValue::S(id.into()));
    drop(put.item(attribute, value).send().await.unwrap());
}

fn operations(emulator: &Emulator) -> Vec<String> {
    let mut taken = emulator.requests().take();
    taken.retain(|request| request.status.is_some());
    taken.into_iter().map(|request| request.operation.unwrap_or_default()).collect()
}

/// Makes the next `times` requests for one operation on items misbehave.
fn inject(emulator: &Emulator, misbehaviour: Misbehaviour, operation: &str, times: u32) {
    emulator.faults().inject(Fault::new(misbehaviour).with_operation(operation).with_times(times));
}

async fn write(store: &Arc<dyn StateStore>, bytes: &'static [u8]) -> remote_state_core::Result<()> {
    store.write(&here(), Bytes::from_static(bytes).into(), &WriteMode::Overwrite).await.map(drop)
}

#[tokio::test]
async fn items_are_those_of_native_clients_byte_for_byte() {
    let emulator = emulator().await;
    let store = items(&emulator);
    let info = LockInfo { operation: "<a>&\u{e9}".into(), ..info() };
    let held = store.acquire(&here(), &info).await.unwrap();
    write(&store, STATE).await.unwrap();
    let record = format!(
        r#"{{"ID":"{}","Operation":"\u003ca\u003e\u0026é","Info":"","Who":"me@here","Version":"1","Created":"1970-01-01T00:00:00Z","Path":"{ID}"}}"#,
        info.id
    );
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        all_items(&emulator).await,
        [
            vec![pair("Info", &record), pair("LockID", ID)],
            vec![pair("Digest", "2f0cf13efbb17a7d7aec020182dc275b"), pair("LockID", DIGEST_ID)],
        ]
    );
    assert_eq!(store.location(&here()).locks, [format!("dynamodb://{TABLE}/{ID}")]);
    drop(store.release(&here(), &LockTarget::Id(held.id)).await.unwrap());
    store.delete(&here()).await.unwrap();
    assert_eq!(all_items(&emulator).await, Vec::<Vec<_>>::new());
}

#[tokio::test]
async fn requests_are_what_the_protocol_needs_and_no_more() {
    let emulator = emulator().await;
    for (store, lock, unlock) in [
        // What answers at an endpoint of one's own may say yes to everything: the item is looked at again there. At Amazon's it is not.
        (items(&emulator), &["PutItem", "GetItem"][..], &["GetItem", "DeleteItem", "GetItem"][..]),
        (
            both(&emulator),
            &["PutObject", "PutItem", "GetItem"],
            &["GetObject", "DeleteObject", "GetItem", "DeleteItem", "GetItem"],
        ),
    ] {
        let held = store.acquire(&here(), &info()).await.unwrap();
        assert_eq!(operations(&emulator), lock);
        drop(store.release(&here(), &LockTarget::Id(held.id)).await.unwrap());
        assert_eq!(operations(&emulator), unlock);
    }
    let store = items(&emulator);
    write(&store, STATE).await.unwrap();
    assert_eq!(operations(&emulator), ["PutObject", "PutItem", "GetItem"]);
    assert!(store.read_bytes(&here()).await.unwrap().is_some());
    let mut read = operations(&emulator);
    read.sort();
    assert_eq!(read, ["GetItem", "GetObject"]);
    store.delete(&here()).await.unwrap();
    assert_eq!(operations(&emulator), ["DeleteObject", "DeleteItem", "GetItem"]);
}

#[tokio::test]
async fn clients_exclude_each_other_by_whatever_they_share() {
    let emulator = emulator().await;
    let stores = [("items", items(&emulator)), ("both", both(&emulator)), ("files", files(&emulator))];
    for (holder, first) in &stores {
        for (asker, second) in &stores {
            let shares_nothing = matches!((*holder, *asker), ("items", "files") | ("files", "items"));
            let held = first.acquire(&here(), &info()).await.unwrap();
            let asked = second.acquire(&here(), &info()).await;
            if shares_nothing {
                drop(second.release(&here(), &LockTarget::Id(asked.unwrap().id)).await.unwrap());
            } else {
                let error = asked.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::LockHeld, "{holder}, {asker}");
                assert_eq!(error.holder().unwrap().id(), Some(&held.id));
            }
            drop(first.release(&here(), &LockTarget::Id(held.id)).await.unwrap());
            assert_eq!(both(&emulator).inspect(&here()).await.unwrap(), None, "{holder}, {asker}");
        }
    }
}

#[tokio::test]
async fn lock_file_is_given_back_when_the_item_cannot_be_had() {
    let emulator = emulator().await;
    let holder = items(&emulator).acquire(&here(), &info()).await.unwrap();
    let error = both(&emulator).acquire(&here(), &info()).await.unwrap_err();
    assert_eq!(error.holder().unwrap().object, format!("dynamodb://{TABLE}/{ID}"));
    assert_eq!(error.holder().unwrap().id(), Some(&holder.id));
    assert_eq!(files(&emulator).inspect(&here()).await.unwrap(), None);

    let error = store(&emulator, &[("dynamodb_table", "missing"), ("dialect", "aws")])
        .acquire(&here(), &info())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains("table `missing` does not exist"), "{error}");
    assert_eq!(files(&emulator).inspect(&here()).await.unwrap(), None);
}

#[tokio::test]
async fn roll_back_that_fails_too_is_told_with_what_failed_first() {
    let emulator = emulator().await;
    let denied = Misbehaviour::AnswerWithoutWork { status: 400, code: "AccessDeniedException".into() };
    inject(&emulator, denied, "PutItem", 1);
    let denied = Misbehaviour::AnswerWithoutWork { status: 403, code: "AccessDenied".into() };
    emulator.faults().inject(Fault::new(denied).with_method("DELETE"));
    let info = info();
    let error = both(&emulator).acquire(&here(), &info).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.message().contains("dynamodb://"), "{error}");
    let (_, left) = error.context().iter().find(|(label, _)| *label == "left behind").unwrap();
    assert!(left.contains(".tflock") && left.contains("access denied"), "{left}");
    assert!(error.hints().iter().any(|hint| hint.contains(info.id.as_str())));
}

#[tokio::test]
async fn unlock_attempts_both_whatever_is_left() {
    let emulator = emulator().await;
    let target = |info: &LockInfo| LockTarget::Id(info.id.clone());
    // One of the two is gone already.
    for partial in [items(&emulator), files(&emulator)] {
        let held = both(&emulator).acquire(&here(), &info()).await.unwrap();
        drop(partial.release(&here(), &target(&held)).await.unwrap());
        assert_eq!(both(&emulator).inspect(&here()).await.unwrap().unwrap().id(), Some(&held.id));
        assert_eq!(
            both(&emulator).release(&here(), &target(&held)).await.unwrap(),
            Released::Freed(Some(held.clone()))
        );
        assert_eq!(both(&emulator).release(&here(), &target(&held)).await.unwrap(), Released::AlreadyFree);
    }
    // One of the two is someone else's.
    let (mine, theirs) = (info(), info());
    drop(items(&emulator).acquire(&here(), &mine).await.unwrap());
    drop(files(&emulator).acquire(&here(), &theirs).await.unwrap());
    let error = both(&emulator).release(&here(), &target(&mine)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LockHeld);
    assert_eq!(error.holder().unwrap().id(), Some(&theirs.id));
    assert!(error.context().contains(&("released", format!("dynamodb://{TABLE}/{ID}"))), "{error:?}");
    assert_eq!(all_items(&emulator).await, Vec::<Vec<_>>::new());
    // With a wrong id nothing changes, and the one holder is named once.
    drop(files(&emulator).release(&here(), &target(&theirs)).await.unwrap());
    let held = both(&emulator).acquire(&here(), &info()).await.unwrap();
    let error = both(&emulator).release(&here(), &target(&mine)).await.unwrap_err();
    assert_eq!((error.kind(), error.context().len()), (ErrorKind::LockHeld, 0), "{error:?}");
    drop(both(&emulator).release(&here(), &target(&held)).await.unwrap());
}

#[tokio::test]
async fn lock_whose_answer_was_lost_is_ours_and_is_released() {
    for misbehaviour in [
        Misbehaviour::LoseReply,
        Misbehaviour::AnswerAfterWork { status: 500, code: "InternalServerError".into() },
    ] {
        for times in [1, 3] {
            let emulator = emulator().await;
            inject(&emulator, misbehaviour.clone(), "PutItem", times);
            let info = info();
            let held = both(&emulator).acquire(&here(), &info).await.unwrap();
            let error = items(&emulator).acquire(&here(), &self::info()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::LockHeld);
            inject(&emulator, misbehaviour.clone(), "DeleteItem", 1);
            let released = both(&emulator).release(&here(), &LockTarget::Id(info.id)).await.unwrap();
            assert_eq!(released, Released::Freed(Some(held)));
        }
    }
}

#[tokio::test]
async fn unlock_whose_answer_was_lost_never_deletes_the_next_holders_lock() {
    let emulator = emulator().await;
    let store = items(&emulator);
    let mine = store.acquire(&here(), &info()).await.unwrap();
    inject(&emulator, Misbehaviour::LoseReply, "DeleteItem", 1);
    let (next, target, place) = (info(), LockTarget::Id(mine.id), here());
    let (released, taken) = tokio::join!(store.release(&place, &target), async {
        loop {
            match store.acquire(&place, &next).await {
                Err(error) if error.kind() == ErrorKind::LockHeld => tokio::task::yield_now().await,
                other => return other,
            }
        }
    });
    assert!(matches!(released.unwrap(), Released::Freed(_)));
    assert_eq!(taken.unwrap().id, next.id);
    assert_eq!(store.inspect(&here()).await.unwrap().unwrap().id(), Some(&next.id));
    let taken = emulator.requests().take();
    let deletes = taken.iter().filter(|request| request.operation.as_deref() == Some("DeleteItem"));
    assert_eq!(deletes.count(), 1, "a delete is never repeated blindly");
}

#[tokio::test]
async fn lock_that_cannot_be_settled_is_unknown_and_names_its_id() {
    let emulator = emulator().await;
    let store =
        store(&emulator, &[("dynamodb_table", TABLE), ("use_lockfile", "false"), ("max_retries", "1")]);
    emulator.faults().inject(Fault::new(Misbehaviour::LoseReply));
    let info = info();
    let error = store.acquire(&here(), &info).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown);
    assert!(error.context().iter().any(|(label, value)| *label == "lock id" && value == info.id.as_str()));
    emulator.faults().clear();
    let released = store.release(&here(), &LockTarget::Id(info.id)).await.unwrap();
    assert!(matches!(released, Released::Freed(_)));
}

#[tokio::test]
async fn throttled_table_is_named_and_may_be_tried_again() {
    let emulator = emulator().await;
    let throttled = Misbehaviour::AnswerWithoutWork {
        status: 400,
        code: "ProvisionedThroughputExceededException".into(),
    };
    inject(&emulator, throttled, "GetItem", 10);
    let error = items(&emulator).inspect(&here()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert!(error.is_retryable() && error.message().contains("dynamodb://"), "{error:?}");
}

#[tokio::test]
async fn item_that_is_no_record_blocks_until_it_is_removed_as_unreadable() {
    let emulator = emulator().await;
    let store = items(&emulator);
    for (attribute, value) in [
        ("Info", AttributeValue::S("garbage".into())),
        ("Info", AttributeValue::N("7".into())),
        ("Other", AttributeValue::S("x".into())),
    ] {
        put_item(&emulator, ID, attribute, value).await;
        let error = store.acquire(&here(), &info()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LockHeld);
        assert!(error.holder().unwrap().info.is_err());
        assert_eq!(
            store.release(&here(), &LockTarget::Unreadable).await.unwrap(),
            Released::Freed(None),
            "{attribute}"
        );
        assert_eq!(store.inspect(&here()).await.unwrap(), None);
    }
}

#[tokio::test]
async fn locks_of_all_workspaces_are_listed_each_once() {
    let emulator = emulator().await;
    let store = both(&emulator);
    let dev = Workspace::new("dev").unwrap();
    let only = Workspace::new("items-only").unwrap();
    let free = Workspace::new("free").unwrap();
    for workspace in [&dev, &only, &free] {
        let source = Bytes::from_static(STATE).into();
        drop(store.write(workspace, source, &WriteMode::Overwrite).await.unwrap());
    }
    drop(store.acquire(&here(), &info()).await.unwrap());
    drop(store.acquire(&dev, &info()).await.unwrap());
    drop(items(&emulator).acquire(&only, &info()).await.unwrap());
    let mut held: Vec<_> = store.locks().map_ok(|(workspace, _)| workspace).try_collect().await.unwrap();
    held.sort();
    assert_eq!(held, [here(), dev, only]);
}

#[tokio::test]
async fn digest_that_is_missing_or_none_is_accepted() {
    let emulator = emulator().await;
    write(&files(&emulator), STATE).await.unwrap();
    let store = items(&emulator);
    assert_eq!(store.read_bytes(&here()).await.unwrap().unwrap().bytes, STATE);
    for value in [AttributeValue::S("none".into()), AttributeValue::N("7".into())] {
        put_item(&emulator, DIGEST_ID, "Digest", value).await;
        assert_eq!(store.read_bytes(&here()).await.unwrap().unwrap().bytes, STATE);
    }
    put_item(&emulator, DIGEST_ID, "Other", AttributeValue::S("x".into())).await;
    assert_eq!(store.read_bytes(&here()).await.unwrap().unwrap().bytes, STATE);
}

#[tokio::test]
async fn reader_without_access_to_the_table_reads_on_but_a_failing_table_is_an_error() {
    let emulator = emulator().await;
    let store = items(&emulator);
    write(&store, STATE).await.unwrap();
    let answer = |status, code: &str| Misbehaviour::AnswerWithoutWork { status, code: code.into() };
    inject(&emulator, answer(400, "AccessDeniedException"), "GetItem", 1);
    assert!(store.read_bytes(&here()).await.unwrap().is_some());
    inject(&emulator, answer(500, "InternalServerError"), "GetItem", 10);
    assert_eq!(store.read_bytes(&here()).await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn digest_that_cannot_be_recorded_is_an_error_that_says_what_is_true_and_what_to_do() {
    let emulator = emulator().await;
    let store = items(&emulator);
    let denied = Misbehaviour::AnswerWithoutWork { status: 400, code: "AccessDeniedException".into() };
    inject(&emulator, denied.clone(), "PutItem", 1);
    let error = write(&store, STATE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DigestMismatch);
    assert!(error.message().contains("was written"), "{error}");
    assert!(error.context().iter().any(|(label, value)| *label == "digest" && value.contains(DIGEST_ID)));
    assert!(error.hints().iter().any(|hint| hint.contains("push --repair-digest")));
    assert!(store.read_bytes(&here()).await.unwrap().is_some(), "there was no digest before");

    write(&store, STATE).await.unwrap();
    inject(&emulator, denied, "DeleteItem", 1);
    let error = store.delete(&here()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DigestMismatch);
    assert!(
        error
            .hints()
            .iter()
            .any(|hint| hint.contains("aws dynamodb delete-item") && hint.contains(DIGEST_ID))
    );
}

#[tokio::test]
async fn mismatch_can_be_read_past_on_request_and_versions_have_no_digest() {
    let emulator = emulator().await;
    let store = store(&emulator, &[("bucket", "versioned"), ("dynamodb_table", TABLE), ("dialect", "aws")]);
    write(&store, STATE).await.unwrap();
    write(&files_in_versioned(&emulator), b"{}").await.unwrap();
    let read = store.read(&here(), &ReadOptions::default().ignoring_digest()).await.unwrap().unwrap();
    assert_eq!(read.collect().await.unwrap().bytes.as_ref(), b"{}");
    let versions: Vec<_> = store.versions(&here()).try_collect().await.unwrap();
    let latest = versions[0].meta.version.clone().unwrap();
    let read = store.read(&here(), &ReadOptions::default().with_version(latest)).await.unwrap().unwrap();
    assert_eq!(read.collect().await.unwrap().bytes.as_ref(), b"{}");
}

fn files_in_versioned(emulator: &Emulator) -> Arc<dyn StateStore> {
    store(emulator, &[("bucket", "versioned"), ("dialect", "aws")])
}

#[tokio::test]
async fn yes_of_something_that_is_no_table_is_not_a_lock() {
    let emulator = emulator().await;
    for page in ["", "{}", "<html>Please log in</html>"] {
        let endpoint = yes_to_everything(page).await;
        let keys = [
            ("dynamodb_table", TABLE),
            ("dynamodb_endpoint", &*endpoint),
            ("use_lockfile", "false"),
            ("max_retries", "1"),
        ];
        let error = store(&emulator, &keys).acquire(&here(), &info()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unknown, "{page:?}: {error}");
        let said = format!("{error:?}");
        assert!(said.contains("does not answer as DynamoDB does"), "{said}");
        let error = write(&store(&emulator, &keys), STATE).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DigestMismatch, "{page:?}: {error}");
        assert!(error.message().contains("its digest may or may not have been recorded"), "{error}");
    }
}

#[tokio::test]
async fn deletion_in_a_table_that_was_not_carried_out_is_not_taken_for_done() {
    let emulator = emulator().await;
    let store = items(&emulator);
    let held = store.acquire(&here(), &info()).await.unwrap();
    let empty = Misbehaviour::AnswerWithoutWork { status: 200, code: "Welcome".into() };
    inject(&emulator, empty, "DeleteItem", u32::MAX);
    let error = store.release(&here(), &LockTarget::Id(held.id.clone())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown, "{error:?}");
    emulator.faults().clear();
    assert_eq!(store.inspect(&here()).await.unwrap().unwrap().id(), Some(&held.id));
}

#[tokio::test]
async fn refusal_of_a_repetition_says_nothing_of_a_digest_that_was_recorded_before() {
    let emulator = emulator().await;
    let store =
        store(&emulator, &[("dynamodb_table", TABLE), ("use_lockfile", "false"), ("max_retries", "2")]);
    for operation in ["PutItem", "DeleteItem"] {
        // The first attempt is carried out without our knowing, and the second is said to be refused.
        for (status, code) in [(500, "InternalServerError"), (400, "ProvisionedThroughputExceededException")]
        {
            let answer = Misbehaviour::AnswerAfterWork { status, code: code.into() };
            inject(&emulator, answer, operation, 1);
        }
        if operation == "PutItem" {
            write(&store, STATE).await.unwrap();
        } else {
            store.delete(&here()).await.unwrap();
        }
    }
    assert_eq!(all_items(&emulator).await.len(), 0);
}

#[tokio::test]
async fn digest_whose_last_answer_was_lost_is_looked_for() {
    let emulator = emulator().await;
    let impatient = || {
        store(
            &emulator,
            &[("dynamodb_table", TABLE), ("use_lockfile", "false"), ("dialect", "aws"), ("max_retries", "1")],
        )
    };
    let store = impatient();
    inject(&emulator, Misbehaviour::LoseReply, "PutItem", 1);
    write(&store, STATE).await.unwrap();
    assert_eq!(all_items(&emulator).await.len(), 1);
    inject(&emulator, Misbehaviour::LoseReply, "DeleteItem", 1);
    store.delete(&here()).await.unwrap();
    assert_eq!(all_items(&emulator).await.len(), 0);

    // What was not done is not said to be, nor that it never will be.
    inject(&emulator, Misbehaviour::LoseRequest, "PutItem", 1);
    let error = write(&store, STATE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DigestMismatch);
    assert!(error.message().contains("may or may not have been recorded"), "{error}");
    write(&store, STATE).await.unwrap();
    inject(&emulator, Misbehaviour::LoseRequest, "DeleteItem", 1);
    let error = store.delete(&here()).await.unwrap_err();
    assert!(error.message().contains("may or may not have been deleted"), "{error}");
}
