//! Finding the state that the name in a URL means.

use std::sync::Arc;

use axum::http::StatusCode;
use percent_encoding::percent_decode_str;
use remote_state_core::{ErrorKind, StateStore, Workspace};

use crate::failure::Failure;

/// The longest name, in bytes: that of an object key in S3.
const LONGEST_NAME: usize = 1024;

/// Which states a server offers, and what the name in a URL means.
///
/// Two names never mean one state, and no name means the lock or the digest of another state.
#[derive(Clone, Debug)]
pub struct States(Mapping);

#[derive(Clone, Debug)]
enum Mapping {
    Keys(Arc<dyn StateStore>),
    Only(Place),
    Workspaces(Arc<dyn StateStore>),
}

/// The state that a request is for.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) store: Arc<dyn StateStore>,
    pub(crate) workspace: Workspace,
}

impl States {
    /// Offers the workspaces of the state key that the store is configured for: `/state/default`,
    /// `/state/prod`.
    pub fn workspaces(store: Arc<dyn StateStore>) -> Self {
        Self(Mapping::Workspaces(store))
    }

    /// Offers the `default` workspaces of all state keys in the store's bucket:
    /// `/state/prod/network.tfstate`.
    pub fn keys(store: Arc<dyn StateStore>) -> Self {
        Self(Mapping::Keys(store))
    }

    /// Offers one workspace of the state key that the store is configured for.
    pub fn only(store: Arc<dyn StateStore>, workspace: Workspace) -> Self {
        Self(Mapping::Only(Place { store, workspace }))
    }

    /// Returns the state that a name means.
    pub(crate) fn resolve(&self, name: &str) -> Result<Place, Failure> {
        let place = match &self.0 {
            Mapping::Keys(store) => {
                // Clients, native ones too, would take such a state for the lock of another one.
                if name.ends_with(".tflock") {
                    return Err(Failure::bad_request("a state name cannot end in `.tflock`"));
                }
                store
                    .with_state_key(name)
                    .map(|store| Place { store, workspace: Workspace::default() })
            }
            Mapping::Only(place) if place.workspace.as_str() == name => Ok(place.clone()),
            Mapping::Only(_) => {
                return Err(Failure::new(
                    StatusCode::FORBIDDEN,
                    "this server offers only another state",
                ));
            }
            Mapping::Workspaces(store) => {
                Workspace::new(name).map(|workspace| Place { store: Arc::clone(store), workspace })
            }
        };
        let admitted = place.and_then(|place| place.store.admit(&place.workspace).map(|()| place));
        admitted.map_err(|error| match error.kind() {
            ErrorKind::ConfigInvalid => Failure::bad_request(error.message()),
            _ => Failure::from(error),
        })
    }

    /// Returns a state whose lock can be read to see whether the store answers.
    pub(crate) fn probe(&self) -> Place {
        match &self.0 {
            Mapping::Only(place) => place.clone(),
            Mapping::Keys(store) | Mapping::Workspaces(store) => {
                Place { store: Arc::clone(store), workspace: Workspace::default() }
            }
        }
    }
}

/// Decodes a name from a raw URL path, once, and refuses names that a proxy, a store or a person
/// could read in another way.
pub(crate) fn parse(raw: &str) -> Result<String, Failure> {
    decode(raw).map_err(|reason| Failure::bad_request(format!("not a state name: {reason}")))
}

fn decode(raw: &str) -> Result<String, &'static str> {
    for (at, _) in raw.match_indices('%') {
        match raw.as_bytes().get(at + 1..at + 3) {
            Some([b'2', b'f' | b'F']) => return Err("it contains an encoded slash"),
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => {}
            _ => return Err("it contains a `%` that encodes nothing"),
        }
    }
    let name = percent_decode_str(raw).decode_utf8().map_err(|_| "it is not UTF-8")?;
    if name.len() > LONGEST_NAME {
        return Err("it is longer than 1024 bytes");
    }
    if name.contains(|c: char| c.is_control()) {
        return Err("it contains a control character");
    }
    if name.contains('\\') {
        return Err("it contains a backslash");
    }
    if name.split('/').any(str::is_empty) {
        return Err("it has an empty segment");
    }
    if name.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err("it has a segment `.` or `..`");
    }
    Ok(name.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_decoded_once() {
        for (raw, name) in [
            ("prod", "prod"),
            ("prod/net.tfstate", "prod/net.tfstate"),
            ("a%20b", "a b"),
            ("%C3%BC", "ü"),
            ("a%2541", "a%41"),
            ("..a/b..", "..a/b.."),
            ("lock", "lock"),
        ] {
            assert_eq!(decode(raw), Ok(name.to_owned()), "{raw}");
        }
    }

    #[test]
    fn a_name_that_could_be_read_in_two_ways_is_refused() {
        let long = "x".repeat(LONGEST_NAME + 1);
        for raw in [
            "", "/", "a//b", "a/", "/a", ".", "..", "a/../b", "a/./b", "%2e%2e/b", "a%2Fb",
            "a%2fb", "a%00", "a%0ab", "a%7f", "a%5cb", "a%", "a%2", "a%zz", "%ff", "a%c2%85",
            &long,
        ] {
            assert!(decode(raw).is_err(), "{raw}");
        }
        assert!(decode(&long[1..]).is_ok());
    }
}
