//! Which state may follow which, by their headers.

use std::fmt;

use crate::names::{LockId, Serial};
use crate::state::{Refusal, Seal, StateHeader, SuccessionRules};

/// The lock under which a write happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeldLock {
    /// The writer holds its own lock.
    Own,
    /// The writer held this lock and has lost it. It may write the direct successor of the stored
    /// state.
    Gone(LockId),
    /// The writer has no lock and claims none.
    None,
}

/// What to do with a state whose bytes differ from the stored one and whose meaning does not.
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
    /// What to do with other bytes of the same meaning.
    pub same_meaning: SameMeaning,
    /// Write despite the rules. [`Pushed::Written`](crate::push::Pushed::Written) names the rule
    /// that the state broke.
    pub force: bool,
    /// Write over a state that does not match its digest, whatever it holds, and record the digest
    /// of the new one.
    pub repair_digest: bool,
    /// A state without resources may replace one with resources.
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
    /// The rules for a client that continues from the state that it has read.
    pub const CLIENT: Self = Self {
        succession: SuccessionRules::CLIENT,
        same_meaning: SameMeaning::Store,
        ..Self::PUSH
    };

    /// Sets whether to write despite the rules.
    #[must_use]
    pub fn with_force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Sets whether to repair a wrong digest.
    #[must_use]
    pub fn with_repair_digest(mut self, repair_digest: bool) -> Self {
        self.repair_digest = repair_digest;
        self
    }

    /// Sets whether a state without resources may replace one with resources.
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
    /// The new state has no resources, and the stored one has.
    Emptied,
    /// The lock is lost, and the new state is not the direct successor of the stored one.
    LockGone {
        /// The lock.
        id: LockId,
        /// The serial that is stored.
        stored: Serial,
        /// The serial of the new state.
        new: Serial,
    },
    /// The stored state is sealed: the state is in another place. No rule allows this write.
    Sealed(Box<Seal>),
    /// The new state may not follow the stored one.
    Succession(Refusal),
}

impl fmt::Display for PushRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Emptied => f.write_str("it has no resources, and the stored one has"),
            Self::LockGone { id, stored, new } => write!(
                f,
                "the lock `{id}` is not held any more, and serial {new} does not follow {stored} \
                 directly"
            ),
            Self::Sealed(seal) => write!(f, "the stored one is sealed: {}", seal.sentence),
            Self::Succession(refusal) => refusal.fmt(f),
        }
    }
}

/// What the headers decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The state may be written. `empties` as in [`Pushed::Written`](crate::push::Pushed::Written).
    Write {
        /// Whether the new state removes all resources.
        empties: bool,
    },
    /// Both have the same serial. An equal state needs no write; the field says what to do with
    /// others.
    Compare(Result<(), PushRefusal>),
}

/// Decides by the headers alone whether a state may follow the stored one.
///
/// # Errors
/// The rule that the state breaks, whatever its bytes are.
pub fn decide(
    stored: Option<&StateHeader>,
    new: &StateHeader,
    rules: &PushRules,
    lock: &HeldLock,
) -> Result<Verdict, PushRefusal> {
    let Some(stored) = stored else { return Ok(Verdict::Write { empties: false }) };
    let check = |is_same: bool| {
        rules
            .succession
            .check(Some(stored), new, || is_same)
            .map_err(PushRefusal::Succession)
            .map(drop)
    };
    let check_lock = || match lock {
        HeldLock::Gone(id) => {
            // Another client broke the lock. If no client has written since, a refusal would only
            // lose an apply.
            let gone =
                || PushRefusal::LockGone { id: id.clone(), stored: stored.serial, new: new.serial };
            if follows_directly(stored, new) { Ok(()) } else { Err(gone()) }
        }
        HeldLock::Own | HeldLock::None => Ok(()),
    };
    let empties = stored.has_resources && !new.has_resources;
    let check_content =
        || if empties && !rules.may_empty { Err(PushRefusal::Emptied) } else { Ok(()) };
    if stored.serial == new.serial && check(true).is_ok() {
        let of_others = check(false).and_then(|()| check_lock()).and_then(|()| check_content());
        return Ok(Verdict::Compare(of_others));
    }
    check(false)?;
    check_lock()?;
    check_content()?;
    Ok(Verdict::Write { empties })
}

/// Returns whether a writer that holds its own lock may write this state over one that does not
/// match its digest.
pub(super) fn goes_on_from(stored: &StateHeader, new: &StateHeader, is_same: bool) -> bool {
    is_same || follows_directly(stored, new)
}

/// Returns whether a state is the next one after the stored one, so that no other client has
/// written in between.
fn follows_directly(stored: &StateHeader, new: &StateHeader) -> bool {
    stored.lineage == new.lineage && stored.serial.0.checked_add(1) == Some(new.serial.0)
}

/// Returns whether to leave other bytes of the same meaning unwritten. Without the lock there is no
/// reason to write them.
pub(super) fn keeps_bytes(rules: &PushRules, lock: &HeldLock) -> bool {
    matches!(lock, HeldLock::Gone(_)) || rules.same_meaning == SameMeaning::Keep
}
