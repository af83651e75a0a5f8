//! What is known of one request above and below the protocol layer.

use std::sync::{Arc, OnceLock};

use crate::faults::IgnoredConditions;
use crate::protocol::Operation;
use crate::quirks::Quirks;

/// What the layers above and below the protocol tell each other about one request, carried in its
/// extensions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exchange {
    pub(super) operation: Operation,
    /// Of each entry of a list of versions, in order, whether it is a delete marker.
    pub(super) are_markers: Arc<OnceLock<Vec<bool>>>,
    pub(crate) ignored: IgnoredConditions,
    pub(crate) quirks: Quirks,
    /// The entity tag in `If-Match` has quotes, of which the protocol layer tells nothing.
    pub(crate) is_match_quoted: bool,
    pub(crate) bare_tags_only: bool,
    pub(crate) ignore_ranges: bool,
}

impl Exchange {
    pub(crate) fn set_operation(&self, name: String) {
        self.operation.set(name);
    }

    pub(crate) fn set_are_markers(&self, are_markers: Vec<bool>) {
        // Set once: an answer has one list.
        let _first = self.are_markers.set(are_markers);
    }
}
