//! A client that sends what Terraform's sends, and one state to use it on.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use md5::{Digest as _, Md5};
use remote_state_core::LockInfo;
use reqwest::Method;
use reqwest::header::HeaderMap;

use crate::fixtures::{assert_same_bytes, unique};
use crate::http::target::HttpTarget;

/// The answer of a server.
#[derive(Clone)]
#[non_exhaustive]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).finish_non_exhaustive()
    }
}

impl Answer {
    /// Returns the value of a header, or an empty text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    #[track_caller]
    pub(super) fn assert_status(&self, status: u16, what: &str) -> &Self {
        assert_eq!(self.status, status, "{what}");
        self
    }

    /// Fails unless the answer is `423` with the record of this lock holder.
    #[track_caller]
    pub(super) fn assert_held_by(&self, holder: &LockInfo, what: &str) {
        self.assert_status(423, what);
        let shown = LockInfo::parse(&self.body)
            .unwrap_or_else(|error| panic!("{what}: the body is no record: {error}"));
        assert_eq!(
            (&shown.id, &shown.operation, &shown.who, &shown.info, shown.created),
            (&holder.id, &holder.operation, &holder.who, &holder.info, holder.created)
        );
    }

    /// Fails if clients cannot handle the answer: after a redirect they report success for a write
    /// that did not happen, and after other unknown statuses they give up.
    #[track_caller]
    pub(super) fn assert_is_speakable(&self, what: &str) {
        assert!(!(300..400).contains(&self.status), "{what}: {} is a redirect", self.status);
        assert!(
            !matches!(self.status, 202 | 206 | 410),
            "{what}: {} is unknown to clients",
            self.status
        );
        assert!(!self.headers.contains_key("location"), "{what}: an answer is a redirect");
    }
}

impl HttpTarget {
    /// Sends a request as Terraform does: with credentials from the start, and with a digest if
    /// there is a body.
    ///
    /// # Panics
    /// If there is no answer, or one that clients cannot handle.
    pub async fn send(&self, method: &str, path_and_query: &str, body: Option<Bytes>) -> Answer {
        let digest = body.as_ref().map(|body| ("content-md5", content_md5(body)));
        self.send_with(method, path_and_query, body, digest.as_slice()).await
    }

    /// Sends a request with these headers, and with no digest of its own.
    ///
    /// # Panics
    /// As [`send`](Self::send).
    pub async fn send_with(
        &self,
        method: &str,
        path_and_query: &str,
        body: Option<Bytes>,
        headers: &[(&str, String)],
    ) -> Answer {
        let what = format!("{method} {path_and_query}");
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request =
            self.client.request(method, format!("{}{path_and_query}", self.base_url()));
        if let Some(token) = &self.token {
            request = request.basic_auth("conformance", Some(token));
        }
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let response = request
            .send()
            .await
            .unwrap_or_else(|error| panic!("{what} should be answered: {error:?}"));
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response
            .bytes()
            .await
            .unwrap_or_else(|error| panic!("{what} should be answered in full: {error:?}"));
        let answer = Answer { status, headers, body };
        answer.assert_is_speakable(&what);
        answer
    }

    /// Makes a name that no other test has.
    pub(super) fn state(&self, stem: &str) -> State<'_> {
        State { target: self, name: unique(stem) }
    }
}

/// One state on the server.
#[derive(Clone, Debug)]
pub(super) struct State<'a> {
    pub(super) target: &'a HttpTarget,
    pub(super) name: String,
}

impl State<'_> {
    pub(super) fn path(&self) -> String {
        format!("/state/{}", self.name)
    }

    pub(super) async fn send(&self, method: &str, body: Option<Bytes>) -> Answer {
        self.target.send(method, &self.path(), body).await
    }

    pub(super) async fn get(&self) -> Answer {
        self.send("GET", None).await
    }

    pub(super) async fn write(&self, id: Option<&LockInfo>, body: Bytes) -> Answer {
        let query = id.map(|info| format!("?ID={}", info.id)).unwrap_or_default();
        self.target.send("POST", &format!("{}{query}", self.path()), Some(body)).await
    }

    pub(super) async fn lock(&self, info: &LockInfo) -> Answer {
        self.send("LOCK", Some(info.to_json().into())).await
    }

    pub(super) async fn unlock(&self, info: &LockInfo) -> Answer {
        self.send("UNLOCK", Some(info.to_json().into())).await
    }

    /// Fails unless the lock has this holder, and no other client can take it.
    pub(super) async fn assert_locked_by(&self, holder: &LockInfo) {
        let other = crate::fixtures::lock_info("looking");
        self.lock(&other).await.assert_held_by(holder, "the lock is held");
    }

    /// Fails unless the lock is free.
    pub(super) async fn assert_unlocked(&self) {
        let other = crate::fixtures::lock_info("looking");
        self.lock(&other).await.assert_status(200, "the lock is free");
        self.unlock(&other).await.assert_status(200, "the holder may unlock");
    }

    pub(super) async fn assert_reads(&self, want: &[u8], what: &str) {
        let answer = self.get().await;
        answer.assert_status(200, what);
        assert_same_bytes(&answer.body, want, what);
    }

    pub(super) async fn assert_unwritten(&self) {
        let answer = self.get().await;
        answer.assert_status(404, "a state that was never written");
        assert!(answer.body.is_empty(), "there are no bytes without a state");
        assert_eq!(answer.header("content-md5"), "", "there is no digest without a state");
    }
}

pub(super) fn content_md5(body: &[u8]) -> String {
    STANDARD.encode(<[u8; 16]>::from(Md5::digest(body)))
}
