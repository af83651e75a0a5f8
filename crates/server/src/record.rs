//! The lock record that clients are shown.

use remote_state_core::{LockId, LockInfo, LockRecord};

/// The id that the server shows for a lock whose record cannot be read.
///
/// Clients print the id of a lock that is in the way and insist that there is one, so such a lock
/// needs a name. `force-unlock` with this name removes it: Terraform sends no id at all, OpenTofu
/// sends this one. A readable lock is never released by it, unless it really has this id.
pub const UNREADABLE_LOCK_ID: &str = "unreadable-lock-record";

/// What clients show of a lock that a release has claimed.
const BEING_RELEASED: &str = "being released";

/// Returns the record of whoever holds a lock as clients can parse it, even if the stored one
/// cannot be read.
pub(crate) fn holder_json(found: &LockRecord) -> String {
    match &found.info {
        Ok(info) if found.is_being_released() => {
            let info = info.clone();
            let words = [BEING_RELEASED, &info.info].into_iter().filter(|words| !words.is_empty());
            let words = words.collect::<Vec<_>>().join("; ");
            info.with_info(words).to_json()
        }
        Ok(info) => info.to_json(),
        Err(reason) => LockInfo {
            id: LockId::new(UNREADABLE_LOCK_ID),
            operation: String::new(),
            info: format!("the lock record at {} cannot be read: {reason}", found.object),
            who: String::new(),
            version: String::new(),
            created: LockInfo::NO_TIME,
            path: String::new(),
        }
        .to_json(),
    }
}
