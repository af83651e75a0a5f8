//! What the log contains, and what it never contains. In a file of its own, since a process has one
//! log.

use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use remote_state_conformance::{FaultyStore, HttpTarget, MemoryStore};
use remote_state_core::ErrorKind;
use remote_state_server::{Auth, Server, States};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_in_logs_at_any_level() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let (store, faults) = FaultyStore::wrap(Arc::new(MemoryStore::new()));
    let server = Server::builder(States::workspaces(store))
        .with_auth(Auth::token("secret-token"))
        .bind(([127, 0, 0, 1], 0).into())
        .await
        .unwrap();
    let base = format!("http://{}", server.local_addr());
    let target = HttpTarget::new(&base).with_token("secret-token");
    let stranger = HttpTarget::new(&base).with_token("secret-guess");
    tokio::spawn(server.run_until(std::future::pending()));

    let state = |serial: u64| {
        Bytes::from(format!(
            r#"{{"version":4,"serial":{serial},"lineage":"the-lineage","outputs":{{"a":{{"value":"secret-output"}}}},"resources":[]}}"#
        ))
    };
    let lock = Bytes::from_static(br#"{"ID":"the-lock-id","Operation":"OperationTypeApply"}"#);
    stranger.send("POST", "/state/prod", Some(state(1))).await;
    target.send("LOCK", "/state/prod", Some(lock.clone())).await;
    let other = Bytes::from_static(br#"{"ID":"another"}"#);
    target.send("LOCK", "/state/prod", Some(other)).await;
    target
        .send("POST", "/state/prod?ID=the-lock-id&team=secret-parameter", Some(state(4711)))
        .await;
    target.send("POST", "/state/prod?ID=the-lock-id", Some(state(1))).await;
    target
        .send("POST", "/state/prod?ID=the-lock-id", Some(Bytes::from_static(b"secret-nonsense")))
        .await;
    target.send("GET", "/state/prod", None).await;
    target
        .send(
            "LOCK",
            "/state/prod",
            Some(Bytes::from_static(br#"{"ID":"x","Created":"secret-time"}"#)),
        )
        .await;
    faults.fail_next(1, ErrorKind::PermissionDenied);
    let failed = target.send("GET", "/state/prod", None).await;
    target.send("DELETE", "/state/prod", Some(Bytes::from_static(b"{}"))).await;
    target.send("UNLOCK", "/state/prod", Some(Bytes::new())).await;
    target.send("DELETE", "/state/prod", None).await;

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for wanted in [
        "prod",
        "the-lock-id",
        "4711",
        "the-lineage",
        "status=200",
        "status=401",
        "status=409",
        "status=422",
        "method=\"LOCK\"",
        "duration_ms",
        "principal=\"conformance\"",
        "removed a lock by force",
        "OperationTypeApply",
        "PermissionDenied",
        failed.header("x-request-id"),
    ] {
        assert!(text.contains(wanted), "the log should say {wanted:?}");
    }
    // Refused writes are warnings, so that an operator who keeps only warnings finds the reason. So
    // are deletions.
    let lines = |level: &str, says: &str| {
        text.lines().any(|line| line.contains(&format!("{level} ")) && line.contains(says))
    };
    for refused in
        ["status=401", "status=409", "status=422", "status=400", "a client deleted a state"]
    {
        assert!(lines(" WARN", refused), "{refused} should be a warning");
    }
    assert!(!lines(" WARN", "status=200") && !lines(" WARN", "status=423"));
    // Names the position only: the text around a secret may be one too.
    for secret in ["secret-", "c2VjcmV0", "Authorization", "authorization"] {
        assert_eq!(text.find(secret), None, "the log says {secret:?}");
    }
}
