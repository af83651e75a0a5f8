//! How many requests a client's cycle of lock, read, write and unlock costs at the store.

use std::sync::Arc;
use std::time::Duration;

use remote_state_conformance::HttpTarget;
use remote_state_core::Backend as _;
use remote_state_core::config::{ResolvedConfig, Setting};
use remote_state_core::{LockInfo, LockTarget, StateStore, StateStoreExt as _, Workspace};
use remote_state_emulator::{Emulator, Fault, Gate, Misbehaviour};
use remote_state_s3::{PROVIDER, S3Config};
use remote_state_server::{Auth, Server, States};

const NAME: &str = "default";

fn store(emulator: &Emulator, dialect: &str) -> Arc<dyn StateStore> {
    let endpoint = emulator.endpoint();
    let keys = [
        ("bucket", "tfstate"),
        ("key", "net/terraform.tfstate"),
        ("region", "us-east-1"),
        ("endpoint", &*endpoint),
        ("access_key", "test"),
        ("secret_key", "testtest"),
        ("use_path_style", "true"),
        ("use_lockfile", "true"),
        ("dialect", dialect),
    ];
    let keys = keys.map(|(name, value)| (name, Setting::from(value)));
    let config = ResolvedConfig::from_pairs(&PROVIDER, keys).unwrap();
    S3Config::from_resolved(&config).unwrap().open().unwrap()
}

struct Running {
    emulator: Emulator,
    target: HttpTarget,
    /// A client of the store that is not this server.
    other: Arc<dyn StateStore>,
}

async fn start(dialect: &str) -> Running {
    let emulator = Emulator::builder()
        .with_credentials("test", "testtest")
        .with_bucket("tfstate")
        .start()
        .await
        .unwrap();
    let states = States::workspaces(store(&emulator, dialect));
    let server = Server::builder(states).with_auth(Auth::none()).bind(([127, 0, 0, 1], 0).into());
    let server = server.await.unwrap();
    let target = HttpTarget::new(format!("http://{}", server.local_addr()));
    tokio::spawn(server.run_until(std::future::pending()));
    Running { other: store(&emulator, dialect), target, emulator }
}

fn info() -> LockInfo {
    LockInfo::new("test", "me@here", "1", jiff::Timestamp::UNIX_EPOCH).unwrap()
}

fn state(serial: u64) -> String {
    format!(
        r#"{{"version":4,"serial":{serial},"lineage":"l","outputs":{{}},"resources":[{{"a":1}}]}}"#
    )
}

impl Running {
    async fn send(&self, method: &str, query: &str, body: Option<String>) -> u16 {
        let path = format!("/state/{NAME}{query}");
        self.target.send(method, &path, body.map(Into::into)).await.status
    }

    async fn lock(&self) -> LockInfo {
        let info = info();
        assert_eq!(self.send("LOCK", "", Some(info.to_json())).await, 200);
        info
    }

    async fn write(&self, info: &LockInfo, serial: u64) -> u16 {
        self.send("POST", &format!("?ID={}", info.id), Some(state(serial))).await
    }

    async fn unlock(&self, info: &LockInfo) -> u16 {
        self.send("UNLOCK", "", Some(info.to_json())).await
    }

    async fn cycle(&self, serial: u64) {
        let info = self.lock().await;
        let read = self.send("GET", "", None).await;
        assert!(read == 200 || (read == 404 && serial == 1), "{read}");
        assert_eq!(self.write(&info, serial).await, 200);
        assert_eq!(self.unlock(&info).await, 200);
    }

    /// Returns what was sent to the store since the last time.
    fn sent(&self) -> Vec<String> {
        let sent = |request: remote_state_emulator::Request| {
            let object = match request.key {
                Some(key) if key.ends_with(".tflock") => "lock",
                _ => "state",
            };
            format!("{} {object}", request.method)
        };
        self.emulator.requests().take().into_iter().map(sent).collect()
    }

    async fn stored_serial(&self) -> u64 {
        let stored = self.other.read_bytes(&Workspace::default()).await.unwrap().unwrap();
        remote_state_core::StateHeader::parse(&stored.bytes).unwrap().serial.0
    }
}

#[tokio::test]
async fn cycle_takes_six_requests_where_a_release_claims_and_five_where_a_delete_is_conditional() {
    let claims =
        ["PUT lock", "GET state", "GET lock", "PUT state", "PUT lock", "DELETE lock"].as_slice();
    let deletes = ["PUT lock", "GET state", "GET lock", "PUT state", "DELETE lock"].as_slice();
    for (dialect, expected) in [("minio", claims), ("aws", deletes)] {
        let server = start(dialect).await;
        server.cycle(1).await;
        for serial in 2..4 {
            drop(server.sent());
            server.cycle(serial).await;
            assert_eq!(server.sent(), expected, "{dialect}");
        }
        assert_eq!(server.stored_serial().await, 3);
    }
}

/// What this server knows may be old: the store decides, and then the server looks.
#[tokio::test]
async fn state_that_another_client_wrote_in_between_is_never_written_over() {
    for dialect in ["minio", "aws"] {
        let server = start(dialect).await;
        server.cycle(1).await;
        let info = server.lock().await;
        assert_eq!(server.send("GET", "", None).await, 200);
        let theirs = bytes::Bytes::from(state(7));
        let mode = remote_state_core::WriteMode::Overwrite;
        server.other.write(&Workspace::default(), theirs.into(), &mode.into()).await.unwrap();
        drop(server.sent());
        assert_eq!(server.write(&info, 2).await, 409, "serial 7 is stored");
        // The first look is for an own write whose answer was lost. The lock may have changed
        // during the write, and the second read is for the rules.
        let looks = ["GET lock", "PUT state", "GET state", "GET lock", "GET state"];
        assert_eq!(server.sent(), looks);
        assert_eq!(server.stored_serial().await, 7);
        assert_eq!(server.write(&info, 8).await, 200);
        assert_eq!(server.stored_serial().await, 8);
    }
}

#[tokio::test]
async fn state_that_another_client_deleted_is_not_taken_for_stored() {
    let server = start("minio").await;
    server.cycle(1).await;
    server.other.delete(&Workspace::default()).await.unwrap();
    let info = server.lock().await;
    assert_eq!(server.write(&info, 2).await, 200);
    assert_eq!(server.stored_serial().await, 2);
}

/// The lock of a client that took it after another process released it by its id.
#[tokio::test]
async fn release_from_memory_never_hits_the_next_holder() {
    for dialect in ["minio", "aws"] {
        let server = start(dialect).await;
        let (ours, theirs) = (server.lock().await, info());
        let here = Workspace::default();
        drop(server.other.release(&here, &LockTarget::Id(ours.id.clone())).await.unwrap());
        drop(server.other.acquire(&here, &theirs).await.unwrap());
        assert_eq!(server.unlock(&ours).await, 423, "{dialect}");
        let held = server.other.inspect(&here).await.unwrap().unwrap();
        assert_eq!(held.id(), Some(&theirs.id), "{dialect}");
    }
}

#[tokio::test]
async fn release_of_a_lock_that_is_gone_succeeds_and_of_one_in_doubt_too() {
    for dialect in ["minio", "aws"] {
        let server = start(dialect).await;
        let (ours, here) = (server.lock().await, Workspace::default());
        drop(server.other.release(&here, &LockTarget::Id(ours.id.clone())).await.unwrap());
        assert_eq!(server.unlock(&ours).await, 200, "{dialect}");
        for method in ["PUT", "DELETE"] {
            let ours = server.lock().await;
            // No claim is sent to `aws`, and to `minio` a delete in doubt keeps the lock for half a
            // minute.
            if (dialect, method) == ("minio", "PUT") || (dialect, method) == ("aws", "DELETE") {
                let lost = Fault::new(Misbehaviour::LoseReply).with_method(method).with_times(1);
                server.emulator.faults().inject(lost);
            }
            assert_eq!(server.unlock(&ours).await, 200, "{dialect} {method}");
            assert!(server.other.inspect(&here).await.unwrap().is_none(), "{dialect} {method}");
        }
    }
}

/// A write can take minutes. If the store refuses it, the lock may be another client's by then.
#[tokio::test]
async fn second_attempt_of_a_write_looks_at_the_lock_again() {
    for dialect in ["minio", "aws"] {
        let server = start(dialect).await;
        server.cycle(1).await;
        let mine = server.lock().await;
        let gate = Gate::default();
        let hold = Fault::new(Misbehaviour::Hold(gate.clone())).with_method("PUT").with_times(1);
        server.emulator.faults().inject(hold);
        let armed = server.emulator.faults().count();
        let meanwhile = async {
            while server.emulator.faults().count() >= armed {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let (workspace, theirs) = (Workspace::default(), bytes::Bytes::from(state(7)));
            let mode = remote_state_core::WriteMode::Overwrite;
            server.other.release(&workspace, &LockTarget::Id(mine.id.clone())).await.unwrap();
            server.other.acquire(&workspace, &info()).await.unwrap();
            server.other.write(&workspace, theirs.into(), &mode.into()).await.unwrap();
            gate.open();
        };
        let (status, ()) = tokio::join!(server.write(&mine, 8), meanwhile);
        assert!(matches!(status, 409 | 423), "{dialect}: {status}");
        assert_eq!(server.stored_serial().await, 7, "{dialect}");
    }
}
