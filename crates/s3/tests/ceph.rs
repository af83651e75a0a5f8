//! Locks and writes on a store of Ceph's family, where the list of versions decides if the bucket keeps versions.

mod common;
#[path = "common/raw.rs"]
mod raw;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use bytes::Bytes;
use common::{BUCKET, ceph_emulator, emulator, store};
use raw::client;
use remote_state_core::{
    ErrorKind, LockInfo, LockTarget, ReadOptions, Released, Result, StateMeta, StateStore, Workspace,
    WriteMode,
};
use remote_state_emulator::{Emulator, Fault, Misbehaviour};

const VERSIONED: &str = "versioned";
const STATE: &[u8] = br#"{"version":4,"serial":1,"lineage":"l","outputs":{},"resources":[]}"#;
const LOCK_KEY: &str = "net/terraform.tfstate.tflock";

fn info(who: &str) -> LockInfo {
    LockInfo::new("test", who, "1", jiff::Timestamp::UNIX_EPOCH).unwrap()
}

fn here() -> Workspace {
    Workspace::default()
}

fn on(emulator: &Emulator, bucket: &str, dialect: &str) -> Arc<dyn StateStore> {
    store(emulator, &[("bucket", bucket), ("dialect", dialect)])
}

async fn release(store: &Arc<dyn StateStore>, info: &LockInfo) -> Result<Released> {
    store.release(&here(), &LockTarget::Id(info.id.clone())).await
}

async fn write(store: &Arc<dyn StateStore>, mode: WriteMode) -> Result<StateMeta> {
    store.write(&here(), Bytes::from_static(STATE).into(), &mode).await
}

/// A native client, which puts its record whatever is there and deletes without naming a version.
struct Native(Client);

impl Native {
    async fn lock(&self, bucket: &str, info: &LockInfo) {
        let put = self.0.put_object().bucket(bucket).key(LOCK_KEY).if_none_match("*");
        drop(put.body(info.to_json().into_bytes().into()).send().await.expect("nothing stops it"));
    }

    async fn unlock(&self, bucket: &str) {
        drop(self.0.delete_object().bucket(bucket).key(LOCK_KEY).send().await.expect("nothing stops it"));
    }

    /// Versions and delete markers of the lock file.
    async fn left(&self, bucket: &str) -> (usize, usize) {
        let listed = self.0.list_object_versions().bucket(bucket).prefix(LOCK_KEY).send().await.unwrap();
        (listed.versions().len(), listed.delete_markers().len())
    }

    async fn set_versioning(&self, bucket: &str, status: BucketVersioningStatus) {
        let configuration = VersioningConfiguration::builder().status(status).build();
        let put = self.0.put_bucket_versioning().bucket(bucket).versioning_configuration(configuration);
        drop(put.send().await.unwrap());
    }
}

#[tokio::test]
async fn on_a_versioned_bucket_one_client_holds_the_lock_and_leaves_nothing_behind() {
    for dialect in ["ceph", "spaces"] {
        let emulator = ceph_emulator().await;
        let native = Native(client(&emulator));
        let (one, other) = (on(&emulator, VERSIONED, dialect), on(&emulator, VERSIONED, dialect));
        let mine = info("me@here");
        assert_eq!(one.acquire(&here(), &mine).await.unwrap().id, mine.id);
        // The same id again, as after a lost answer.
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
        // Whoever knows the id may release it, from a process that knows nothing else.
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
                        assert!(matches!(release(&store, &mine).await.unwrap(), Released::Freed(_)));
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
    // The process that took the lock sees it, and so does another that serves the same client.
    for store in [&ours, &replica] {
        let error = write(store, WriteMode::Overwrite).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LockHeld, "{error}");
        assert_eq!(error.holder().and_then(|holder| holder.id()), Some(&theirs.id), "{error}");
        assert!(error.message().contains("another client too, which does not see our lock"), "{error}");
        assert_eq!(store.delete(&here()).await.unwrap_err().kind(), ErrorKind::LockHeld);
    }
    // Both are shown, ours as the holder.
    assert_eq!(replica.inspect(&here()).await.unwrap().unwrap().id(), Some(&mine.id));
    let shown: Vec<_> = futures_util::TryStreamExt::try_collect::<Vec<_>>(replica.locks()).await.unwrap();
    let ids: Vec<_> = shown.iter().map(|(_, record)| record.id()).collect();
    assert_eq!(ids, [Some(&mine.id), Some(&theirs.id)]);

    // It goes, and leaves a marker over ours.
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
async fn lock_of_a_bucket_without_versions_is_deleted_by_whoever_found_it_and_nobody_else() {
    let emulator = ceph_emulator().await;
    let (ours, operator, mine) =
        (on(&emulator, BUCKET, "ceph"), on(&emulator, BUCKET, "ceph"), info("me@here"));
    // The answer that would have told that there are no versions is lost.
    emulator.faults().inject(Fault::new(Misbehaviour::LoseReply).with_method("PUT").with_times(1));
    ours.acquire(&here(), &mine).await.unwrap();
    release(&operator, &mine).await.unwrap();
    drop(emulator.requests().take());
    // The next holder may come at any moment, so there is nothing to delete.
    assert_eq!(release(&ours, &mine).await.unwrap(), Released::AlreadyFree);
    assert!(emulator.requests().take().iter().all(|request| request.method != "DELETE"));
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
    // Whoever has asked who holds the lock knows under which one it writes.
    assert_eq!(ours.inspect(&here()).await.unwrap().unwrap().id(), Some(&next.id));
    write(&ours, WriteMode::Create).await.unwrap();
    // And a native client beside that lock is noticed all the same.
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
    // The other cannot take its record away again: it stays beside the lock, and goes by the list.
    emulator.faults().inject(Fault::new(Misbehaviour::internal_error()).with_method("DELETE").with_times(3));
    let theirs = info("you@there");
    let error = other.acquire(&here(), &theirs).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown, "{error}");
    assert!(error.message().contains("could not be taken away again"), "{error}");
    assert!(
        error.hints().iter().any(|hint| hint.contains(&format!("remote-state unlock {}", theirs.id))),
        "{error}"
    );
    write(&ours, WriteMode::Create).await.unwrap();
    // The hint works although it is not the holder's id.
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
            assert_eq!(write(&ours, WriteMode::Overwrite).await.unwrap_err().kind(), ErrorKind::LockHeld);
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
        emulator.faults().inject(Fault::new(Misbehaviour::LoseReply).with_method("DELETE").with_times(1));
        assert!(matches!(release(&ours, &mine).await.unwrap(), Released::Freed(_)), "{bucket}");
        assert_eq!(Native(client(&emulator)).left(bucket).await, (0, 0));
    }
}

#[tokio::test]
async fn without_versioning_the_create_decides_and_native_clients_are_kept_out() {
    for dialect in ["ceph", "spaces"] {
        let emulator = ceph_emulator().await;
        let native = Native(client(&emulator));
        let (ours, mine) = (on(&emulator, BUCKET, dialect), info("me@here"));
        ours.acquire(&here(), &mine).await.unwrap();
        let put =
            native.0.put_object().bucket(BUCKET).key(LOCK_KEY).if_none_match("*").body(Bytes::new().into());
        assert!(put.send().await.is_err(), "the store refuses a native client");
        assert_eq!(ours.lock_caveat().await.unwrap(), None);
        drop(emulator.requests().take());
        write(&ours, WriteMode::Create).await.unwrap();
        assert!(
            emulator.requests().take().iter().all(|request| !request.query.contains("versions")),
            "nobody is looked for who cannot be there"
        );
        assert!(matches!(release(&ours, &mine).await.unwrap(), Released::Freed(_)));
        assert_eq!(native.left(BUCKET).await, (0, 0));
    }
}

#[tokio::test]
async fn lock_that_was_taken_before_versioning_was_enabled_still_holds() {
    let emulator = ceph_emulator().await;
    let native = Native(client(&emulator));
    let (ours, other, mine) = (on(&emulator, BUCKET, "ceph"), on(&emulator, BUCKET, "ceph"), info("me@here"));
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

    // A native client's release leaves a marker, over which this store refuses every create: that is said, and not taken for a lock.
    let theirs = info("terraform@there");
    native.lock(VERSIONED, &theirs).await;
    native.unlock(VERSIONED).await;
    let error = ours.acquire(&here(), &info("me@here")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.hints().iter().any(|hint| hint.contains("delete marker")), "{error}");
}

#[tokio::test]
async fn what_native_clients_risk_is_said_of_a_versioned_bucket() {
    let emulator = ceph_emulator().await;
    let caveat = on(&emulator, VERSIONED, "ceph").lock_caveat().await.unwrap().unwrap();
    assert!(caveat.contains("bucket `versioned` keeps versions"), "{caveat}");
    assert!(caveat.contains("native Terraform and OpenTofu do not see them"), "{caveat}");
    assert_eq!(on(&emulator, VERSIONED, "aws").lock_caveat().await.unwrap(), None);
    // The answer to a lock tells it too, and the store is not asked.
    let ours = on(&emulator, VERSIONED, "ceph");
    ours.acquire(&here(), &info("me@here")).await.unwrap();
    drop(emulator.requests().take());
    assert_eq!(ours.lock_caveat().await.unwrap(), Some(caveat));
    assert_eq!(emulator.requests().take().len(), 0);
}

#[tokio::test]
async fn updates_are_decided_with_bare_entity_tags_or_by_looking() {
    for bucket in [BUCKET, VERSIONED] {
        for knows in [true, false] {
            let emulator = ceph_emulator().await;
            let ours = on(&emulator, bucket, "ceph");
            if knows {
                ours.acquire(&here(), &info("me@here")).await.unwrap();
            }
            let first = write(&ours, WriteMode::Create).await.unwrap();
            let other =
                Bytes::from_static(br#"{"version":4,"serial":2,"lineage":"l","outputs":{},"resources":[]}"#);
            let again = ours.write(&here(), other.clone().into(), &WriteMode::Create).await.unwrap_err();
            assert_eq!(again.kind(), ErrorKind::PreconditionFailed, "{bucket}");
            let etag = first.etag.unwrap();
            ours.write(&here(), other.into(), &WriteMode::Update(etag.clone())).await.unwrap();
            let stale = write(&ours, WriteMode::Update(etag)).await.unwrap_err();
            assert_eq!(stale.kind(), ErrorKind::PreconditionFailed, "{bucket}");
            let puts = emulator.requests().take();
            let puts = puts.iter().filter(|put| put.method == "PUT" && !put.path.ends_with(".tflock"));
            let statuses: Vec<_> = puts.filter_map(|put| put.status).collect();
            let expected: &[u16] = if bucket == BUCKET { &[200, 412, 200, 412] } else { &[200, 200] };
            assert_eq!(statuses, expected, "{bucket}");
        }
    }
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
async fn version_that_is_called_null_is_nobodys_own() {
    for dialect in ["ceph", "spaces"] {
        // A store that names `null` in its answers, as Amazon's does where versioning is suspended.
        let emulator = emulator().await;
        let native = Native(client(&emulator));
        native.set_versioning(VERSIONED, BucketVersioningStatus::Suspended).await;
        let (one, other, mine) =
            (on(&emulator, VERSIONED, dialect), on(&emulator, VERSIONED, dialect), info("me@here"));
        one.acquire(&here(), &mine).await.unwrap();
        assert_eq!(other.acquire(&here(), &info("you@there")).await.unwrap_err().kind(), ErrorKind::LockHeld);
        assert_eq!(native.left(VERSIONED).await, (1, 0), "the proof did not take the lock away");
        assert!(matches!(release(&other, &mine).await.unwrap(), Released::Freed(_)));
        assert_eq!(native.left(VERSIONED).await, (0, 0), "{dialect}");
    }

    let emulator = emulator().await;
    let native = Native(client(&emulator));
    native.set_versioning(VERSIONED, BucketVersioningStatus::Suspended).await;
    emulator.faults().inject(Fault::new(Misbehaviour::IgnoreConditions));
    let error = on(&emulator, VERSIONED, "spaces").acquire(&here(), &info("me@here")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert_eq!(native.left(VERSIONED).await, (0, 0));
}

#[tokio::test]
async fn without_versioning_who_may_lock_may_unlock() {
    let denied = || Misbehaviour::AnswerWithoutWork { status: 403, code: "AccessDenied".to_owned() };
    let absent = || Misbehaviour::AnswerWithoutWork { status: 404, code: "NoSuchKey".to_owned() };
    for dialect in ["ceph", "spaces"] {
        let emulator = ceph_emulator().await;
        let (ours, other, mine) =
            (on(&emulator, BUCKET, dialect), on(&emulator, BUCKET, dialect), info("me@here"));
        ours.acquire(&here(), &mine).await.unwrap();
        drop(emulator.requests().take());
        // To name a version when deleting is denied.
        emulator.faults().inject(Fault::new(denied()).with_method("DELETE").with_times(1));
        assert!(matches!(release(&other, &mine).await.unwrap(), Released::Freed(_)));
        assert!(
            emulator.requests().take().iter().all(|request| !request.query.contains("versions")),
            "no list is needed for what stands alone"
        );
        assert_eq!(Native(client(&emulator)).left(BUCKET).await, (0, 0));
        // The list is denied where nothing is found.
        emulator.faults().inject(Fault::new(absent()).with_method("GET").with_times(1));
        emulator.faults().inject(Fault::new(denied()).with_method("GET").with_times(1));
        assert_eq!(on(&emulator, BUCKET, dialect).inspect(&here()).await.unwrap(), None);
        // Nor is it needed for a write by a process that has not locked.
        let mine = info("me@here");
        ours.acquire(&here(), &mine).await.unwrap();
        emulator.faults().inject(Fault::new(denied()).with_parameter("versions").with_times(1));
        write(&on(&emulator, BUCKET, dialect), WriteMode::Overwrite).await.unwrap();
        release(&ours, &mine).await.unwrap();
        // Who may not delete at all is told what it takes, and of versions too if it was about one.
        ours.acquire(&here(), &mine).await.unwrap();
        emulator.faults().inject(Fault::new(denied()).with_method("DELETE").with_times(2));
        let error = release(&ours, &mine).await.unwrap_err();
        assert!(error.hints().iter().all(|hint| !hint.contains("s3:DeleteObjectVersion")), "{error:?}");
        emulator.faults().inject(Fault::new(denied()).with_parameter("versions").with_times(1));
        let error = on(&emulator, VERSIONED, dialect).acquire(&here(), &mine).await.unwrap_err();
        assert!(error.hints().iter().any(|hint| hint.contains("s3:DeleteObjectVersion")), "{error:?}");
    }
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

#[tokio::test]
async fn versioning_that_is_enabled_meanwhile_does_not_make_every_update_fail() {
    let emulator = ceph_emulator().await;
    let native = Native(client(&emulator));
    let ours = on(&emulator, BUCKET, "ceph");
    let etag = write(&ours, WriteMode::Create).await.unwrap().etag.unwrap();
    native.set_versioning(BUCKET, BucketVersioningStatus::Enabled).await;
    let other = Bytes::from_static(br#"{"version":4,"serial":2,"lineage":"l","outputs":{},"resources":[]}"#);
    ours.write(&here(), other.into(), &WriteMode::Update(etag.clone())).await.unwrap();
    let stale = write(&ours, WriteMode::Update(etag)).await.unwrap_err();
    assert_eq!(stale.kind(), ErrorKind::PreconditionFailed);
}
