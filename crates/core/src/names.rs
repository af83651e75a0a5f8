//! Types for names and numbers, parsed once.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Creates it from a text, unchanged.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text! {
    /// The entity tag of a stored object, exactly as the store gave it, quotes included.
    ETag
}
text! {
    /// The random text, created with a state, that distinguishes it from every other state. May be
    /// empty in old states.
    Lineage
}
text! {
    /// The id of a lock. Terraform makes it look like a UUID, but sets neither version nor variant
    /// bits: compare it, never parse it.
    LockId
}
text! {
    /// The id of one release's claim on a lock.
    ClaimId
}
text! {
    /// The id of one stored version of an object.
    VersionId
}

/// The number of a state's write, counted by its writers: a full 64-bit number.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Serial(pub u64);

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
