//! The digest item: what the stored state must be.
//!
//! ```json
//! {"LockID": {"S": "<bucket>/<state key>-md5"}, "Digest": {"S": "<MD5 of the state's bytes, lower-case hexadecimal>"}}
//! ```
//!
//! When it is written, read and waited for is the same for all providers: see [`StateDigest`].

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use remote_state_core::provider::{DigestEntry, Recorded, StateDigest};
use remote_state_core::{Result, StateLocation, Workspace};

use crate::dynamodb::Table;
use crate::error::Failure;
use crate::keys::DIGEST_SUFFIX;
use crate::store::S3Store;

/// The attribute that holds the digest.
const DIGEST: &str = "Digest";

/// The digest item of a workspace's state.
pub(crate) struct DigestItem<'a> {
    table: &'a Table,
    id: String,
    state: String,
    /// The command that shows what is stored.
    look: String,
}

impl S3Store {
    /// The digest of a state, where a table is configured.
    pub(crate) fn digest(&self, workspace: &Workspace) -> Option<StateDigest<DigestItem<'_>>> {
        let table = self.table.as_ref()?;
        let StateLocation { path, state, .. } = self.layout.location(workspace);
        let look = self.client.aws_command(&["s3", "cp", &state, "-"]);
        Some(StateDigest::new(
            DigestItem { table, id: path + DIGEST_SUFFIX, state, look },
            self.digest_wait,
        ))
    }
}

#[async_trait]
impl DigestEntry for DigestItem<'_> {
    fn state(&self) -> String {
        self.state.clone()
    }

    fn place(&self) -> String {
        format!("dynamodb:{}, item `{}`", self.table.name(), self.id)
    }

    fn how_to_look(&self) -> String {
        format!("look at what is stored with `{}`", self.look)
    }

    fn how_to_remove(&self) -> String {
        format!("remove the item with `{}`", self.table.removal(&self.id))
    }

    async fn get(&self, operation: &'static str) -> Result<Recorded, Failure> {
        let Some(mut item) = self.table.get(operation, &self.id, DIGEST).await? else {
            return Ok(Recorded::Nothing);
        };
        Ok(match item.remove(DIGEST) {
            Some(AttributeValue::S(text)) => Recorded::Text(text),
            _ => Recorded::NoText,
        })
    }

    async fn put(&self, operation: &'static str, digest: &str) -> Result<(), Failure> {
        self.table.put(operation, &self.id, DIGEST, digest.to_owned()).await
    }

    async fn delete(&self, operation: &'static str) -> Result<(), Failure> {
        self.table.delete(operation, &self.id, DIGEST).await
    }
}
