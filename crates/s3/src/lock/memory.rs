//! What a store's process remembers of its own locks and of its bucket. Correctness never depends
//! on it alone.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use remote_state_core::LockId;

use crate::dialect::{Dialect, Versioned};

/// What is known of a bucket whose store behaves differently where versioning is enabled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Versioning {
    /// Nothing has been written yet.
    #[default]
    Unknown,
    /// The last write got no version of its own: versioning was never enabled, or is suspended. The
    /// store honours conditions.
    Off,
    /// The last write got a version of its own: the store does not honour conditions.
    Enabled,
}

/// A lock that this process took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) id: LockId,
    /// The version of the lock file.
    pub(crate) version: String,
}

/// A lock file that this process created, where the store has no version of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Created {
    pub(crate) etag: String,
    pub(crate) text: Vec<u8>,
}

/// How many lock files are remembered, and how long the record of each may be, in bytes. Native
/// clients write some 250.
const MOST_CREATED: usize = 4096;
const LONGEST_RECORD: usize = 4 << 10;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    versioning: Versioning,
    /// By the key of the lock file.
    held: HashMap<String, Held>,
    /// By the key of the lock file.
    created: HashMap<String, (LockId, Created)>,
}

impl Memory {
    /// Learns from the reply to a write, which names the version that was made.
    pub(crate) fn note(&self, dialect: &Dialect, version: Option<&str>) {
        if dialect.versioned == Versioned::ByList {
            let is_own = version.is_some_and(|version| version != NULL_VERSION);
            self.set_versioning(is_own);
        }
    }

    /// Records the versioning status that the store reported.
    pub(crate) fn set_versioning(&self, is_enabled: bool) {
        self.lock().versioning = if is_enabled { Versioning::Enabled } else { Versioning::Off };
    }

    pub(crate) fn versioning(&self) -> Versioning {
        self.lock().versioning
    }

    pub(crate) fn set_held(&self, key: &str, held: Held) {
        self.lock().held.insert(key.to_owned(), held);
    }

    pub(crate) fn held(&self, key: &str) -> Option<Held> {
        self.lock().held.get(key).cloned()
    }

    /// Remembers a lock file. Beyond the limits it is not remembered, and its release looks first.
    pub(crate) fn set_created(&self, key: &str, id: LockId, created: Created) {
        let remembered = &mut self.lock().created;
        if created.text.len() > LONGEST_RECORD {
            remembered.remove(key);
            return;
        }
        if remembered.len() >= MOST_CREATED && !remembered.contains_key(key) {
            remembered.clear();
        }
        remembered.insert(key.to_owned(), (id, created));
    }

    /// Returns what this process created under this id, once.
    pub(crate) fn take_created(&self, key: &str, id: &LockId) -> Option<Created> {
        let created = &mut self.lock().created;
        if created.get(key).is_none_or(|(found, _)| found != id) {
            return None;
        }
        created.remove(key).map(|(_, created)| created)
    }

    pub(crate) fn forget(&self, key: &str, id: &LockId) {
        let mut remembered = self.lock();
        let Remembered { held, created, .. } = &mut *remembered;
        if held.get(key).is_some_and(|held| held.id == *id) {
            held.remove(key);
        }
        if created.get(key).is_some_and(|(found, _)| found == id) {
            created.remove(key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The version of an object in a bucket without versioning, or with versioning suspended.
pub(crate) const NULL_VERSION: &str = "null";
