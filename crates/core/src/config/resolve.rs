//! Layering.

use crate::config::{ConfigValue, Environment, Origin, ProviderSpec, ResolvedConfig, Sourced};
use crate::error::Result;

/// One source of configuration: a block, a file, an option.
pub type Layer = Vec<(String, Sourced<Setting>)>;

/// PLACEHOLDER
pub type Setting = ConfigValue;

/// PLACEHOLDER
pub fn resolve(
    provider: &'static ProviderSpec,
    env: &Environment,
    layers: &[Layer],
) -> Result<ResolvedConfig> {
    let _ = (env, layers, Origin::Default);
    Ok(ResolvedConfig::new(provider, Default::default(), Vec::new()))
}
