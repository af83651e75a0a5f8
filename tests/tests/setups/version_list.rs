//! On a bucket whose store carries out every create, the order of versions decides: there are never
//! two holders, whatever clients arrive and leave meanwhile, and nothing is left behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use remote_state_core::{ErrorKind, LockInfo, LockTarget, Released, StateStore, Workspace};
use remote_state_tests::{Locks, S3Server, Sandbox, Setup, Suite, block_on};
use tokio::task::JoinSet;

const CONTENDERS: usize = 20;
const ROUNDS: usize = 220;

pub(crate) fn add(suite: &mut Suite) {
    let by_list = |shows: &remote_state_tests::Shows| shows.locks == Locks::VersionList;
    for setup in Setup::speaking_s3().filter(|setup| by_list(&setup.shows)) {
        // The same gateway serves both providers, and takes minutes.
        let rounds = if setup.provider() == "s3" { ROUNDS } else { ROUNDS / 10 };
        suite.on_setup(
            setup,
            "of_twenty_contenders_one_holds_at_a_time_and_nothing_is_left_behind",
            &[],
            move |server| race(server, rounds),
        );
    }
    suite.on_setups(
        by_list,
        "processes_wait_for_each_other_and_are_told_what_native_clients_risk",
        &[],
        processes,
    );
}

/// In each round every client tries until it has held the lock once or has tried often, and holders
/// keep it for a while: so some arrive while others hold, and while others leave.
fn race(server: &S3Server, rounds: usize) {
    let dialect = server.dialect.expect("the setup names its dialect");
    block_on(async {
        let bucket = server.make_versioned_bucket().await;
        let mut held = 0;
        for round in 0..rounds {
            let place = server.place_in(&bucket);
            let inside = Arc::new(AtomicUsize::new(0));
            let mut contenders = JoinSet::new();
            for contender in 0..CONTENDERS {
                // Separate stores are like separate processes: they share only the bucket.
                let (store, inside) = (place.store(&[("dialect", dialect)]), Arc::clone(&inside));
                contenders.spawn(async move { contend(&*store, &inside, contender).await });
            }
            let wins: usize = contenders.join_all().await.into_iter().sum();
            assert!(wins > 0, "round {round}: somebody should hold the lock");
            held += wins;
            let left = server.versions(&bucket, &place.lock_key("default")).await;
            assert_eq!(left, Vec::<String>::new(), "round {round}: nothing should be left behind");
        }
        assert!(held > rounds, "holders should have come after holders: {held} in {rounds} rounds");
    });
}

async fn contend(store: &dyn StateStore, inside: &AtomicUsize, contender: usize) -> usize {
    let here = Workspace::default();
    for attempt in 0..3 {
        let info = LockInfo::new("race", "tester@here", "1.0.0", jiff::Timestamp::now())
            .expect("the system has randomness");
        match store.acquire(&here, &info).await {
            Ok(_) => {
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two hold the lock");
                let stay = (contender * 7 + attempt * 3) % 20;
                tokio::time::sleep(Duration::from_millis(stay as u64)).await;
                inside.fetch_sub(1, Ordering::SeqCst);
                let released =
                    store.release(&here, &LockTarget::Id(info.id)).await.expect("it is ours");
                assert!(matches!(released, Released::Freed(_)), "{released:?}");
                return 1;
            }
            Err(error) => {
                assert!(
                    matches!(error.kind(), ErrorKind::LockHeld | ErrorKind::Unavailable),
                    "{error:?}"
                );
            }
        }
    }
    0
}

fn processes(server: &S3Server) {
    let place = server.place_in(&block_on(server.make_versioned_bucket()));
    let sandbox = Sandbox::new();
    let dialect = server.dialect.expect("the setup names its dialect");
    let ours = |words: &str| {
        sandbox
            .remote_state()
            .server(server)
            .args(place.flags())
            .args(["--dialect", dialect])
            .words(words)
    };
    let risk = "keeps versions, and there";
    let locked = ours("lock")
        .run()
        .success()
        .says(risk)
        .says("native Terraform and OpenTofu do not see their locks");
    let id = locked.stdout().trim().to_owned();
    let waiting = ours("lock --lock-timeout 60s --json").start();
    ours("lock").run().code(3).says(&id);
    assert!(ours("locks").run().success().stdout().contains(&id));

    sandbox.write(
        "a.tfstate",
        "{\"version\":4,\"serial\":1,\"lineage\":\"l\",\"outputs\":{},\"resources\":[]}",
    );
    ours(&format!("push --lock-id {id} a.tfstate")).run().success().says(risk);
    ours("push a.tfstate").run().code(3).says(&id);
    ours(&format!("unlock {id}")).run().success();
    let waited = waiting.wait().success().json();
    assert!(waited["warning"].as_str().is_some_and(|warning| warning.contains(risk)), "{waited}");
    let id = waited["id"].as_str().expect("a lock has an id").to_owned();

    // A native client takes the lock too: `remote-state` then writes nothing, and names that
    // client.
    let native = LockInfo::new("apply", "terraform@there", "1.11.4", jiff::Timestamp::now())
        .expect("the system has randomness");
    let record = native.to_json().into_bytes();
    block_on(server.put_object(&place.bucket, &place.lock_key("default"), record.into()));
    let push = format!("push --force --lock-id {id} a.tfstate");
    ours(&push)
        .run()
        .code(3)
        .says("locked by another client too")
        .says(native.id.as_str())
        .says("terraform@there");
    assert!(ours("locks").run().success().stdout().contains(native.id.as_str()));
    ours(&format!("unlock {}", native.id)).run().success();
    ours(&push).run().success();
    ours(&format!("unlock {id}")).run().success();
    let left = block_on(server.versions(&place.bucket, &place.lock_key("default")));
    assert_eq!(left, Vec::<String>::new());
}
