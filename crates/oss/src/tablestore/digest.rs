//! The digest row: what the stored state must be. Its `LockID` is `<bucket>/<state key>-md5`, its
//! `Digest` the MD5 of the state's bytes in lower-case hexadecimal.
//!
//! When it is written, read and waited for is the same for all providers: see [`StateDigest`].

use async_trait::async_trait;
use remote_state_core::provider::{DigestEntry, Failure, Recorded, StateDigest};
use remote_state_core::{Result, Workspace};

use crate::keys::DIGEST_SUFFIX;
use crate::store::OssStore;
use crate::tablestore::Table;

/// The column that holds the digest.
const DIGEST: &str = "Digest";

/// The digest row of a workspace's state.
pub(crate) struct DigestRow<'a> {
    table: &'a Table,
    id: String,
    state: String,
}

impl OssStore {
    /// The digest of a state, where a table is configured.
    pub(crate) fn digest(&self, workspace: &Workspace) -> Option<StateDigest<DigestRow<'_>>> {
        let table = self.table.as_ref()?;
        let id = self.layout.path(workspace) + DIGEST_SUFFIX;
        let state = self.layout.url(&self.layout.state_key(workspace));
        Some(StateDigest::new(DigestRow { table, id, state }, self.digest_wait))
    }
}

#[async_trait]
impl DigestEntry for DigestRow<'_> {
    fn state(&self) -> String {
        self.state.clone()
    }

    fn place(&self) -> String {
        self.table.url(&self.id)
    }

    fn how_to_look(&self) -> String {
        "look at what is stored".to_owned()
    }

    fn how_to_remove(&self) -> String {
        format!("remove the row `{}` of table `{}`", self.id, self.table.name())
    }

    async fn get(&self, operation: &'static str) -> Result<Recorded, Failure> {
        let Some(column) = self.table.get(operation, &self.id, DIGEST).await? else {
            return Ok(Recorded::Nothing);
        };
        let text = column.as_ref().and_then(|value| str::from_utf8(value.text()?).ok());
        Ok(text.map_or(Recorded::NoText, |text| Recorded::Text(text.to_owned())))
    }

    async fn put(&self, operation: &'static str, digest: &str) -> Result<(), Failure> {
        self.table.put(operation, &self.id, DIGEST, digest).await
    }

    async fn delete(&self, operation: &'static str) -> Result<(), Failure> {
        self.table.delete(operation, &self.id).await
    }
}
