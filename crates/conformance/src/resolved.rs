//! Configurations for tests of providers.

use remote_state_core::config::{
    Environment, Origin, ProviderSpec, ResolvedConfig, Setting, Sourced, resolve,
};

/// Resolves a configuration with these keys, each set in line 7 of `main.tf`, of those with one
/// name the last, and with these environment variables.
///
/// # Panics
/// If the provider does not know one of the keys.
pub fn resolved<'a>(
    provider: &'static ProviderSpec,
    keys: impl IntoIterator<Item = &'a (&'a str, &'a str)>,
    env: &[(&str, &str)],
) -> ResolvedConfig {
    let layer = keys.into_iter().map(|(name, value)| {
        ((*name).to_owned(), Sourced::new(Setting::from(*value), Origin::file("main.tf", 7)))
    });
    let env: Environment = env.iter().copied().collect();
    resolve(provider, &env, &[layer.collect()]).expect("the provider knows the keys")
}
