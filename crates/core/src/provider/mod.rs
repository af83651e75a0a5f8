//! Building blocks of providers: results of requests, hosts to reach without a proxy, preconditions
//! of writes, paging through listings, object names as Go joins them, verification of states
//! against digests, and taking and releasing locks when answers are lost.
//!
//! A provider over an object store implements [`ObjectBackend`]: get, put, delete, list and
//! versions of one bucket, and its lock object ([`LockMechanism`]). [`Layout`] says under which
//! keys its native clients keep states; [`TableBackend`] is a table of locks and digests, where the
//! store has one. [`ObjectStateStore`] is the [`StateStore`](crate::StateStore) over them. It takes
//! and releases locks through [`StateLock`], so the argument for exclusion is made in one place,
//! and verifies states through [`StateDigest`].
//!
//! Programs that only use stores need none of this. Until version 0.2 this module may change in any
//! release.

mod attempts;
mod claim;
mod clock;
mod digest;
mod first_bytes;
mod join;
mod lock;
mod locks_of;
mod md5_sum;
mod mechanism;
mod no_proxy;
mod objects;
mod outcome;
mod pages;
mod proxy_failed;
mod record_body;
mod release;
mod second_create;
mod single;
mod state_object;
#[cfg(feature = "tls")]
mod trust;

pub use attempts::Attempts;
pub use claim::{read_lock_record, release_in_steps};
pub use clock::warn_of_clock;
pub use digest::{DigestEntry, DigestWait, Recorded, RecordedDigest, StateDigest};
pub use first_bytes::whole_size;
pub use join::join_clean;
pub use lock::StateLock;
pub use locks_of::locks_of;
pub use md5_sum::{Md5Hasher, Md5Sum};
pub use mechanism::{FoundLock, LockMechanism, MAX_LOCK_RECORD_BYTES, parse_lock_record};
pub use no_proxy::NoProxy;
pub use objects::{
    Cursor, Layout, ObjectBackend, ObjectStateStore, StatePlace, StateWrite, TableBackend,
    TableRow, Written,
};
pub use outcome::{Failure, Outcome};
pub use pages::{Page, not_too_many, pages};
pub use proxy_failed::{ProxyFailed, ProxyName};
pub use record_body::read_record_body;
pub use release::{ClaimWait, Release, ReleaseStep, ReleaseWait};
pub use second_create::{SecondCreate, second_create};
pub use state_object::{Present, StateObject};
#[cfg(feature = "tls")]
pub use trust::{system_certificates, trusting};
