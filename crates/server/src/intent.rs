//! What a request asks for: by its address, its method, and whether it brings something.
//!
//! A client may be told its methods by variables and blocks that were written for another server.
//! Whatever they name, a lock is never taken for a state, an unlock never for a deletion, and
//! nothing that was to be stored or locked is answered as if it were.

use axum::body::{Body, HttpBody as _};
use axum::http::header::{HOST, TRANSFER_ENCODING};
use axum::http::{HeaderMap, Version};
use remote_state_core::LockInfo;

use crate::action::Action;
use crate::failure::Failure;

/// What an address is for. At those of locks every method that changes something means the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    State,
    Lock,
    Unlock,
}

impl Door {
    /// Splits a path into what it is for and the name of the state.
    pub(crate) fn find(path: &str) -> Option<(Self, &str)> {
        [(Self::State, "/state/"), (Self::Lock, "/lock/"), (Self::Unlock, "/unlock/")]
            .into_iter()
            .find_map(|(door, prefix)| Some((door, path.strip_prefix(prefix)?)))
    }

    /// Finds what a method means here.
    pub(crate) fn action(self, method: &str, brings_something: bool) -> Result<Action, Failure> {
        let action = match (self, method) {
            (Self::State, "GET") => Action::Read,
            (Self::State, "POST" | "PUT" | "PATCH") => Action::Write,
            (Self::State, "DELETE") => Action::Delete,
            (Self::State | Self::Lock, "LOCK") | (Self::Lock, "POST" | "PUT" | "PATCH") => {
                Action::Lock
            }
            (_, "UNLOCK")
            | (Self::Lock | Self::Unlock, "DELETE")
            | (Self::Unlock, "POST" | "PUT" | "PATCH") => Action::Unlock,
            (Self::Lock, "GET") => Action::ShowLock,
            (Self::State | Self::Lock, _) => {
                return Err(Failure::method_not_allowed(
                    "GET, POST, PUT, PATCH, DELETE, LOCK, UNLOCK",
                ));
            }
            (Self::Unlock, _) => {
                return Err(Failure::method_not_allowed("POST, PUT, PATCH, DELETE, UNLOCK"));
            }
        };
        match action {
            Action::Delete if brings_something => Err(Failure::bad_request(
                "a deletion brings no body and no `Content-MD5`: this looks like an unlock, or \
                 like a state to be stored; nothing was deleted. Unlock with the method UNLOCK, \
                 or below `/unlock/`",
            )
            .closing()),
            Action::Read | Action::ShowLock if brings_something => Err(Failure::bad_request(
                "a GET brings no body and no `Content-MD5`: this looks like something to be \
                 stored, locked or unlocked, and nothing was done. Write with POST, lock with \
                 LOCK, unlock with UNLOCK",
            )
            .closing()),
            action => Ok(action),
        }
    }
}

/// Refuses what a proxy in front of this server may have read in another way.
pub(crate) fn check_framing(version: Version, headers: &HeaderMap) -> Result<(), Failure> {
    let hosts = headers.get_all(HOST).iter().count();
    if hosts > 1 || (hosts == 0 && version >= Version::HTTP_11) {
        return Err(Failure::bad_request("a request names its `Host` once"));
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") => {
            Ok(())
        }
        _ => Err(Failure::bad_request("only the transfer encoding `chunked` is accepted, once")),
    }
}

/// Returns whether a request brings something, were it nothing in no chunks, which is what
/// Terraform's `force-unlock` brings.
pub(crate) fn brings_something(headers: &HeaderMap, body: &Body) -> bool {
    headers.contains_key("content-md5") || !body.is_end_stream()
}

/// Says why something is no state.
pub(crate) fn not_a_state(body: &[u8], reason: &str) -> String {
    if LockInfo::parse(body).is_ok() {
        "this is a lock record and not a state: lock with the method LOCK, or below `/lock/`"
            .to_owned()
    } else {
        reason.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every method that documents of other servers name, and what a client means by it at each
    /// address.
    #[test]
    fn whatever_method_a_client_was_told_it_never_means_something_else() {
        for method in
            ["GET", "POST", "PUT", "PATCH", "DELETE", "LOCK", "UNLOCK", "HEAD", "MKCOL", "post"]
        {
            let means = |door: Door| door.action(method, true).ok();
            assert!(
                matches!(
                    means(Door::State),
                    None | Some(Action::Write | Action::Lock | Action::Unlock)
                ),
                "{method}"
            );
            assert!(
                matches!(means(Door::Lock), None | Some(Action::Lock | Action::Unlock)),
                "{method}"
            );
            assert!(matches!(means(Door::Unlock), None | Some(Action::Unlock)), "{method}");
        }
        for method in ["POST", "PUT", "PATCH"] {
            assert_eq!(Door::State.action(method, true).ok(), Some(Action::Write), "{method}");
            assert_eq!(Door::Lock.action(method, true).ok(), Some(Action::Lock), "{method}");
            assert_eq!(Door::Unlock.action(method, true).ok(), Some(Action::Unlock), "{method}");
        }
    }

    #[test]
    fn what_brings_nothing_reads_and_deletes() {
        assert_eq!(Door::State.action("GET", false).ok(), Some(Action::Read));
        assert_eq!(Door::State.action("DELETE", false).ok(), Some(Action::Delete));
        assert_eq!(Door::Lock.action("GET", false).ok(), Some(Action::ShowLock));
        assert!(Door::Unlock.action("GET", false).is_err());
    }
}
