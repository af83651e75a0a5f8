//! Sealing a state: putting a document in its place that stops every client and tells where the
//! state is now.
//!
//! [`Seal`] says what such a document is. The caller holds the lock of the state, and has proven
//! that the state is in its new place.

mod covered;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use jiff::Timestamp;
use remote_state_core::{
    Author, ContentHash, Error, ErrorKind, Outgoing, ReadOptions, Result, Seal, SealKind,
    SealedState, StateBytes, StateHeader, StateMeta, StateStore, Workspace, WriteMode,
    WriteOptions,
};

use self::covered::uncover;
pub(crate) use self::covered::{check_listed, covered_by, lift, uncover_copy};

/// The most characters of a sentence.
const LONGEST_SENTENCE: usize = 160;

/// Where a state goes.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Destination<'a> {
    /// To another place, with this URL.
    Place(&'a str),
    /// To this workspace of the same state key.
    Workspace(&'a Workspace),
}

impl Destination<'_> {
    /// Returns whether a seal says that the state went here.
    pub fn is_named_by(&self, seal: &Seal) -> bool {
        match self {
            Self::Place(url) => seal.kind == SealKind::Moved && seal.to == *url,
            Self::Workspace(name) => seal.kind == SealKind::Renamed && seal.to == name.as_str(),
        }
    }
}

/// A sealed state that is ready to be written.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Sealing {
    /// What it says.
    pub seal: Seal,
    header: StateHeader,
    bytes: Bytes,
}

impl Sealing {
    /// Prepares the sealed state that replaces a state. `run` names the run that seals it, and
    /// `now` is its time.
    ///
    /// # Errors
    /// `PreconditionFailed` if the state cannot be sealed: its serial is the last there is, or it
    /// is encrypted and does not show its lineage.
    pub fn of(
        state: &StateBytes,
        header: &StateHeader,
        destination: Destination<'_>,
        run: &str,
        now: Timestamp,
    ) -> Result<Self> {
        let (kind, to) = match destination {
            Destination::Place(url) => (SealKind::Moved, url),
            Destination::Workspace(name) => (SealKind::Renamed, name.as_str()),
        };
        let hash = ContentHash::of(&state.bytes);
        let before = SealedState::new(header.serial, hash, state.bytes.len() as u64)
            .with_version(state.meta.version.clone());
        let seal = Seal::new(kind, to, &sentence(destination, now), run, before);
        let refused = |reason: &str| {
            let message = format!("the state cannot be sealed: {reason}");
            Error::new(ErrorKind::PreconditionFailed, "seal", message)
        };
        if header.lineage.as_str().is_empty() {
            return Err(refused("it has no lineage, or does not show it"));
        }
        let bytes = seal
            .to_state(&header.lineage)
            .map_err(|error| refused("its successor cannot be written").because(error.message()))?;
        let header = StateHeader::parse(&bytes)?;
        Ok(Self { seal, header, bytes })
    }

    /// Returns the bytes of the sealed state.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Replaces the state, if it still is the one that was read with this description, and reads
    /// the sealed state back.
    ///
    /// Where the store does not check that itself, the version list shows afterwards whether
    /// another client wrote in between; what it wrote is put back then.
    ///
    /// # Errors
    /// `PreconditionFailed` if the state was changed meanwhile, before or after it was sealed;
    /// `DigestMismatch` if it is sealed and its digest not recorded; any error of the store.
    pub async fn carry_out(
        &self,
        store: &dyn StateStore,
        workspace: &Workspace,
        replaced: &StateMeta,
        author: &Author,
    ) -> Result<StateMeta> {
        let hash = ContentHash::of(&self.bytes);
        let mode = replaced.etag.clone().map_or(WriteMode::Overwrite, WriteMode::Update);
        let annotations = author.annotations(&self.header, hash);
        let options = WriteOptions::from(mode).with_annotations(annotations);
        let written = store.write(workspace, Outgoing::from(self.bytes.clone()), &options).await;
        let meta = match written {
            // The digest is recorded after the seal, whose version then is the newest.
            Err(error) if error.kind() == ErrorKind::DigestMismatch => {
                uncover(store, workspace, replaced, &self.bytes, None).await?;
                return Err(error);
            }
            written => written?,
        };
        uncover(store, workspace, replaced, &self.bytes, Some(&meta)).await?;
        let read = store.read(workspace, &ReadOptions::default().without_waiting()).await?;
        let is_there = match read {
            Some(read) => ContentHash::of(&read.collect().await?.bytes) == hash,
            None => false,
        };
        if is_there {
            return Ok(meta);
        }
        let state = store.location(workspace).state;
        let message = format!("`{state}` was sealed, and reads as something else");
        Err(Error::new(ErrorKind::PreconditionFailed, "seal", message).with_hint(
            "a client that takes no lock has written over the seal: compare what is stored with \
             the state in its new place",
        ))
    }
}

/// Returns what native clients print. The way on is never cut off.
fn sentence(destination: Destination<'_>, now: Timestamp) -> String {
    let date = now.strftime("%Y-%m-%d");
    match destination {
        Destination::Place(url) => {
            let rest = format!(" on {date}; set the new backend, then terraform init -reconfigure");
            let start = "moved to ";
            format!("{start}{}{rest}", shortened(url, start.len() + rest.len()))
        }
        Destination::Workspace(name) => {
            let whole = format!("renamed to {name} on {date}; terraform workspace select {name}");
            // People paste the command, and quotes are not possible in a seal.
            let is_word = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
            let is_plain = !name.as_str().starts_with('-') && name.as_str().chars().all(is_word);
            if is_plain && whole.chars().count() <= LONGEST_SENTENCE {
                return whole;
            }
            let rest = format!(" on {date}; select that workspace");
            let start = "renamed to ";
            format!("{start}{}{rest}", shortened(name.as_str(), start.len() + rest.len()))
        }
    }
}

/// Shortens a name so that it fits into a sentence beside so many other characters.
fn shortened(name: &str, others: usize) -> String {
    let most = LONGEST_SENTENCE.saturating_sub(others);
    if name.chars().count() <= most {
        return name.to_owned();
    }
    let start: String = name.chars().take(most.saturating_sub(1)).collect();
    format!("{start}…")
}
