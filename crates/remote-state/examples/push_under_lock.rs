//! Stores a state under the lock, and only if it follows the stored one:
//! `cargo run --example push_under_lock --features s3 -- BUCKET KEY REGION FILE`.
//!
//! Native clients take the same lock, so none of them writes meanwhile.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use remote_state::push::{HeldLock, NewState, PushError, PushRules, Pushed};
use remote_state::{LockInfo, LockWait, Patience, StateStore, StateStoreExt as _, Workspace, open};

/// How long to wait for a lock that another client holds.
const WAIT: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [bucket, key, region, file] = words.as_slice() else {
        return Err("the words are: BUCKET KEY REGION FILE".into());
    };
    let store = open(
        "s3",
        [("bucket", &**bucket), ("key", &**key), ("region", &**region), ("use_lockfile", "true")],
    )?;
    let state = Bytes::from(std::fs::read(file)?);
    let answer = match push(&store, state, WAIT).await? {
        Pushed::Unchanged { .. } => "it is stored already",
        _ => "stored",
    };
    writeln!(std::io::stdout(), "{answer}")?;
    Ok(())
}

/// Takes the lock of the workspace `default`, stores the state, and releases the lock whatever
/// happens.
async fn push(
    store: &Arc<dyn StateStore>,
    state: Bytes,
    wait: Duration,
) -> Result<Pushed, PushError> {
    let workspace = Workspace::default();
    let new = NewState::parse(state)?;
    let now = jiff::Timestamp::now();
    let info = LockInfo::new("nightly-repair", "robot@ci", "1.0.0", now)?;
    let work = async { store.push(&workspace, &new, &PushRules::PUSH, &HeldLock::Own).await };
    store.with_lock(&workspace, &info, LockWait::new(wait), &Patience, work).await
}

#[cfg(test)]
mod tests {
    use remote_state::ErrorKind;
    use remote_state_emulator::Emulator;

    use super::*;

    fn state(serial: u64) -> Bytes {
        let text = format!(
            r#"{{"version":4,"terraform_version":"1.11.4","serial":{serial},"lineage":"l",
            "outputs":{{"n":{{"value":{serial},"type":"number"}}}},"resources":[]}}"#
        );
        text.into()
    }

    #[tokio::test]
    async fn what_follows_is_stored_and_what_does_not_or_is_locked_is_refused() {
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
            ("use_lockfile", "true"),
        ];
        let store = open("s3", keys).unwrap();
        let push = async |serial| push(&store, state(serial), Duration::ZERO).await;
        assert!(matches!(push(2).await, Ok(Pushed::Written { .. })));
        assert!(matches!(push(2).await, Ok(Pushed::Unchanged { .. })));
        assert!(matches!(push(1).await, Err(PushError::Refused(_))));

        let other = LockInfo::new("apply", "alice@laptop", "1.0.0", jiff::Timestamp::now());
        store.acquire(&Workspace::default(), &other.unwrap()).await.unwrap();
        let Err(PushError::Store(error)) = push(3).await else { panic!("it is locked") };
        assert_eq!(error.kind(), ErrorKind::LockHeld);
        emulator.shutdown().await;
    }
}
