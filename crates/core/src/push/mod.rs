//! The write protocol: the one place that combines a read of the stored state with a write.
//!
//! [`decide`] says what the two headers settle, `compare` looks at the bytes where the headers do
//! not, and [`push`] writes. Commands and the server give the rules and put the outcome into words.
//!
//! A stored state that does not match its digest is data here, not an error. Under its own lock a writer may go on if
//! the stored bytes are the ones that it writes, or if it writes their direct successor: then the mismatch is what an
//! interrupted write left behind, and the write puts it right. Everything else is `DigestMismatch`.

mod compare;

use std::fmt;
use std::sync::Arc;

use crate::error::Error;
use crate::names::{LockId, Serial, Workspace};
use crate::push::compare::{Equality, Stored};
use crate::source::StateSource;
use crate::state::{Refusal, StateHeader, SuccessionRules};
use crate::store::{StateMeta, StateStore, WriteMode};

/// A state that is to be written, and what it says of itself.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The bytes.
    pub source: StateSource,
    /// Their header.
    pub header: StateHeader,
}

/// The lock under which a write happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeldLock {
    /// The writer's own, and it is held.
    Own,
    /// The writer held this one, and it is not held any more. It may write the direct successor of what is stored.
    Gone(LockId),
    /// None, and the writer claims none.
    None,
}

/// What to do with a state that has other bytes than the stored one and means the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameMeaning {
    /// Leave the stored bytes.
    Keep,
    /// Store the new bytes, as a client does that has upgraded the format.
    Store,
}

/// What a writer may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PushRules {
    /// Which state may follow which.
    pub succession: SuccessionRules,
    /// What to do with other bytes that mean the same.
    pub same_meaning: SameMeaning,
    /// Write whatever the rules say. What they said is in [`Pushed::Written`].
    pub force: bool,
    /// Write over a state that does not match its digest, whatever it is, and record the new one.
    pub repair_digest: bool,
    /// A state that has resources may be replaced by one that has none.
    pub may_empty: bool,
}

impl PushRules {
    /// The rules for a person or a script that pushes a file.
    pub const PUSH: Self = Self {
        succession: SuccessionRules::PUSH,
        same_meaning: SameMeaning::Keep,
        force: false,
        repair_digest: false,
        may_empty: true,
    };
    /// The rules for a client that goes on from the state that it has read.
    pub const CLIENT: Self =
        Self { succession: SuccessionRules::CLIENT, same_meaning: SameMeaning::Store, ..Self::PUSH };

    /// Sets whether the rules may be broken.
    #[must_use]
    pub fn with_force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Sets whether a wrong digest is put right.
    #[must_use]
    pub fn with_repair_digest(mut self, repair_digest: bool) -> Self {
        self.repair_digest = repair_digest;
        self
    }

    /// Sets whether a state may lose its resources.
    #[must_use]
    pub fn with_may_empty(mut self, may_empty: bool) -> Self {
        self.may_empty = may_empty;
        self
    }
}

/// Why a state was not written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PushRefusal {
    /// It has no resources, and the stored one has.
    Emptied,
    /// The lock is gone, and the new state is not the direct successor of the stored one.
    LockGone {
        /// The lock.
        id: LockId,
        /// The serial that is stored.
        stored: Serial,
        /// The serial of the new state.
        new: Serial,
    },
    /// It may not follow the stored one.
    Succession(Refusal),
}

impl fmt::Display for PushRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Emptied => f.write_str("it has no resources, and the stored one has"),
            Self::LockGone { id, stored, new } => write!(
                f,
                "nobody holds the lock `{id}` any more, and serial {new} does not follow {stored} directly"
            ),
            Self::Succession(refusal) => refusal.fmt(f),
        }
    }
}

/// What became of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pushed {
    /// The state was written.
    Written {
        /// What the store says of it.
        meta: StateMeta,
        /// The rule that it broke, where the rules may be broken.
        overridden: Option<PushRefusal>,
        /// It has taken the place of a state that had resources, and has none.
        empties: bool,
        /// The stored state did not match its digest, and does now.
        is_digest_repaired: bool,
    },
    /// The same state is stored already, and nothing was written.
    Unchanged {
        /// What the store says of it.
        meta: StateMeta,
    },
}

/// Why a push did not come to its end.
#[derive(Debug)]
#[non_exhaustive]
pub enum PushError {
    /// The rules forbid it. Nothing was written.
    Refused(PushRefusal),
    /// What is stored is not a state that can be compared. Nothing was written.
    NotComparable {
        /// Why.
        error: Error,
        /// What the store says of it.
        meta: StateMeta,
    },
    /// The store failed.
    Store(Error),
}

impl From<Error> for PushError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// What the headers settle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The state may be written. `empties` as in [`Pushed::Written`].
    Write {
        /// It takes away all resources.
        empties: bool,
    },
    /// Both have the same serial: equal states need no write, and this is to be done about others.
    Compare(Result<(), PushRefusal>),
}

/// Decides by the headers alone whether a state may follow the stored one.
///
/// # Errors
/// The rule that it breaks, whatever the bytes are.
pub fn decide(
    stored: Option<&StateHeader>,
    new: &StateHeader,
    rules: &PushRules,
    lock: &HeldLock,
) -> Result<Verdict, PushRefusal> {
    let Some(stored) = stored else { return Ok(Verdict::Write { empties: false }) };
    let check = |is_same: bool| {
        rules.succession.check(Some(stored), new, || is_same).map_err(PushRefusal::Succession).map(drop)
    };
    let check_lock = || match lock {
        HeldLock::Gone(id) => {
            // Somebody broke the lock. If nobody has written since, to refuse would only lose an apply.
            let gone = || PushRefusal::LockGone { id: id.clone(), stored: stored.serial, new: new.serial };
            if follows_directly(stored, new) { Ok(()) } else { Err(gone()) }
        }
        HeldLock::Own | HeldLock::None => Ok(()),
    };
    let empties = stored.has_resources && !new.has_resources;
    let check_content = || if empties && !rules.may_empty { Err(PushRefusal::Emptied) } else { Ok(()) };
    if stored.serial == new.serial && check(true).is_ok() {
        let of_others = check(false).and_then(|()| check_lock()).and_then(|()| check_content());
        return Ok(Verdict::Compare(of_others));
    }
    check(false)?;
    check_lock()?;
    check_content()?;
    Ok(Verdict::Write { empties })
}

/// Whether a state may be written over one that does not match its digest, under the writer's own lock.
fn goes_on_from(stored: &StateHeader, new: &StateHeader, is_same: bool) -> bool {
    is_same || follows_directly(stored, new)
}

/// Whether a state is the next one after the stored one, so that nobody has written in between.
fn follows_directly(stored: &StateHeader, new: &StateHeader) -> bool {
    stored.lineage == new.lineage && stored.serial.0.checked_add(1) == Some(new.serial.0)
}

/// Whether other bytes that mean the same are left unwritten. Without the lock there is no reason to touch them.
fn keeps_bytes(rules: &PushRules, lock: &HeldLock) -> bool {
    matches!(lock, HeldLock::Gone(_)) || rules.same_meaning == SameMeaning::Keep
}

/// Writes a state if it may follow the stored one.
///
/// # Errors
/// See [`PushError`].
pub async fn push(
    store: &Arc<dyn StateStore>,
    workspace: &Workspace,
    new: &Outgoing,
    rules: &PushRules,
    lock: &HeldLock,
) -> Result<Pushed, PushError> {
    let stored = Stored::read(store, workspace, new, rules).await?;
    let Some((mut stored, header)) = stored else {
        let meta = store.write(workspace, new.source.clone(), &WriteMode::Create).await?;
        return Ok(Pushed::Written { meta, overridden: None, empties: false, is_digest_repaired: false });
    };
    let mismatch = stored.mismatch.take();
    let is_wrong = mismatch.is_some();
    let (mut overridden, mut empties) = (None, false);
    let header = match header {
        Ok(header) => Some(header),
        // Whoever forces a state in does not ask what is there.
        Err(_) if rules.force => None,
        Err(error) => return Err(PushError::NotComparable { error, meta: stored.meta }),
    };
    match &header {
        None => {}
        Some(header) => {
            if let Some(mismatch) = mismatch
                && !rules.repair_digest
            {
                let may_go_on =
                    *lock == HeldLock::Own && goes_on_from(header, &new.header, stored.is_same_bytes());
                if !may_go_on {
                    return Err(mismatch.into());
                }
                tracing::warn!(%workspace, "the stored state does not match its digest; this write puts it right");
            }
            let loses_resources = header.has_resources && !new.header.has_resources;
            match decide(Some(header), &new.header, rules, lock) {
                Ok(Verdict::Write { empties: does }) => empties = does,
                // Writing is the only way to record the digest of what is stored; and a writer that forces a state in
                // does not ask whether it is there already.
                Ok(Verdict::Compare(_))
                    if stored.is_same_bytes() && (rules.force || is_wrong || rules.repair_digest) => {}
                Ok(Verdict::Compare(otherwise)) if !rules.force => {
                    match stored.equality(store, workspace, new).await? {
                        Equality::Bytes => return Ok(Pushed::Unchanged { meta: stored.meta }),
                        Equality::Meaning if keeps_bytes(rules, lock) => {
                            return Ok(Pushed::Unchanged { meta: stored.meta });
                        }
                        Equality::Meaning => {}
                        Equality::None => {
                            otherwise.map_err(PushError::Refused)?;
                            empties = loses_resources;
                        }
                    }
                }
                Ok(Verdict::Compare(Ok(()))) => empties = loses_resources,
                Ok(Verdict::Compare(Err(refusal))) | Err(refusal) if rules.force => {
                    if loses_resources && !rules.may_empty {
                        return Err(PushError::Refused(PushRefusal::Emptied));
                    }
                    (overridden, empties) = (Some(refusal), loses_resources);
                }
                Ok(Verdict::Compare(Err(refusal))) | Err(refusal) => {
                    return Err(PushError::Refused(refusal));
                }
            }
        }
    }
    let mode = stored.meta.etag.clone().map_or(WriteMode::Overwrite, WriteMode::Update);
    let meta = store.write(workspace, new.source.clone(), &mode).await?;
    Ok(Pushed::Written { meta, overridden, empties, is_digest_repaired: is_wrong })
}

#[cfg(test)]
mod tests;
