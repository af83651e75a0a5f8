//! The purpose of a request: by its address, its method, and whether it has content.
//!
//! The configuration of a client may name methods that were meant for another server. Whatever
//! method it names, the server never stores a lock record as a state, never deletes a state on an
//! unlock, and never reports success for a write or a lock that it did not carry out.

use axum::body::{Body, HttpBody as _};
use axum::http::header::{HOST, TRANSFER_ENCODING};
use axum::http::{HeaderMap, Version};
use remote_state_core::LockInfo;

use crate::action::Action;
use crate::failure::Failure;

/// The purpose of an address. At an address for locks, all methods that change something mean the
/// same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    State,
    Lock,
    Unlock,
}

impl Address {
    /// Splits a path into its purpose and the name of the state.
    pub(crate) fn find(path: &str) -> Option<(Self, &str)> {
        [(Self::State, "/state/"), (Self::Lock, "/lock/"), (Self::Unlock, "/unlock/")]
            .into_iter()
            .find_map(|(address, prefix)| Some((address, path.strip_prefix(prefix)?)))
    }

    /// Returns the action that a method means at this address.
    pub(crate) fn action(self, method: &str, has_content: bool) -> Result<Action, Failure> {
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
            Action::Delete if has_content => Err(Failure::bad_request(
                "a deletion has no body and no `Content-MD5`: this looks like an unlock, or like a \
                 state to be stored, so nothing was deleted. Unlock with the method UNLOCK, or \
                 below `/unlock/`",
            )
            .closing()),
            Action::Read | Action::ShowLock if has_content => Err(Failure::bad_request(
                "a GET has no body and no `Content-MD5`: this looks like a write, a lock or an \
                 unlock, so nothing was done. Write with POST, lock with LOCK, unlock with UNLOCK",
            )
            .closing()),
            action => Ok(action),
        }
    }
}

/// Refuses requests that a proxy in front of this server may have read in another way.
pub(crate) fn check_framing(version: Version, headers: &HeaderMap) -> Result<(), Failure> {
    let hosts = headers.get_all(HOST).iter().count();
    if hosts > 1 || (hosts == 0 && version >= Version::HTTP_11) {
        return Err(Failure::bad_request("a request must have one `Host` header"));
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

/// Returns whether a request has content. A chunked body without chunks, as Terraform's
/// `force-unlock` sends it, counts as content.
pub(crate) fn has_content(headers: &HeaderMap, body: &Body) -> bool {
    headers.contains_key("content-md5") || !body.is_end_stream()
}

/// Returns the message for a body that is not a state.
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

    /// Tries every method that documents of other servers name, at each address.
    #[test]
    fn no_method_means_something_else_than_its_address() {
        for method in
            ["GET", "POST", "PUT", "PATCH", "DELETE", "LOCK", "UNLOCK", "HEAD", "MKCOL", "post"]
        {
            let means = |address: Address| address.action(method, true).ok();
            assert!(
                matches!(
                    means(Address::State),
                    None | Some(Action::Write | Action::Lock | Action::Unlock)
                ),
                "{method}"
            );
            assert!(
                matches!(means(Address::Lock), None | Some(Action::Lock | Action::Unlock)),
                "{method}"
            );
            assert!(matches!(means(Address::Unlock), None | Some(Action::Unlock)), "{method}");
        }
        for method in ["POST", "PUT", "PATCH"] {
            assert_eq!(Address::State.action(method, true).ok(), Some(Action::Write), "{method}");
            assert_eq!(Address::Lock.action(method, true).ok(), Some(Action::Lock), "{method}");
            assert_eq!(Address::Unlock.action(method, true).ok(), Some(Action::Unlock), "{method}");
        }
    }

    #[test]
    fn requests_without_content_read_and_delete() {
        assert_eq!(Address::State.action("GET", false).ok(), Some(Action::Read));
        assert_eq!(Address::State.action("DELETE", false).ok(), Some(Action::Delete));
        assert_eq!(Address::Lock.action("GET", false).ok(), Some(Action::ShowLock));
        assert!(Address::Unlock.action("GET", false).is_err());
    }
}
