//! Requests that a proxy might read in another way than the server, or that look like another kind
//! of request.

#[expect(dead_code, reason = "each file of tests uses a part")]
mod common;

use std::sync::Arc;

use remote_state_conformance::{HttpTarget, MemoryStore};
use remote_state_core::{Digests, ErrorKind, StateStore};
use remote_state_server::{Auth, Server, States};

use common::start;

/// Host, end and coding of a request must be stated once and in one way. The server refuses other
/// requests.
#[tokio::test]
async fn requests_that_could_be_read_in_two_ways_are_refused() {
    let server = start(|it| it).await;
    let body = "0\r\n\r\n";
    for (status, headers) in [
        (400, ""),
        (400, "Host: localhost\r\nHost: localhost\r\n"),
        (400, "Host: localhost\r\nhost: 127.0.0.1\r\n"),
        (400, "Host: localhost\r\nTransfer-Encoding: gzip, chunked\r\n"),
        (400, "Host: localhost\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"),
        (400, "Host: localhost\r\nTransfer-Encoding: chunked, chunked\r\n"),
        (
            415,
            "Host: localhost\r\nTransfer-Encoding: chunked\r\nContent-Encoding: \
             identity\r\nContent-Encoding: gzip\r\n",
        ),
        (
            415,
            "Host: localhost\r\nTransfer-Encoding: chunked\r\nContent-Encoding: identity, gzip\r\n",
        ),
        (415, "Host: localhost\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n"),
        // The rest is a state of no bytes.
        (422, "Host: localhost\r\nTransfer-Encoding: Chunked\r\nContent-Encoding: identity\r\n"),
    ] {
        let sent = format!("POST /state/default HTTP/1.1\r\n{headers}\r\n{body}");
        assert_eq!(server.answer(sent).await, status, "{headers:?}");
    }
    assert_eq!(
        server.answer("GET /state/default HTTP/1.0\r\n\r\n").await,
        404,
        "HTTP/1.0 knows no `Host`"
    );
}

/// Without a token, the server does not answer pages of any site in a browser on this machine.
#[tokio::test]
async fn a_browser_that_names_the_site_of_its_page_is_believed() {
    let server = start(|it| it).await;
    for (site, status) in
        [("cross-site", 403), ("same-site", 403), ("same-origin", 403), ("none", 404)]
    {
        let sent = format!(
            "GET /state/default HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: {site}\r\n\r\n"
        );
        assert_eq!(server.answer(sent).await, status, "{site}");
    }
}

/// The server may not offer the state whose lock it reads. Other failures are the store's.
#[tokio::test]
async fn a_store_that_forbids_a_look_may_be_ready() {
    for (kind, status) in [
        (ErrorKind::PermissionDenied, 200),
        (ErrorKind::CredentialInvalid, 503),
        (ErrorKind::NotFound, 503),
        (ErrorKind::Unavailable, 503),
    ] {
        let server = start(|it| it).await;
        server.faults.fail_always(kind);
        assert_eq!(server.target.send("GET", "/readyz", None).await.status, status, "{kind:?}");
    }
}

/// A name that the store cannot use, or under which it keeps the lock or the digest of another
/// state, is the client's mistake. Clients would repeat the request after a 5xx, and take a 404 for
/// "no state yet".
#[tokio::test]
async fn names_that_the_store_does_not_admit_are_refused() {
    let capabilities = MemoryStore::new().capabilities().with_digests(Digests::Md5);
    let store: Arc<dyn StateStore> = Arc::new(MemoryStore::new().with_capabilities(capabilities));
    let (long, longest) = ("k".repeat(1020), "k".repeat(1009));
    for (states, refused, taken) in [
        (
            States::keys(Arc::clone(&store)),
            vec!["bar-md5", "a/bar-md5", "bar.tflock", &long],
            ["bar", &longest],
        ),
        (States::workspaces(store), vec![&long], ["bar-md5", "bar"]),
    ] {
        let server =
            Server::builder(states).with_auth(Auth::none()).bind(([127, 0, 0, 1], 0).into());
        let server = server.await.unwrap();
        let target = HttpTarget::new(format!("http://{}", server.local_addr()));
        tokio::spawn(server.run_until(std::future::pending()));
        for (method, door) in [
            ("GET", "state"),
            ("POST", "state"),
            ("DELETE", "state"),
            ("LOCK", "lock"),
            ("UNLOCK", "unlock"),
        ] {
            for name in &refused {
                let answer = target.send(method, &format!("/{door}/{name}"), None).await;
                assert_eq!(answer.status, 400, "{method} {name}");
            }
        }
        for name in taken {
            assert_eq!(
                target.send("GET", &format!("/state/{name}"), None).await.status,
                404,
                "{name}"
            );
        }
    }
}
