//! The server of Terraform's `http` protocol keeps its promises over S3, on each server and with
//! every mapping of names.

use std::process::ExitCode;
use std::sync::Arc;

use remote_state_conformance::{FaultyStore, HttpTarget, Names, http_behaviours};
use remote_state_server::{Auth, Server, States};
use remote_state_tests::{S3Server, Suite, block_on, unique};
use tokio::sync::Notify;

fn main() -> ExitCode {
    let mut suite = Suite::new();
    for behaviour in http_behaviours() {
        suite.on_each_server(&format!("workspaces::{}", behaviour.name), &[], move |s3| {
            block_on(async { (behaviour.run)(&target(s3, Names::Workspaces).await).await });
        });
        suite.on_emulator(&format!("keys::{}", behaviour.name), &[], move |s3| {
            block_on(async { (behaviour.run)(&target(s3, Names::Keys).await).await });
        });
    }
    suite.run()
}

async fn target(s3: &S3Server, names: Names) -> HttpTarget {
    // One test's listing of workspaces should not include those of all others.
    let native = s3.place().with("workspace_key_prefix", &unique("env")).store(&[]);
    let (store, faults) = FaultyStore::wrap(native.clone());
    let states = match names {
        Names::Keys => States::keys(store),
        Names::Workspaces => States::workspaces(store),
    };
    let server = Server::builder(states)
        .with_auth(Auth::token("a token"))
        .bind(([127, 0, 0, 1], 0).into())
        .await
        .expect("a loopback port should be free");
    let address = server.local_addr();
    let stop = Arc::new(Notify::new());
    let stopped = Arc::clone(&stop);
    // The server ends with the process at the latest.
    drop(tokio::spawn(server.run_until(async move { stopped.notified().await })));
    HttpTarget::new(format!("http://{address}"))
        .with_token("a token")
        .with_native(native, names)
        .with_faults(faults)
        .with_stop(move || stop.notify_one())
}
