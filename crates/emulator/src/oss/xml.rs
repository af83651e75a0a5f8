//! Documents.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::refusal::Refusal;

/// Writes a document.
pub(super) fn document<T: Serialize>(root: &str, value: &T) -> Result<String, Refusal> {
    let text = quick_xml::se::to_string_with_root(root, value).map_err(|error| {
        tracing::warn!(%error, "cannot write an answer");
        Refusal::new(500, "InternalError", "The answer could not be written.")
    })?;
    Ok(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{text}"))
}

/// Reads a document.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    quick_xml::de::from_reader(body).map_err(|_| {
        Refusal::new(
            400,
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate.",
        )
    })
}
