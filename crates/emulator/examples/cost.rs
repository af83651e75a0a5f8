//! Prints what a request costs, in memory and in a shared file: `cargo run --release -p remote-state-emulator --example cost`.

#![allow(clippy::print_stdout, reason = "an example talks to the one who runs it")]

use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Config, Credentials, Region};
use remote_state_emulator::{Emulator, Storage};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::temp_dir().join(format!("emulator-cost-{}.redb", std::process::id()));
    for (name, storage) in [("memory", Storage::memory()), ("file", Storage::file(&path)?)] {
        let emulator = Emulator::builder()
            .with_storage(storage)
            .with_credentials("test", "testtest")
            .with_bucket("tfstate")
            .start()
            .await?;
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .credentials_provider(Credentials::new("test", "testtest", None, None, "example"))
            .region(Region::new("us-east-1"))
            .endpoint_url(emulator.endpoint())
            .force_path_style(true);
        let client = Client::from_conf(config.build());
        for (size_bytes, rounds) in [(1_000, 200), (1_000_000, 20), (100_000_000, 2)] {
            let (mut put, mut get, mut head) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
            for round in 0..rounds {
                let key = format!("k{}", round % 10);
                let body = vec![round as u8; size_bytes];
                let begun = Instant::now();
                client.put_object().bucket("tfstate").key(&key).body(body.into()).send().await?;
                put += begun.elapsed();
                let begun = Instant::now();
                let got = client.get_object().bucket("tfstate").key(&key).send().await?;
                let mut body = got.body;
                while let Some(piece) = body.next().await {
                    piece?;
                }
                get += begun.elapsed();
                let begun = Instant::now();
                client.head_object().bucket("tfstate").key(&key).send().await?;
                head += begun.elapsed();
            }
            println!(
                "{name} {size_bytes}: put {:?}, get {:?}, head {:?}",
                put / rounds,
                get / rounds,
                head / rounds
            );
        }
        emulator.shutdown().await;
    }
    std::fs::remove_file(&path)?;
    std::fs::remove_file(path.with_extension("redb.lock"))?;
    Ok(())
}
