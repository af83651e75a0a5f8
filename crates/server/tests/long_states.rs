//! States that are too long to be kept in memory while they arrive.

#[expect(dead_code, reason = "each file of tests uses a part")]
mod common;

use bytes::Bytes;
use remote_state_core::{StateStore, StateStoreExt as _, Workspace};
use std::sync::Arc;

use common::{Running, head, start, state, status};
use tokio::io::AsyncWriteExt as _;

const PATH: &str = "/state/default";
const LENGTH: usize = 9 << 20;

async fn stored(server: &Running) -> Option<Bytes> {
    let store: Arc<dyn StateStore> = Arc::new(server.memory.clone());
    store.read_bytes(&Workspace::default()).await.unwrap().map(|state| state.bytes)
}

#[tokio::test]
async fn long_state_is_stored_as_it_came_whether_its_length_was_declared_or_not() {
    let server =
        start(|it| it.with_max_held_bytes(1 << 20).with_max_state_bytes(LENGTH + 1000)).await;
    let first = state(1, LENGTH);
    assert_eq!(server.target.send("POST", PATH, Some(first.clone().into())).await.status, 200);
    assert!(stored(&server).await.unwrap() == first);
    let second = state(2, LENGTH);
    let mut stream = server
        .begin(format!(
            "POST {PATH} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        ))
        .await;
    for chunk in second.as_bytes().chunks(100_000) {
        let framed = [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
        stream.write_all(&framed).await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    assert_eq!(status(stream).await, 200);
    assert!(stored(&server).await.unwrap() == second);
}

#[tokio::test]
async fn long_body_that_is_no_state_or_another_one_than_its_digest_leaves_nothing_stored() {
    let server = start(|it| it).await;
    let whole = state(1, LENGTH);
    for broken in [&whole[..whole.len() - 1], &format!("{whole}x"), &"[".repeat(LENGTH)] {
        let sent = head("POST", PATH, broken.len()) + broken;
        assert_eq!(server.answer(sent).await, 422);
        assert_eq!(stored(&server).await, None);
    }
    let other = [("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==".to_owned())];
    let answer = server.target.send_with("POST", PATH, Some(whole.into()), &other).await;
    assert_eq!(answer.status, 400);
    assert_eq!(stored(&server).await, None);
}

#[tokio::test]
async fn client_that_hangs_up_or_waits_holds_no_turn_and_leaves_nothing_stored() {
    let server = start(|it| it).await;
    let whole = state(1, LENGTH);
    let slow = server.begin(head("POST", PATH, whole.len()) + &whole[..whole.len() - 1]).await;
    // The slow one has sent all but a byte, and others go before it.
    let answer = server.target.send("POST", PATH, Some(state(3, 0).into())).await;
    assert_eq!(answer.status, 200);
    drop(slow);
    assert!(stored(&server).await.unwrap() == state(3, 0));
}

#[tokio::test]
async fn states_that_arrive_take_up_only_so_much_room_on_the_disk() {
    let server =
        start(|it| it.with_max_state_bytes(LENGTH + 1000).with_max_spooled_bytes(LENGTH + 1000))
            .await;
    let whole = state(1, LENGTH);
    let slow = server.begin(head("POST", PATH, whole.len()) + &whole[..5 << 20]).await;
    let other = "/state/other";
    // The slow request takes its room when the server has read its head.
    let mut refused = 0;
    for _ in 0..200 {
        refused = server.target.send("POST", other, Some(whole.clone().into())).await.status;
        if refused == 503 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(refused, 503);
    // A short one needs no room there.
    assert_eq!(server.target.send("POST", other, Some(state(9, 0).into())).await.status, 200);
    drop(slow);
    let mut accepted = 0;
    for _ in 0..200 {
        accepted =
            server.target.send("POST", "/state/third", Some(whole.clone().into())).await.status;
        if accepted == 200 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(accepted, 200, "the room is free again");
}
