//! Reads one output and leaves the rest of the state where it is:
//! `cargo run --example read_output --features s3 -- BUCKET KEY REGION NAME`.
//!
//! Credentials come from where the AWS SDK looks for them.

use std::io::Write as _;

use futures_util::TryStreamExt as _;
use remote_state::{
    Error, OutputReader, Progress, ReadOptions, Result, StateStore, Workspace, open,
};

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [bucket, key, region, name] = words.as_slice() else {
        return Err(Error::config("the words are: BUCKET KEY REGION NAME"));
    };
    let keys = [("bucket", &**bucket), ("key", &**key), ("region", &**region)];
    let value = read_output(&*open("s3", keys)?, name).await?;
    drop(writeln!(std::io::stdout(), "{}", value.as_deref().unwrap_or("there is no such output")));
    Ok(())
}

/// Returns the value of an output as JSON; `None` if there is no state, or no such output in it.
async fn read_output(store: &dyn StateStore, name: &str) -> Result<Option<String>> {
    let workspace = Workspace::default();
    let Some(mut state) = store.read(&workspace, &ReadOptions::default()).await? else {
        return Ok(None);
    };
    let mut reader = OutputReader::new();
    while let Some(bytes) = state.body.try_next().await? {
        if reader.feed(&bytes)? == Progress::Done {
            // The resources, however large, are not transferred.
            break;
        }
    }
    Ok(reader.finish()?.get(name).map(|output| output.value.get().to_owned()))
}

#[cfg(test)]
mod tests {
    use remote_state::WriteMode;
    use remote_state_emulator::Emulator;

    use super::*;

    #[tokio::test]
    async fn one_output_is_read_and_an_unknown_one_is_none() {
        let emulator = Emulator::builder()
            .with_credentials("test", "testtest")
            .with_bucket("tfstate")
            .start()
            .await
            .unwrap();
        let endpoint = emulator.endpoint();
        let keys = [
            ("bucket", "tfstate"),
            ("key", "network.tfstate"),
            ("region", "us-east-1"),
            ("endpoint", &*endpoint),
            ("access_key", "test"),
            ("secret_key", "testtest"),
            ("use_path_style", "true"),
        ];
        let store = open("s3", keys).unwrap();
        assert_eq!(read_output(&*store, "vpc_id").await.unwrap(), None);
        let state = br#"{"version":4,"terraform_version":"1.11.4","serial":1,"lineage":"l",
            "outputs":{"vpc_id":{"value":"vpc-1","type":"string"}},"resources":[]}"#;
        let state = bytes::Bytes::from_static(state);
        let options = WriteMode::Overwrite.into();
        store.write(&Workspace::default(), state.into(), &options).await.unwrap();
        let read = read_output(&*store, "vpc_id").await.unwrap();
        assert_eq!(read.as_deref(), Some("\"vpc-1\""));
        assert_eq!(read_output(&*store, "other").await.unwrap(), None);
        emulator.shutdown().await;
    }
}
