//! The parts of a state, and what the instances of a resource have in common.

use std::fmt;
use std::ops::Range;

use crate::state::address::{self, Address, Key};

/// A part of a state that an [`InstanceReader`](crate::InstanceReader) has read.
///
/// Terraform writes the names of a resource before its instances, and other programs after them. So
/// [`Resource`](Self::Resource) comes behind the instances that it names.
#[non_exhaustive]
pub enum StatePart<'a> {
    /// A root output: its name, the member as JSON, and the place of its bytes in the state.
    Output(&'a str, &'a str, Range<u64>),
    /// The list of resources begins. If there was one before, it does not count.
    ResourcesBegin,
    /// The instances of a resource begin. If the same resource had some before, they do not count.
    InstancesBegin,
    /// An instance as JSON, the place of its bytes in the state, and what is known of its resource
    /// by now.
    Instance(&'a str, Range<u64>, &'a ResourceHead),
    /// A resource has ended. Its instances are those since the last
    /// [`InstancesBegin`](Self::InstancesBegin), if that came after the last resource.
    Resource(&'a ResourceHead),
    /// The results of checks as JSON, which may quote any value of the configuration.
    Checks(&'a str),
}

/// Hides all values.
impl fmt::Debug for StatePart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output(name, ..) => f.debug_tuple("Output").field(name).finish_non_exhaustive(),
            Self::ResourcesBegin => f.write_str("ResourcesBegin"),
            Self::InstancesBegin => f.write_str("InstancesBegin"),
            Self::Instance(_, span, _) => {
                f.debug_tuple("Instance").field(span).finish_non_exhaustive()
            }
            Self::Resource(head) => f.debug_tuple("Resource").field(head).finish(),
            Self::Checks(_) => f.write_str("Checks(..)"),
        }
    }
}

/// What the instances of a resource have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResourceHead {
    /// The address of the module, such as `module.net["a"]`; empty for the root.
    pub module: String,
    /// `managed` or `data`.
    pub mode: String,
    /// The type, such as `aws_vpc`.
    pub kind: String,
    /// The name in the configuration.
    pub name: String,
    /// The provider's address as it was stored.
    pub provider: String,
}

impl ResourceHead {
    /// Creates the head of a resource in a module.
    pub fn new(
        module: impl Into<String>,
        mode: impl Into<String>,
        kind: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        Self {
            module: module.into(),
            mode: mode.into(),
            kind: kind.into(),
            name: name.into(),
            provider: String::new(),
        }
    }

    /// Returns the address of the instance with this key.
    pub fn address(&self, key: Key) -> InstanceAddress {
        let modules = address::modules(&self.module);
        InstanceAddress(Address::new(modules, &self.mode, &self.kind, &self.name, key))
    }

    /// Returns whether this is a data source.
    pub fn is_data(&self) -> bool {
        self.mode == "data"
    }
}

/// The address of an instance. Addresses sort as in `terraform state list`, and are written as
/// Terraform's command line writes them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InstanceAddress(Address);

impl fmt::Display for InstanceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.write())
    }
}
