//! An emulator to measure against: `serve ACCESS_KEY SECRET_KEY [LATENCY_MS BYTES_PER_SECOND]`.
//!
//! Prints its endpoint, and runs until its standard input ends. It has a bucket `tfstate` and a
//! table `tflock`. A latency delays each request, and a rate limits each connection in each
//! direction.

#![expect(clippy::print_stdout, reason = "the endpoint is its answer")]

use std::error::Error;
use std::io::Read as _;
use std::time::Duration;

use remote_state_emulator::Emulator;
use tokio::task::spawn_blocking;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [access_key, secret_key, link @ ..] = words.as_slice() else {
        return Err("expected an access key and a secret key".into());
    };
    let mut builder = Emulator::builder()
        .with_credentials(access_key, secret_key)
        .with_bucket("tfstate")
        .with_table("tflock", "LockID");
    if let [latency_ms, bytes_per_second] = link {
        builder = builder
            .with_slow_link(Duration::from_millis(latency_ms.parse()?), bytes_per_second.parse()?);
    }
    let emulator = builder.start().await?;
    println!("{}", emulator.endpoint());
    let ended = spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    let _bytes = ended.await??;
    emulator.shutdown().await;
    Ok(())
}
