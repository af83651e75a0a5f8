//! Several releases of one lock at once: each removes the lock that it was meant for, and no other.
//!
//! Covers every second release of an id: an `UNLOCK` that a client repeats, `unlock ID` typed
//! twice, a server that continues a release after its client hung up. The clients of a race are
//! stores that share nothing, processes, or clients of one server or of two.

mod clients;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use remote_state_conformance::HttpTarget;
use remote_state_core::provider::read_lock_record;
use remote_state_core::{LockId, StateStore, Workspace};
use remote_state_emulator::{Fault, Misbehaviour, Quirks};
use remote_state_tests::{
    Cmd, OssServer, Place, S3Server, Sandbox, Served, Setup, Suite, block_on,
};

use clients::{Client, Commands};

const CONTENDERS: usize = 3;

/// A round is over by then, even with the takeover of a claim.
const PATIENCE: Duration = Duration::from_secs(120);

/// Placeholder for a bucket that keeps versions.
const VERSIONED: &str = "tfstate-versioned";

/// The number of rounds: enough for every run of CI to see the fault of a store without claims.
fn rounds() -> usize {
    if is_long() { 1000 } else { 60 }
}

/// The number of rounds with processes, each of which starts a dozen of them.
fn rounds_of_processes() -> usize {
    if is_long() { 1000 } else { 5 }
}

fn is_long() -> bool {
    std::env::var_os("REMOTE_STATE_TEST_LONG").is_some()
}

/// The kind of clients in a race.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Stores(usize),
    Servers(usize),
    Processes,
}

impl Kind {
    const ALL: [Self; 5] =
        [Self::Stores(2), Self::Stores(3), Self::Servers(1), Self::Servers(2), Self::Processes];

    fn name(self) -> String {
        match self {
            Self::Stores(releases) => format!("{releases}_stores"),
            Self::Servers(1) => "one_server".to_owned(),
            Self::Servers(_) => "two_servers".to_owned(),
            Self::Processes => "processes".to_owned(),
        }
    }
}

pub(crate) fn add(suite: &mut Suite) {
    let name = "releases_of_one_id_at_once_remove_no_other_lock";
    for kind in Kind::ALL {
        // The binary on the emulator adds little to the binary on real servers, and takes long.
        let is_on_emulator = is_long() || matches!(kind, Kind::Stores(_));
        for (dialect, bucket) in
            [("minio", "tfstate"), ("minio", VERSIONED), ("auto", "tfstate"), ("auto", VERSIONED)]
        {
            if !can_claim(kind, dialect, bucket) {
                continue;
            }
            let name = format!("{name}::{dialect}::{bucket}::{}", kind.name());
            let test = move |server: &S3Server| {
                let versioned =
                    (bucket == VERSIONED).then(|| block_on(server.make_versioned_bucket()));
                let place = server.place_in(versioned.as_deref().unwrap_or(bucket));
                let place = if dialect == "auto" { place } else { place.with("dialect", dialect) };
                race_at(&place, kind);
            };
            if is_on_emulator {
                suite.on_emulator(&name, &[], test);
            }
            suite.on_setup(Setup::named("s3/minio"), &name, &[], test);
        }
        for dialect in ["ceph", "spaces"].into_iter().filter(|_| is_on_emulator) {
            for bucket in ["tfstate", VERSIONED] {
                if !can_claim(kind, dialect, bucket) {
                    continue;
                }
                let name = format!("emulator::{name}::as_{dialect}::{bucket}::{}", kind.name());
                suite.test(name, &[], move || {
                    let server =
                        S3Server::emulator_with(|emulator| emulator.with_quirks(Quirks::Ceph));
                    race_at(&server.place_in(bucket).with("dialect", dialect), kind);
                });
            }
        }
        for setup in ["s3/ceph", "s3/ceph-versioned"] {
            if let Some(setup) = Setup::speaking_s3().find(|found| found.name == setup) {
                suite.on_setup(setup, &format!("{name}::{}", kind.name()), &[], move |server| {
                    race_at(&server.place().with("dialect", "ceph"), kind);
                });
            }
        }
    }
    // OSS deletes conditionally only on buckets that keep versions; on others all releases must go
    // through one server.
    let on_oss = [
        (OssServer::VERSIONED, Kind::Servers(1)),
        (OssServer::VERSIONED, Kind::Servers(2)),
        (OssServer::VERSIONED, Kind::Processes),
        (OssServer::PLAIN, Kind::Servers(1)),
    ];
    for (bucket, kind) in on_oss {
        suite.test(format!("oss::{name}::{bucket}::{}", kind.name()), &[], move || {
            on_oss_emulator(bucket, kind);
        });
    }
    suite.on_emulator(
        "a_process_that_is_killed_while_it_releases_leaves_a_lock_that_unlock_removes",
        &[],
        killed,
    );
}

/// Returns whether a release by these clients can claim, where it has to.
///
/// A client tests an unknown store while it holds a lock, and `unlock`, a process of its own, has
/// held none: it warns that two of them can collide.
fn can_claim(kind: Kind, dialect: &str, bucket: &str) -> bool {
    let is_unproven = matches!(dialect, "auto" | "spaces");
    !(matches!(kind, Kind::Processes) && is_unproven && bucket != VERSIONED)
}

fn race_at(place: &Place<'_>, kind: Kind) {
    let found = Found::Store(place.store(&[]));
    match kind {
        Kind::Stores(releases) => {
            let store = || -> Box<dyn Client> { Box::new(place.store(&[])) };
            let releasing = (0..releases).map(|_| store()).collect();
            race(&found, releasing, (0..CONTENDERS).map(|_| store()).collect(), rounds());
        }
        Kind::Servers(_) | Kind::Processes => {
            let flags = place.flags();
            let (access_key, secret_key) = (place.server.access_key(), place.server.secret_key());
            let flagged = |sandbox: &Sandbox| {
                let command = sandbox.remote_state().args(&flags);
                command
                    .env("AWS_ACCESS_KEY_ID", access_key)
                    .env("AWS_SECRET_ACCESS_KEY", secret_key)
            };
            race_by_the_binary(&found, kind, flagged);
        }
    }
}

fn on_oss_emulator(bucket: &str, kind: Kind) {
    let server = OssServer::emulator();
    let key = "env:/terraform.tfstate.tflock";
    let found = Found::Object { server: server.as_s3(), bucket, key };
    let flags = [
        "--backend=oss".to_owned(),
        format!("--backend-config=bucket={bucket}"),
        format!("--backend-config=region={}", OssServer::REGION),
        format!("--backend-config=endpoint={}", server.endpoint()),
    ];
    let flagged = |sandbox: &Sandbox| sandbox.remote_state().oss_server(&server).args(&flags);
    race_by_the_binary(&found, kind, flagged);
}

fn race_by_the_binary(
    found: &Found<'_>,
    kind: Kind,
    flagged: impl Fn(&Sandbox) -> Cmd + Send + Sync,
) {
    let sandbox = Arc::new(Sandbox::new());
    let Kind::Servers(servers) = kind else {
        let client = || -> Box<dyn Client + '_> {
            Box::new(Commands { flagged: &flagged, sandbox: sandbox.clone() })
        };
        let releasing = (0..2).map(|_| client()).collect();
        race(found, releasing, (0..2).map(|_| client()).collect(), rounds_of_processes());
        return;
    };
    let serve = || Served::start(flagged(&sandbox).words("serve --listen 127.0.0.1:0 --no-auth"));
    let servers: Vec<_> = (0..servers).map(|_| serve()).collect();
    let client =
        |server: &Served| -> Box<dyn Client> { Box::new(HttpTarget::new(&server.address)) };
    let mut clients = servers.iter().cycle().map(client);
    let releasing = clients.by_ref().take(3).collect();
    race(found, releasing, clients.take(CONTENDERS).collect(), rounds());
}

/// Where the test checks the lock, independently of the clients.
enum Found<'a> {
    /// Through a store of the library: only it knows which of several records in a bucket that
    /// keeps versions is the holder's.
    Store(Arc<dyn StateStore>),
    /// As the only object of the lock.
    Object { server: &'a S3Server, bucket: &'a str, key: &'a str },
}

impl Found<'_> {
    /// Returns the id of the holder, unless its lock is being released.
    async fn holder(&self) -> Option<LockId> {
        let record = match self {
            Self::Store(store) => {
                store.inspect(&Workspace::default()).await.expect("the lock can be read")?
            }
            Self::Object { server, bucket, key } => {
                read_lock_record(&server.get_object(bucket, key).await?, *key)
            }
        };
        let id = record.id().cloned().expect("the lock file is a record");
        (!record.is_being_released()).then_some(id)
    }
}

fn race(
    found: &Found<'_>,
    releasing: Vec<Box<dyn Client + '_>>,
    contending: Vec<Box<dyn Client + '_>>,
    rounds: usize,
) {
    block_on(async {
        // Each client has granted a lock before, as a server has, so each has already tested the
        // store.
        for client in releasing.iter().chain(&contending) {
            let id = client.take().await.expect("it is free");
            assert!(client.give_back(&id).await);
        }
        for round in 0..rounds {
            let held = releasing[0].take().await.expect("it is free");
            let (holders, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
            let releases = async {
                // A late release finds the next holder's lock, and leaves it.
                join_all(releasing.iter().map(|client| client.give_back(&held))).await;
                is_over.store(true, Ordering::SeqCst);
            };
            let contenders =
                contending.iter().map(|client| contend(&**client, found, &holders, &is_over));
            let both = join_all(contenders);
            let ended =
                tokio::time::timeout(PATIENCE, async { tokio::join!(releases, both) }).await;
            let ((), taken) = ended.unwrap_or_else(|_| panic!("round {round}: the lock is stuck"));
            assert!(taken.into_iter().sum::<usize>() > 0, "round {round}: nothing is stuck");
            assert_eq!(found.holder().await, None, "round {round}: nothing is stuck");
        }
    });
}

/// Takes the lock as soon as it is free, checks that no other client has it or takes it away, and
/// releases it; repeats until the releases are over.
async fn contend(
    client: &dyn Client,
    found: &Found<'_>,
    holders: &AtomicUsize,
    is_over: &AtomicBool,
) -> usize {
    let mut taken = 0;
    loop {
        // A client that comes after the last release has had its chance.
        let is_last = is_over.load(Ordering::SeqCst);
        if let Some(id) = client.take().await {
            assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "no other client holds the lock");
            taken += 1;
            for _ in 0..3 {
                assert_eq!(found.holder().await.as_ref(), Some(&id), "a holder keeps its lock");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(holders.fetch_sub(1, Ordering::SeqCst), 1, "no other client holds the lock");
            assert!(client.give_back(&id).await, "a holder gives back its own lock");
        } else {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if is_last && (taken > 0 || found.holder().await.is_none()) {
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
        // The store is slow to delete, and the process is killed meanwhile: the store does not
        // carry out its request.
        let stalled = Fault::new(Misbehaviour::Delay(Duration::from_secs(600)));
        server
            .faults()
            .inject(stalled.with_method("DELETE").with_key_suffix(".tflock").with_times(1));
        let unlock = ours().args(["unlock", &id]).start();
        while server.faults().count() > 0 {
            std::thread::sleep(Duration::from_millis(10));
        }
        drop(unlock.kill());
        let locks = ours().words("locks").run().success();
        assert!(
            locks.stdout().contains(&id) && locks.stdout().contains("being released"),
            "{locks:?}"
        );
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
