//! What a comparison tells.

use crate::masking::Shown;

/// How an instance differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Change {
    /// Only the second state has it.
    Added,
    /// Only the first state has it.
    Removed,
    /// It has another address.
    Moved,
    /// Attributes differ.
    Changed,
    /// It has the same address and another `id`.
    Replaced,
    /// It was marked to be replaced, and nothing else differs.
    Tainted,
    /// It is no longer marked to be replaced, and nothing else differs.
    Untainted,
    /// An object was replaced, and is still to be destroyed.
    Deposed,
    /// The provider has rewritten it for another version of its schema, and nothing else differs.
    SchemaVersion,
}

impl Change {
    /// Returns the name, as in JSON answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Moved => "moved",
            Self::Changed => "changed",
            Self::Replaced => "replaced",
            Self::Tainted => "tainted",
            Self::Untainted => "untainted",
            Self::Deposed => "deposed",
            Self::SchemaVersion => "schema_version",
        }
    }
}

/// By what a moved instance was recognised.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SameBy {
    /// Its `identity`.
    Identity,
    /// Its `id`.
    Id(Shown),
    /// All attributes.
    Attributes,
}

/// An instance that differs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ResourceChange {
    /// How it differs.
    pub change: Change,
    /// Its address; that of the second state if it has moved.
    pub address: String,
    /// Its address in the first state, if it has moved.
    pub previous_address: Option<String>,
    /// By what it was recognised, if it has moved.
    pub same_by: Option<SameBy>,
    /// Its type.
    pub kind: String,
    /// The key of a deposed object.
    pub deposed: Option<String>,
    /// Whether it became or ceased to be tainted.
    pub tainted: Option<bool>,
    /// The versions of its schema, if they differ.
    pub schema_versions: Option<(u64, u64)>,
    /// Its attributes that differ. None are listed of an instance that only one state has.
    pub attributes: Vec<AttributeChange>,
}

/// How an attribute or an output differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttributeChangeKind {
    /// Only the second state has it.
    Added,
    /// Only the first state has it.
    Removed,
    /// Its value differs.
    Changed,
    /// Its elements have another order.
    Reordered,
    /// It was marked as sensitive, or is no longer. Only outputs change so.
    Sensitivity,
}

impl AttributeChangeKind {
    /// Returns the name, as in JSON answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Reordered => "reordered",
            Self::Sensitivity => "sensitivity",
        }
    }
}

/// An attribute that differs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AttributeChange {
    /// Its path, as an expression of Terraform spells it. What is no attribute of the resource,
    /// such as its dependencies, stands in parentheses.
    pub path: String,
    /// How it differs.
    pub change: AttributeChangeKind,
    /// Its value in the first state.
    pub before: Shown,
    /// Its value in the second state.
    pub after: Shown,
    /// Whether a part of the values is hidden because it is sensitive.
    pub is_sensitive: bool,
}

/// An output that differs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OutputChange {
    /// Its name.
    pub name: String,
    /// How it differs.
    pub change: AttributeChangeKind,
    /// Its value in the first state.
    pub before: Shown,
    /// Its value in the second state.
    pub after: Shown,
    /// Whether a part of the values is hidden because it is sensitive.
    pub is_sensitive: bool,
}

/// Instances that have another provider, and else may be the same.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProviderChange {
    /// The provider's address in the first state.
    pub before: String,
    /// The provider's address in the second state.
    pub after: String,
    /// How many instances there are.
    pub instances: u64,
}

/// How many instances and outputs differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Instances that only the second state has, without deposed ones.
    pub added: u64,
    /// Instances that only the first state has.
    pub removed: u64,
    /// Instances with another address.
    pub moved: u64,
    /// Instances with other attributes.
    pub changed: u64,
    /// Instances with another `id`.
    pub replaced: u64,
    /// Instances that became or ceased to be tainted, and are the same otherwise.
    pub tainted: u64,
    /// Objects that became deposed.
    pub deposed: u64,
    /// Instances with another version of the schema, and the same otherwise.
    pub schema_versions: u64,
    /// Instances that are the same.
    pub unchanged: u64,
    /// Outputs that differ.
    pub outputs: u64,
    /// Pairs of providers of which one took the other's place.
    pub providers: u64,
}

impl Summary {
    /// Returns whether the states differ in what was compared.
    pub fn has_differences(&self) -> bool {
        let Self { unchanged, .. } = *self;
        *self != Self { unchanged, ..Self::default() }
    }

    pub(crate) fn count(&mut self, change: Change) {
        *match change {
            Change::Added => &mut self.added,
            Change::Removed => &mut self.removed,
            Change::Moved => &mut self.moved,
            Change::Changed => &mut self.changed,
            Change::Replaced => &mut self.replaced,
            Change::Tainted | Change::Untainted => &mut self.tainted,
            Change::Deposed => &mut self.deposed,
            Change::SchemaVersion => &mut self.schema_versions,
        } += 1;
    }
}

/// Takes what differs as it is found: resources first, then outputs, then providers.
pub trait Report {
    /// Why the report ends early.
    type Error: From<remote_state_core::Error>;

    /// Takes an instance. They come in the order of `terraform state list`.
    ///
    /// # Errors
    /// Any, which ends the comparison.
    fn resource(&mut self, change: &ResourceChange) -> Result<(), Self::Error>;

    /// Takes an output. They come in the order of their names.
    ///
    /// # Errors
    /// Any, which ends the comparison.
    fn output(&mut self, change: &OutputChange) -> Result<(), Self::Error>;

    /// Takes a pair of providers.
    ///
    /// # Errors
    /// Any, which ends the comparison.
    fn provider(&mut self, change: &ProviderChange) -> Result<(), Self::Error>;
}
