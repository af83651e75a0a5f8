//! Lists the versions of a state with who wrote them, and counts what the last write changed:
//! `cargo run --example history --features s3 -- BUCKET KEY REGION`.
//!
//! This is over the crate `remote-state-operations`, which works on any store.

use std::io::Write as _;

use remote_state::{Error, ErrorKind, Result, StateStore, Workspace, open};
use remote_state_operations::diff::{
    Comparison, DiffOptions, OutputChange, ProviderChange, Report, ResourceChange,
};
use remote_state_operations::history::{HistoryEntry, HistoryOptions, history};
use remote_state_operations::{StateText, reference};

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [bucket, key, region] = words.as_slice() else {
        return Err(Error::config("the words are: BUCKET KEY REGION"));
    };
    let keys = [("bucket", &**bucket), ("key", &**key), ("region", &**region)];
    for line in versions(&*open("s3", keys)?).await? {
        drop(writeln!(std::io::stdout(), "{line}"));
    }
    Ok(())
}

/// Returns a line for each version, the newest first, and one for each change by the last write.
async fn versions(store: &dyn StateStore) -> Result<Vec<String>> {
    let workspace = Workspace::default();
    let found = history(store, &workspace, &HistoryOptions::default()).await?;
    let mut lines: Vec<String> = found.entries.iter().map(line).collect();
    if let [newest, before, ..] = found.entries.as_slice() {
        let newest = text(store, &workspace, newest).await?;
        let before = text(store, &workspace, before).await?;
        let comparison = Comparison::new(&before, &newest, &DiffOptions::default())?;
        comparison.run(&mut Lines(&mut lines))?;
    }
    Ok(lines)
}

/// Collects a line for each change. What is sensitive arrives without its value.
struct Lines<'a>(&'a mut Vec<String>);

impl Report for Lines<'_> {
    type Error = Error;

    fn resource(&mut self, change: &ResourceChange) -> Result<()> {
        self.0.push(format!("{} {}", change.address, change.change.as_str()));
        Ok(())
    }

    fn output(&mut self, change: &OutputChange) -> Result<()> {
        let [before, after] = [&change.before, &change.after]
            .map(|value| value.json().map_or("…", |json| json.get()));
        self.0.push(format!("output {}: {before} became {after}", change.name));
        Ok(())
    }

    fn provider(&mut self, _: &ProviderChange) -> Result<()> {
        Ok(())
    }
}

fn line(entry: &HistoryEntry) -> String {
    let serial =
        entry.header.as_ref().map_or_else(|| "?".to_owned(), |header| header.serial.0.to_string());
    let writer = entry.writer.as_ref().map_or("?", |writer| &writer.author.who);
    format!("@{} serial {serial} by {writer}", entry.number)
}

/// Reads a version whole.
async fn text(
    store: &dyn StateStore,
    workspace: &Workspace,
    entry: &HistoryEntry,
) -> Result<StateText> {
    let options = reference::options(entry.version.clone());
    match store.read(workspace, &options).await? {
        Some(read) => Ok(StateText::from(read.collect().await?.bytes)),
        None => Err(Error::new(ErrorKind::NotFound, "compare", "the version is gone")),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use remote_state::push::{HeldLock, NewState, PushRules};
    use remote_state::{Author, LockInfo, StateStoreExt as _};
    use remote_state_emulator::Emulator;

    use super::*;

    #[tokio::test]
    async fn versions_are_listed_with_their_writers_and_the_newest_two_are_compared() {
        let emulator = Emulator::builder()
            .with_credentials("test", "testtest")
            .with_versioned_bucket("tfstate")
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
        let lock = LockInfo::new("repair", "alice@laptop", "1.0.0", jiff::Timestamp::now());
        let alice = Author::under(&lock.unwrap());
        for serial in [1, 2] {
            let text = format!(
                r#"{{"version":4,"terraform_version":"1.11.4","serial":{serial},"lineage":"l",
                "outputs":{{"n":{{"value":{serial},"type":"number"}}}},"resources":[]}}"#
            );
            let new = NewState::parse(Bytes::from(text)).unwrap().with_author(&alice);
            let (workspace, rules) = (Workspace::default(), PushRules::PUSH);
            store.push(&workspace, &new, &rules, &HeldLock::None).await.unwrap();
        }
        let expected =
            ["@0 serial 2 by alice@laptop", "@1 serial 1 by alice@laptop", "output n: 1 became 2"];
        assert_eq!(versions(&*store).await.unwrap(), expected);
        emulator.shutdown().await;
    }
}
