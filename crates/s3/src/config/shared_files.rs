//! Endpoints that the shared AWS files name: `~/.aws/config` and `~/.aws/credentials`, or what takes their place.
//!
//! A profile has `endpoint_url` for all services, or the name of a section `[services NAME]` with one for each:
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>. The configuration and the environment go before them. To miss one would
//! mean to look for a state at Amazon's that is elsewhere.

use std::borrow::Cow;
use std::error::Error as _;
use std::path::PathBuf;

use aws_config::profile::{ProfileSet, load};
use aws_runtime::env_config::EnvConfigValue;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_types::os_shim_internal::{Env, Fs};
use futures_util::FutureExt as _;
use remote_state_core::config::{ConfigValue, Origin, ResolvedConfig};
use remote_state_core::{Error, Result};

use crate::config::access;
use crate::credentials::SharedFile;

/// The keys, and what their services are called in a section.
const SERVICES: [(&str, &str); 3] =
    [("endpoints.s3", "S3"), ("endpoints.dynamodb", "DynamoDB"), ("endpoints.sts", "STS")];

const ENDPOINT: &str = "endpoint_url";

/// In a profile, and in capitals as a variable: leaves those endpoints alone.
const IGNORE: &str = "ignore_configured_endpoint_urls";

/// Fills in the endpoints that neither the configuration nor the environment names.
///
/// # Errors
/// `ConfigInvalid` if a file cannot be read or understood.
pub(super) fn with_endpoints(config: &ResolvedConfig) -> Result<Cow<'_, ResolvedConfig>> {
    let is_missing = |key: &str| config.string(key).is_none();
    let ignored = config.environment().get(&format!("AWS_{}", IGNORE.to_uppercase()));
    if !SERVICES.iter().any(|(key, _)| is_missing(key)) || ignored.is_some_and(is_true) {
        return Ok(Cow::Borrowed(config));
    }
    let files = Files::read(config)?;
    let Some(profiles) = files.profiles(config.string("profile"))? else { return Ok(Cow::Borrowed(config)) };
    if profiles.get(IGNORE).is_some_and(is_true) {
        return Ok(Cow::Borrowed(config));
    }
    let nothing = Env::from_slice(&[]);
    let mut config = Cow::Borrowed(config);
    for (key, service) in SERVICES {
        let value = EnvConfigValue::new().profile(ENDPOINT).service_id(service);
        if is_missing(key)
            && let Some((url, _)) = value.load(&nothing, Some(&profiles))
        {
            let value = ConfigValue::String(url.to_string());
            config = Cow::Owned(config.into_owned().with(key, value, files.place_of(&url)));
        }
    }
    Ok(config)
}

fn is_true(text: &str) -> bool {
    text.eq_ignore_ascii_case("true")
}

/// The files that are there.
struct Files(Vec<(EnvConfigFileKind, PathBuf, String)>);

impl Files {
    fn read(config: &ResolvedConfig) -> Result<Self> {
        let machine = access::machine(config)?;
        let mut files = Vec::new();
        for (kind, key, configured, usual) in [
            (EnvConfigFileKind::Config, "shared_config_files", machine.config_files, "~/.aws/config"),
            (
                EnvConfigFileKind::Credentials,
                "shared_credentials_files",
                machine.credentials_files,
                "~/.aws/credentials",
            ),
        ] {
            let configured = match (&*configured, config.path(key, usual)) {
                ([_, ..], _) => configured,
                ([], Ok(path)) => vec![SharedFile { path, may_be_missing: true }],
                // Without a home folder there is nothing in it.
                ([], Err(_)) => Vec::new(),
            };
            for SharedFile { path, .. } in configured {
                match std::fs::read_to_string(&path) {
                    Ok(text) => files.push((kind, path, text)),
                    // Whether it had to be there, the search for credentials says.
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    Err(error) => {
                        return Err(unreadable(format_args!("{}: {error}", path.display())));
                    }
                }
            }
        }
        Ok(Self(files))
    }

    /// Takes the files apart; nothing if there are none.
    fn profiles(&self, selected: Option<&str>) -> Result<Option<ProfileSet>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let builder = EnvConfigFiles::builder()
            .include_default_config_file(false)
            .include_default_credentials_file(false);
        let files = self.0.iter().fold(builder, |builder, (kind, path, _)| builder.with_file(*kind, path));
        let texts = self.0.iter().map(|(_, path, text)| (path.clone().into_os_string(), text.clone().into()));
        let texts = Fs::from_raw_map(texts.collect());
        let selected = Cow::Owned(selected.unwrap_or("default").to_owned());
        // The texts are at hand, so nothing is waited for.
        let loaded = load(&texts, &Env::from_slice(&[]), &files.build(), Some(selected)).now_or_never();
        match loaded {
            Some(Ok(profiles)) => Ok(Some(profiles)),
            // The cause says which file and which line on one line, what is wrong on the next, and nothing of what stands there.
            Some(Err(error)) => {
                let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
                Err(unreadable(cause.replace("\n ", "")))
            }
            None => Err(unreadable("nobody knows why")),
        }
    }

    /// Finds the line that sets an endpoint.
    fn place_of(&self, url: &str) -> Origin {
        let sets_it = |line: &str| {
            line.split_once('=').is_some_and(|(name, value)| name.trim() == ENDPOINT && value.trim() == url)
        };
        let place = self.0.iter().find_map(|(_, path, text)| {
            let line = text.lines().position(sets_it)?;
            Some(Origin::file(path, line + 1))
        });
        place.unwrap_or_else(|| Origin::file(&self.0[0].1, None))
    }
}

fn unreadable(reason: impl std::fmt::Display) -> Error {
    Error::config(format!("the shared AWS files cannot be read: {reason}")).with_hint(
        "they may name the endpoints of services: put them in order, set `endpoints`, or set the variable `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS` to `true`",
    )
}
