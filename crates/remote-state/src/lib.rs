#![doc = include_str!("../README.md")]

use std::sync::Arc;

use crate::config::{ResolvedConfig, Setting};

pub use remote_state_core::{
    Advice, AnnotationStorage, Annotations, Author, Backend, Caller, Capabilities, CatalogEntry,
    ClaimId, ContentHash, ContentHasher, Digests, ETag, Embedded, EmbeddedService,
    EmbeddedVariables, Error, ErrorKind, HeaderReader, Identity, InstanceAddress, InstanceKey,
    InstanceReader, Lineage, LockContent, LockGuard, LockId, LockInfo, LockInfoError, LockRecord,
    LockTarget, LockWait, LockWaiting, Locking, Md5Sum, Outgoing, Output, OutputReader, Outputs,
    PastLock, Patience, Progress, Provider, ReadOptions, RecordedDigest, Refusal, Release,
    ReleaseStep, ReleaseWait, Released, ResourceHead, ResourceInstance, Result, Seal, SealKind,
    SealedState, Serial, StateBytes, StateCatalog, StateFile, StateFormat, StateHeader,
    StateLocation, StateMeta, StatePart, StateRead, StateSource, StateStore, StateStoreExt,
    StateVersion, Succession, SuccessionRules, VersionId, Versions, Workspace, WriteConditions,
    WriteMode, WriteOptions, advice, as_version_4, check_readable, config, directory, jiff,
    json_text, keys, mean_the_same, program, provider, push, secret_attributes, shell,
    with_lineage, with_serial,
};

#[cfg(feature = "oss")]
pub use remote_state_oss as oss;
#[cfg(feature = "s3")]
pub use remote_state_s3 as s3;
#[cfg(feature = "spaces")]
pub use remote_state_spaces as spaces;

/// The providers that were compiled in. Where an example is shown, it is the first one's.
static PROVIDERS: &[&dyn Provider] = &[
    #[cfg(feature = "s3")]
    &remote_state_s3::S3,
    #[cfg(feature = "oss")]
    &remote_state_oss::Oss,
    #[cfg(feature = "spaces")]
    &remote_state_spaces::Spaces,
];

/// Returns the providers that were compiled in.
pub fn providers() -> &'static [&'static dyn Provider] {
    PROVIDERS
}

/// Opens a store from a provider's name and its keys. No key is filled in from the environment; the
/// credential sources of the vendor's SDK read theirs all the same. Nothing is sent before the
/// first operation. [`Provider::parse`] gives the [`warnings`](Backend::warnings) that this leaves
/// out.
///
/// # Errors
/// `Unsupported` if the provider was not compiled in; `ConfigInvalid` if it does not have a key or
/// does not accept a value.
pub fn open<'a>(
    provider: &str,
    keys: impl IntoIterator<Item = (&'a str, impl Into<Setting>)>,
) -> Result<Arc<dyn StateStore>> {
    let found = providers().iter().find(|known| known.spec().scheme == provider);
    let Some(found) = found else { return Err(not_compiled_in(provider)) };
    found.parse(&ResolvedConfig::from_pairs(found.spec(), keys)?)?.open()
}

fn not_compiled_in(scheme: &str) -> Error {
    let known: Vec<_> =
        providers().iter().map(|known| format!("`{}`", known.spec().scheme)).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Error::new(ErrorKind::Unsupported, "open", format!("there is no provider `{scheme}` here"))
        .with_context("providers", known)
        .with_hint("a provider is a cargo feature of the crate `remote-state`, off by default")
}

#[cfg(all(test, feature = "full"))]
mod tests {
    use super::*;

    #[test]
    fn every_feature_is_a_provider_of_the_list_and_every_provider_a_feature() {
        let manifest = include_str!("../Cargo.toml");
        let table = manifest.split("\n[features]\n").nth(1).expect("the crate has features");
        let table = table.split("\n[").next().unwrap_or_default();
        let named = table.lines().filter_map(|line| Some(line.split_once(" = ")?.0));
        let named = named.filter(|name| !matches!(*name, "default" | "full"));
        let mut listed: Vec<_> = providers().iter().map(|known| known.spec().scheme).collect();
        listed.sort_unstable();
        assert_eq!(named.collect::<Vec<_>>(), listed);
    }
}
