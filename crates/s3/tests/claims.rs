//! If a store ignores conditions on a delete, the release of a lock file claims it first: by a
//! `PUT` with `If-Match` that replaces the lock record with a marked one. These tests show, store
//! by store, which requests that takes, and what happens if a claim is impossible; the kind is
//! every release of a lock *file*.

mod common;

use std::sync::Arc;

use common::{emulator, store, store_with};
use remote_state_core::config::{Origin, Setting, Sourced};
use remote_state_core::{
    ErrorKind, LockInfo, LockTarget, Release, ReleaseStep, Released, StateStore, Workspace,
};
use remote_state_emulator::{Emulator, Fault, Misbehaviour, Request};

fn info() -> LockInfo {
    LockInfo::new("test", "me@here", "1", jiff::Timestamp::UNIX_EPOCH).unwrap()
}

async fn acquire(store: &Arc<dyn StateStore>) -> LockTarget {
    LockTarget::Id(store.acquire(&Workspace::default(), &info()).await.unwrap().id)
}

async fn release(store: &Arc<dyn StateStore>, target: &LockTarget) -> Released {
    store.release(&Workspace::default(), target).await.unwrap()
}

/// Returns the requests: the method, and their conditions.
fn requests(emulator: &Emulator) -> Vec<String> {
    let shown = |request: Request| {
        let mut shown = request.method.clone();
        if let Some(tag) = request.headers.get("if-match") {
            shown += match tag {
                tag if tag.contains("0000") && tag.starts_with('"') => " if \"wrong\"",
                tag if tag.contains("0000") => " if wrong",
                tag if tag.starts_with('"') => " if \"tag\"",
                _ => " if tag",
            };
        }
        if request.query.contains("versionId=null") {
            shown += " of null";
        } else if request.query.contains("versionId=") {
            shown += " of version";
        } else if request.query.contains("versioning") {
            shown += " versioning";
        } else if request.query.contains("versions") {
            shown += " versions";
        }
        shown
    };
    emulator.requests().take().into_iter().map(shown).collect()
}

/// Which requests a release takes, in a process that has taken no lock before and in one that has
/// taken this one.
#[tokio::test]
async fn release_takes_what_its_store_needs() {
    for (dialect, bucket, fresh, proven) in [
        // A delete is conditional: no claim.
        ("aws", "tfstate", &["GET", "DELETE if \"tag\""][..], &["GET", "DELETE if \"tag\""][..]),
        ("aws", "versioned", &["GET", "DELETE if \"tag\""], &["GET", "DELETE if \"tag\""]),
        (
            "minio",
            "tfstate",
            &["GET", "PUT if \"tag\"", "DELETE"],
            &["GET", "PUT if \"tag\"", "DELETE"],
        ),
        // The version that was read, and nothing else.
        ("minio", "versioned", &["GET", "DELETE of version"], &["GET", "DELETE of version"]),
        ("generic", "versioned", &["GET", "DELETE of version"], &["GET", "DELETE of version"]),
        // The lock that was taken before has tested the store.
        ("generic", "tfstate", &["GET", "DELETE"], &["GET", "PUT if \"tag\"", "DELETE"]),
        ("r2", "tfstate", &["GET", "DELETE"], &["GET", "PUT if \"tag\"", "DELETE"]),
        // Known to ignore every condition.
        ("garage", "tfstate", &["GET", "DELETE"], &["GET", "DELETE"]),
    ] {
        let emulator = emulator().await;
        let keys = [("dialect", dialect), ("bucket", bucket)];
        let mut holder = store(&emulator, &keys);
        for (is_proven, expected) in [(false, fresh), (true, proven)] {
            let target = acquire(&holder).await;
            if !is_proven {
                holder = store(&emulator, &keys);
            }
            requests(&emulator);
            assert!(matches!(release(&holder, &target).await, Released::Freed(Some(_))));
            assert_eq!(requests(&emulator), expected, "{dialect}, {bucket}, proven: {is_proven}");
            assert_eq!(
                holder.inspect(&Workspace::default()).await.unwrap(),
                None,
                "{dialect}, {bucket}"
            );
        }
    }
}

#[tokio::test]
async fn proof_asks_with_a_wrong_tag_first_and_learns_which_form_is_met() {
    let wrong_then_right = ["PUT if \"wrong\"", "PUT if \"tag\""];
    for (dialect, bucket, fault, proof, claims) in [
        ("generic", "tfstate", None, &wrong_then_right[..], true),
        ("r2", "tfstate", None, &wrong_then_right, true),
        // The store accepted a wrong tag, so its conditions are worthless.
        (
            "generic",
            "tfstate",
            Some(Fault::new(Misbehaviour::IgnoreUpdateConditions)),
            &["PUT if \"wrong\""],
            false,
        ),
        // The store does not support the header.
        (
            "generic",
            "tfstate",
            Some(
                Fault::new(Misbehaviour::AnswerWithoutWork {
                    status: 501,
                    code: "NotImplemented".to_owned(),
                })
                .with_method("PUT")
                .with_update_condition(),
            ),
            &["PUT if \"wrong\""],
            false,
        ),
        // Tags in quotes never match.
        (
            "generic",
            "tfstate",
            Some(Fault::new(Misbehaviour::MeetBareTagsOnly)),
            &["PUT if \"wrong\"", "PUT if \"tag\"", "PUT if wrong", "PUT if tag"],
            true,
        ),
        // Each attempt would be a version, and no claim is needed.
        ("generic", "versioned", None, &[], false),
        ("minio", "tfstate", None, &[], true),
        ("garage", "tfstate", None, &[], false),
    ] {
        let emulator = emulator().await;
        let store = store(&emulator, &[("dialect", dialect), ("bucket", bucket)]);
        if let Some(fault) = &fault {
            emulator.faults().inject(fault.clone());
        }
        for is_first in [true, false] {
            let target = acquire(&store).await;
            let sent: Vec<_> = requests(&emulator)
                .into_iter()
                .filter(|request| request.starts_with("PUT if"))
                .collect();
            assert_eq!(sent, if is_first { proof } else { &[] }, "{dialect}, {bucket}, {fault:?}");
            let held = store.inspect(&Workspace::default()).await.unwrap().expect("it is held");
            assert!(!held.is_being_released());
            requests(&emulator);
            release(&store, &target).await;
            let sent = requests(&emulator);
            let is_claimed = sent.iter().any(|request| request.starts_with("PUT if"));
            assert_eq!(is_claimed, claims, "{dialect}, {bucket}, {fault:?}: {sent:?}");
        }
        assert_eq!(store.inspect(&Workspace::default()).await.unwrap(), None);
    }
}

#[tokio::test]
async fn proof_that_is_not_answered_is_no_proof_and_no_failure() {
    for trouble in
        [Misbehaviour::slow_down(), Misbehaviour::internal_error(), Misbehaviour::LoseReply]
    {
        let emulator = emulator().await;
        let fresh = store(&emulator, &[("dialect", "generic"), ("max_retries", "1")]);
        emulator.faults().inject(
            Fault::new(trouble.clone()).with_method("PUT").with_update_condition().with_times(1),
        );
        let target = acquire(&fresh).await;
        requests(&emulator);
        release(&fresh, &target).await;
        assert_eq!(requests(&emulator), ["GET", "DELETE"], "{trouble:?}");
        let target = acquire(&fresh).await;
        release(&fresh, &target).await;
        assert!(
            requests(&emulator).contains(&"PUT if \"tag\"".to_owned()),
            "the next lock asks again"
        );
    }
}

#[tokio::test]
async fn claim_carries_what_the_create_carried_and_one_member_more() {
    let emulator = emulator().await;
    let member =
        |name: &str, value: &str| (name.to_owned(), Sourced::new(value.into(), Origin::Program));
    let keys = [
        ("dialect", "minio".into()),
        ("lock_tags", Setting::Object(vec![member("team", "net")])),
        ("acl", "bucket-owner-full-control".into()),
        ("encrypt", "true".into()),
    ];
    let store = store_with(&emulator, keys);
    let target = acquire(&store).await;
    release(&store, &target).await;
    let puts: Vec<_> =
        emulator.requests().take().into_iter().filter(|request| request.method == "PUT").collect();
    let [create, claim] = &puts[..] else { panic!("{puts:?}") };
    for name in ["content-type", "x-amz-tagging", "x-amz-acl", "x-amz-server-side-encryption"] {
        assert!(create.headers.contains_key(name), "{name}");
        assert_eq!(create.headers.get(name), claim.headers.get(name), "{name}");
    }
}

#[tokio::test]
async fn version_that_may_not_be_deleted_is_claimed_and_then_deleted_without_naming_it() {
    for dialect in ["minio", "generic"] {
        let emulator = emulator().await;
        let store = store(&emulator, &[("dialect", dialect), ("bucket", "versioned")]);
        let denied =
            Misbehaviour::AnswerWithoutWork { status: 403, code: "AccessDenied".to_owned() };
        let target = acquire(&store).await;
        emulator
            .faults()
            .inject(Fault::new(denied).with_method("DELETE").with_parameter("versionId"));
        requests(&emulator);
        release(&store, &target).await;
        let expected = match dialect {
            "minio" => &["GET", "DELETE of version", "PUT if \"tag\"", "DELETE"][..],
            // The store's conditions are unknown.
            _ => &["GET", "DELETE of version", "DELETE"],
        };
        assert_eq!(requests(&emulator), expected);
        assert_eq!(store.inspect(&Workspace::default()).await.unwrap(), None);
        // The lock can be taken again.
        acquire(&store).await;
    }
}

#[tokio::test]
async fn marked_version_does_not_uncover_the_record_that_it_was_made_of() {
    let emulator = emulator().await;
    let store = store(&emulator, &[("dialect", "minio"), ("bucket", "versioned")]);
    let denied = Misbehaviour::AnswerWithoutWork { status: 403, code: "AccessDenied".to_owned() };
    let target = acquire(&store).await;
    // The first process may not delete versions, and dies before its delete arrives.
    let lost =
        Fault::new(Misbehaviour::LoseRequest).with_method("DELETE").without_parameter("versionId");
    emulator.faults().inject(lost);
    emulator.faults().inject(Fault::new(denied).with_method("DELETE").with_parameter("versionId"));
    let step =
        store.release_step(&Workspace::default(), &target, &mut Release::default()).await.unwrap();
    assert!(matches!(step, ReleaseStep::Wait(_)), "{step:?}");
    emulator.faults().clear();
    let held = store.inspect(&Workspace::default()).await.unwrap().expect("it is marked");
    assert!(held.is_being_released());
    // Another process may delete versions: it waits, and deletes both.
    let other = common::store(&emulator, &[("dialect", "minio"), ("bucket", "versioned")]);
    release(&other, &target).await;
    assert_eq!(store.inspect(&Workspace::default()).await.unwrap(), None);
}

#[tokio::test]
async fn lock_that_is_being_released_is_refused_to_everyone_its_own_id_included() {
    for dialect in ["minio", "generic", "garage"] {
        let emulator = emulator().await;
        let releasing = store(&emulator, &[("dialect", "minio")]);
        let target = acquire(&releasing).await;
        emulator.faults().inject(Fault::new(Misbehaviour::LoseRequest).with_method("DELETE"));
        let mut release = Release::default();
        let step =
            releasing.release_step(&Workspace::default(), &target, &mut release).await.unwrap();
        let ReleaseStep::Wait(wait) = step else { panic!("{step:?}") };
        emulator.faults().clear();
        let LockTarget::Id(id) = &target else { panic!() };
        let other = store(&emulator, &[("dialect", dialect)]);
        for info in [LockInfo { id: id.clone(), ..info() }, info()] {
            let error = other.acquire(&Workspace::default(), &info).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::LockHeld, "{dialect}");
            assert_eq!(error.holder(), Some(&wait.record), "{dialect}");
        }
    }
}
