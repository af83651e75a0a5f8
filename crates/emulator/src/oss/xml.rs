//! Documents.

use quick_xml::{DeError, SeError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Writes a document.
pub(super) fn document<T: Serialize>(root: &str, value: &T) -> Result<String, SeError> {
    let text = quick_xml::se::to_string_with_root(root, value)?;
    Ok(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{text}"))
}

/// Reads a document.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, DeError> {
    quick_xml::de::from_reader(body)
}
