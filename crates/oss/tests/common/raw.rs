//! Objects of other clients: a client with its own code for signature V1.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use remote_state_conformance::RawLocks;
use remote_state_core::{StateStore, Workspace};
use remote_state_emulator::Emulator;
use reqwest::{Method, Response};

/// A client that is independent of the store under test.
#[derive(Debug)]
pub(crate) struct RawObjects {
    endpoint: String,
    http: reqwest::Client,
}

impl RawObjects {
    pub(crate) fn new(emulator: &Emulator) -> Self {
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(
            rustls::crypto::ring::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .expect("ring knows the default versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build();
        Self { endpoint: emulator.endpoint(), http: http.expect("a client of no extras") }
    }

    pub(crate) async fn send(&self, method: Method, object: &str, body: Bytes) -> Response {
        let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let text = format!("{method}\n\n\n{date}\n/{object}");
        let mut mac = Hmac::<sha1::Sha1>::new_from_slice(b"testtest").expect("any length does");
        mac.update(text.as_bytes());
        let signature = BASE64.encode(mac.finalize().into_bytes());
        let path = percent_encoding::utf8_percent_encode(object, percent_encoding::CONTROLS);
        self.http
            .request(method, format!("{}/{path}", self.endpoint))
            .header("date", date)
            .header("authorization", format!("OSS test:{signature}"))
            .body(body)
            .send()
            .await
            .expect("the emulator answers")
    }

    pub(crate) async fn put(&self, object: &str, body: impl Into<Bytes>) {
        let answer = self.send(Method::PUT, object, body.into()).await;
        assert_eq!(answer.status(), 200, "{object} is written");
    }

    pub(crate) async fn get(&self, object: &str) -> Option<Bytes> {
        let answer = self.send(Method::GET, object, Bytes::new()).await;
        match answer.status().as_u16() {
            200 => Some(answer.bytes().await.expect("it is read to its end")),
            404 => None,
            status => panic!("{object} cannot be read: {status}"),
        }
    }
}

/// Lock objects through such a client.
#[derive(Debug)]
pub(crate) struct LockObjects {
    objects: RawObjects,
    store: Arc<dyn StateStore>,
}

impl LockObjects {
    pub(crate) fn new(emulator: &Emulator, store: Arc<dyn StateStore>) -> Self {
        Self { objects: RawObjects::new(emulator), store }
    }

    fn place(&self, workspace: &Workspace) -> String {
        let locks = self.store.location(workspace).locks;
        locks[0].trim_start_matches("oss://").to_owned()
    }
}

#[async_trait]
impl RawLocks for LockObjects {
    async fn put(&self, workspace: &Workspace, bytes: Bytes) {
        self.objects.put(&self.place(workspace), bytes).await;
    }

    async fn get(&self, workspace: &Workspace) -> Option<Bytes> {
        self.objects.get(&self.place(workspace)).await
    }
}
