#![doc = include_str!("../README.md")]

pub mod advice;
mod backend;
pub mod config;
pub mod directory;
mod error;
mod identity;
mod lock;
mod lock_info;
mod names;
mod outgoing;
pub mod program;
pub mod provider;
pub mod push;
mod random;
pub mod shell;
mod source;
mod state;
mod store;
mod workspace;

pub use advice::Advice;
pub use backend::{Backend, Embedded, EmbeddedService, EmbeddedVariables, Provider};
pub use error::{Error, ErrorKind, Result};
pub use identity::{Caller, Identity};
pub use lock::{LockGuard, LockWait, LockWaiting, Patience, StateStoreExt};
pub use lock_info::{LockContent, LockInfo, LockInfoError, LockRecord};
pub use names::{ClaimId, ETag, Lineage, LockId, Serial, VersionId};
pub use outgoing::Outgoing;
pub use provider::{Md5Sum, RecordedDigest, Release, ReleaseStep, ReleaseWait};
pub use source::{ContentHash, ContentHasher, Incoming, StateFile, StateSource};
pub use state::{
    HeaderReader, InstanceAddress, InstanceKey, InstanceReader, Output, OutputReader, Outputs,
    Progress, Refusal, ResourceHead, ResourceInstance, Seal, SealKind, SealedState, StateFormat,
    StateHeader, StatePart, Succession, SuccessionRules, as_version_4, check_readable, json_text,
    mean_the_same, secret_attributes, with_lineage, with_serial,
};
pub use store::{
    AnnotationStorage, Annotations, Author, Capabilities, CatalogEntry, Digests, LockTarget,
    Locking, PastLock, ReadOptions, Released, StateBytes, StateCatalog, StateLocation, StateMeta,
    StateRead, StateStore, StateVersion, Versions, WriteConditions, WriteMode, WriteOptions,
};
pub use workspace::Workspace;

/// The crate of the times in this contract.
pub use jiff;
