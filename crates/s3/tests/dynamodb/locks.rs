//! The lock item, alone and beside the lock file.

use super::*;

#[tokio::test]
async fn clients_exclude_each_other_by_whatever_they_share() {
    let emulator = emulator().await;
    let stores =
        [("items", items(&emulator)), ("both", both(&emulator)), ("files", files(&emulator))];
    for (holder, first) in &stores {
        for (asker, second) in &stores {
            let shares_nothing =
                matches!((*holder, *asker), ("items", "files") | ("files", "items"));
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
    assert_eq!(error.kind(), ErrorKind::TableMissing);
    assert!(error.message().contains("table `missing` does not exist"), "{error}");
    assert_eq!(files(&emulator).inspect(&here()).await.unwrap(), None);
}

#[tokio::test]
async fn roll_back_that_fails_too_is_told_with_what_failed_first() {
    let emulator = emulator().await;
    let denied =
        Misbehaviour::AnswerWithoutWork { status: 400, code: "AccessDeniedException".into() };
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
        assert_eq!(
            both(&emulator).release(&here(), &target(&held)).await.unwrap(),
            Released::AlreadyFree
        );
    }
    // One of the two belongs to another client.
    let (mine, theirs) = (info(), info());
    drop(items(&emulator).acquire(&here(), &mine).await.unwrap());
    drop(files(&emulator).acquire(&here(), &theirs).await.unwrap());
    let error = both(&emulator).release(&here(), &target(&mine)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LockHeld);
    assert_eq!(error.holder().unwrap().id(), Some(&theirs.id));
    assert!(
        error.context().contains(&("released", format!("dynamodb://{TABLE}/{ID}"))),
        "{error:?}"
    );
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
            let released =
                both(&emulator).release(&here(), &LockTarget::Id(info.id)).await.unwrap();
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
    let store = store(
        &emulator,
        &[("dynamodb_table", TABLE), ("use_lockfile", "false"), ("max_retries", "1")],
    );
    emulator.faults().inject(Fault::new(Misbehaviour::LoseReply));
    let info = info();
    let error = store.acquire(&here(), &info).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown);
    assert!(
        error
            .context()
            .iter()
            .any(|(label, value)| *label == "lock id" && value == info.id.as_str())
    );
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
        assert!(error.holder().unwrap().info().is_none());
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
        drop(store.write(workspace, source, &WriteMode::Overwrite.into()).await.unwrap());
    }
    drop(store.acquire(&here(), &info()).await.unwrap());
    drop(store.acquire(&dev, &info()).await.unwrap());
    drop(items(&emulator).acquire(&only, &info()).await.unwrap());
    let mut held: Vec<_> =
        store.locks().map_ok(|(workspace, _)| workspace).try_collect().await.unwrap();
    held.sort();
    assert_eq!(held, [here(), dev, only]);
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
        assert!(said.contains("does not respond as DynamoDB does"), "{said}");
        let error = write(&store(&emulator, &keys), STATE).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DigestMismatch, "{page:?}: {error}");
        assert!(
            error.message().contains("its digest may or may not have been recorded"),
            "{error}"
        );
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
