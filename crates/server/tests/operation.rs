//! What the protocol leaves open: policies, limits, time, and locks that cannot be read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt as _;
use remote_state_conformance::{Answer, Faults, FaultyStore, HttpTarget, MemoryStore, RawLocks};
use remote_state_core::{
    Capabilities, Digests, ErrorKind, LockInfo, Locking, StateStore, StateStoreExt as _, Workspace,
    WriteConditions, WriteMode,
};
use remote_state_server::{
    Auth, Emptied, Policy, Server, ServerBuilder, States, Timeouts, UNREADABLE_LOCK_ID,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

const TOKEN: &str = "a token";

struct Running {
    target: HttpTarget,
    memory: MemoryStore,
    faults: Faults,
    stop: tokio::sync::oneshot::Sender<()>,
    ended: JoinHandle<remote_state_core::Result<()>>,
}

async fn start(
    memory: MemoryStore,
    set_up: impl FnOnce(ServerBuilder) -> ServerBuilder,
) -> Running {
    let (store, faults) = FaultyStore::wrap(Arc::new(memory.clone()));
    let builder = Server::builder(States::workspaces(store)).with_auth(Auth::token(TOKEN));
    let server = set_up(builder).bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let target = HttpTarget::new(format!("http://{}", server.local_addr())).with_token(TOKEN);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let ended = tokio::spawn(server.run_until(async move { stopped.await.unwrap_or_default() }));
    Running { target, memory, faults, stop, ended }
}

impl Running {
    async fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        let body = (!body.is_empty()).then(|| Bytes::copy_from_slice(body.as_bytes()));
        self.target.send(method, path, body).await
    }

    async fn status(&self, method: &str, path: &str, body: &str) -> u16 {
        self.send(method, path, body).await.status
    }

    fn address(&self) -> &str {
        self.target.base_url().strip_prefix("http://").unwrap()
    }

    /// Sends a request, and keeps its connection open.
    async fn begin(&self, method: &str, path: &str, length: usize, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \
             {TOKEN}\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        stream
    }

    /// Waits until the first write has come to the store.
    async fn write_arrives(&self) {
        let arrives = async {
            while self.faults.write_modes().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let patience = Duration::from_secs(30);
        tokio::time::timeout(patience, arrives).await.expect("the write should come to the store");
    }

    async fn stored(&self) -> Option<Bytes> {
        let store: Arc<dyn StateStore> = Arc::new(self.memory.clone());
        store.read_bytes(&Workspace::default()).await.unwrap().map(|state| state.bytes)
    }
}

fn state(serial: u64, lineage: &str, resources: &str) -> String {
    format!(
        r#"{{"version":4,"serial":{serial},"lineage":"{lineage}","outputs":{{}},"resources":[{resources}]}}"#
    )
}

fn lock(id: &str, operation: &str) -> String {
    format!(r#"{{"ID":"{id}","Operation":"{operation}"}}"#)
}

async fn to_end(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn a_policy_may_require_the_lock() {
    let server =
        start(MemoryStore::new(), |it| it.with_policy(Policy::default().with_require_lock(true)))
            .await;
    assert_eq!(server.status("POST", "/state/default", &state(1, "l", "")).await, 428);
    assert_eq!(server.status("DELETE", "/state/default", "").await, 428);
    assert_eq!(server.status("LOCK", "/state/default", &lock("a", "")).await, 200);
    assert_eq!(server.status("POST", "/state/default?ID=a", &state(1, "l", "")).await, 200);
}

#[tokio::test]
async fn a_policy_may_refuse_emptied_states() {
    let policy = Policy::default().with_emptied(Emptied::Deny);
    let server = start(MemoryStore::new(), |it| it.with_policy(policy)).await;
    assert_eq!(server.status("POST", "/state/default", &state(1, "l", "{}")).await, 200);
    assert_eq!(server.status("POST", "/state/default", &state(2, "l", "")).await, 409);
    assert_eq!(
        server.status("LOCK", "/state/default", &lock("a", "OperationTypeApply")).await,
        200
    );
    assert_eq!(server.status("POST", "/state/default?ID=a", &state(2, "l", "")).await, 200);
}

#[tokio::test]
async fn a_policy_against_emptied_states_is_not_evaded_by_deleting_them() {
    let policy = Policy::default().with_emptied(Emptied::Deny);
    let server = start(MemoryStore::new(), |it| it.with_policy(policy)).await;
    assert_eq!(server.status("DELETE", "/state/default", "").await, 200, "there is none");
    let write = async |bytes: Bytes| {
        server
            .memory
            .write(&Workspace::default(), bytes.into(), &WriteMode::Overwrite.into())
            .await
            .unwrap();
    };
    for (stored, status) in [
        (Bytes::from(state(1, "l", "{}")), 409),
        (Bytes::from_static(b"{\"version\":4,\"ser"), 409),
        (Bytes::from_static(b"nonsense"), 409),
        (Bytes::from(state(1, "l", "")), 200),
    ] {
        write(stored.clone()).await;
        assert_eq!(server.status("DELETE", "/state/default", "").await, status, "{stored:?}");
        assert_eq!(server.stored().await, (status == 409).then_some(stored));
    }
    let lenient = start(MemoryStore::new(), |it| it).await;
    assert_eq!(lenient.status("POST", "/state/default", &state(1, "l", "{}")).await, 200);
    assert_eq!(lenient.status("DELETE", "/state/default", "").await, 200);
}

#[tokio::test]
async fn clients_do_not_repeat_a_request_whose_failure_only_the_operator_can_mend() {
    let server = start(MemoryStore::new(), |it| it).await;
    for kind in [
        ErrorKind::ConfigInvalid,
        ErrorKind::CredentialInvalid,
        ErrorKind::NotFound,
        ErrorKind::PermissionDenied,
        ErrorKind::TableMissing,
        ErrorKind::DigestMismatch,
    ] {
        server.faults.fail_always(kind);
        let answer = server.send("GET", "/state/default", "").await;
        assert_eq!(answer.status, 501, "{kind:?}");
        assert!(!answer.header("x-request-id").is_empty());
    }
}

#[tokio::test]
async fn a_policy_may_let_forced_pushes_through() {
    let server =
        start(MemoryStore::new(), |it| it.with_policy(Policy::default().with_force_write(true)))
            .await;
    for (serial, lineage) in [(9, "one"), (3, "one"), (1, "other")] {
        assert_eq!(server.status("POST", "/state/default", &state(serial, lineage, "")).await, 200);
        assert_eq!(server.stored().await.unwrap(), state(serial, lineage, ""));
    }
}

#[tokio::test]
async fn an_unreadable_lock_is_held_until_a_client_forces_it() {
    let server = start(MemoryStore::new(), |it| it).await;
    let by_tofu = lock(UNREADABLE_LOCK_ID, "");
    for force in ["", &by_tofu] {
        server.memory.put(&Workspace::default(), Bytes::from_static(b"hunter2")).await;
        let refused = server.send("LOCK", "/state/default", &lock("a", "")).await;
        assert_eq!(refused.status, 423);
        let shown = LockInfo::parse(&refused.body).unwrap();
        assert_eq!(shown.id.as_str(), UNREADABLE_LOCK_ID);
        assert!(
            shown.info.contains("memory://") && !shown.info.contains("hunter2"),
            "{}",
            shown.info
        );
        assert_eq!(server.status("GET", "/lock/default", "").await, 200);
        assert_eq!(server.status("POST", "/state/default", &state(1, "l", "")).await, 423);
        assert_eq!(server.status("UNLOCK", "/state/default", &lock("a", "")).await, 423);
        let own = format!("/state/default?ID={UNREADABLE_LOCK_ID}");
        assert_eq!(server.status("POST", &own, &state(1, "l", "")).await, 423);
        assert_eq!(server.status("UNLOCK", "/state/default", force).await, 200);
        assert_eq!(server.status("GET", "/lock/default", "").await, 204);
    }
    assert_eq!(server.status("LOCK", "/state/default", &lock("a", "")).await, 200);
    assert_eq!(
        server.status("UNLOCK", "/state/default", &by_tofu).await,
        423,
        "a lock that can be read has its own id"
    );
}

#[tokio::test]
async fn a_store_without_locks_says_so_and_takes_states() {
    let server =
        start(MemoryStore::new().with_capabilities(Capabilities::default()), |it| it).await;
    assert_eq!(server.status("LOCK", "/state/default", &lock("a", "")).await, 501);
    for serial in 1..3 {
        assert_eq!(server.status("POST", "/state/default", &state(serial, "l", "")).await, 200);
    }
    assert_eq!(server.status("POST", "/state/default", &state(1, "l", "")).await, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_writers_of_one_serial_one_writes() {
    for capabilities in [Capabilities::default(), MemoryStore::new().capabilities()] {
        let server = start(MemoryStore::new().with_capabilities(capabilities), |it| it).await;
        server.faults.delay_writes(Duration::from_millis(5));
        let states: Vec<_> =
            (0..30).map(|writer| state(1, "l", &format!("{{\"writer\":{writer}}}"))).collect();
        let sent = states.iter().map(|state| server.status("POST", "/state/default", state));
        let statuses = futures_util::future::join_all(sent).await;
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 29, "{statuses:?}");
        let winner = statuses.iter().position(|status| *status == 200).unwrap();
        assert!(server.stored().await.unwrap() == states[winner]);
    }
}

#[tokio::test]
async fn a_state_beyond_the_limit_is_still_read() {
    let server = start(MemoryStore::new(), |it| it.with_max_state_bytes(1000)).await;
    let long = state(1, "l", &format!("\"{}\"", "x".repeat(100_000)));
    let store = &server.memory;
    store
        .write(&Workspace::default(), Bytes::from(long.clone()).into(), &WriteMode::Create.into())
        .await
        .unwrap();
    let answer = server.send("GET", "/state/default", "").await;
    assert_eq!((answer.status, answer.header("content-length")), (200, &*long.len().to_string()));
    assert!(answer.body == long);
    assert_eq!(server.status("POST", "/state/default", &state(2, "l", "")).await, 200);
}

#[tokio::test]
async fn an_object_of_no_bytes_is_no_state_and_can_be_replaced() {
    let server = start(MemoryStore::new(), |it| it).await;
    server
        .memory
        .write(&Workspace::default(), Bytes::new().into(), &WriteMode::Create.into())
        .await
        .unwrap();
    assert_eq!(server.status("GET", "/state/default", "").await, 404);
    assert_eq!(server.status("POST", "/state/default", &state(1, "l", "")).await, 200);
}

#[tokio::test]
async fn a_damaged_stored_state_is_neither_missing_nor_overwritten() {
    let server = start(MemoryStore::new(), |it| it).await;
    let damaged = Bytes::from_static(b"{\"version\":4,\"ser");
    server
        .memory
        .write(&Workspace::default(), damaged.clone().into(), &WriteMode::Create.into())
        .await
        .unwrap();
    assert_eq!(server.status("POST", "/state/default", &state(1, "l", "")).await, 500);
    assert_eq!(server.stored().await.unwrap(), damaged);
    assert_eq!(
        server.status("GET", "/state/default", "").await,
        200,
        "what is there is for the client to judge"
    );
}

#[tokio::test]
async fn a_write_is_finished_though_the_client_hangs_up_and_the_server_stops() {
    let server = start(MemoryStore::new(), |it| it).await;
    server.faults.delay_writes(Duration::from_secs(2));
    let body = state(1, "l", "");
    let stream = server.begin("POST", "/state/default", body.len(), &body).await;
    server.write_arrives().await;
    drop(stream);
    assert!(server.stored().await.is_none(), "the write is still under way");
    server.stop.send(()).unwrap();
    server.ended.await.unwrap().unwrap();
    let store: Arc<dyn StateStore> = Arc::new(server.memory.clone());
    assert!(
        store.read_bytes(&Workspace::default()).await.unwrap().is_some(),
        "the server's end waits for the write"
    );
}

#[tokio::test]
async fn a_server_that_cannot_finish_in_time_ends_with_an_error() {
    let timeouts = Timeouts::default().with_stop(Duration::from_millis(100));
    let server = start(MemoryStore::new(), |it| it.with_timeouts(timeouts)).await;
    server.faults.delay_writes(Duration::from_secs(60));
    let body = state(1, "l", "");
    let _stream = server.begin("POST", "/state/default", body.len(), &body).await;
    server.write_arrives().await;
    server.stop.send(()).unwrap();
    assert_eq!(server.ended.await.unwrap().unwrap_err().kind(), ErrorKind::Local);
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let server = start(MemoryStore::new(), |it| it).await;
    let _idle = TcpStream::connect(server.address()).await.unwrap();
    assert_eq!(server.status("GET", "/state/default", "").await, 404);
    let started = Instant::now();
    server.stop.send(()).unwrap();
    server.ended.await.unwrap().unwrap();
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn the_server_closes_the_connection_of_a_client_that_stalls() {
    let limit = Duration::from_millis(200);
    let timeouts = Timeouts::default().with_head(limit).with_body(limit).with_write(limit);
    let server = start(MemoryStore::new(), |it| it.with_timeouts(timeouts)).await;
    let started = Instant::now();
    let stream = server.begin("POST", "/state/default", 1000, "{").await;
    assert!(to_end(stream).await.starts_with("HTTP/1.1 408 "));
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(b"GET /state/default HTTP/1.1\r\nHost: loc").await.unwrap();
    to_end(stream).await;
    let idle = TcpStream::connect(server.address()).await.unwrap();
    to_end(idle).await;
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn the_server_closes_the_connection_of_a_client_that_takes_no_answer() {
    let timeouts = Timeouts::default().with_write(Duration::from_millis(200));
    let server = start(MemoryStore::new(), |it| it.with_timeouts(timeouts)).await;
    let long = state(1, "l", &format!("\"{}\"", "x".repeat(32 << 20)));
    let length = long.len();
    server
        .memory
        .write(&Workspace::default(), Bytes::from(long).into(), &WriteMode::Create.into())
        .await
        .unwrap();
    let stalled = server.begin("GET", "/state/default", 0, "").await;
    // Long enough for the server to fill the buffers in between, and to reach its limit.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut received = Vec::new();
    let mut stalled = stalled;
    drop(stalled.read_to_end(&mut received).await);
    assert!(received.len() < length, "the answer was cut off");
}

#[tokio::test]
async fn without_a_token_web_pages_are_refused_and_clients_served() {
    let server = Server::builder(States::workspaces(Arc::new(MemoryStore::new())))
        .with_auth(Auth::none())
        .bind(([127, 0, 0, 1], 0).into())
        .await
        .unwrap();
    let target = HttpTarget::new(format!("http://{}", server.local_addr()));
    tokio::spawn(server.run_until(std::future::pending()));
    assert_eq!(target.send("GET", "/state/default", None).await.status, 404);
    for header in
        [("origin", "http://evil.example".to_owned()), ("host", "evil.example".to_owned())]
    {
        assert_eq!(target.send_with("GET", "/state/default", None, &[header]).await.status, 403);
    }
}

#[tokio::test]
async fn a_server_open_to_everyone_is_refused() {
    let builder = || Server::builder(States::keys(Arc::new(MemoryStore::new())));
    for builder in
        [builder(), builder().with_auth(Auth::none()), builder().with_auth(Auth::token(""))]
    {
        let error = builder.bind(([0, 0, 0, 0], 0).into()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConfigInvalid, "{error:?}");
    }
    assert!(builder().with_auth(Auth::token("t")).bind(([0, 0, 0, 0], 0).into()).await.is_ok());
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let builder =
        Server::builder(States::keys(Arc::new(MemoryStore::new()))).with_auth(Auth::none());
    let error = builder.bind(address).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Local);
    assert!(error.message().contains(&address.to_string()), "{error}");
}

#[tokio::test]
async fn watchers_need_no_token() {
    let server = start(MemoryStore::new(), |it| it).await;
    let watcher = HttpTarget::new(server.target.base_url());
    assert_eq!(watcher.send("GET", "/healthz", None).await.status, 200);
    assert_eq!(watcher.send("GET", "/readyz", None).await.status, 200);
    let calls = server.faults.calls();
    assert_eq!(watcher.send("GET", "/readyz", None).await.status, 200);
    assert_eq!(server.faults.calls(), calls, "the store is not asked for every watcher");
    assert_eq!(watcher.send("GET", "/state/default", None).await.status, 401);
    let metrics =
        String::from_utf8(watcher.send("GET", "/metrics", None).await.body.to_vec()).unwrap();
    assert!(
        metrics.contains("remote_state_http_requests_total{method=\"GET\",status=\"401\"} 1\n"),
        "{metrics}"
    );
    assert!(
        metrics.contains("remote_state_http_requests_total{method=\"GET\",status=\"200\"} 3\n"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_server_whose_store_fails_is_alive_and_not_ready() {
    let server = start(MemoryStore::new(), |it| it).await;
    server.faults.fail_always(ErrorKind::Unavailable);
    assert_eq!(server.status("GET", "/healthz", "").await, 200);
    assert_eq!(server.status("GET", "/readyz", "").await, 503);
}

#[tokio::test]
async fn state_keys_are_names_with_slashes_and_never_the_lock_of_another() {
    let memory = MemoryStore::new();
    let server = Server::builder(States::keys(Arc::new(memory.clone())))
        .with_auth(Auth::none())
        .bind(([127, 0, 0, 1], 0).into())
        .await
        .unwrap();
    let target = HttpTarget::new(format!("http://{}", server.local_addr()));
    tokio::spawn(server.run_until(std::future::pending()));
    for name in ["a-b/c", "a/b-c", "a%20b/%C3%BC.tfstate", "lock", "a/lock"] {
        let body = Bytes::from(state(1, name, ""));
        assert_eq!(
            target.send("POST", &format!("/state/{name}"), Some(body)).await.status,
            200,
            "{name}"
        );
    }
    for name in ["a-b/c", "a/b-c", "a%20b/%C3%BC.tfstate", "lock", "a/lock"] {
        assert!(
            target.send("GET", &format!("/state/{name}"), None).await.body == state(1, name, ""),
            "{name}"
        );
    }
    let decoded = memory.with_state_key("a b/ü.tfstate").unwrap();
    assert!(decoded.read_bytes(&Workspace::default()).await.unwrap().is_some());
    assert_eq!(target.send("GET", "/state/a/b-c.tflock", None).await.status, 400);
    assert!(
        memory.workspaces().collect::<Vec<_>>().await.is_empty(),
        "names are not workspaces here"
    );
}

/// If the store cannot decide a condition (OSS, versioned Ceph), `Update` makes the provider look
/// before it writes. So the server must name the state that it has read there too, and never
/// overwrite blindly.
#[tokio::test]
async fn a_write_names_what_was_read_where_the_store_decides_no_conditions() {
    for is_conditional in [false, true] {
        let capabilities =
            Capabilities::default().with_locking(Locking::Exclusive).with_conditions(
                if is_conditional { WriteConditions::Atomic } else { WriteConditions::ReadFirst },
            );
        let server = start(MemoryStore::new().with_capabilities(capabilities), |it| it).await;
        for serial in 1..=3 {
            assert_eq!(server.status("POST", "/state/default", &state(serial, "l", "")).await, 200);
        }
        let modes = server.faults.write_modes();
        assert!(
            matches!(&modes[..], [WriteMode::Create, WriteMode::Update(_), WriteMode::Update(_)]),
            "{modes:?}"
        );
    }
}

/// Only the end of a long state shows whether it matches its digest. If it does not, only a client
/// that continues it under its own lock may write.
#[tokio::test]
async fn a_long_state_is_compared_with_its_digest_before_it_is_replaced() {
    let capabilities =
        Capabilities::default().with_locking(Locking::Exclusive).with_digests(Digests::Md5);
    let server = start(MemoryStore::new().with_capabilities(capabilities), |it| it).await;
    let long = |serial| state(serial, "l", "") + &" ".repeat(9 << 20);
    assert_eq!(server.status("POST", "/state/default", &long(1)).await, 200);
    server.faults.end_reads_with_mismatch();
    assert_eq!(server.status("POST", "/state/default", &long(2)).await, 501);
    assert_eq!(server.status("LOCK", "/lock/default", &lock("a", "OperationTypeApply")).await, 200);
    assert_eq!(server.status("POST", "/state/default?ID=a", &long(3)).await, 501);
    assert_eq!(server.stored().await.unwrap(), long(1));
    assert_eq!(
        server.status("POST", "/state/default?ID=a", &long(1)).await,
        200,
        "the digest is recorded"
    );
    // The two that were refused had begun, and their decision was no.
    assert_eq!(server.faults.write_modes().len(), 3, "the state itself is not written again");
    assert_eq!(server.status("POST", "/state/default?ID=a", &long(2)).await, 200);
    assert_eq!(server.stored().await.unwrap(), long(2));
}

/// Amazon answers 403 for a missing object to a client that may not list the bucket.
#[tokio::test]
async fn a_lock_that_the_server_may_not_read_counts_as_gone_for_a_client_that_names_it() {
    let server = start(MemoryStore::new(), |it| it).await;
    assert_eq!(server.status("POST", "/state/default", &state(1, "l", "")).await, 200);
    for (query, serial, status) in
        [("", 2, 501), ("?ID=a", 3, 409), ("?ID=a", 2, 200), ("?ID=a", 4, 409)]
    {
        server.faults.fail_next(1, ErrorKind::PermissionDenied);
        let answer =
            server.status("POST", &format!("/state/default{query}"), &state(serial, "l", "")).await;
        assert_eq!(answer, status, "{query} {serial}");
    }
    server.faults.fail_next(1, ErrorKind::Unavailable);
    assert_eq!(server.status("POST", "/state/default?ID=a", &state(3, "l", "")).await, 503);
    assert_eq!(server.stored().await.unwrap(), state(2, "l", ""));
}
