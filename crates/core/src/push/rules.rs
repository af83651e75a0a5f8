//! Which state may follow which, by what the two say of themselves.

use std::fmt;

use crate::names::{LockId, Serial};
use crate::state::{Refusal, StateHeader, SuccessionRules};

/// The lock under which a write happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeldLock {
    /// The writer's own, and it is held.
    Own,
    /// The writer held this one, and it is not held any more. It may write the direct successor of
    /// what is stored.
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
    /// Write whatever the rules say. What they said is in [`Pushed::Written`](crate::push::Pushed::Written).
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
    pub const CLIENT: Self = Self {
        succession: SuccessionRules::CLIENT,
        same_meaning: SameMeaning::Store,
        ..Self::PUSH
    };

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
                "nobody holds the lock `{id}` any more, and serial {new} does not follow {stored} \
                 directly"
            ),
            Self::Succession(refusal) => refusal.fmt(f),
        }
    }
}

/// What the headers settle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The state may be written. `empties` as in [`Pushed::Written`](crate::push::Pushed::Written).
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
        rules
            .succession
            .check(Some(stored), new, || is_same)
            .map_err(PushRefusal::Succession)
            .map(drop)
    };
    let check_lock = || match lock {
        HeldLock::Gone(id) => {
            // Somebody broke the lock. If nobody has written since, to refuse would only lose an
            // apply.
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

/// Whether a state may be written over one that does not match its digest, under the writer's own
/// lock.
pub(super) fn goes_on_from(stored: &StateHeader, new: &StateHeader, is_same: bool) -> bool {
    is_same || follows_directly(stored, new)
}

/// Whether a state is the next one after the stored one, so that nobody has written in between.
fn follows_directly(stored: &StateHeader, new: &StateHeader) -> bool {
    stored.lineage == new.lineage && stored.serial.0.checked_add(1) == Some(new.serial.0)
}

/// Whether other bytes that mean the same are left unwritten. Without the lock there is no reason
/// to touch them.
pub(super) fn keeps_bytes(rules: &PushRules, lock: &HeldLock) -> bool {
    matches!(lock, HeldLock::Gone(_)) || rules.same_meaning == SameMeaning::Keep
}
