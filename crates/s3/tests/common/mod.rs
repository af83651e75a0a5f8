//! A store on an emulator of its own.

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use remote_state_core::Backend as _;
use remote_state_core::StateStore;
use remote_state_core::config::{ResolvedConfig, Setting};
use remote_state_emulator::{Emulator, Quirks};
use remote_state_s3::{PROVIDER, S3Config};
use wire::read_request;

/// A bucket that every emulator here has. Another one, `versioned`, keeps versions.
pub(crate) const BUCKET: &str = "tfstate";

/// A table that every emulator here has; used only if a key names it.
pub(crate) const TABLE: &str = "locks";

/// Starts an emulator in memory with both buckets and the table.
pub(crate) async fn emulator() -> Emulator {
    emulator_with(Quirks::None).await
}

/// Starts the same emulator with Ceph's quirks.
pub(crate) async fn ceph_emulator() -> Emulator {
    emulator_with(Quirks::Ceph).await
}

async fn emulator_with(quirks: Quirks) -> Emulator {
    Emulator::builder()
        .with_quirks(quirks)
        .with_credentials("test", "testtest")
        .with_bucket(BUCKET)
        .with_versioned_bucket("versioned")
        .with_table(TABLE, "LockID")
        .start()
        .await
        .expect("the emulator starts")
}

/// Opens a store on the emulator; later keys replace earlier ones.
pub(crate) fn store(emulator: &Emulator, keys: &[(&str, &str)]) -> Arc<dyn StateStore> {
    store_with(emulator, keys.iter().map(|(name, value)| (*name, Setting::from(*value))))
}

/// Opens a store with keys whose values are not only texts.
pub(crate) fn store_with<'a>(
    emulator: &'a Emulator,
    keys: impl IntoIterator<Item = (&'a str, Setting)>,
) -> Arc<dyn StateStore> {
    let endpoint = emulator.endpoint();
    let always = [
        ("bucket", BUCKET),
        ("key", "net/terraform.tfstate"),
        ("region", "us-east-1"),
        ("endpoint", &endpoint),
        ("dynamodb_endpoint", &endpoint),
        ("access_key", "test"),
        ("secret_key", "testtest"),
        ("use_path_style", "true"),
        ("use_lockfile", "true"),
        ("max_retries", "3"),
    ];
    let always = always.map(|(name, value)| (name, Setting::from(value)));
    opened(always.into_iter().chain(keys))
}

/// Opens a store with these keys and no others; later keys replace earlier ones.
pub(crate) fn opened<'a>(
    keys: impl IntoIterator<Item = (&'a str, Setting)>,
) -> Arc<dyn StateStore> {
    let keys: BTreeMap<_, _> = keys.into_iter().collect();
    let config = ResolvedConfig::from_pairs(&PROVIDER, keys).expect("the keys are known");
    S3Config::from_resolved(&config).expect("the keys are valid").open().expect("the keys do")
}

/// Starts a server that replies to every request with `200 OK` and this body, as proxies and login
/// pages do; returns its endpoint.
pub(crate) async fn yes_to_everything(body: &'static str) -> String {
    use tokio::io::AsyncWriteExt as _;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let endpoint = format!("http://{}", listener.local_addr().expect("it listens"));
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            drop(read_request(&mut client).await);
            let head = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            // A client that hung up gets no reply.
            drop(client.write_all((head + body).as_bytes()).await);
        }
    });
    endpoint
}
