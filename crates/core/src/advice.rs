//! What a person can do about an error, as data.
//!
//! A library does not know how people run its caller. An error therefore carries [`Advice`], and
//! the program that shows it words the advice in terms of its own options and commands.

use std::borrow::Cow;
use std::fmt;

use crate::names::LockId;

/// What a person can do about an error.
///
/// [`Display`](fmt::Display) words it for users of the libraries, in terms of keys, variables and
/// methods. A program with its own words falls back to that for advice it does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// A sentence that is right in every program: a permission to grant, a vendor's command.
    Text(Cow<'static, str>),
    /// Set a key in a place that all clients of the state read.
    SetKey(KeyValue),
    /// Give a key a value for this run only.
    OverrideKey(KeyValue),
    /// Name the dialect of a store that speaks S3.
    NameDialect(&'static str),
    /// Name the backend, so that the directory need not.
    NameBackend,
    /// List the keys of a provider; this is its scheme.
    ListKeys(&'static str),
    /// Check the values of these keys.
    CheckKeys(Vec<&'static str>),
    /// Check the network, and the values of these keys.
    CheckNetwork(Vec<&'static str>),
    /// Check the whole configuration.
    CheckConfiguration,
    /// Check which credentials are used.
    CheckCredentials,
    /// Set credentials in these variables or by a profile.
    GiveCredentials(&'static [&'static str]),
    /// Allow programs that files of the directory name, if their author is trusted.
    ///
    /// A variable of this name allows them.
    AllowDirectoryPrograms(&'static str),
    /// Wait for the lock.
    WaitForLock,
    /// Check whether the lock is held, when the store answers again.
    ListLocks,
    /// Release the lock with this id.
    ReleaseLock(LockId, LeftLock),
    /// Find the id of the lock, and release it if no client works under it.
    ReleaseListedLock,
    /// Read the state again and compare, before writing.
    CompareStored,
    /// Keep the state that was to be written, and compare it with the stored one when the store
    /// answers again.
    KeepAndCompare,
    /// Store the right state again, to record its digest.
    RepairDigest,
    /// Read the state as a stream instead of into memory.
    StreamState,
    /// Go on in the workspace of this name, where the state is now. A stored document says so: show
    /// it as what others wrote.
    SelectWorkspace(String),
    /// Restore an older version over the sealed state.
    Unseal,
    /// Do it all the same.
    Force,
    /// Restore the bytes as they were, with their old serial.
    Verbatim,
    /// Restore although the state that is replaced will be lost.
    LoseCurrent,
    /// Seal a state although a write of a client without a lock may be lost.
    AcceptUnfenced,
}

/// A key, and its required value if that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyValue {
    /// The key's name.
    pub key: Cow<'static, str>,
    /// The value, as it is written after `key=`.
    pub value: Option<Cow<'static, str>>,
}

/// What is known about a lock to release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeftLock {
    /// A client may have taken the lock with this id.
    MayBeHeld,
    /// The lock with this id is held, and may be older than the attempt that failed.
    MayBeOlder,
    /// The answer to the attempt was lost, and the store may still carry it out.
    MayArrive,
    /// The attempt failed and left the lock record behind.
    LeftBehind,
}

impl KeyValue {
    /// Creates an entry for a key whose value is not known.
    pub fn new(key: impl Into<Cow<'static, str>>) -> Self {
        Self { key: key.into(), value: None }
    }

    /// Creates an entry for a key and its value.
    pub const fn literal(key: &'static str, value: &'static str) -> Self {
        Self { key: Cow::Borrowed(key), value: Some(Cow::Borrowed(value)) }
    }

    /// Sets the value.
    #[must_use]
    pub fn with_value(mut self, value: impl Into<Cow<'static, str>>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// Returns the line of a configuration, `` `region = "eu-west-1"` ``, or just the key.
    pub fn as_setting(&self) -> String {
        let Self { key, value } = self;
        match value.as_deref() {
            None => format!("`{key}`"),
            Some(value @ ("true" | "false")) => format!("`{key} = {value}`"),
            Some(value) => format!("`{key} = \"{value}\"`"),
        }
    }
}

/// Formats names as in a sentence: `` `a`, `b` and `c` ``.
pub fn listed(names: &[&str]) -> String {
    let quoted = |names: &[&str]| {
        names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    };
    match names {
        [first @ .., last] if !first.is_empty() => format!("{} and `{last}`", quoted(first)),
        _ => quoted(names),
    }
}

impl Advice {
    /// Creates advice from a sentence, for constants.
    pub const fn text(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<&'static str> for Advice {
    fn from(text: &'static str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Advice {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::SetKey(key) => write!(f, "set {}", key.as_setting()),
            Self::OverrideKey(key) => write!(
                f,
                "to set `{}` for this run, give {} when the store is opened",
                key.key,
                key.as_setting()
            ),
            Self::NameDialect(name) => write!(f, "to name the dialect, set `dialect = \"{name}\"`"),
            Self::NameBackend => {
                f.write_str("name the backend with the options `backend` and `backend_config`")
            }
            Self::ListKeys(scheme) => write!(f, "see all keys of provider `{scheme}`"),
            Self::CheckKeys(keys) => write!(f, "check {}", listed(keys)),
            Self::CheckNetwork(keys) => {
                write!(f, "check the network, and {}", listed(keys))
            }
            Self::CheckConfiguration => f.write_str("check the configuration"),
            Self::CheckCredentials => f.write_str("check which credentials are used"),
            Self::GiveCredentials(variables) => {
                write!(f, "set {}, or name a `profile`", listed(variables))
            }
            Self::AllowDirectoryPrograms(variable) => {
                write!(f, "if you trust the author of the directory, set `{variable}=1`")
            }
            Self::WaitForLock => f.write_str("to wait for it, give the lock a timeout"),
            Self::ListLocks => f.write_str(
                "list the locks when the store answers again, to see whether it is held",
            ),
            Self::ReleaseLock(id, LeftLock::MayBeHeld) => {
                write!(f, "if the lock is held with the id `{id}`, release it")
            }
            Self::ReleaseLock(id, LeftLock::MayBeOlder) => write!(
                f,
                "that lock may be older than this attempt: if no client works under it, release \
                 `{id}`"
            ),
            Self::ReleaseLock(id, LeftLock::MayArrive) => write!(
                f,
                "the answer to this attempt was lost: if a lock with the id `{id}` appears later, \
                 release it"
            ),
            Self::ReleaseLock(id, LeftLock::LeftBehind) => {
                write!(f, "release the lock `{id}` that was left behind")
            }
            Self::ReleaseListedLock => f.write_str(
                "if no client works on that state, list the locks to see its lock id, and release \
                 it",
            ),
            Self::CompareStored => {
                f.write_str("read the stored state again, and compare before you write")
            }
            Self::KeepAndCompare => f.write_str(
                "keep your copy, and compare it with the stored state when the store answers again",
            ),
            Self::RepairDigest => f.write_str(
                "store the right state again, in the way that records its digest whatever is \
                 recorded",
            ),
            Self::StreamState => f.write_str("read it as a stream, and not into memory"),
            Self::SelectWorkspace(name) => write!(f, "go on in the workspace `{name}`"),
            Self::Unseal => {
                f.write_str("to use this place again, restore an older version over the seal")
            }
            Self::Force => f.write_str("to do it all the same, force it"),
            Self::Verbatim => f.write_str("restore the bytes as they were"),
            Self::LoseCurrent => f.write_str("copy the current state first, and allow its loss"),
            Self::AcceptUnfenced => f.write_str(
                "if every client of this state takes locks, accept that nothing else protects it",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_reads_as_a_sentence_about_keys_and_variables() {
        for (advice, words) in [
            (Advice::CheckKeys(vec!["bucket"]), "check `bucket`"),
            (
                Advice::CheckNetwork(vec!["region", "sts_region", "endpoints.sts"]),
                "check the network, and `region`, `sts_region` and `endpoints.sts`",
            ),
            (Advice::SetKey(KeyValue::new("bucket")), "set `bucket`"),
            (
                Advice::SetKey(KeyValue::new("region").with_value("eu-west-1")),
                "set `region = \"eu-west-1\"`",
            ),
            (
                Advice::OverrideKey(KeyValue::literal("use_lockfile", "true")),
                "to set `use_lockfile` for this run, give `use_lockfile = true` when the store is \
                 opened",
            ),
            (Advice::GiveCredentials(&["A", "B"]), "set `A` and `B`, or name a `profile`"),
        ] {
            assert_eq!(advice.to_string(), words);
        }
    }
}
