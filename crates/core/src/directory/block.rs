//! What a directory's files declare, before any provider interprets it.

use crate::config::{Layer, Origin, ProviderSpec, Setting, Sourced};
use crate::error::{Error, Result};

/// One `backend` or `cloud` block.
#[derive(Clone, Debug)]
pub(super) struct Declaration {
    /// Where the block starts.
    pub(super) origin: Origin,
    pub(super) kind: DeclarationKind,
}

#[derive(Clone, Debug)]
pub(super) enum DeclarationKind {
    Backend {
        /// The type.
        name: String,
        body: BlockBody,
    },
    Cloud,
}

/// The contents of a block, or of a file that holds only such contents.
#[derive(Clone, Debug, Default)]
pub(super) struct BlockBody {
    pub(super) attributes: Layer,
    /// Nested blocks. The provider decides which are allowed.
    pub(super) blocks: Vec<(String, Origin, Layer)>,
}

impl BlockBody {
    /// Returns the body as a layer of a provider's configuration.
    ///
    /// # Errors
    /// `ConfigInvalid` for a nested block that the provider does not have.
    pub(super) fn into_layer(self, provider: &ProviderSpec) -> Result<Layer> {
        let mut layer = self.attributes;
        for (name, origin, members) in self.blocks {
            if !provider.is_block(&name) {
                let error = unsupported_block(&name, &origin);
                let example = provider.members(&name).first().copied();
                return Err(match example {
                    Some(member) => error.with_hint(format!(
                        "write it as an attribute: `{name} = {{ {member} = … }}`"
                    )),
                    None => error,
                });
            }
            if let Some((_, first)) = layer.iter().find(|(given, _)| *given == name) {
                return Err(Error::config(format!("there is more than one `{name}` block"))
                    .with_context("set in", &first.origin)
                    .with_context("and in", &origin));
            }
            layer.push((name, Sourced::new(Setting::Object(members), origin)));
        }
        Ok(layer)
    }
}

/// Creates the error for a block in a place that allows none.
pub(super) fn unsupported_block(name: &str, origin: &Origin) -> Error {
    Error::config(format!("unsupported block type `{name}`")).with_context("found in", origin)
}

/// Returns whether a name is that of a block around the settings, which a file of settings alone
/// must not have.
pub(super) fn is_around_settings(name: &str) -> bool {
    matches!(name, "backend" | "terraform")
}

/// Creates the error for a file that holds a whole block instead of only its contents.
pub(super) fn whole_block(name: &str, origin: &Origin) -> Error {
    Error::config(format!("a file of backend settings holds a whole `{name}` block"))
        .with_context("found in", origin)
        .with_hint(
            "write only what is inside the `backend` block: one `key = value` on each line, \
             without the braces",
        )
}
