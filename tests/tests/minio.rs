//! The s3 provider keeps the promises of a store on MinIO, spoken to as MinIO and as a store of which nothing is known.

use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use remote_state_conformance::{Outcome, RawLocks, Scale, Setup, store_behaviours};
use remote_state_core::{Capabilities, Workspace};
use remote_state_tests::{Requirement, S3Server, Suite, block_on, unique};

/// What only stores with conditional updates promise.
const CONDITIONAL: [&str; 5] = [
    "read_write::update_with_a_stale_etag_fails_and_writes_nothing",
    "read_write::update_of_a_deleted_state_fails",
    "read_write::create_on_an_existing_state_fails_and_writes_nothing",
    "read_write::race_of_creates_has_one_winner",
    "read_write::race_of_updates_has_one_winner",
];

/// Its tasks ask again and again until they have had the lock; a hundred of them do so in the suite `races`.
const CROWDED: &str = "lock::hand_over_loses_no_update";

fn main() -> ExitCode {
    let mut suite = Suite::new();
    for (dialect, is_versioned) in [("minio", false), ("minio", true), ("generic", false)] {
        let module = if is_versioned { format!("{dialect}::versioned") } else { dialect.to_owned() };
        for behaviour in store_behaviours() {
            let is_kept = (is_versioned || !behaviour.name.starts_with("versions::"))
                && (dialect != "generic" || !CONDITIONAL.contains(&behaviour.name));
            if !is_kept {
                continue;
            }
            suite.test(format!("{module}::{}", behaviour.name), &[Requirement::Minio], move || {
                block_on(async {
                    let racers = if behaviour.name == CROWDED { 30 } else { Scale::default().racers };
                    let setup = setup(dialect, is_versioned, racers).await;
                    let outcome = (behaviour.run)(&setup).await;
                    assert_eq!(outcome, Outcome::Kept, "MinIO has all that it takes");
                });
            });
        }
    }
    suite.run()
}

async fn setup(dialect: &str, is_versioned: bool, racers: usize) -> Setup {
    let s3 = Arc::new(S3Server::minio());
    let bucket = if is_versioned { s3.make_versioned_bucket().await } else { s3.bucket.clone() };
    // The listing of one test's workspaces should not have to go through all others'.
    let place = s3.place_in(&bucket).with("workspace_key_prefix", &unique("env"));
    let store = place.store(&[("dialect", dialect)]);
    let declares = Capabilities::default()
        .with_locking(true)
        .with_conditional_write(dialect == "minio")
        .with_versions(is_versioned);
    let lock_of = {
        let store = Arc::clone(&store);
        move |workspace: &Workspace| {
            let url = store.location(workspace).lock.expect("a lock file is configured");
            url.strip_prefix(&format!("s3://{bucket}/")).expect("it is in the bucket").to_owned()
        }
    };
    let bucket = place.bucket.clone();
    let raw_locks = LockFiles { s3: Arc::clone(&s3), bucket, lock_of: Box::new(lock_of) };
    // What takes long here and is the same for every dialect is done at full size once, or elsewhere.
    let workspaces = if dialect == "generic" { Scale::default().workspaces } else { 60 };
    let scale = Scale::default().with_racers(racers).with_workspaces(workspaces).with_huge_bytes(8 << 20);
    Setup::new(store, declares).with_raw_locks(Arc::new(raw_locks)).with_scale(scale)
}

/// Locks as other clients leave them, through a client of the vendor's own.
struct LockFiles {
    s3: Arc<S3Server>,
    bucket: String,
    lock_of: Box<dyn Fn(&Workspace) -> String + Send + Sync>,
}

#[async_trait]
impl RawLocks for LockFiles {
    async fn put(&self, workspace: &Workspace, bytes: Bytes) {
        self.s3.put_object(&self.bucket, &(self.lock_of)(workspace), bytes).await;
    }

    async fn get(&self, workspace: &Workspace) -> Option<Bytes> {
        self.s3.get_object(&self.bucket, &(self.lock_of)(workspace)).await
    }
}
