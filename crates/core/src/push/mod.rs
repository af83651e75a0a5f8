//! The write protocol: the one place that combines a read of the stored state with a write.
//!
//! [`decide`] says what the two headers settle, `compare` looks at the bytes where the headers do
//! not, and [`StateStoreExt::push`](crate::StateStoreExt::push) writes. Commands and the server
//! give the rules and put the outcome into words.
//!
//! A stored state that does not match its digest is data here, not an error. Under its own lock a
//! writer may go on if the stored bytes are the ones that it writes, or if it writes their direct
//! successor: then the mismatch is what an interrupted write left behind, and the push puts it
//! right. Everything else is `DigestMismatch`. A digest that is missing is recorded under the same
//! lock if the bytes are equal. Where the bytes are equal, only the digest is recorded.

mod compare;
mod rules;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
pub use rules::{HeldLock, PushRefusal, PushRules, SameMeaning, Verdict, decide};

use crate::error::Error;
use crate::outgoing::Outgoing;
use crate::push::compare::{Equality, Stored};
use crate::push::rules::{goes_on_from, keeps_bytes};
use crate::source::StateSource;
use crate::state::StateHeader;
use crate::store::{Annotations, StateMeta, StateStore, WriteMode, WriteOptions};
use crate::workspace::Workspace;

/// A state that is to be written, and what it says of itself. The two must belong together.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewState {
    /// The bytes.
    pub source: StateSource,
    /// Their header.
    pub header: StateHeader,
    /// What the store keeps beside them.
    pub annotations: Annotations,
}

impl NewState {
    /// Brings a state whose header was read already.
    pub fn new(source: impl Into<StateSource>, header: StateHeader) -> Self {
        Self { source: source.into(), header, annotations: Annotations::default() }
    }

    /// Has the store keep these notes beside the state.
    #[must_use]
    pub fn with_annotations(mut self, annotations: Annotations) -> Self {
        self.annotations = annotations;
        self
    }

    /// Reads the header of a state in memory.
    ///
    /// # Errors
    /// `ConfigInvalid` or `Unsupported` if it is no state.
    pub fn parse(state: Bytes) -> Result<Self, Error> {
        let header = StateHeader::parse(&state)?;
        Ok(Self::new(state, header))
    }
}

/// What became of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pushed {
    /// The state was written.
    #[non_exhaustive]
    Written {
        /// What the store says of it.
        meta: StateMeta,
        /// The rule that it broke, where the rules may be broken.
        overridden: Option<PushRefusal>,
        /// It has taken the place of a state that had resources, and has none.
        empties: bool,
        /// The stored state was found not to match its digest, and does now. With
        /// [`PushRules::repair_digest`] nothing looks at the digest before it is recorded.
        is_digest_repaired: bool,
    },
    /// The same state is stored already, and was not written.
    #[non_exhaustive]
    Unchanged {
        /// What the store says of it.
        meta: StateMeta,
        /// What was there before, if the digest of the stored state was recorded.
        recorded_over: Option<DigestBefore>,
    },
}

/// What was recorded of a state before its digest was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DigestBefore {
    /// No digest.
    Missing,
    /// The digest of another state.
    Wrong,
    /// Not known: with [`PushRules::repair_digest`] nothing looks at it.
    NotRead,
}

/// Why a push did not come to its end.
#[derive(Debug)]
#[non_exhaustive]
pub enum PushError {
    /// The rules forbid it. Nothing was written.
    Refused(PushRefusal),
    /// What is stored is not a state that can be compared. Nothing was written.
    #[non_exhaustive]
    NotComparable {
        /// Why.
        error: Error,
        /// What the store says of it.
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

/// What to do, once the stored state is known.
enum Plan {
    /// The same state is stored already. As in [`Pushed::Unchanged`].
    Keep { recorded_over: Option<DigestBefore> },
    /// Write it. Both as in [`Pushed::Written`].
    Write { overridden: Option<PushRefusal>, empties: bool },
}

/// One push: what is written, where, by which rules.
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
    let Some((mut stored, header)) = Stored::read(store, workspace, new, rules).await? else {
        let meta = push.write(WriteMode::Create).await?;
        return Ok(Pushed::Written {
            meta,
            overridden: None,
            empties: false,
            is_digest_repaired: false,
        });
    };
    let mismatch = stored.mismatch.take();
    let is_digest_repaired = mismatch.is_some();
    if let Some(mismatch) = mismatch
        && !push.may_repair(&stored, header.as_ref().ok())
    {
        return Err(mismatch.into());
    }
    let plan = match header {
        Ok(header) => push.plan(&stored, &header, is_digest_repaired).await?,
        // A writer that forces a state in does not ask what is there.
        Err(_) if rules.force => Plan::Write { overridden: None, empties: false },
        Err(error) => return Err(PushError::NotComparable { error, meta: stored.meta }),
    };
    let (overridden, empties) = match plan {
        Plan::Keep { recorded_over } => {
            if recorded_over.is_some() {
                store.record_digest(workspace, &new.source).await?;
            }
            return Ok(Pushed::Unchanged { meta: stored.meta, recorded_over });
        }
        Plan::Write { overridden, empties } => (overridden, empties),
    };
    let mode = stored.meta.etag.map_or(WriteMode::Overwrite, WriteMode::Update);
    let meta = push.write(mode).await?;
    Ok(Pushed::Written { meta, overridden, empties, is_digest_repaired })
}

impl Push<'_> {
    async fn write(&self, mode: WriteMode) -> Result<StateMeta, Error> {
        let outgoing = Outgoing::new(self.new.source.clone());
        let options = WriteOptions::from(mode).with_annotations(self.new.annotations.clone());
        self.store.write(self.workspace, outgoing, &options).await
    }

    /// Whether this write may put a wrong digest right.
    fn may_repair(&self, stored: &Stored, header: Option<&StateHeader>) -> bool {
        if self.rules.repair_digest {
            return true;
        }
        let goes_on = header
            .is_some_and(|header| goes_on_from(header, &self.new.header, stored.is_same_bytes()));
        *self.lock == HeldLock::Own && goes_on
    }

    /// Returns what the digest of the stored bytes is to be recorded over, if it is to be recorded.
    fn records_over(&self, stored: &Stored, is_wrong: bool) -> Option<DigestBefore> {
        if is_wrong {
            Some(DigestBefore::Wrong)
        } else if self.rules.repair_digest && self.store.capabilities().digests {
            Some(DigestBefore::NotRead)
        } else {
            (stored.meta.is_digest_missing && *self.lock == HeldLock::Own)
                .then_some(DigestBefore::Missing)
        }
    }

    /// Decides what to do about a stored state with this header.
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
                // A writer that forces a state in does not ask whether it is there already.
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
