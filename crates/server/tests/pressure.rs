//! What many clients, or bad ones, can make the server do: it holds so much and no more, and keeps room for the others.
//!
//! Everything here is counted, not timed: what is held is held until the test lets it go.

mod common;

use std::time::Duration;

use bytes::Bytes;
use remote_state_core::{StateStore as _, Workspace, WriteMode};
use remote_state_server::Timeouts;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{sleep, timeout};

use common::{PATIENCE, Running, head, start, state, status};

const PATH: &str = "/state/default";

/// A time that no test waits for.
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
    timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("{method} should come to be answered {wanted}"));
}

/// Bodies that say how long they are take their room before they come, others as they come. Nobody who holds a lock needs any.
#[tokio::test]
async fn uploads_hold_so_much_and_no_more() {
    let server = start(|it| it.with_max_state_bytes(1 << 20).with_max_held_bytes(2 << 20)).await;
    let announced = server.begin(head("POST", PATH, 1 << 20) + "{").await;
    let chunked =
        format!("PUT {PATH} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nF0000\r\n");
    let chunked = server.begin(chunked + &" ".repeat(0xF_0000)).await;
    let long = format!("[{}", " ".repeat((1 << 20) - 1));
    until_answered(&server, 503, "POST", Some(long)).await;
    for (method, path) in
        [("LOCK", PATH), ("UNLOCK", PATH), ("POST", "/lock/default"), ("DELETE", "/lock/default")]
    {
        let record = Bytes::from_static(br#"{"ID":"a"}"#);
        assert_eq!(server.target.send(method, path, Some(record)).await.status, 200, "{method} {path}");
    }
    drop((announced, chunked));
    until_answered(&server, 200, "POST", Some(state(1, 900_000))).await;
}

/// What is held is given back when the write has ended, not when its client has gone.
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

/// Readers that take nothing hold what is read ahead for them, however long the state is.
#[tokio::test]
async fn reads_hold_so_much_and_no_more() {
    let server = start(|it| it.with_max_state_bytes(1000).with_max_held_bytes(16 << 20)).await;
    let long = state(1, 32 << 20);
    let length = long.len().to_string();
    let long = Bytes::from(long).into();
    server.memory.write(&Workspace::default(), long, &WriteMode::Create).await.unwrap();
    let readers = [server.begin(head("GET", PATH, 0)).await, server.begin(head("GET", PATH, 0)).await];
    until_answered(&server, 503, "GET", None).await;
    drop(readers);
    until_answered(&server, 200, "GET", None).await;
    let answer = server.target.send("GET", PATH, None).await;
    assert_eq!((answer.header("content-length"), answer.header("content-md5")), (&*length, ""));
}

/// Connections that ask for nothing make room: half a head, the start of one, nothing at all, and one that was answered before. What is in
/// flight stays.
#[tokio::test]
async fn connections_that_ask_for_nothing_make_room_for_those_that_ask() {
    let timeouts = Timeouts::default().with_head(NEVER).with_crowded_head(Duration::from_millis(20));
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

/// A request is in flight once its head has come. Without one a connection holds up nobody, however little of it has come.
#[tokio::test]
async fn the_end_waits_for_no_request_that_was_not_made() {
    let timeouts = Timeouts::default().with_head(NEVER).with_body(NEVER).with_write(NEVER).with_stop(NEVER);
    let server = start(|it| it.with_timeouts(timeouts)).await;
    let mut answered = server.begin(head("GET", PATH, 0)).await;
    let mut idle = Vec::new();
    for sent in ["", "GE", "GET /state/default HTTP/1.1\r\nHo"] {
        idle.push(server.begin(sent).await);
    }
    // An answer that was taken, and the next request begun.
    let mut start = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut answered, &mut start).await.unwrap();
    answered.write_all(b"POST /state/def").await.unwrap();
    server.stop.send(()).unwrap();
    timeout(PATIENCE, server.ended).await.expect("nothing is in flight").unwrap().unwrap();
}

/// A client that sends no more of its request, or takes no more of its answer, has until then; one that goes on comes to its end.
#[tokio::test]
async fn the_end_waits_a_little_for_clients_that_stopped_halfway() {
    let timeouts = Timeouts::default().with_head(NEVER).with_body(NEVER).with_write(NEVER).with_stop(NEVER);
    let server = start(|it| it.with_timeouts(timeouts)).await;
    let long = Bytes::from(state(1, 32 << 20));
    server.memory.write(&Workspace::default(), long.into(), &WriteMode::Create).await.unwrap();
    let halfway = server.begin(head("POST", PATH, 100) + "{").await;
    let unread = server.begin(head("GET", PATH, 0)).await;
    let body = state(2, 10);
    let mut going_on = server.begin(head("POST", PATH, body.len()) + "{").await;
    // The three are in flight when an answer to a fourth has come, or at least will have been seen by the time the end is asked for.
    assert_eq!(server.answer(head("GET", "/state/other", 0)).await, 404);
    sleep(Duration::from_millis(200)).await;
    server.stop.send(()).unwrap();
    going_on.write_all(&body.as_bytes()[1..]).await.unwrap();
    assert_eq!(status(going_on).await, 200);
    timeout(PATIENCE, server.ended).await.expect("the others have had their time").unwrap().unwrap();
    drop((halfway, unread));
}
