//! Parsed parts of a state.

use remote_state_core::{Error, ErrorKind, InstanceKey, Result};

use crate::json::Json;

/// Parses an instance or an output that has been found.
pub(crate) fn parse(text: &str) -> Result<Json<'_>> {
    Json::parse(text).map_err(|_| {
        Error::new(
            ErrorKind::InvalidState,
            "read state",
            "not a Terraform state: its resources cannot be read",
        )
    })
}

/// Returns the key of an instance.
pub(crate) fn key(instance: &Json<'_>) -> InstanceKey {
    match instance.get("index_key") {
        None | Some(Json::Null) => InstanceKey::None,
        Some(Json::Text(text)) => InstanceKey::Text(text.clone().into_owned()),
        Some(other) => InstanceKey::parse(other.to_raw().get()),
    }
}
