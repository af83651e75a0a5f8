//! Building blocks of providers: results of requests, hosts to reach without a proxy, preconditions
//! of writes, paging through listings, object names as Go joins them, verification of states
//! against digests, and taking and releasing locks when answers are lost.
//!
//! A provider over an object store implements [`ObjectBackend`]: get, put, delete, list and
//! versions of one bucket, and its lock object ([`LockMechanism`]). [`Layout`] says under which
//! keys its native clients keep states; [`TableBackend`] is a table of locks and digests, where the
//! store has one. [`ObjectStateStore`] is the [`StateStore`](crate::StateStore) over them. It alone
//! takes and releases locks and verifies states against digests, so the argument for exclusion is
//! made in one place.
//!
//! Programs that only use stores need none of this. This module may change in any release; the
//! providers of this project therefore depend on exactly their own release of this crate. Let a
//! provider of your own do so too.

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
pub use claim::read_lock_record;
pub(crate) use claim::release_in_steps;
pub use clock::warn_of_clock;
pub(crate) use digest::{DigestEntry, Recorded, StateDigest};
pub use digest::{DigestWait, RecordedDigest};
pub use first_bytes::whole_size;
pub use join::join_clean;
pub(crate) use lock::StateLock;
pub(crate) use locks_of::locks_of;
pub use md5_sum::{Md5Hasher, Md5Sum};
pub use mechanism::{FoundLock, LockMechanism, MAX_LOCK_RECORD_BYTES, parse_lock_record};
pub use no_proxy::NoProxy;
pub use objects::{
    Cursor, Layout, ObjectBackend, ObjectStateStore, StatePlace, StateWrite, TableBackend,
    TableRow, TableUse, Written,
};
pub use outcome::{Failure, Outcome};
pub(crate) use pages::not_too_many;
pub use pages::{Page, pages};
pub use proxy_failed::{ProxyFailed, ProxyName};
pub use record_body::read_record_body;
pub use release::{ClaimWait, Release, ReleaseStep, ReleaseWait};
pub use second_create::{SecondCreate, second_create};
pub use state_object::{Present, StateObject};
#[cfg(feature = "tls")]
pub use trust::{system_certificates, trusting};
