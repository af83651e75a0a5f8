//! The write protocol: the one place that combines a read of the stored state with a write.
//!
//! [`decide`] applies the rules to the two headers, `compare` compares the bytes if the headers do
//! not decide, and [`StateStoreExt::push`](crate::StateStoreExt::push) writes. Commands and the
//! server supply the rules and report the result.
//!
//! A stored state that does not match its digest is data here, not an error. A writer that holds
//! the lock may continue if it writes the stored bytes again or their direct successor: then an
//! interrupted write left the mismatch behind, and the push repairs it. Every other mismatch is
//! `DigestMismatch`. A stored state that is sealed stays, whatever the rules are. If the bytes are
//! equal, the push records only the digest, also one that is missing, under the same lock.

mod compare;
mod rules;

use std::fmt;
use std::future::Ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
pub use rules::{HeldLock, PushRefusal, PushRules, SameMeaning, Verdict, decide};

use crate::error::{Error, ErrorKind};
use crate::names::ETag;
use crate::outgoing::Outgoing;
use crate::push::compare::{Equality, Stored, StoredRead};
use crate::push::rules::{goes_on_from, keeps_bytes};
use crate::source::StateSource;
use crate::state::StateHeader;
use crate::store::{Annotations, Author, StateMeta, StateStore, WriteMode, WriteOptions};
use crate::workspace::Workspace;

/// A state to write, with its header. The two must belong together.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewState {
    /// The bytes.
    pub source: StateSource,
    /// The header of the bytes.
    pub header: StateHeader,
    /// The annotations to store with the state.
    pub annotations: Annotations,
    /// The stored state, as far as the caller knows it.
    pub known: Option<KnownState>,
}

/// A stored state that the caller has read or written, and that was not sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownState {
    /// Its entity tag.
    pub etag: ETag,
    /// Its header.
    pub header: StateHeader,
}

impl NewState {
    /// Creates a state from a header that was read already.
    pub fn new(source: impl Into<StateSource>, header: StateHeader) -> Self {
        Self { source: source.into(), header, annotations: Annotations::default(), known: None }
    }

    /// Sets what the caller knows of the stored state. If that decides, and the store checks the
    /// condition of a write, the push does not read the stored state, and writes on the condition
    /// that it still is that one.
    #[must_use]
    pub fn with_known(mut self, known: Option<KnownState>) -> Self {
        self.known = known;
        self
    }

    /// Sets who writes the state. The store keeps it as annotations.
    #[must_use]
    pub fn with_author(mut self, author: &Author) -> Self {
        self.annotations = author.annotations(&self.header, self.source.content_hash());
        self
    }

    /// Reads the header of a state in memory.
    ///
    /// # Errors
    /// `InvalidState` if the bytes are not a state.
    pub fn parse(state: Bytes) -> Result<Self, Error> {
        let header = StateHeader::parse(&state)?;
        Ok(Self::new(state, header))
    }
}

/// The result of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pushed {
    /// The state was written.
    #[non_exhaustive]
    Written {
        /// The store's description of the state.
        meta: StateMeta,
        /// The rule that the state broke, if the caller allowed that.
        overridden: Option<PushRefusal>,
        /// Whether the state has no resources and replaced one that had some.
        empties: bool,
        /// Whether the stored state did not match its digest before, and does now. With
        /// [`PushRules::repair_digest`] the push does not read the digest before it records a new
        /// one.
        is_digest_repaired: bool,
    },
    /// The store holds the same state already; the push did not write it.
    #[non_exhaustive]
    Unchanged {
        /// The store's description of the state.
        meta: StateMeta,
        /// The earlier record, if the push recorded the digest of the stored state.
        recorded_over: Option<DigestBefore>,
    },
}

/// The recorded digest before a push recorded the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DigestBefore {
    /// No digest.
    Missing,
    /// The digest of another state.
    Wrong,
    /// Unknown: with [`PushRules::repair_digest`] the push does not read it.
    NotRead,
}

/// Why a push failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum PushError {
    /// The rules forbid it. Nothing was written.
    Refused(PushRefusal),
    /// The stored bytes are not a state that can be compared. Nothing was written.
    #[non_exhaustive]
    NotComparable {
        /// The reason.
        error: Error,
        /// The store's description of the state.
        meta: StateMeta,
    },
    /// The store failed.
    Store(Error),
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "the state was not written: {refusal}"),
            Self::NotComparable { error, .. } => {
                write!(f, "the state was not written, since the stored one cannot be read: {error}")
            }
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PushError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(_) => None,
            Self::NotComparable { error, .. } | Self::Store(error) => Some(error),
        }
    }
}

impl From<Error> for PushError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// What to do after reading the stored state.
enum Plan {
    /// The store holds the same state already. The field is that of [`Pushed::Unchanged`].
    Keep { recorded_over: Option<DigestBefore> },
    /// Write the state. Both fields are those of [`Pushed::Written`].
    Write { overridden: Option<PushRefusal>, empties: bool },
}

/// One push: the state, the workspace and the rules.
struct Push<'a> {
    store: &'a Arc<dyn StateStore>,
    workspace: &'a Workspace,
    new: &'a NewState,
    rules: &'a PushRules,
    lock: &'a HeldLock,
}

/// Writes a state if it may follow the stored one.
///
/// # Errors
/// See [`PushError`].
pub(crate) async fn push(
    store: &Arc<dyn StateStore>,
    workspace: &Workspace,
    new: &NewState,
    rules: &PushRules,
    lock: &HeldLock,
) -> Result<Pushed, PushError> {
    let push = Push { store, workspace, new, rules, lock };
    if let Some(written) = push.write_over_known().await? {
        return Ok(written);
    }
    let may_follow = |stored: &StateHeader| {
        matches!(decide(Some(stored), &new.header, rules, lock), Ok(Verdict::Write { .. }))
    };
    let read = Stored::read(store, workspace, new, rules, may_follow).await?;
    let Some(StoredRead { mut stored, header, rest }) = read else {
        let meta = push.write(WriteMode::Create).await?;
        return Ok(Pushed::Written {
            meta,
            overridden: None,
            empties: false,
            is_digest_repaired: false,
        });
    };
    if let Some(seal) = stored.seal.take() {
        return Err(PushError::Refused(PushRefusal::Sealed(seal)));
    }
    let mismatch = stored.mismatch.take();
    let is_digest_repaired = mismatch.is_some();
    if let Some(mismatch) = mismatch
        && !push.may_repair(&stored, header.as_ref().ok())
    {
        return Err(mismatch.into());
    }
    let may_repair = push.may_repair(&stored, header.as_ref().ok());
    let plan = match header {
        Ok(header) => push.plan(&stored, &header, is_digest_repaired).await?,
        // A forced push does not depend on the stored state.
        Err(_) if rules.force => Plan::Write { overridden: None, empties: false },
        Err(error) => return Err(PushError::NotComparable { error, meta: stored.meta }),
    };
    let (overridden, empties) = match plan {
        Plan::Keep { recorded_over } => {
            let mut meta = stored.meta;
            if recorded_over.is_some() {
                store.record_digest(workspace, &new.source, &meta).await?;
                meta.is_digest_missing = false;
            }
            return Ok(Pushed::Unchanged { meta, recorded_over });
        }
        Plan::Write { overridden, empties } => (overridden, empties),
    };
    // What is left to be checked is checked while the new state is sent.
    let was_wrong = Arc::new(AtomicBool::new(is_digest_repaired));
    let decision = rest.map(|rest| {
        let was_wrong = Arc::clone(&was_wrong);
        async move {
            match rest.verify().await {
                Err(error) if may_repair && error.kind() == ErrorKind::DigestMismatch => {
                    was_wrong.store(true, Ordering::Relaxed);
                    Ok(())
                }
                verified => verified,
            }
        }
    });
    let mode = stored.meta.etag.map_or(WriteMode::Overwrite, WriteMode::Update);
    let meta = push.write_when(mode, decision).await?;
    let is_digest_repaired = was_wrong.load(Ordering::Relaxed);
    Ok(Pushed::Written { meta, overridden, empties, is_digest_repaired })
}

impl Push<'_> {
    /// Writes over the state that the caller knows, if that is still stored. `None` if the stored
    /// state has to be read.
    async fn write_over_known(&self) -> Result<Option<Pushed>, Error> {
        let can = self.store.capabilities();
        let Some(known) = &self.new.known else { return Ok(None) };
        if !can.writes_conditionally() || can.has_digests() {
            return Ok(None);
        }
        let decided = decide(Some(&known.header), &self.new.header, self.rules, self.lock);
        let Ok(Verdict::Write { empties }) = decided else { return Ok(None) };
        match self.write(WriteMode::Update(known.etag.clone())).await {
            // Another client has written since.
            Err(error) if error.kind() == ErrorKind::PreconditionFailed => Ok(None),
            written => Ok(Some(Pushed::Written {
                meta: written?,
                overridden: None,
                empties,
                is_digest_repaired: false,
            })),
        }
    }

    async fn write(&self, mode: WriteMode) -> Result<StateMeta, Error> {
        self.write_when(mode, None::<Ready<Result<(), Error>>>).await
    }

    /// Writes the state, if the decision says yes.
    async fn write_when(
        &self,
        mode: WriteMode,
        decision: Option<impl Future<Output = Result<(), Error>> + Send + 'static>,
    ) -> Result<StateMeta, Error> {
        let mut outgoing = Outgoing::new(self.new.source.clone());
        if let Some(decision) = decision {
            outgoing = outgoing.with_decision(decision);
        }
        let options = WriteOptions::from(mode).with_annotations(self.new.annotations.clone());
        self.store.write(self.workspace, outgoing, &options).await
    }

    /// Returns whether this write may repair a wrong digest.
    fn may_repair(&self, stored: &Stored, header: Option<&StateHeader>) -> bool {
        if self.rules.repair_digest {
            return true;
        }
        let goes_on = header
            .is_some_and(|header| goes_on_from(header, &self.new.header, stored.is_same_bytes()));
        *self.lock == HeldLock::Own && goes_on
    }

    /// Returns which earlier record the digest of the stored bytes replaces; `None` if the push
    /// does not record it.
    fn records_over(&self, stored: &Stored, is_wrong: bool) -> Option<DigestBefore> {
        if is_wrong {
            Some(DigestBefore::Wrong)
        } else if self.rules.repair_digest && self.store.capabilities().has_digests() {
            Some(DigestBefore::NotRead)
        } else {
            (stored.meta.is_digest_missing && *self.lock == HeldLock::Own)
                .then_some(DigestBefore::Missing)
        }
    }

    /// Decides what to do, given a stored state with this header.
    async fn plan(
        &self,
        stored: &Stored,
        header: &StateHeader,
        is_wrong: bool,
    ) -> Result<Plan, PushError> {
        let loses_resources = header.has_resources && !self.new.header.has_resources;
        let refusal = match decide(Some(header), &self.new.header, self.rules, self.lock) {
            Ok(Verdict::Write { empties }) => return Ok(Plan::Write { overridden: None, empties }),
            Ok(Verdict::Compare(of_others)) => {
                if stored.is_same_bytes() && self.rules.force {
                    return Ok(Plan::Write { overridden: None, empties: false });
                }
                // A forced push writes even if the store holds the same state already.
                if !self.rules.force {
                    match stored.equality(self.store, self.workspace, self.new).await? {
                        Equality::Bytes => {
                            let recorded_over = self.records_over(stored, is_wrong);
                            return Ok(Plan::Keep { recorded_over });
                        }
                        Equality::Meaning
                            if keeps_bytes(self.rules, self.lock) && !self.rules.repair_digest =>
                        {
                            return Ok(Plan::Keep { recorded_over: None });
                        }
                        Equality::Meaning => {
                            return Ok(Plan::Write { overridden: None, empties: false });
                        }
                        Equality::None => {}
                    }
                }
                match of_others {
                    Ok(()) => {
                        return Ok(Plan::Write { overridden: None, empties: loses_resources });
                    }
                    Err(refusal) => refusal,
                }
            }
            Err(refusal) => refusal,
        };
        if !self.rules.force {
            return Err(PushError::Refused(refusal));
        }
        if loses_resources && !self.rules.may_empty {
            return Err(PushError::Refused(PushRefusal::Emptied));
        }
        Ok(Plan::Write { overridden: Some(refusal), empties: loses_resources })
    }
}

#[cfg(test)]
mod tests;
