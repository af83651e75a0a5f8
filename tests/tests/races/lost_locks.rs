//! Lost lock requests, or lost answers to them: no lock is orphaned, and there is never a second
//! holder.

use futures_util::future::join_all;
use remote_state_core::{ErrorKind, LockTarget, Workspace};
use remote_state_emulator::{Fault, Misbehaviour};
use remote_state_tests::{Place, S3Server, Sandbox, Suite, block_on};

use crate::lock_info;

pub(crate) fn add(suite: &mut Suite) {
    for dialect in ["aws", "generic"] {
        for method in ["PUT", "GET", "DELETE"] {
            let name = format!(
                "a_lost_{}_orphans_no_lock_and_makes_no_second_holder::{dialect}",
                method.to_lowercase()
            );
            suite.test(format!("emulator::{name}"), &[], move || block_on(matrix(dialect, method)));
        }
    }
    suite.on_emulator(
        "a_lock_whose_answers_are_lost_is_printed_held_and_released",
        &[],
        by_the_binary,
    );
}

/// The faults of requests.
pub(crate) fn troubles() -> [Misbehaviour; 5] {
    [
        Misbehaviour::LoseReply,
        Misbehaviour::LoseRequest,
        Misbehaviour::internal_error_after_work(),
        Misbehaviour::internal_error(),
        Misbehaviour::slow_down(),
    ]
}

async fn matrix(dialect: &str, method: &str) {
    let cases =
        troubles().into_iter().flat_map(|trouble| [1, 2, 5].map(|times| (trouble.clone(), times)));
    let cases: Vec<_> = cases
        .map(|(trouble, times)| {
            let (dialect, method) = (dialect.to_owned(), method.to_owned());
            // On a blocking thread, because the emulator starts from outside the runtime.
            tokio::task::spawn_blocking(move || {
                let server = S3Server::emulator();
                let fault = Fault::new(trouble)
                    .with_method(method)
                    .with_key_suffix(".tflock")
                    .with_times(times);
                block_on(lock_and_unlock(&server.place(), &dialect, &fault));
            })
        })
        .collect();
    for case in join_all(cases).await {
        case.expect("no case fails");
    }
}

async fn lock_and_unlock(place: &Place<'_>, dialect: &str, fault: &Fault) {
    let keys = [("dialect", dialect), ("max_retries", "2")];
    let (store, workspace, faults) =
        (place.store(&keys), Workspace::default(), place.server.faults());
    let info = lock_info("lock");

    faults.inject(fault.clone());
    let locked = store.acquire(&workspace, &info).await;
    faults.clear();
    let holder = holder(place).await;
    match &locked {
        Ok(locked) => {
            assert_eq!(
                holder.as_ref(),
                Some(locked),
                "{fault:?}: the lock is held as it is said to be"
            );
        }
        Err(error) => {
            assert_ne!(error.kind(), ErrorKind::LockHeld, "{fault:?}: no other client is there");
            if holder.is_some() {
                let shown = format!("{error} {:?} {:?}", error.context(), error.hints());
                assert!(
                    shown.contains(info.id.as_str()),
                    "{fault:?}: a lock that may be held is named: {shown}"
                );
            }
        }
    }

    // The next client sees the real state of the lock.
    let other = place.store(&keys);
    let second = other.acquire(&workspace, &lock_info("second")).await;
    match (&holder, second) {
        (Some(holder), Err(error)) => {
            assert_eq!(error.kind(), ErrorKind::LockHeld, "{fault:?}");
            let named = error.holder().and_then(|record| record.id().cloned());
            assert_eq!(named.as_ref(), Some(&holder.id), "{fault:?}");
        }
        (None, Ok(second)) => {
            other.release(&workspace, &LockTarget::Id(second.id)).await.expect("it is ours");
        }
        (holder, second) => panic!("{fault:?}: held by {holder:?}, and then {second:?}"),
    }

    // The same fault during the release. A client can repeat a release whose outcome is unknown.
    faults.inject(fault.clone());
    let released = store.release(&workspace, &LockTarget::Id(info.id.clone())).await;
    faults.clear();
    if released.is_ok() {
        assert_eq!(self::holder(place).await, None, "{fault:?}: what is released is free");
    }
    store.release(&workspace, &LockTarget::Id(info.id)).await.expect("the store answers again");
    assert_eq!(self::holder(place).await, None, "{fault:?}");
}

async fn holder(place: &Place<'_>) -> Option<remote_state_core::LockInfo> {
    let bytes = place.server.get_object(&place.bucket, &place.lock_key("default")).await?;
    Some(remote_state_core::LockInfo::parse(&bytes).expect("the lock file is a record"))
}

fn by_the_binary(server: &S3Server) {
    let sandbox = Sandbox::new();
    let place = server.place();
    let ours =
        |words: &str| sandbox.remote_state().server(server).args(place.flags()).words(words).run();
    for method in ["PUT", "GET", "DELETE"] {
        let lose = || {
            let fault =
                Fault::new(Misbehaviour::LoseReply).with_method(method).with_key_suffix(".tflock");
            server.faults().inject(fault.with_times(1));
        };
        lose();
        let id = ours("lock").success().stdout().trim().to_owned();
        server.faults().clear();
        assert!(ours("locks --json").success().stdout().contains(&id));
        ours("lock").code(3).says(&id);
        lose();
        ours(&format!("unlock {id}")).success();
        server.faults().clear();
        place.assert_unlocked();
        assert!(!ours("locks --json").success().stdout().contains(&id));
    }
}
