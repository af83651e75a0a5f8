//! The s3 provider keeps the promises of a store on every setup that can hold locks.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use remote_state_conformance::{Outcome, RawLocks, Scale, Setup as Judged, store_behaviours};
use remote_state_core::{
    AnnotationStorage, Capabilities, Digests, Locking, Versions, Workspace, WriteConditions,
};
use remote_state_tests::{
    Bucket, Locks, Requirement, S3Server, Setup, Suite, TABLE, block_on, unique,
};

/// The promises that only stores with conditional updates make.
const CONDITIONAL: [&str; 5] = [
    "read_write::update_with_a_stale_etag_fails_and_writes_nothing",
    "read_write::update_of_a_deleted_state_fails",
    "read_write::create_on_an_existing_state_fails_and_writes_nothing",
    "read_write::race_of_creates_has_one_winner",
    "read_write::race_of_updates_has_one_winner",
];

/// Its tasks retry until they have had the lock; the suite `races` does so with a hundred.
const CROWDED: &str = "lock::hand_over_loses_no_update";

pub(crate) fn add(suite: &mut Suite) {
    for setup in Setup::speaking_s3().filter(|setup| setup.shows.locks != Locks::Refused) {
        let own = Variant {
            dialect: setup.shows.dialect.as_deref(),
            bucket: setup.shows.bucket,
            conditional_write: setup.shows.conditional_write,
            locks_in_table: false,
        };
        if setup.shows.table {
            each(suite, setup, "table", Variant { locks_in_table: true, ..own });
        }
        if setup.is_about_its_table {
            continue;
        }
        each(suite, setup, "store", own);
        // If versions decide about locks, every bucket has them.
        if setup.shows.versions && own.bucket == Bucket::Plain {
            each(suite, setup, "versioned", Variant { bucket: Bucket::Versioned, ..own });
        }
        if setup.name == "s3/minio" {
            let unknown = Variant { dialect: Some("generic"), conditional_write: false, ..own };
            each(suite, setup, "generic", unknown);
        }
    }
}

/// A way to use a server, and the expected behaviour.
#[derive(Clone, Copy)]
struct Variant {
    dialect: Option<&'static str>,
    bucket: Bucket,
    conditional_write: bool,
    locks_in_table: bool,
}

/// Adds a test for every promise that the setup makes.
fn each(suite: &mut Suite, setup: &'static Setup, module: &str, variant: Variant) {
    for behaviour in store_behaviours() {
        // An invalid lock record means the same wherever it is. Unreadable records go into an
        // object, not into an item.
        let is_about_it = !variant.locks_in_table
            || (behaviour.name.starts_with("lock::") && !behaviour.name.contains("unreadable"))
            || behaviour.name.starts_with("digests::");
        let is_promised = is_about_it
            && (variant.locks_in_table || !behaviour.name.starts_with("digests::"))
            && (variant.bucket == Bucket::Versioned || !behaviour.name.starts_with("versions::"))
            && (variant.conditional_write || !CONDITIONAL.contains(&behaviour.name))
            && !setup.shows.breaks.iter().any(|broken| broken == behaviour.name);
        if !is_promised {
            continue;
        }
        let name = format!("{}::{module}::{}", setup.name, behaviour.name);
        suite.test(name, &[Requirement::Setup(&setup.name)], move || {
            let server = Arc::new(S3Server::of(setup));
            block_on(async {
                let racers = if behaviour.name == CROWDED { 30 } else { Scale::default().racers };
                let outcome = (behaviour.run)(&judged(server, variant, racers).await).await;
                assert_eq!(outcome, Outcome::Kept, "the setup has all that it takes");
            });
        });
    }
}

async fn judged(s3: Arc<S3Server>, variant: Variant, racers: usize) -> Judged {
    let is_versioned = variant.bucket == Bucket::Versioned;
    let bucket = if is_versioned { s3.make_versioned_bucket().await } else { s3.bucket.clone() };
    // One test's listing of workspaces should not include those of all others.
    let mut place = s3.place_in(&bucket).with("workspace_key_prefix", &unique("env"));
    if variant.locks_in_table {
        place = place.with("dynamodb_table", TABLE).with("use_lockfile", "false");
    }
    let dialect: Vec<_> = variant.dialect.map(|dialect| ("dialect", dialect)).into_iter().collect();
    let store = place.store(&dialect);
    let declares = Capabilities::default()
        .with_locking(Locking::Exclusive)
        .with_conditions(if variant.conditional_write {
            WriteConditions::Atomic
        } else {
            WriteConditions::ReadFirst
        })
        .with_versions(if is_versioned { Versions::InOrder } else { Versions::None })
        .with_digests(if variant.locks_in_table { Digests::Md5 } else { Digests::None })
        .with_annotations(AnnotationStorage::WithState);
    let lock_of = {
        let store = Arc::clone(&store);
        move |workspace: &Workspace| {
            let urls = store.location(workspace).locks;
            let url = urls.first().expect("a lock file is configured");
            url.strip_prefix(&format!("s3://{bucket}/")).expect("it is in the bucket").to_owned()
        }
    };
    let bucket = place.bucket.clone();
    let raw_locks = LockFiles { s3: Arc::clone(&s3), bucket, lock_of: Box::new(lock_of) };
    // Slow tests that do not depend on the server run at full size only once, or elsewhere.
    let workspaces =
        if variant.dialect == Some("generic") { Scale::default().workspaces } else { 60 };
    let scale =
        Scale::default().with_racers(racers).with_workspaces(workspaces).with_huge_bytes(8 << 20);
    let judged = Judged::new(store, declares).with_scale(scale);
    // A store does not search the table: it derives the items from the states.
    if variant.locks_in_table {
        judged.with_locks_of_states_only()
    } else {
        judged.with_raw_locks(Arc::new(raw_locks))
    }
}

/// Locks of other clients, through the vendor's own client.
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
