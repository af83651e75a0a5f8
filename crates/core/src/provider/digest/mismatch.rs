//! The error for a state that does not match its digest.

use crate::advice::Advice;
use crate::error::{Error, ErrorKind};
use crate::provider::{DigestEntry, Md5Sum};
use crate::store::StateMeta;

/// A recorded digest, and the details for an error if the state does not match it.
#[derive(Clone, Debug)]
pub(super) struct Mismatch {
    pub(super) sum: Md5Sum,
    pub(super) state: String,
    place: String,
    how_to_look: String,
    how_to_remove: String,
}

impl Mismatch {
    pub(super) fn new(entry: &impl DigestEntry, sum: Md5Sum) -> Self {
        Self {
            sum,
            state: entry.state(),
            place: entry.place(),
            how_to_look: entry.how_to_look(),
            how_to_remove: entry.how_to_remove(),
        }
    }

    /// Returns whether the store says with the entity tag that the state has the recorded digest:
    /// of an object that came in one piece and is not encrypted with a key of the caller's or of a
    /// KMS, stores make the MD5 the entity tag. Any other tag says nothing.
    pub(super) fn is_etag_of(&self, meta: &StateMeta) -> bool {
        let tag = meta.etag.as_ref().map(|etag| etag.as_str().trim_matches('"'));
        tag.and_then(Md5Sum::parse) == Some(self.sum)
    }

    /// `computed` is the digest and the length of the stored state; `None` if no state is stored.
    pub(super) fn error(&self, computed: Option<(Md5Sum, u64)>) -> Error {
        let Self { sum, state, place, how_to_look, how_to_remove } = self;
        let error = Error::new(
            ErrorKind::DigestMismatch,
            "read",
            format!("state `{state}` does not match its recorded digest"),
        )
        .with_context("recorded", format!("{sum}  {place}"));
        let error = match computed {
            Some((sum, size)) => {
                error.with_context("computed", format!("{sum}  {state}, {size} bytes"))
            }
            None => error.with_context("computed", format!("none: there is no state at {state}")),
        };
        let error = error.with_hint("a write may still be settling; read again in a minute");
        let error = if computed.is_some() {
            error.with_hint(format!("if it persists, {how_to_look}"))
        } else {
            error.with_hint(format!(
                "if it persists and the state is gone for good, {how_to_remove}"
            ))
        };
        error.with_advice(Advice::RepairDigest)
    }
}
