//! Locks and writes on a store of Ceph's family, where the version list decides if the bucket keeps
//! versions.

mod by_create;
mod by_list;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/raw.rs"]
mod raw;
mod states;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use bytes::Bytes;
use common::{BUCKET, ceph_emulator, emulator, store};
use raw::client;
use remote_state_core::{
    ErrorKind, LockInfo, LockTarget, ReadOptions, Released, Result, StateMeta, StateStore,
    Workspace, WriteMode,
};
use remote_state_emulator::{Emulator, Fault, Misbehaviour};

const VERSIONED: &str = "versioned";
const STATE: &[u8] = br#"{"version":4,"serial":1,"lineage":"l","outputs":{},"resources":[]}"#;
const LOCK_KEY: &str = "net/terraform.tfstate.tflock";

fn info(who: &str) -> LockInfo {
    LockInfo::new("test", who, "1", jiff::Timestamp::UNIX_EPOCH).unwrap()
}

fn here() -> Workspace {
    Workspace::default()
}

fn on(emulator: &Emulator, bucket: &str, dialect: &str) -> Arc<dyn StateStore> {
    store(emulator, &[("bucket", bucket), ("dialect", dialect)])
}

async fn release(store: &Arc<dyn StateStore>, info: &LockInfo) -> Result<Released> {
    store.release(&here(), &LockTarget::Id(info.id.clone())).await
}

async fn write(store: &Arc<dyn StateStore>, mode: WriteMode) -> Result<StateMeta> {
    store.write(&here(), Bytes::from_static(STATE).into(), &mode.into()).await
}

/// A native client, which puts its record unconditionally and deletes without naming a version.
struct Native(Client);

impl Native {
    async fn lock(&self, bucket: &str, info: &LockInfo) {
        let put = self.0.put_object().bucket(bucket).key(LOCK_KEY).if_none_match("*");
        drop(put.body(info.to_json().into_bytes().into()).send().await.expect("nothing stops it"));
    }

    async fn unlock(&self, bucket: &str) {
        drop(
            self.0
                .delete_object()
                .bucket(bucket)
                .key(LOCK_KEY)
                .send()
                .await
                .expect("nothing stops it"),
        );
    }

    /// Returns the numbers of versions and delete markers of the lock file.
    async fn left(&self, bucket: &str) -> (usize, usize) {
        let listed =
            self.0.list_object_versions().bucket(bucket).prefix(LOCK_KEY).send().await.unwrap();
        (listed.versions().len(), listed.delete_markers().len())
    }

    async fn set_versioning(&self, bucket: &str, status: BucketVersioningStatus) {
        let configuration = VersioningConfiguration::builder().status(status).build();
        let put =
            self.0.put_bucket_versioning().bucket(bucket).versioning_configuration(configuration);
        drop(put.send().await.unwrap());
    }
}
