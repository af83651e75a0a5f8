//! Many clients, or bad ones: the server keeps to its limits, and keeps room for the others.
//!
//! Requests that write, delete, lock or unlock one state take turns, since each could overtake a
//! write whose client has hung up.
//!
//! The tests count and do not measure time: each request stays in flight until the test ends it.

mod common;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use remote_state_core::{StateStore, StateStoreExt as _, Workspace, WriteMode};
use remote_state_server::Timeouts;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{sleep, timeout};

use common::{PATIENCE, Running, head, start, state, status};

const PATH: &str = "/state/default";

/// Longer than any test waits.
const NEVER: Duration = Duration::from_secs(86_400);

async fn until_answered(server: &Running, wanted: u16, method: &str, body: Option<String>) {
    let asked = async {
        loop {
            let answer = server.target.send(method, PATH, body.clone().map(Bytes::from)).await;
            if answer.status == wanted {
                assert_eq!(answer.header("retry-after").is_empty(), wanted != 503);
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, asked)
        .await
        .unwrap_or_else(|_| panic!("{method} should come to be answered {wanted}"));
}

/// A body with `Content-Length` reserves its memory before it arrives, another while it arrives.
/// Releasing a lock needs none.
#[tokio::test]
async fn uploads_keep_to_the_limit_for_memory() {
    let server = start(|it| it.with_max_state_bytes(1 << 20).with_max_held_bytes(2 << 20)).await;
    let announced = server.begin(head("POST", PATH, 1 << 20) + "{").await;
    let chunked = format!(
        "PUT {PATH} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nF0000\r\n"
    );
    let chunked = server.begin(chunked + &" ".repeat(0xF_0000)).await;
    let long = format!("[{}", " ".repeat((1 << 20) - 1));
    until_answered(&server, 503, "POST", Some(long)).await;
    for (method, path) in
        [("LOCK", PATH), ("UNLOCK", PATH), ("POST", "/lock/default"), ("DELETE", "/lock/default")]
    {
        let record = Bytes::from_static(br#"{"ID":"a"}"#);
        assert_eq!(
            server.target.send(method, path, Some(record)).await.status,
            200,
            "{method} {path}"
        );
    }
    drop((announced, chunked));
    until_answered(&server, 200, "POST", Some(state(1, 900_000))).await;
}

/// A write gives its memory back when it has ended, not when its client hangs up.
#[tokio::test]
async fn a_write_whose_client_hung_up_still_counts() {
    let server = start(|it| it.with_max_state_bytes(1 << 20).with_max_held_bytes(1 << 20)).await;
    server.faults.delay_writes(NEVER);
    let body = state(1, 900_000);
    let stream = server.begin(head("POST", PATH, body.len()) + &body).await;
    until_answered(&server, 503, "POST", Some(state(1, 900_000))).await;
    drop(stream);
    sleep(Duration::from_millis(50)).await;
    assert_eq!(server.target.send("POST", PATH, Some(state(1, 900_000).into())).await.status, 503);
}

/// A client that takes nothing of an answer holds the memory that is read ahead for it, however
/// long the state is.
#[tokio::test]
async fn reads_keep_to_the_limit_for_memory() {
    let server = start(|it| it.with_max_state_bytes(1000).with_max_held_bytes(16 << 20)).await;
    let long = state(1, 32 << 20);
    let length = long.len().to_string();
    let long = Bytes::from(long).into();
    server.memory.write(&Workspace::default(), long, &WriteMode::Create.into()).await.unwrap();
    let readers =
        [server.begin(head("GET", PATH, 0)).await, server.begin(head("GET", PATH, 0)).await];
    until_answered(&server, 503, "GET", None).await;
    drop(readers);
    until_answered(&server, 200, "GET", None).await;
    let answer = server.target.send("GET", PATH, None).await;
    assert_eq!((answer.header("content-length"), answer.header("content-md5")), (&*length, ""));
}

/// The server closes idle connections: with half a head, with its first bytes, without any, and
/// after an answer. It keeps requests in flight.
#[tokio::test]
async fn idle_connections_are_closed_to_make_room_for_requests() {
    let timeouts =
        Timeouts::default().with_head(NEVER).with_crowded_head(Duration::from_millis(20));
    let server = start(|it| it.with_max_connections(6).with_timeouts(timeouts)).await;
    let body = state(1, 10);
    let mut in_flight = server.begin(head("POST", PATH, body.len()) + "{").await;
    let mut idle = Vec::new();
    for sent in ["GET /state/default HTTP/1.1\r\nHo", "GE", "", &head("GET", PATH, 0)] {
        for _ in 0..10 {
            idle.push(server.begin(sent).await);
        }
    }
    for _ in 0..3 {
        assert_eq!(server.answer(head("GET", PATH, 0)).await, 404);
    }
    in_flight.write_all(&body.as_bytes()[1..]).await.unwrap();
    assert_eq!(status(in_flight).await, 200);
    drop(idle);
}

/// A request is in flight once its head has arrived. A connection without one does not delay the
/// end.
#[tokio::test]
async fn the_end_does_not_wait_for_requests_whose_head_has_not_arrived() {
    let timeouts =
        Timeouts::default().with_head(NEVER).with_body(NEVER).with_write(NEVER).with_stop(NEVER);
    let server = start(|it| it.with_timeouts(timeouts)).await;
    let mut answered = server.begin(head("GET", PATH, 0)).await;
    let mut idle = Vec::new();
    for sent in ["", "GE", "GET /state/default HTTP/1.1\r\nHo"] {
        idle.push(server.begin(sent).await);
    }
    // A connection whose client has taken an answer, and begun the next request.
    let mut start = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut answered, &mut start).await.unwrap();
    answered.write_all(b"POST /state/def").await.unwrap();
    server.stop.send(()).unwrap();
    timeout(PATIENCE, server.ended).await.expect("nothing is in flight").unwrap().unwrap();
}

/// The server waits a short time for a client that stops in the middle of its request or answer. A
/// client that goes on gets its answer.
#[tokio::test]
async fn the_end_waits_a_little_for_clients_that_stopped_halfway() {
    let timeouts =
        Timeouts::default().with_head(NEVER).with_body(NEVER).with_write(NEVER).with_stop(NEVER);
    let server = start(|it| it.with_timeouts(timeouts)).await;
    let long = Bytes::from(state(1, 32 << 20));
    server
        .memory
        .write(&Workspace::default(), long.into(), &WriteMode::Create.into())
        .await
        .unwrap();
    let halfway = server.begin(head("POST", PATH, 100) + "{").await;
    let unread = server.begin(head("GET", PATH, 0)).await;
    let body = state(2, 10);
    let mut going_on = server.begin(head("POST", PATH, body.len()) + "{").await;
    // The three are in flight when the answer to a fourth has arrived, or at least before the
    // server begins to stop.
    assert_eq!(server.answer(head("GET", "/state/other", 0)).await, 404);
    sleep(Duration::from_millis(200)).await;
    server.stop.send(()).unwrap();
    going_on.write_all(&body.as_bytes()[1..]).await.unwrap();
    assert_eq!(status(going_on).await, 200);
    timeout(PATIENCE, server.ended)
        .await
        .expect("the others have had their time")
        .unwrap()
        .unwrap();
    drop((halfway, unread));
}

/// How long the store takes for a write: much longer than for any other request.
const SLOW_WRITE: Duration = Duration::from_secs(2);

const WITH_LOCK: &str = "/state/default?ID=a";

const RECORD: &str = r#"{"ID":"a","Operation":"OperationTypeApply"}"#;

/// A server with the lock `a`, this state, and a write of serial 2 in the store whose client has
/// hung up.
async fn abandoned(first: Option<String>) -> Running {
    let server = start(|it| it).await;
    assert_eq!(
        server.target.send("LOCK", PATH, Some(Bytes::from_static(RECORD.as_bytes()))).await.status,
        200
    );
    if let Some(first) = first {
        assert_eq!(server.target.send("POST", WITH_LOCK, Some(first.into())).await.status, 200);
    }
    server.faults.delay_writes(SLOW_WRITE);
    let writes = server.faults.write_modes().len();
    let body = state(2, 1);
    let stream = server.begin(head("POST", WITH_LOCK, body.len()) + &body).await;
    let has_come = async {
        while server.faults.write_modes().len() == writes {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, has_come).await.expect("the write should come to the store");
    drop(stream);
    server
}

async fn stored(server: &Running) -> Option<Bytes> {
    let store: Arc<dyn StateStore> = Arc::new(server.memory.clone());
    store.read_bytes(&Workspace::default()).await.unwrap().map(|state| state.bytes)
}

#[tokio::test]
async fn a_write_whose_client_hung_up_arrives_before_the_next_request() {
    for (method, path, body, status) in [
        ("UNLOCK", PATH, RECORD.to_owned(), 200),
        ("DELETE", "/lock/default", RECORD.to_owned(), 200),
        ("LOCK", PATH, RECORD.replace("\"a\"", "\"b\""), 423),
        ("POST", "/lock/default", RECORD.replace("\"a\"", "\"b\""), 423),
        ("POST", WITH_LOCK, state(2, 1), 200),
    ] {
        let server = abandoned(Some(state(1, 1))).await;
        let answer = server.target.send(method, path, Some(body.into())).await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(
            stored(&server).await,
            Some(state(2, 1).into()),
            "{method} {path}: the write had landed"
        );
    }
}

#[tokio::test]
async fn a_write_whose_client_hung_up_does_not_undo_a_deletion() {
    // Without a stored state, only the turn orders the two: there is no condition for the store.
    let server = abandoned(None).await;
    assert_eq!(server.target.send("DELETE", WITH_LOCK, None).await.status, 200);
    // By then the write has had its turn, whichever of the two came first.
    assert_eq!(server.target.send("UNLOCK", PATH, Some(RECORD.into())).await.status, 200);
    assert_eq!(stored(&server).await, None);
}
