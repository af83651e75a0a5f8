//! Data about one request that passes by the protocol layer.

use std::sync::{Arc, OnceLock};

use crate::faults::IgnoredConditions;
use crate::protocol::Operation;
use crate::quirks::Quirks;

/// Data about one request that the layers above and below the protocol layer share, in the
/// extensions of the request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exchange {
    pub(super) operation: Operation,
    /// Whether each entry of a list of versions, in order, is a delete marker.
    pub(super) are_markers: Arc<OnceLock<Vec<bool>>>,
    pub(crate) ignored: IgnoredConditions,
    pub(crate) quirks: Quirks,
    /// The entity tag in `If-Match` has quotes, which the protocol layer removes.
    pub(crate) is_match_quoted: bool,
    pub(crate) bare_tags_only: bool,
    pub(crate) ignore_ranges: bool,
}

impl Exchange {
    pub(crate) fn set_operation(&self, name: String) {
        self.operation.set(name);
    }

    pub(crate) fn set_are_markers(&self, are_markers: Vec<bool>) {
        // An answer has one list, so this is set once.
        let _first = self.are_markers.set(are_markers);
    }
}
