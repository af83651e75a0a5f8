//! What people type to name a stored version of a state.

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use remote_state_core::{
    Error, ErrorKind, ReadOptions, Result, Serial, StateHeader, StateStore, StateVersion,
    VersionId, Workspace,
};

use crate::heading::{Depth, read_heading};

/// How many headers are read at the same time.
const HEADERS_IN_FLIGHT: usize = 8;

/// A stored version of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reference {
    /// `@0` is the newest version, `@1` the one before. A deletion is a version too.
    Nth(usize),
    /// `id:VERSION`, or the id alone.
    Version(VersionId),
    /// `serial:N`, if only one version has it.
    Serial(Serial),
    /// The newest version that is not later than a time.
    At(Timestamp),
}

impl Reference {
    /// The current state.
    pub const CURRENT: Self = Self::Nth(0);

    /// Parses `@N`, `id:VERSION`, `serial:N` or a version's id.
    ///
    /// # Errors
    /// `ConfigInvalid` if the text is none of these.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = || {
            Error::config(format!("{text:?} names no version of a state")).with_hint(
                "a version is named by `@N` (`@0` is the newest), `id:VERSION` or `serial:N`",
            )
        };
        let named = |id: &str| {
            let is_id = !id.is_empty() && !id.contains(|c: char| c.is_control() || c == ' ');
            is_id.then(|| Self::Version(VersionId::new(id))).ok_or_else(refuse)
        };
        match text.split_once(':') {
            Some(("id", id)) => named(id),
            Some(("serial", serial)) => {
                serial.parse().map(|serial| Self::Serial(Serial(serial))).map_err(|_| refuse())
            }
            Some(_) => Err(refuse()),
            None => match text.strip_prefix('@') {
                Some(number) => number.parse().map(Self::Nth).map_err(|_| refuse()),
                None => named(text),
            },
        }
    }

    /// Parses the time of [`At`](Self::At): RFC 3339, or a date with or without a time of day, UTC.
    ///
    /// # Errors
    /// `ConfigInvalid` if the text is none of these.
    pub fn at(text: &str) -> Result<Self> {
        let civil = |time: DateTime| time.to_zoned(TimeZone::UTC).map(|time| time.timestamp());
        let time = text
            .parse::<Timestamp>()
            .or_else(|_| text.parse::<DateTime>().and_then(civil))
            // A date alone means its first moment.
            .or_else(|_| text.parse::<Date>().and_then(|date| civil(date.at(0, 0, 0, 0))));
        time.map(Self::At).map_err(|_| {
            Error::config(format!("{text:?} is not a time"))
                .with_hint("a time is written as `2026-11-27T02:56:19Z` or `2026-11-27 02:56`")
        })
    }
}

/// Writes the reference as it is typed.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nth(number) => write!(f, "@{number}"),
            Self::Version(id) => write!(f, "id:{id}"),
            Self::Serial(Serial(serial)) => write!(f, "serial:{serial}"),
            Self::At(time) => write!(f, "{time}"),
        }
    }
}

/// A state to compare: a stored one, or one from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateReference {
    /// A version of the state of a workspace; of the selected one if none is named.
    Stored(Option<Workspace>, Reference),
    /// `file:PATH`.
    File(PathBuf),
    /// `-`: standard input.
    Input,
}

impl StateReference {
    /// Parses what [`Reference::parse`] does, and `file:PATH`, `-`, `workspace:NAME` and
    /// `workspace:NAME/REFERENCE`.
    ///
    /// # Errors
    /// `ConfigInvalid` if the text is none of these.
    pub fn parse(text: &str) -> Result<Self> {
        if text == "-" {
            return Ok(Self::Input);
        }
        if let Some(path) = text.strip_prefix("file:") {
            return Ok(Self::File(path.into()));
        }
        let Some(named) = text.strip_prefix("workspace:") else {
            return Reference::parse(text).map(|reference| Self::Stored(None, reference));
        };
        // The name of a workspace may hold `@` and `:`, and no slash.
        let (name, reference) = match named.split_once('/') {
            Some((name, reference)) => (name, Reference::parse(reference)?),
            None => (named, Reference::CURRENT),
        };
        Ok(Self::Stored(Some(Workspace::new(name)?), reference))
    }
}

/// Writes the reference as it is typed.
impl fmt::Display for StateReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stored(None, reference) => reference.fmt(f),
            Self::Stored(Some(workspace), Reference::CURRENT) => write!(f, "workspace:{workspace}"),
            Self::Stored(Some(workspace), reference) => {
                write!(f, "workspace:{workspace}/{reference}")
            }
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Input => f.write_str("-"),
        }
    }
}

/// Finds the versions that references name, all in one listing: a version that is written meanwhile
/// changes the meaning of none. The current state alone needs no listing.
///
/// Each result is the version's id, or `None` for the current state.
///
/// # Errors
/// `NotFound` if there is no such version, or if it records a deletion; `ConfigInvalid` if several
/// versions have a serial; any error of the listing.
pub async fn resolve(
    store: &dyn StateStore,
    workspace: &Workspace,
    references: &[&Reference],
) -> Result<Vec<Option<VersionId>>> {
    let needs_listing =
        |reference: &&Reference| !matches!(reference, Reference::Nth(0) | Reference::Version(_));
    let mut listing = Listing {
        versions: store.versions(workspace),
        seen: Vec::new(),
        state: store.location(workspace).state,
    };
    let is_listed = references.iter().any(needs_listing);
    let mut found = Vec::new();
    for reference in references {
        found.push(match reference {
            Reference::Version(id) => Some(id.clone()),
            Reference::Nth(0) if !is_listed => None,
            Reference::Nth(number) => listing.nth(*number).await?,
            Reference::At(time) => listing.at(*time).await?,
            Reference::Serial(serial) => listing.with_serial(store, workspace, *serial).await?,
        });
    }
    Ok(found)
}

/// The versions of a state as they are listed, the newest first.
struct Listing {
    versions: stream::BoxStream<'static, Result<StateVersion>>,
    seen: Vec<StateVersion>,
    state: String,
}

impl Listing {
    /// Returns a version by its number, if there are so many.
    async fn get(&mut self, number: usize) -> Result<Option<&StateVersion>> {
        while self.seen.len() <= number {
            match self.versions.try_next().await? {
                Some(version) => self.seen.push(version),
                None => break,
            }
        }
        Ok(self.seen.get(number))
    }

    async fn nth(&mut self, number: usize) -> Result<Option<VersionId>> {
        let name = format!("@{number}");
        match self.get(number).await?.cloned() {
            Some(version) => self.id(&version, &name),
            None if self.seen.is_empty() => Err(self.missing("no state has been written to it")),
            None => Err(self
                .missing(&format!("there is no `{name}`: `@{}` is the oldest", self.seen.len() - 1))
                .with_hint("a bucket without versioning keeps the current state alone")),
        }
    }

    async fn at(&mut self, time: Timestamp) -> Result<Option<VersionId>> {
        for number in 0.. {
            let Some(version) = self.get(number).await?.cloned() else { break };
            if version.meta.modified.is_some_and(|modified| modified <= time) {
                return self.id(&version, &time.to_string());
            }
        }
        Err(self.missing(&format!("there was none at {time}")))
    }

    async fn with_serial(
        &mut self,
        store: &dyn StateStore,
        workspace: &Workspace,
        serial: Serial,
    ) -> Result<Option<VersionId>> {
        while self.get(self.seen.len()).await?.is_some() {}
        let states = self.seen.iter().filter(|version| !version.is_delete_marker);
        let headers = states.map(|version| async move {
            let header = header(store, workspace, version.meta.version.clone()).await?;
            Ok::<_, Error>((version, header))
        });
        let headers: Vec<_> =
            stream::iter(headers).buffered(HEADERS_IN_FLIGHT).try_collect().await?;
        let has_serial = |header: &Option<StateHeader>| {
            header.as_ref().is_some_and(|header| header.serial == serial)
        };
        let mut found = headers.iter().filter(|(_, header)| has_serial(header));
        match (found.next(), found.next()) {
            (Some((version, _)), None) => Ok(version.meta.version.clone()),
            (None, _) => Err(self.missing(&format!("none has the serial {serial}"))),
            (Some(_), Some(_)) => Err(Error::config(format!(
                "several versions of `{}` have the serial {serial}",
                self.state
            ))
            .with_hint("name one of them by `id:VERSION` or `@N`")),
        }
    }

    fn id(&self, version: &StateVersion, name: &str) -> Result<Option<VersionId>> {
        if version.is_delete_marker {
            return Err(self.missing(&format!("`{name}` records a deletion of the state")));
        }
        Ok(version.meta.version.clone())
    }

    fn missing(&self, reason: &str) -> Error {
        let message = format!("`{}` has no such version", self.state);
        Error::new(ErrorKind::NotFound, "find version", message).because(reason)
    }
}

/// Reads the header of a version; `None` if it is no state.
async fn header(
    store: &dyn StateStore,
    workspace: &Workspace,
    version: Option<VersionId>,
) -> Result<Option<StateHeader>> {
    let name = version.as_ref().map_or("", VersionId::as_str).to_owned();
    match read_heading(store, workspace, &options(version), Depth::Whole).await {
        Ok(heading) => Ok(heading.and_then(|heading| heading.header.ok().flatten())),
        // It was removed since it was listed.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error
            .with_context("version", name)
            .with_hint("it may have the serial: name the version by `id:VERSION` instead")),
    }
}

/// Returns how to read a version; the current state without one.
pub fn options(version: Option<VersionId>) -> ReadOptions {
    match version {
        Some(version) => ReadOptions::default().with_version(version),
        None => ReadOptions::default(),
    }
}
