//! The lock record that clients get.

use remote_state_core::{LockContent, LockId, LockInfo, LockRecord};

/// The id that the server shows for a lock whose record cannot be read.
///
/// Clients require and print the id of a held lock, so such a lock needs one. `force-unlock` with
/// this id removes it: Terraform sends no id, OpenTofu sends this one. The id never releases a
/// readable lock, unless the record has this very id.
pub const UNREADABLE_LOCK_ID: &str = "unreadable-lock-record";

/// The text in the record of a lock that a release has claimed.
const BEING_RELEASED: &str = "being released";

/// Returns the record of a lock holder in the form that clients parse, even if the stored one
/// cannot be read.
pub(crate) fn holder_json(found: &LockRecord) -> String {
    match &found.content {
        LockContent::Record(info) if found.is_being_released() => {
            let info = info.clone();
            let words = [BEING_RELEASED, &info.info].into_iter().filter(|words| !words.is_empty());
            let words = words.collect::<Vec<_>>().join("; ");
            info.with_info(words).to_json()
        }
        LockContent::Record(info) => info.to_json(),
        LockContent::Unreadable(reason) => LockInfo {
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
