//! What a comparison is about.

use crate::json::ArrayOrder;
use crate::masking::Values;
use crate::pattern::Pattern;

/// What to compare, and what to show of it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct DiffOptions {
    /// Which values are shown.
    pub values: Values,
    /// Compare only these.
    pub only: Option<Only>,
    /// Compare only instances whose address the pattern [covers](Pattern::covers).
    pub address: Option<Pattern>,
    /// Compare data sources too. They are read anew by each run.
    pub includes_data: bool,
    /// Whether the order of the elements of an array counts.
    pub order: ArrayOrder,
}

impl DiffOptions {
    /// Sets which values are shown.
    #[must_use]
    pub fn with_values(mut self, values: Values) -> Self {
        self.values = values;
        self
    }

    /// Compares only resources or only outputs.
    #[must_use]
    pub fn with_only(mut self, only: Option<Only>) -> Self {
        self.only = only;
        self
    }

    /// Compares only instances whose address the pattern covers.
    #[must_use]
    pub fn with_address(mut self, address: Option<Pattern>) -> Self {
        self.address = address;
        self
    }

    /// Sets whether data sources are compared.
    #[must_use]
    pub fn with_data(mut self, includes_data: bool) -> Self {
        self.includes_data = includes_data;
        self
    }

    /// Sets whether the order of the elements of an array counts.
    #[must_use]
    pub fn with_order(mut self, order: ArrayOrder) -> Self {
        self.order = order;
        self
    }
}

/// A part of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    /// The resources.
    Resources,
    /// The root outputs.
    Outputs,
}
