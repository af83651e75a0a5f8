//! Serves a bucket in the foreground, for trying clients by hand:
//! `cargo run -p remote-state-emulator --example serve -- 127.0.0.1:9000 /tmp/store.redb`.
//! The access key is `test`, the secret `testtest`, the buckets are `tfstate` and `tfstate-versioned`. Ctrl-C stops it and prints what was asked.

#![allow(clippy::print_stdout, reason = "an example talks to the one who runs it")]

use remote_state_emulator::{Emulator, Storage};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:9000".to_owned());
    let storage = match arguments.next() {
        Some(path) => Storage::file(path)?,
        None => Storage::memory(),
    };
    let emulator = Emulator::builder()
        .with_storage(storage)
        .with_credentials("test", "testtest")
        .with_bucket("tfstate")
        .with_versioned_bucket("tfstate-versioned")
        .with_address(address)
        .start()
        .await?;
    println!("{}", emulator.endpoint());
    tokio::signal::ctrl_c().await?;
    for request in emulator.requests().take() {
        println!("{} {}?{} {:?}", request.method, request.path, request.query, request.status);
    }
    emulator.shutdown().await;
    Ok(())
}
