//! The version list decides who holds the lock.

use remote_state_core::Advice;
use remote_state_core::advice::LeftLock;

use super::*;

#[tokio::test]
async fn on_a_versioned_bucket_one_client_holds_the_lock_and_leaves_nothing_behind() {
    for dialect in ["ceph", "spaces"] {
        let emulator = ceph_emulator().await;
        let native = Native(client(&emulator));
        let (one, other) = (on(&emulator, VERSIONED, dialect), on(&emulator, VERSIONED, dialect));
        let mine = info("me@here");
        assert_eq!(one.acquire(&here(), &mine).await.unwrap().id, mine.id);
        // The same id again, as after a lost reply.
        one.acquire(&here(), &mine).await.unwrap();
        let error = other.acquire(&here(), &info("you@there")).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.holder().and_then(|holder| holder.id())),
            (ErrorKind::LockHeld, Some(&mine.id))
        );
        assert_eq!(other.inspect(&here()).await.unwrap().unwrap().id(), Some(&mine.id));
        let error = release(&other, &info("you@there")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LockHeld);
        assert_eq!(native.left(VERSIONED).await, (1, 0), "losers take away what they put");
        // A process that knows only the id may release the lock.
        assert!(matches!(release(&other, &mine).await.unwrap(), Released::Freed(Some(_))));
        assert_eq!(native.left(VERSIONED).await, (0, 0), "{dialect}");
        assert_eq!(release(&one, &mine).await.unwrap(), Released::AlreadyFree);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contenders_that_come_while_winners_leave_never_hold_together() {
    let emulator = ceph_emulator().await;
    let inside = Arc::new(AtomicUsize::new(0));
    let mut contenders = tokio::task::JoinSet::new();
    for number in 0..20_u64 {
        let (store, inside) = (on(&emulator, VERSIONED, "ceph"), Arc::clone(&inside));
        contenders.spawn(async move {
            let mut won = 0;
            for _ in 0..20 {
                let mine = info("racer@here");
                match store.acquire(&here(), &mine).await {
                    Ok(_) => {
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two hold the lock");
                        tokio::time::sleep(Duration::from_millis(number % 4)).await;
                        inside.fetch_sub(1, Ordering::SeqCst);
                        assert!(matches!(
                            release(&store, &mine).await.unwrap(),
                            Released::Freed(_)
                        ));
                        won += 1;
                    }
                    Err(error) => assert!(
                        matches!(error.kind(), ErrorKind::LockHeld | ErrorKind::Unavailable),
                        "{error:?}"
                    ),
                }
            }
            won
        });
    }
    let won: u64 = contenders.join_all().await.into_iter().sum();
    assert!(won > 0, "somebody got the lock");
    assert_eq!(Native(client(&emulator)).left(VERSIONED).await, (0, 0));
}

#[tokio::test]
async fn native_client_that_walks_in_is_named_before_anything_is_written_over_its_head() {
    let emulator = ceph_emulator().await;
    let native = Native(client(&emulator));
    let (ours, replica) = (on(&emulator, VERSIONED, "ceph"), on(&emulator, VERSIONED, "ceph"));
    let (mine, theirs) = (info("me@here"), info("terraform@there"));
    ours.acquire(&here(), &mine).await.unwrap();
    write(&ours, WriteMode::Create).await.unwrap();

    native.lock(VERSIONED, &theirs).await;
    // The process that took the lock sees the native client's lock, and so does another process
    // that serves the same client.
    for store in [&ours, &replica] {
        let error = write(store, WriteMode::Overwrite).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LockHeld, "{error}");
        assert_eq!(error.holder().and_then(|holder| holder.id()), Some(&theirs.id), "{error}");
        assert!(error.message().contains("another client too, which ignores this lock"), "{error}");
        assert_eq!(store.delete(&here()).await.unwrap_err().kind(), ErrorKind::LockHeld);
    }
    // Both locks are listed, and this process's lock is the holder's.
    assert_eq!(replica.inspect(&here()).await.unwrap().unwrap().id(), Some(&mine.id));
    let shown: Vec<_> =
        futures_util::TryStreamExt::try_collect::<Vec<_>>(replica.locks()).await.unwrap();
    let ids: Vec<_> = shown.iter().map(|(_, record)| record.id()).collect();
    assert_eq!(ids, [Some(&mine.id), Some(&theirs.id)]);

    // The native client leaves, and its delete marker lies above this process's lock.
    native.unlock(VERSIONED).await;
    let error = write(&ours, WriteMode::Overwrite).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LockHeld, "{error}");
    assert_eq!(error.holder().and_then(|holder| holder.id()), Some(&theirs.id), "{error}");
    assert_eq!(release(&ours, &mine).await.unwrap(), Released::AlreadyFree);
    assert_eq!(native.left(VERSIONED).await, (1, 1), "what is left is the native client's");
    ours.acquire(&here(), &mine).await.unwrap();
    write(&ours, WriteMode::Overwrite).await.unwrap();
    release(&ours, &mine).await.unwrap();
}

#[tokio::test]
async fn lock_file_that_somebody_deleted_is_no_lock_to_write_under() {
    let emulator = ceph_emulator().await;
    let native = Native(client(&emulator));
    let ours = on(&emulator, VERSIONED, "ceph");
    let mine = info("me@here");
    ours.acquire(&here(), &mine).await.unwrap();
    native.unlock(VERSIONED).await;
    let error = write(&ours, WriteMode::Create).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PreconditionFailed, "{error}");
    assert!(error.message().contains(&format!("`{}`", mine.id)), "{error}");
    assert!(error.message().contains("another client deleted the lock file"), "{error}");
    assert!(ours.read(&here(), &ReadOptions::default()).await.unwrap().is_none());
}

#[tokio::test]
async fn lock_that_went_by_another_replica_is_not_looked_for_and_who_holds_it_now_is_named() {
    let emulator = ceph_emulator().await;
    let (ours, replica) = (on(&emulator, VERSIONED, "ceph"), on(&emulator, VERSIONED, "ceph"));
    let (mine, next) = (info("me@here"), info("next@here"));
    ours.acquire(&here(), &mine).await.unwrap();
    release(&replica, &mine).await.unwrap();
    replica.acquire(&here(), &next).await.unwrap();
    let error = write(&ours, WriteMode::Create).await.unwrap_err();
    assert_eq!(error.holder().and_then(|holder| holder.id()), Some(&next.id), "{error}");
    assert!(error.message().contains(&format!("the lock `{}`", mine.id)), "{error}");
    assert!(error.message().contains("is not held any more: it was released by its id"), "{error}");
    // A process that has read the new holder knows under which lock it writes.
    assert_eq!(ours.inspect(&here()).await.unwrap().unwrap().id(), Some(&next.id));
    write(&ours, WriteMode::Create).await.unwrap();
    // A native client beside that lock is noticed too.
    let theirs = info("terraform@there");
    Native(client(&emulator)).lock(VERSIONED, &theirs).await;
    let error = write(&ours, WriteMode::Overwrite).await.unwrap_err();
    assert_eq!(error.holder().and_then(|holder| holder.id()), Some(&theirs.id), "{error}");
}

#[tokio::test]
async fn native_client_that_was_there_first_is_the_holder() {
    let emulator = ceph_emulator().await;
    let native = Native(client(&emulator));
    let ours = on(&emulator, VERSIONED, "ceph");
    let theirs = info("terraform@there");
    native.lock(VERSIONED, &theirs).await;
    let error = ours.acquire(&here(), &info("me@here")).await.unwrap_err();
    assert_eq!(error.holder().and_then(|holder| holder.id()), Some(&theirs.id), "{error}");
    assert_eq!(native.left(VERSIONED).await, (1, 0));
    assert!(matches!(release(&ours, &theirs).await.unwrap(), Released::Freed(_)));
    assert_eq!(native.left(VERSIONED).await, (0, 0));
}

#[tokio::test]
async fn contenders_of_ours_beside_the_lock_do_not_stop_a_write() {
    let emulator = ceph_emulator().await;
    let (ours, other) = (on(&emulator, VERSIONED, "ceph"), on(&emulator, VERSIONED, "ceph"));
    ours.acquire(&here(), &info("me@here")).await.unwrap();
    // The other client cannot delete its own record: the record stays beside the lock, and follows
    // the version list.
    emulator
        .faults()
        .inject(Fault::new(Misbehaviour::internal_error()).with_method("DELETE").with_times(3));
    let theirs = info("you@there");
    let error = other.acquire(&here(), &theirs).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown, "{error}");
    assert!(error.message().contains("could not be taken away again"), "{error}");
    assert!(
        error.advice().contains(&Advice::ReleaseLock(theirs.id.clone(), LeftLock::LeftBehind)),
        "{error}"
    );
    write(&ours, WriteMode::Create).await.unwrap();
    // The hint works although it does not name the holder's id.
    assert!(matches!(release(&ours, &theirs).await.unwrap(), Released::Freed(_)));
    assert_eq!(Native(client(&emulator)).left(VERSIONED).await, (1, 0));
}

#[tokio::test]
async fn lost_answers_leave_one_lock_or_none() {
    for misbehaviour in [Misbehaviour::LoseReply, Misbehaviour::internal_error_after_work()] {
        for times in 1..=3 {
            let emulator = ceph_emulator().await;
            let native = Native(client(&emulator));
            let ours = on(&emulator, VERSIONED, "ceph");
            let lose = || Fault::new(misbehaviour.clone()).with_method("PUT").with_times(times);
            emulator.faults().inject(lose());
            let mine = info("me@here");
            ours.acquire(&here(), &mine).await.unwrap();
            native.lock(VERSIONED, &info("terraform@there")).await;
            assert_eq!(
                write(&ours, WriteMode::Overwrite).await.unwrap_err().kind(),
                ErrorKind::LockHeld
            );
            native.unlock(VERSIONED).await;
            drop(release(&ours, &mine).await.unwrap());
            emulator.faults().clear();

            let holder = info("holder@here");
            ours.acquire(&here(), &holder).await.unwrap();
            let before = native.left(VERSIONED).await;
            emulator.faults().inject(lose());
            let error = on(&emulator, VERSIONED, "ceph").acquire(&here(), &mine).await.unwrap_err();
            assert_eq!(error.holder().and_then(|holder| holder.id()), Some(&holder.id), "{error}");
            assert_eq!(
                native.left(VERSIONED).await,
                before,
                "what may have been put is found and taken away"
            );
        }
    }
}

#[tokio::test]
async fn unlock_whose_answer_was_lost_is_known_to_be_done() {
    let emulator = ceph_emulator().await;
    for bucket in [BUCKET, VERSIONED] {
        let ours = on(&emulator, bucket, "ceph");
        let mine = info("me@here");
        ours.acquire(&here(), &mine).await.unwrap();
        emulator
            .faults()
            .inject(Fault::new(Misbehaviour::LoseReply).with_method("DELETE").with_times(1));
        assert!(matches!(release(&ours, &mine).await.unwrap(), Released::Freed(_)), "{bucket}");
        assert_eq!(Native(client(&emulator)).left(bucket).await, (0, 0));
    }
}

#[tokio::test]
async fn what_native_clients_risk_is_said_of_a_versioned_bucket() {
    let emulator = ceph_emulator().await;
    let caveat = on(&emulator, VERSIONED, "ceph").lock_caveat().await.unwrap().unwrap();
    assert!(caveat.contains("bucket `versioned` keeps versions"), "{caveat}");
    assert!(caveat.contains("native Terraform and OpenTofu do not see their locks"), "{caveat}");
    assert_eq!(on(&emulator, VERSIONED, "aws").lock_caveat().await.unwrap(), None);
    // The reply to a lock shows it too, and the store gets no further request.
    let ours = on(&emulator, VERSIONED, "ceph");
    ours.acquire(&here(), &info("me@here")).await.unwrap();
    drop(emulator.requests().take());
    assert_eq!(ours.lock_caveat().await.unwrap(), Some(caveat));
    assert_eq!(emulator.requests().take().len(), 0);
}

#[tokio::test]
async fn who_waits_for_a_lock_puts_no_record_again() {
    let emulator = ceph_emulator().await;
    let (ours, other) = (on(&emulator, VERSIONED, "ceph"), on(&emulator, VERSIONED, "ceph"));
    ours.acquire(&here(), &info("me@here")).await.unwrap();
    let theirs = info("you@there");
    assert_eq!(other.acquire(&here(), &theirs).await.unwrap_err().kind(), ErrorKind::LockHeld);
    drop(emulator.requests().take());
    assert_eq!(other.acquire(&here(), &theirs).await.unwrap_err().kind(), ErrorKind::LockHeld);
    assert!(emulator.requests().take().iter().all(|request| request.method == "GET"));
}
