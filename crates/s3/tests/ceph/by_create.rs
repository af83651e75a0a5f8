//! The create decides who holds the lock: the bucket keeps no versions, or the store honours
//! conditions although the bucket keeps them.

use super::*;

#[tokio::test]
async fn lock_of_a_bucket_without_versions_is_deleted_by_the_client_that_found_it_alone() {
    let emulator = ceph_emulator().await;
    let (ours, operator, mine) =
        (on(&emulator, BUCKET, "ceph"), on(&emulator, BUCKET, "ceph"), info("me@here"));
    // The reply that would have shown that there are no versions is lost.
    emulator.faults().inject(Fault::new(Misbehaviour::LoseReply).with_method("PUT").with_times(1));
    ours.acquire(&here(), &mine).await.unwrap();
    release(&operator, &mine).await.unwrap();
    drop(emulator.requests().take());
    // The next holder may take the lock at any moment, so nothing may be deleted.
    assert_eq!(release(&ours, &mine).await.unwrap(), Released::AlreadyFree);
    assert!(emulator.requests().take().iter().all(|request| request.method != "DELETE"));
}

#[tokio::test]
async fn without_versioning_the_create_decides_and_native_clients_are_kept_out() {
    for dialect in ["ceph", "spaces"] {
        let emulator = ceph_emulator().await;
        let native = Native(client(&emulator));
        let (ours, mine) = (on(&emulator, BUCKET, dialect), info("me@here"));
        ours.acquire(&here(), &mine).await.unwrap();
        let put = native
            .0
            .put_object()
            .bucket(BUCKET)
            .key(LOCK_KEY)
            .if_none_match("*")
            .body(Bytes::new().into());
        assert!(put.send().await.is_err(), "the store refuses a native client");
        assert_eq!(ours.lock_caveat().await.unwrap(), None);
        drop(emulator.requests().take());
        write(&ours, WriteMode::Create).await.unwrap();
        assert!(
            emulator.requests().take().iter().all(|request| !request.query.contains("versions")),
            "no client is looked for that cannot be there"
        );
        assert!(matches!(release(&ours, &mine).await.unwrap(), Released::Freed(_)));
        assert_eq!(native.left(BUCKET).await, (0, 0));
    }
}

#[tokio::test]
async fn lock_that_was_taken_before_versioning_was_enabled_still_holds() {
    let emulator = ceph_emulator().await;
    let native = Native(client(&emulator));
    let (ours, other, mine) =
        (on(&emulator, BUCKET, "ceph"), on(&emulator, BUCKET, "ceph"), info("me@here"));
    ours.acquire(&here(), &mine).await.unwrap();
    native.set_versioning(BUCKET, BucketVersioningStatus::Enabled).await;
    let error = other.acquire(&here(), &info("you@there")).await.unwrap_err();
    assert_eq!(error.holder().and_then(|holder| holder.id()), Some(&mine.id), "{error}");
    assert!(matches!(release(&ours, &mine).await.unwrap(), Released::Freed(_)));
    assert_eq!(native.left(BUCKET).await, (0, 0));
}

#[tokio::test]
async fn where_versioning_is_suspended_the_create_decides_and_unlocking_leaves_no_marker() {
    let emulator = ceph_emulator().await;
    let native = Native(client(&emulator));
    native.set_versioning(VERSIONED, BucketVersioningStatus::Suspended).await;
    let ours = on(&emulator, VERSIONED, "ceph");
    for _ in 0..2 {
        let mine = info("me@here");
        ours.acquire(&here(), &mine).await.unwrap();
        let error = ours.acquire(&here(), &info("you@there")).await.unwrap_err();
        assert_eq!(error.holder().and_then(|holder| holder.id()), Some(&mine.id));
        assert!(matches!(release(&ours, &mine).await.unwrap(), Released::Freed(_)));
        assert_eq!(native.left(VERSIONED).await, (0, 0));
    }
    assert_eq!(ours.lock_caveat().await.unwrap(), None);

    // A native client's release leaves a delete marker, above which this store refuses every
    // create. The error says so, and does not report a lock.
    let theirs = info("terraform@there");
    native.lock(VERSIONED, &theirs).await;
    native.unlock(VERSIONED).await;
    let error = ours.acquire(&here(), &info("me@here")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.hints().iter().any(|hint| hint.contains("delete marker")), "{error}");
}

#[tokio::test]
async fn store_that_honours_conditions_is_not_judged_by_its_list() {
    let emulator = emulator().await;
    for dialect in ["aws", "minio", "generic"] {
        let ours = on(&emulator, VERSIONED, dialect);
        let mine = info("me@here");
        ours.acquire(&here(), &mine).await.unwrap();
        assert!(ours.acquire(&here(), &info("you@there")).await.unwrap_err().holder().is_some());
        write(&ours, WriteMode::Overwrite).await.unwrap();
        drop(release(&ours, &mine).await.unwrap());
    }
    assert!(emulator.requests().take().iter().all(|request| !request.query.contains("versions")));
}

/// Two clients that overwrite one `null` would both find themselves in the list.
#[tokio::test]
async fn no_client_owns_the_version_that_is_called_null() {
    for dialect in ["ceph", "spaces"] {
        // A store that names `null` in its replies, as Amazon's does where versioning is suspended.
        let emulator = emulator().await;
        let native = Native(client(&emulator));
        native.set_versioning(VERSIONED, BucketVersioningStatus::Suspended).await;
        let (one, other, mine) =
            (on(&emulator, VERSIONED, dialect), on(&emulator, VERSIONED, dialect), info("me@here"));
        one.acquire(&here(), &mine).await.unwrap();
        assert_eq!(
            other.acquire(&here(), &info("you@there")).await.unwrap_err().kind(),
            ErrorKind::LockHeld
        );
        assert_eq!(native.left(VERSIONED).await, (1, 0), "the proof did not take the lock away");
        assert!(matches!(release(&other, &mine).await.unwrap(), Released::Freed(_)));
        assert_eq!(native.left(VERSIONED).await, (0, 0), "{dialect}");
    }

    let emulator = emulator().await;
    let native = Native(client(&emulator));
    native.set_versioning(VERSIONED, BucketVersioningStatus::Suspended).await;
    emulator.faults().inject(Fault::new(Misbehaviour::IgnoreConditions));
    let error =
        on(&emulator, VERSIONED, "spaces").acquire(&here(), &info("me@here")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert_eq!(native.left(VERSIONED).await, (0, 0));
}

#[tokio::test]
async fn without_versioning_who_may_lock_may_unlock() {
    let denied =
        || Misbehaviour::AnswerWithoutWork { status: 403, code: "AccessDenied".to_owned() };
    let absent = || Misbehaviour::AnswerWithoutWork { status: 404, code: "NoSuchKey".to_owned() };
    for dialect in ["ceph", "spaces"] {
        let emulator = ceph_emulator().await;
        let (ours, other, mine) =
            (on(&emulator, BUCKET, dialect), on(&emulator, BUCKET, dialect), info("me@here"));
        ours.acquire(&here(), &mine).await.unwrap();
        drop(emulator.requests().take());
        // The store denies a deletion that names a version.
        emulator.faults().inject(Fault::new(denied()).with_method("DELETE").with_times(1));
        assert!(matches!(release(&other, &mine).await.unwrap(), Released::Freed(_)));
        assert!(
            emulator.requests().take().iter().all(|request| !request.query.contains("versions")),
            "no list is needed for what stands alone"
        );
        assert_eq!(Native(client(&emulator)).left(BUCKET).await, (0, 0));
        // The lock file is not found, and the store denies the list.
        emulator.faults().inject(Fault::new(absent()).with_method("GET").with_times(1));
        emulator.faults().inject(Fault::new(denied()).with_method("GET").with_times(1));
        assert_eq!(on(&emulator, BUCKET, dialect).inspect(&here()).await.unwrap(), None);
        // A write by a process that has not locked does not need the list either.
        let mine = info("me@here");
        ours.acquire(&here(), &mine).await.unwrap();
        emulator.faults().inject(Fault::new(denied()).with_parameter("versions").with_times(1));
        write(&on(&emulator, BUCKET, dialect), WriteMode::Overwrite).await.unwrap();
        release(&ours, &mine).await.unwrap();
        // The error for a client that may not delete at all names the permissions that it needs,
        // those for versions too if the deletion named one.
        ours.acquire(&here(), &mine).await.unwrap();
        emulator.faults().inject(Fault::new(denied()).with_method("DELETE").with_times(2));
        let error = release(&ours, &mine).await.unwrap_err();
        assert!(
            error.hints().iter().all(|hint| !hint.contains("s3:DeleteObjectVersion")),
            "{error:?}"
        );
        emulator.faults().inject(Fault::new(denied()).with_parameter("versions").with_times(1));
        let error = on(&emulator, VERSIONED, dialect).acquire(&here(), &mine).await.unwrap_err();
        assert!(
            error.hints().iter().any(|hint| hint.contains("s3:DeleteObjectVersion")),
            "{error:?}"
        );
    }
}
