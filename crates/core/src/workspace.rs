//! The name of a workspace.

use std::fmt;

use crate::error::{Error, Result};

/// The name of a workspace.
///
/// `default` always exists. Other names hold only the characters that Terraform allows: letters,
/// digits and `-_.~$&+:=@`. This type refuses `.` and `..`, which Terraform accepts and then stores
/// over another workspace's state.
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
