//! Releases of one lock, several at once: what one of them was meant for is removed, and no other lock.
//!
//! The kind is every second release of an id: an `UNLOCK` that a client repeats, `unlock ID` typed twice, a server that goes on with a release whose
//! client hung up. Each release here is that of a client of its own, as two processes and two servers are: they share nothing but the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use remote_state_core::{ErrorKind, LockTarget, StateStore, Workspace};
use remote_state_emulator::{Fault, Manners, Misbehaviour};
use remote_state_tests::{Place, S3Server, Sandbox, Setup, Suite, block_on};

use crate::lock_info;

const CONTENDERS: usize = 3;

/// Stands for a bucket that keeps versions.
const VERSIONED: &str = "tfstate-versioned";

/// How many rounds: enough to see the fault of a store without claims in every run of CI, and more where time is no matter.
fn rounds() -> usize {
    if std::env::var_os("REMOTE_STATE_TEST_LONG").is_some() { 1000 } else { 60 }
}

pub(crate) fn add(suite: &mut Suite) {
    for (dialect, bucket) in
        [("minio", "tfstate"), ("minio", VERSIONED), ("auto", "tfstate"), ("auto", VERSIONED)]
    {
        let name = format!("releases_of_one_id_at_once_remove_no_other_lock::{dialect}::{bucket}");
        for releases in [2, 3] {
            suite.on_each_server(&format!("{name}::{releases}"), &[], move |server| {
                let versioned = (bucket == VERSIONED).then(|| block_on(server.make_versioned_bucket()));
                let place = server.place_in(versioned.as_deref().unwrap_or(bucket));
                let place = if dialect == "auto" { place } else { place.with("dialect", dialect) };
                block_on(race(&place, releases));
            });
        }
    }
    for dialect in ["ceph", "spaces"] {
        for bucket in ["tfstate", "tfstate-versioned"] {
            suite.test(
                format!("emulator::releases_of_one_id_at_once_remove_no_other_lock::as_{dialect}::{bucket}"),
                &[],
                move || {
                    let server = S3Server::emulator_with(|emulator| emulator.with_manners(Manners::Ceph));
                    block_on(race(&server.place_in(bucket).with("dialect", dialect), 3));
                },
            );
        }
    }
    for setup in ["s3/ceph", "s3/ceph-versioned"] {
        if let Some(setup) = Setup::speaking_s3().find(|found| found.name == setup) {
            suite.on_setup(setup, "releases_of_one_id_at_once_remove_no_other_lock", &[], |server| {
                block_on(race(&server.place().with("dialect", "ceph"), 3));
            });
        }
    }
    suite.on_emulator(
        "a_process_that_is_killed_while_it_releases_leaves_a_lock_that_unlock_removes",
        &[],
        killed,
    );
}

async fn race(place: &Place<'_>, releases: usize) {
    let here = Workspace::default();
    // One store for each client: nothing that one of them knows helps another.
    let clients: Vec<_> = (0..releases + CONTENDERS).map(|_| place.store(&[])).collect();
    // Each has granted a lock before, as a server has. What a store is to be proven to do is known then.
    for client in &clients {
        let info = client.acquire(&here, &lock_info("warm up")).await.expect("it is free");
        client.release(&here, &LockTarget::Id(info.id)).await.expect("it is ours");
    }
    let (releasing, contending) = clients.split_at(releases);
    for round in 0..rounds() {
        let held = releasing[0].acquire(&here, &lock_info("held")).await.expect("it is free");
        let (holders, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
        let target = LockTarget::Id(held.id);
        let releases = async {
            let released = join_all(releasing.iter().map(|client| client.release(&here, &target))).await;
            is_over.store(true, Ordering::SeqCst);
            released
        };
        let contenders = contending.iter().map(|client| contend(client, &here, &holders, &is_over));
        let (released, taken) = tokio::join!(releases, join_all(contenders));
        for released in released {
            // A release that comes late finds the next holder, and leaves it.
            if let Err(error) = released {
                assert_eq!(error.kind(), ErrorKind::LockHeld, "round {round}: {error:?}");
            }
        }
        assert!(taken.into_iter().sum::<usize>() > 0, "round {round}: nothing is stuck");
        let left = releasing[0].inspect(&here).await.expect("it can be read");
        assert_eq!(left, None, "round {round}: nothing is stuck");
    }
}

/// Takes the lock as soon as it is free, makes sure that nobody else has it or takes it away, and gives it back; again until the releases are over.
async fn contend(
    client: &Arc<dyn StateStore>,
    here: &Workspace,
    holders: &AtomicUsize,
    is_over: &AtomicBool,
) -> usize {
    let mut taken = 0;
    loop {
        // Whoever comes after the last release has had its chance.
        let is_last = is_over.load(Ordering::SeqCst);
        match client.acquire(here, &lock_info("contender")).await {
            Ok(info) => {
                assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "nobody else holds the lock");
                taken += 1;
                for _ in 0..3 {
                    let found = client.inspect(here).await.expect("it can be read");
                    let is_ours = found.as_ref().is_some_and(|found| found.is_held_by(&info.id));
                    assert!(is_ours, "the lock of a holder was removed: {found:?}");
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                assert_eq!(holders.fetch_sub(1, Ordering::SeqCst), 1, "nobody else holds the lock");
                client.release(here, &LockTarget::Id(info.id)).await.expect("it is ours");
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::LockHeld, "{error:?}");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        if is_last && (taken > 0 || client.inspect(here).await.expect("it is read").is_none()) {
            return taken;
        }
    }
}

fn killed(server: &S3Server) {
    let sandbox = Sandbox::new();
    for id in ["first", "second"] {
        let place = server.place().with("dialect", "minio");
        let ours = || sandbox.remote_state().server(server).args(place.flags());
        let id = ours().args(["lock", "--info", id]).run().success().stdout().trim().to_owned();
        // The store is slow to delete, and the process is killed meanwhile: what it asked for is not carried out.
        let stalled = Fault::new(Misbehaviour::Delay(Duration::from_secs(600)));
        server.faults().inject(stalled.with_method("DELETE").with_key_suffix(".tflock").with_times(1));
        let unlock = ours().args(["unlock", &id]).start();
        while server.faults().count() > 0 {
            std::thread::sleep(Duration::from_millis(10));
        }
        drop(unlock.kill());
        let locks = ours().words("locks").run().success();
        assert!(locks.stdout().contains(&id) && locks.stdout().contains("being released"), "{locks:?}");
        ours().words("lock").run().code(3).mentions("being released");
        ours()
            .args(["unlock", &id])
            .timeout(Duration::from_secs(90))
            .run()
            .success()
            .mentions("is taken over in");
        place.assert_unlocked();
    }
}
