//! From where to where a state goes, and what the caller learns on the way.

use remote_state_core::{ReadOptions, Result, StateBytes, StateMeta, StateStore, Workspace};

use crate::seal::Destination;

/// One state of a store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) store: &'a dyn StateStore,
    pub(crate) workspace: &'a Workspace,
}

impl<'a> Place<'a> {
    pub(crate) fn new(store: &'a dyn StateStore, workspace: &'a Workspace) -> Self {
        Self { store, workspace }
    }

    /// Returns the URL of the state.
    pub(crate) fn url(self) -> String {
        self.store.location(self.workspace).state
    }

    /// Reads the state whole; `None` if there is none.
    pub(crate) async fn read(self, options: &ReadOptions) -> Result<Option<StateBytes>> {
        match self.store.read(self.workspace, options).await? {
            Some(read) => read.collect().await.map(Some),
            None => Ok(None),
        }
    }

    /// Reads the state whole, whatever its digest.
    pub(crate) async fn look(self) -> Result<Option<StateBytes>> {
        self.read(&ReadOptions::default().ignoring_digest()).await
    }

    /// Records the digest of the state, which is known to have these bytes.
    pub(crate) async fn record_digest(self, state: &StateBytes) -> Result<()> {
        let bytes = state.bytes.clone();
        self.store.record_digest(self.workspace, &bytes.into(), &state.meta).await
    }
}

/// From where to where a state goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route<'a> {
    /// The operation, for errors.
    pub(crate) operation: &'static str,
    pub(crate) from: Place<'a>,
    pub(crate) to: Place<'a>,
    /// What the seal at the source says of the target.
    pub(crate) there: Destination<'a>,
    /// What a seal at the target says if it may be replaced, since the state comes back.
    pub(crate) back: Destination<'a>,
}

/// A step of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Reading the source.
    Read,
    /// Looking at what is stored at the target.
    Look,
    /// Writing the copy.
    Write,
    /// Reading the copy back.
    Prove,
    /// Sealing the source: from here on the target is the truth.
    Seal,
    /// Deleting the source.
    Delete,
    /// Reading both once more.
    Check,
    /// Putting back what was at the target before.
    Withdraw,
}

impl Step {
    /// Returns the step's name, for records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Look => "look",
            Self::Write => "write",
            Self::Prove => "prove",
            Self::Seal => "seal",
            Self::Delete => "delete",
            Self::Check => "check",
            Self::Withdraw => "withdraw",
        }
    }
}

/// Gets to know the steps of a transfer. An error ends the transfer before the step.
pub(crate) trait Steps: Send + Sync {
    /// The step comes next.
    fn doing(&self, step: Step) -> Result<()>;

    /// The step is done; `state` is what was read or written.
    fn did(&self, step: Step, state: Option<(&StateMeta, &[u8])>) -> Result<()>;

    /// The source was changed meanwhile, so that the transfer begins again.
    fn changed(&self, attempt: u32) -> Result<()>;
}

/// Nobody wants to know.
pub(crate) struct Unobserved;

impl Steps for Unobserved {
    fn doing(&self, _: Step) -> Result<()> {
        Ok(())
    }

    fn did(&self, _: Step, _: Option<(&StateMeta, &[u8])>) -> Result<()> {
        Ok(())
    }

    fn changed(&self, _: u32) -> Result<()> {
        Ok(())
    }
}
