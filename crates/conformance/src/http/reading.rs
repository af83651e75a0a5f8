//! Reading: the stored bytes, and a missing state only if the store said so.

use remote_state_core::ErrorKind;

use crate::fixtures::{
    self, assert_same_bytes, delicate_states, encrypted_state, lock_info, state_of_size,
};
use crate::http::client::content_md5;
use crate::http::target::HttpTarget;

/// The longest state that is tried.
const HUGE_BYTES: usize = 64 << 20;

/// `404` means that the store said that there is no state. No failure and no wrong address has this
/// status.
pub async fn unknown_state_is_404_and_store_failure_is_not(server: &HttpTarget) {
    let state = server.state("unknown");
    state.assert_unwritten().await;
    for kind in [
        ErrorKind::CredentialInvalid,
        ErrorKind::DigestMismatch,
        ErrorKind::InvalidState,
        ErrorKind::NotFound,
        ErrorKind::PermissionDenied,
        ErrorKind::RateLimited,
        ErrorKind::Unavailable,
        ErrorKind::Unexpected,
        ErrorKind::Unknown,
    ] {
        server.faults().fail_always(kind);
        let answer = state.get().await;
        server.faults().stop();
        assert!(answer.status >= 500, "{kind:?} of the store is a failure, not {}", answer.status);
        let is_worth_a_retry =
            matches!(kind, ErrorKind::RateLimited | ErrorKind::Unavailable | ErrorKind::Unknown);
        assert_eq!(answer.status == 503, is_worth_a_retry, "{kind:?} became {}", answer.status);
        assert_eq!(answer.header("retry-after").is_empty(), !is_worth_a_retry, "{kind:?}");
    }
    for path in ["/", "/state", "/state/", "/states/x", "/lock", "/terraform.tfstate"] {
        let answer = server.send("GET", path, None).await;
        assert!(
            (400..500).contains(&answer.status) && answer.status != 404,
            "`{path}` is answered with {}",
            answer.status
        );
    }
    state.assert_unwritten().await;
}

/// A server may stream a state of this many bytes.
const LONG_BYTES: usize = 1 << 20;

/// Reads return the written bytes, up to the longest state that the server accepts.
pub async fn bytes_round_trip_exactly(server: &HttpTarget) {
    let longest =
        ("the longest state", state_of_size(1, "l", server.max_state_bytes.min(HUGE_BYTES)));
    for (what, bytes) in delicate_states().into_iter().chain([longest]) {
        let state = server.state("bytes");
        state.write(None, bytes.clone()).await.assert_status(200, what);
        let answer = state.get().await;
        answer.assert_status(200, what);
        assert_same_bytes(&answer.body, &bytes, what);
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("cache-control"), "no-store");
        // The header with the digest precedes the bytes, so a streamed state has none.
        if bytes.len() < LONG_BYTES || !answer.header("content-md5").is_empty() {
            assert_eq!(answer.header("content-md5"), content_md5(&bytes), "{what}");
        }
        assert!(!answer.header("x-request-id").is_empty(), "a request can be found in the log");
    }
}

/// OpenTofu's encrypted states have no `version`, and the server compares their serials too.
pub async fn encrypted_opentofu_state_is_accepted(server: &HttpTarget) {
    let state = server.state("encrypted");
    let holder = lock_info("OperationTypeApply");
    state.lock(&holder).await.assert_status(200, "the lock is free");
    for serial in 1..=2 {
        state
            .write(Some(&holder), encrypted_state(serial, "l"))
            .await
            .assert_status(200, "an encrypted state");
    }
    state
        .write(Some(&holder), encrypted_state(1, "l"))
        .await
        .assert_status(409, "an older encrypted state");
    state.assert_reads(&encrypted_state(2, "l"), "the encrypted state").await;
}

/// A client that accepts `gzip`, as Go's does, reads the same bytes as another. The server refuses
/// an encoded body.
pub async fn gzip_and_identity_reads_agree(server: &HttpTarget) {
    let state = server.state("gzip");
    let bytes = state_of_size(1, "l", 100_000);
    state.write(None, bytes.clone()).await.assert_status(200, "a write");
    for accepted in ["gzip", "identity", "gzip;q=1.0, identity;q=0", "*", "br"] {
        let headers = [("accept-encoding", accepted.to_owned())];
        let answer = server.send_with("GET", &state.path(), None, &headers).await;
        answer.assert_status(200, accepted);
        assert_eq!(answer.header("content-encoding"), "", "this test reads plain bytes only");
        assert_same_bytes(&answer.body, &bytes, accepted);
    }
    let headers = [("content-encoding", "gzip".to_owned())];
    let answer =
        server.send_with("POST", &state.path(), Some(fixtures::state(2, "l")), &headers).await;
    assert!(
        (400..500).contains(&answer.status),
        "an encoded body is answered with {}",
        answer.status
    );
    state.assert_reads(&bytes, "the state after a refused write").await;
    let headers = [("content-encoding", "identity".to_owned())];
    let next = fixtures::state(2, "l");
    server
        .send_with("POST", &state.path(), Some(next), &headers)
        .await
        .assert_status(200, "`identity` is no encoding");
}
