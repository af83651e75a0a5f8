//! Lock files as other clients leave them.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use remote_state_conformance::RawLocks;
use remote_state_core::{StateStore, Workspace};
use remote_state_emulator::Emulator;

/// Creates lock files as other clients leave them, with the vendor's own client.
#[derive(Debug)]
pub(crate) struct LockFiles {
    client: aws_sdk_s3::Client,
    store: Arc<dyn StateStore>,
}

impl LockFiles {
    pub(crate) fn new(emulator: &Emulator, store: Arc<dyn StateStore>) -> Self {
        Self { client: crate::raw::client(emulator), store }
    }

    fn place(&self, workspace: &Workspace) -> (String, String) {
        let url = self.store.location(workspace).locks.remove(0);
        let (bucket, key) =
            url.trim_start_matches("s3://").split_once('/').expect("a bucket and a key");
        (bucket.to_owned(), key.to_owned())
    }
}

#[async_trait]
impl RawLocks for LockFiles {
    async fn put(&self, workspace: &Workspace, bytes: Bytes) {
        let (bucket, key) = self.place(workspace);
        let put = self.client.put_object().bucket(bucket).key(key).body(bytes.into());
        drop(put.send().await.expect("the lock file is written"));
    }

    async fn get(&self, workspace: &Workspace) -> Option<Bytes> {
        let (bucket, key) = self.place(workspace);
        match self.client.get_object().bucket(bucket).key(key).send().await {
            Ok(answer) => Some(
                answer.body.collect().await.expect("the lock file is read to its end").into_bytes(),
            ),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => {
                None
            }
            Err(error) => panic!("the lock file cannot be read: {error:?}"),
        }
    }
}
