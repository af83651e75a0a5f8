//! The lines of a journal.

use std::collections::BTreeMap;

use jiff::Timestamp;
use remote_state_core::{ETag, Lineage, Serial, VersionId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::migrate::types::{Side, StateFacts};
use crate::transfer::Step;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) v: u64,
    pub(super) run: String,
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    #[serde(flatten)]
    pub(super) entry: Entry,
}

/// What a run does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// It moves states.
    #[default]
    Migrate,
    /// It finishes what was begun.
    Resume,
    /// It brings states back.
    Rollback,
}

/// What a run begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// What the run does.
    pub purpose: Purpose,
    /// The configuration of the old place, without secrets, in the words of the program.
    pub from: Value,
    /// The configuration of the new place.
    pub to: Value,
    /// The options of the program.
    pub options: BTreeMap<String, Value>,
    /// The program.
    pub tool: String,
}

/// What is known of a state that was read or written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// The entity tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// The version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The length in bytes.
    pub size: u64,
    /// The SHA-256 of the bytes.
    pub sha256: String,
    /// The MD5 of the bytes.
    pub md5: String,
    /// The serial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<u64>,
    /// The lineage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<String>,
}

impl Fact {
    pub(super) fn of(facts: &StateFacts) -> Self {
        Self {
            etag: facts.etag.as_ref().map(ETag::as_str).map(str::to_owned),
            version: facts.version.as_ref().map(VersionId::as_str).map(str::to_owned),
            size: facts.size_bytes,
            sha256: facts.sha256.to_string(),
            md5: facts.md5.to_string(),
            serial: facts.serial.map(|Serial(serial)| serial),
            lineage: facts.lineage.as_ref().map(Lineage::as_str).map(str::to_owned),
        }
    }
}

/// One of the two places, as it is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// The source of the run.
    Source,
    /// Its target.
    Target,
}

impl From<Side> for Place {
    fn from(side: Side) -> Self {
        match side {
            Side::Source => Self::Source,
            Side::Target => Self::Target,
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Entry {
    /// A run begins.
    Begin(Box<Begin>),
    /// A state is to be moved.
    Item {
        /// Its number.
        n: u64,
        /// The URL of the source.
        source: String,
        /// The URL of the target.
        target: String,
        /// The workspace.
        workspace: String,
        /// The length in bytes.
        size: u64,
    },
    /// All states are recorded, and nothing is begun yet.
    Planned {
        /// How many there are.
        items: u64,
    },
    /// A lock is about to be taken.
    Locking {
        /// The number of the state.
        n: u64,
        /// Where.
        side: Place,
        /// The lock's id.
        id: String,
    },
    /// It is held.
    Locked {
        /// The number of the state.
        n: u64,
        /// Where.
        side: Place,
        /// The lock's id.
        id: String,
    },
    /// It is released.
    Released {
        /// The number of the state.
        n: u64,
        /// Where.
        side: Place,
        /// The lock's id.
        id: String,
    },
    /// A step comes next.
    Doing {
        /// The number of the state.
        n: u64,
        /// The step.
        step: String,
    },
    /// It is done.
    Did {
        /// The number of the state.
        n: u64,
        /// The step.
        step: String,
        /// The state that was read or written.
        #[serde(flatten)]
        state: Option<Box<Fact>>,
    },
    /// The source was changed, and the state is copied again.
    Changed {
        /// The number of the state.
        n: u64,
        /// The attempt that ended.
        attempt: u32,
    },
    /// A state was not moved.
    Failed {
        /// The number of the state.
        n: u64,
        /// The kind of the error.
        kind: String,
        /// Its message.
        message: String,
    },
    /// A state was moved.
    Moved {
        /// The number of the state.
        n: u64,
    },
    /// The run ends.
    End {
        /// How many states were moved.
        done: u64,
        /// How many were not.
        failed: u64,
    },
}

impl Entry {
    /// Returns whether the line has to be on the disk before the run goes on.
    pub(super) fn is_synced(&self) -> bool {
        match self {
            Self::Planned { .. } | Self::Locking { .. } | Self::Moved { .. } | Self::End { .. } => {
                true
            }
            // The states of a new run follow, and a line that is synced after them.
            Self::Begin(begin) => begin.purpose != Purpose::Migrate,
            Self::Doing { step, .. } | Self::Did { step, .. } => is_change(step),
            _ => false,
        }
    }
}

/// Returns whether a step changes something in a store.
fn is_change(step: &str) -> bool {
    [Step::Write, Step::Seal, Step::Delete, Step::Withdraw].iter().any(|it| it.as_str() == step)
}
