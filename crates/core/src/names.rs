//! Names and numbers of the field, parsed once.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// The name of a workspace.
///
/// `default` always exists. Other names hold only the characters that Terraform allows: letters,
/// digits and `-_.~$&+:=@`. `.` and `..`, which Terraform lets through and then stores over another
/// workspace's state, are refused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Workspace(String);

impl Workspace {
    /// The name of the workspace that always exists.
    pub const DEFAULT: &'static str = "default";

    /// Parses a name.
    ///
    /// # Errors
    /// `ConfigInvalid` if Terraform would not accept the name, or would accept it and mix up two
    /// states.
    pub fn new(name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.~$&+:=@".contains(c);
        let reason = if name.is_empty() {
            "it is empty".to_owned()
        } else if name == "." || name == ".." {
            "it would name another workspace's object".to_owned()
        } else if let Some(c) = name.chars().find(|c| !allowed(*c)) {
            format!("it contains {c:?}")
        } else {
            return Ok(Self(name));
        };
        Err(Error::config(format!("{name:?} is not a workspace name: {reason}")).with_hint(
            "a workspace name holds only letters, digits and the characters - _ . ~ $ & + : = @",
        ))
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether this is the workspace that always exists.
    pub fn is_default(&self) -> bool {
        self.0 == Self::DEFAULT
    }
}

impl Default for Workspace {
    fn default() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

impl fmt::Display for Workspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Workspace {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::new(name)
    }
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps the text as it is.
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
    /// The random text, made when a state is born, that tells it from every other state. May be empty in old states.
    Lineage
}
text! {
    /// The id of a lock. Terraform makes it look like a UUID, but neither version nor variant bits are set: compare it, never parse it.
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

/// Text that is made at random when the thing is born that it names.
macro_rules! random {
    ($name:ident) => {
        impl $name {
            /// Makes one as Terraform does: 16 random bytes, shaped like a UUID but without its
            /// version and variant bits.
            ///
            /// # Errors
            /// `Local` if the system yields no random bytes.
            pub fn random() -> Result<Self> {
                let mut bytes = [0_u8; 16];
                getrandom::fill(&mut bytes).map_err(|source| {
                    Error::new(ErrorKind::Local, "make an id", "the system yields no random bytes")
                        .with_source(source)
                })?;
                let mut text = String::with_capacity(36);
                for (index, byte) in bytes.iter().enumerate() {
                    if matches!(index, 4 | 6 | 8 | 10) {
                        text.push('-');
                    }
                    text.push_str(&format!("{byte:02x}"));
                }
                Ok(Self(text))
            }
        }
    };
}

random!(Lineage);
random!(LockId);
random!(ClaimId);

/// The number of a state's write, counted by whoever writes it: a full 64-bit number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Serial(pub u64);

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_terraform_accepts_are_accepted() {
        for name in ["default", "dev", "a.b-c_d~e", "$&+:=@", "env:"] {
            assert_eq!(Workspace::new(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn names_that_terraform_refuses_or_mixes_up_are_refused() {
        for name in ["", ".", "..", "a/b", "a/..", "a b", "a%b", "ü", "a,b", "(x)", "a\0"] {
            assert!(Workspace::new(name).is_err(), "{name:?}");
        }
    }
}
