//! Edge cases: odd requests, long bodies, wrong names, and the server's end.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::fixtures::{lock_info, state};
use crate::http::target::HttpTarget;

/// The server finds the id wherever it is in the query, and ignores all other parameters.
pub async fn query_order_and_foreign_parameters_are_ignored(server: &HttpTarget) {
    let at = server.state("query");
    let holder = lock_info("OperationTypeApply");
    at.lock(&holder).await.assert_status(200, "the lock is free");
    let id = holder.id.as_str();
    let queries = [
        format!("?ID={id}"),
        format!("?ID={id}&team=a"),
        format!("?a=1&ID={id}&team=a"),
        format!("?=&&x&id=other&ID={id}"),
        format!("?ID={}", id.replace('-', "%2D")),
        format!("?force=true&version=1&ID={id}"),
    ];
    for (serial, query) in (1..).zip(&queries) {
        let answer =
            server.send("POST", &format!("{}{query}", at.path()), Some(state(serial, "l"))).await;
        answer.assert_status(200, query);
        let answer = server.send("GET", &format!("{}{query}", at.path()), None).await;
        answer.assert_status(200, query);
    }
    for query in
        [format!("?id={id}"), "?ID=other".to_owned(), format!("?xID={id}"), "?team=a".to_owned()]
    {
        let answer =
            server.send("POST", &format!("{}{query}", at.path()), Some(state(100, "l"))).await;
        answer.assert_held_by(&holder, &query);
    }
    at.assert_reads(&state(queries.len() as u64, "l"), "the last accepted state").await;
    let with_query = format!("{}?team=a", at.path());
    server
        .send("LOCK", &with_query, Some(holder.to_json().into()))
        .await
        .assert_status(200, "the holder's own lock");
    server
        .send("UNLOCK", &with_query, Some(holder.to_json().into()))
        .await
        .assert_status(200, "the holder may unlock");
    at.assert_unlocked().await;
}

/// The server answers a request with no token, or a wrong one, before its body has arrived.
pub async fn unauthorised_large_body_is_not_read(server: &HttpTarget) {
    assert!(
        server.token.is_some(),
        "this behaviour needs a server with a token, and `HttpTarget::with_token`"
    );
    let at = server.state("unauthorised");
    let start = vec![b' '; 16 << 10];
    let announced = server.max_state_bytes.to_string();
    for method in ["POST", "PUT", "LOCK", "UNLOCK", "DELETE", "GET"] {
        for shown in [None, Some("Basic dTp3cm9uZw=="), Some("Bearer wrong"), Some("Basic !")] {
            let mut headers = vec![("Content-Length", announced.clone())];
            headers.extend(shown.map(|shown| ("Authorization", shown.to_owned())));
            let started = Instant::now();
            let answer = server.send_raw(method, &at.path(), &headers, &start).await;
            answer.assert_status(401, method);
            assert!(
                answer.header("www-authenticate").starts_with("Basic "),
                "the answer says how to authenticate"
            );
            assert!(
                started.elapsed() < Duration::from_secs(10),
                "the server does not wait for the rest of the body"
            );
        }
    }
    at.assert_unwritten().await;
    at.assert_unlocked().await;
    let bearer = server.token.as_ref().map(|token| ("Authorization", format!("Bearer {token}")));
    let headers: Vec<_> = bearer.into_iter().chain([("Connection", "close".to_owned())]).collect();
    server
        .send_raw("GET", &at.path(), &headers, b"")
        .await
        .assert_status(404, "a bearer token is accepted too");
}

/// The server refuses a body beyond the limit: at once if it declares its length, and else when it
/// exceeds the limit.
pub async fn oversize_is_413(server: &HttpTarget) {
    let at = server.state("oversize");
    let too_long = server.max_state_bytes + 1;
    let mut headers = server.raw_headers();
    headers.push(("Content-Length", too_long.to_string()));
    server
        .send_raw("POST", &at.path(), &headers, b"{")
        .await
        .assert_status(413, "a length beyond the limit");
    let mut headers = server.raw_headers();
    headers.push(("Transfer-Encoding", "chunked".to_owned()));
    let mut body = format!("{too_long:x}\r\n").into_bytes();
    body.resize(body.len() + too_long, b' ');
    body.extend_from_slice(b"\r\n0\r\n\r\n");
    server
        .send_raw("PUT", &at.path(), &headers, &body)
        .await
        .assert_status(413, "chunks beyond the limit");
    at.assert_unwritten().await;
    let lock = Bytes::from(format!(r#"{{"ID":"x","Info":"{}"}}"#, "x".repeat(1 << 20)));
    at.send("LOCK", Some(lock)).await.assert_status(413, "a lock record of a megabyte");
    at.assert_unlocked().await;
}

/// The server refuses names that a proxy, a store or a person could read in another way.
pub async fn path_traversal_names_are_400(server: &HttpTarget) {
    let long = "x".repeat(1025);
    for name in [
        "..",
        ".",
        "../x",
        "a/../b",
        "a/./b",
        "a/..",
        "%2e%2e",
        "%2e%2e/x",
        "a/%2E%2E/b",
        "..%2fx",
        "a%2Fb",
        "a//b",
        "/a",
        "a/",
        "",
        "a%00b",
        "%0d%0ax",
        "a%1fb",
        "a%7f",
        "a%5cb",
        "..%5c..%5cx",
        "%ff%fe",
        "a%",
        "a%zz",
        &long,
    ] {
        for prefix in ["/state/", "/lock/", "/unlock/"] {
            let target = format!("{prefix}{name}");
            for method in ["GET", "POST", "DELETE"] {
                let answer = server.send_raw(method, &target, &server.raw_headers(), b"").await;
                assert_eq!(answer.status, 400, "{method} {target}");
            }
        }
    }
}

/// The server never redirects and never answers "not modified" or with a part: clients would report
/// success without having written, or read nothing.
pub async fn no_route_ever_answers_3xx(server: &HttpTarget) {
    let at = server.state("redirect");
    at.write(None, state(1, "l")).await.assert_status(200, "a write");
    let etag = at.get().await.header("etag").to_owned();
    let name = &at.name;
    let paths = [
        String::new(),
        "/".into(),
        "//".into(),
        "/state".into(),
        "/state/".into(),
        format!("/state/{name}"),
        format!("/state/{name}/"),
        format!("//state/{name}"),
        format!("/state//{name}"),
        format!("/STATE/{name}"),
        format!("/state/{name}?"),
        format!("/lock/{name}"),
        format!("/lock/{name}/"),
        "/lock".into(),
        "/healthz".into(),
        "/healthz/".into(),
        "/readyz".into(),
        "/metrics".into(),
        "/favicon.ico".into(),
    ];
    for path in &paths {
        for method in [
            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "LOCK", "UNLOCK", "OPTIONS",
            "PROPFIND",
        ] {
            // `send` checks every answer.
            let body = matches!(method, "POST" | "PUT" | "LOCK" | "UNLOCK")
                .then(|| Bytes::from_static(b"{"));
            server.send(method, path, body).await;
        }
    }
    for condition in [
        ("if-none-match", etag.clone()),
        ("if-none-match", "*".to_owned()),
        ("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT".to_owned()),
        ("range", "bytes=0-3".to_owned()),
    ] {
        at.write(None, state(1, "l")).await;
        let answer = server.send_with("GET", &at.path(), None, &[condition]).await;
        assert!(
            matches!(answer.status, 200 | 404),
            "a condition is answered with {}",
            answer.status
        );
    }
}

/// The server refuses unknown methods, and names those that it accepts.
pub async fn foreign_method_is_405(server: &HttpTarget) {
    let at = server.state("method");
    for (path, known) in [
        (at.path(), "GET, POST, PUT, PATCH, DELETE, LOCK, UNLOCK"),
        (format!("/lock/{}", at.name), "GET, POST, PUT, PATCH, DELETE, LOCK, UNLOCK"),
        (format!("/unlock/{}", at.name), "POST, PUT, PATCH, DELETE, UNLOCK"),
    ] {
        for method in ["HEAD", "OPTIONS", "TRACE", "PROPFIND", "MKCOL", "lock"] {
            let answer = server.send(method, &path, None).await;
            answer.assert_status(405, method);
            let allowed = answer.header("allow");
            assert!(
                known.split(", ").all(|known| allowed.split(", ").any(|allowed| allowed == known)),
                "{allowed}"
            );
        }
    }
}

/// Variables of a CI project, or a block, may configure a client with the methods of another
/// server. Then its unlock looks like a deletion, and its lock like a read. The server refuses all
/// of these, so that no state is lost and no client believes that it holds a lock. It recognizes
/// them since a client's reads and deletions have neither a body nor a digest.
pub async fn methods_of_another_server_do_no_harm(server: &HttpTarget) {
    let at = server.state("foreign-methods");
    at.write(None, state(1, "l")).await.assert_status(200, "nothing is stored");
    let holder = lock_info("OperationTypeApply");
    let record = holder.to_json();
    let chunked = |digest: bool| {
        let mut headers = server.raw_headers();
        headers.push(("Transfer-Encoding", "chunked".to_owned()));
        if digest {
            headers.push(("Content-Md5", "1B2M2Y8AsgTpgAmY7PhCfg==".to_owned()));
        }
        headers
    };
    // `unlock_method`: an unlock, and both forms of a forced one, at the address of the state.
    at.send("DELETE", Some(record.clone().into())).await.assert_status(400, "an unlock by DELETE");
    for digest in [true, false] {
        let forced = server.send_raw("DELETE", &at.path(), &chunked(digest), b"0\r\n\r\n").await;
        forced.assert_status(400, "a forced unlock by DELETE");
    }
    let mut digest = server.raw_headers();
    digest.push(("Content-Md5", "1B2M2Y8AsgTpgAmY7PhCfg==".to_owned()));
    server
        .send_raw("DELETE", &at.path(), &digest, b"")
        .await
        .assert_status(400, "the digest of nothing");
    // `lock_method`: after a success the client would believe that it holds the lock.
    for method in ["GET", "DELETE"] {
        at.send(method, Some(record.clone().into()))
            .await
            .assert_status(400, "a lock by another method");
    }
    for method in ["POST", "PUT", "PATCH"] {
        let refused = at.send(method, Some(record.clone().into())).await;
        refused.assert_status(422, "a lock record for a state");
        let said = String::from_utf8_lossy(&refused.body);
        assert!(said.contains("a lock record") && !said.contains(holder.who.as_str()), "{said}");
    }
    let at_the_lock = format!("/lock/{}", at.name);
    server.send("GET", &at_the_lock, Some(record.into())).await.assert_status(400, "a lock by GET");
    // `update_method`: after a success the client would believe that it wrote.
    for method in ["GET", "DELETE", "LOCK", "UNLOCK"] {
        at.send(method, Some(state(2, "l"))).await.assert_status(400, "a write by another method");
    }
    at.assert_reads(&state(1, "l"), "none of these changes the state").await;
    at.assert_unlocked().await;
    at.send("PATCH", Some(state(2, "l"))).await.assert_status(200, "the whole state, by PATCH");
    at.assert_reads(&state(2, "l"), "what was written by PATCH").await;
    at.send("DELETE", None).await.assert_status(200, "a deletion");
    at.assert_unwritten().await;
}

/// When the server is asked to stop, it finishes and answers the write in flight, and accepts
/// nothing new.
pub async fn sigterm_finishes_write_in_flight(server: &HttpTarget) {
    let at = server.state("stop");
    let (store, ws) = server.native(&at.name);
    server.faults().delay_writes(Duration::from_millis(1500));
    let bytes = state(1, "l");
    let (answer, ()) = tokio::join!(at.write(None, bytes.clone()), async {
        sleep(Duration::from_millis(500)).await;
        server.stop();
        // The server closes its address at once, and goes on with the request in flight.
        let deadline = Instant::now() + Duration::from_millis(700);
        while TcpStream::connect(server.authority()).await.is_ok() {
            assert!(Instant::now() < deadline, "a server that stops takes no new connections");
            sleep(Duration::from_millis(20)).await;
        }
    });
    answer.assert_status(200, "the write in flight");
    crate::fixtures::assert_stored(&*store, &ws, &bytes, "the write in flight").await;
}
