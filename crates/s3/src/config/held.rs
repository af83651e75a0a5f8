//! The limits on what a file of the directory may cause: see `remote_state_core::config` for which
//! files those are. A profile in one runs no program. A token file that one names is sent only if
//! it holds a token, and only over a connection that others cannot read. If one sends requests
//! elsewhere than to Amazon, the user learns which file does.

use std::path::PathBuf;

use remote_state_core::config::{
    ConfigKeySpec, ForeignEndpoint, Key, Origin, PROGRAMS_VARIABLE, ResolvedConfig,
};
use remote_state_core::{Advice, Result};
use url::Url;

use crate::config::connection::is_loopback;
use crate::config::endpoints::endpoint;
use crate::config::keys;
use crate::config::profile_text::About;
use crate::config::shared_files::{Files, Found, KEY_ID};
use crate::credentials::CredentialConfig;
use crate::credentials::guard::{Guard, Refusal};
use crate::credentials::role::Role;

/// The prefixes of the key ids that Amazon gives out: those of users, and those of sessions.
const OF_AMAZON: [&str; 2] = ["AKIA", "ASIA"];

/// Returns whether a key's value comes from a file of the directory, including a shared AWS file
/// that lies there.
pub(super) fn is_of_directory(
    config: &ResolvedConfig,
    files: &Files,
    key: impl AsRef<ConfigKeySpec>,
) -> bool {
    match config.origin(key.as_ref()) {
        Origin::File { path, .. } if files.has_read(&path) => files.is_held(&path),
        _ => config.is_of_directory(key),
    }
}

/// Refuses to send a token to a service that a file of the directory names, if others can read the
/// connection.
///
/// # Errors
/// `ConfigInvalid` with the place of the endpoint.
pub(super) fn check_tokens_way(
    config: &ResolvedConfig,
    files: &Files,
    credentials: &CredentialConfig,
) -> Result<()> {
    let has_token = matches!(
        credentials,
        CredentialConfig::WebIdentity(_) | CredentialConfig::Chain { web_identity: Some(_), .. }
    );
    if let (true, Some(key)) = (has_token, read_on_the_way(config, files)) {
        return Err(config
            .invalid(
                key,
                "files of the directory have what is sent read on the way, and a web identity \
                 token is not sent so",
            )
            .with_hint(
                "set the proxy and the certificates yourself, in `HTTPS_PROXY` and `AWS_CA_BUNDLE`",
            ));
    }
    let sts = keys::ENDPOINTS_STS;
    let Some(url) = endpoint(config, sts)?.filter(|_| has_token) else { return Ok(()) };
    if is_private(&url) || !is_of_directory(config, files, sts) {
        return Ok(());
    }
    Err(config
        .invalid(
            sts,
            "a web identity token is not sent over plain `http` to where a file of the directory \
             says",
        )
        .with_hint("use `https`, or name the endpoint yourself, in `AWS_ENDPOINT_URL_STS`"))
}

/// Returns the key by which files of the directory let others read what goes over TLS: they turn
/// the check of certificates off, or name a proxy and the trusted certificates.
fn read_on_the_way(config: &ResolvedConfig, files: &Files) -> Option<ConfigKeySpec> {
    if config.get(keys::INSECURE) && is_of_directory(config, files, keys::INSECURE) {
        return Some(keys::INSECURE.row());
    }
    proxy_with_bundle(config, files).map(|_| keys::CUSTOM_CA_BUNDLE.row())
}

/// Returns the key by which files of the directory name a proxy, if they also name the trusted
/// certificates.
fn proxy_with_bundle(config: &ResolvedConfig, files: &Files) -> Option<Key<Option<String>>> {
    let names = |key: &Key<_>| config.is_set(key) && is_of_directory(config, files, key);
    let proxy = [keys::HTTPS_PROXY, keys::HTTP_PROXY].into_iter().find(names);
    proxy.filter(|_| names(&keys::CUSTOM_CA_BUNDLE))
}

/// Warns of a proxy that can read what goes over TLS because files of the directory allow it.
pub(super) fn note_of_way(config: &ResolvedConfig, files: &Files) -> Option<String> {
    let proxy = proxy_with_bundle(config, files)?;
    Some(format!(
        "`{}` in {} names a proxy, and `custom_ca_bundle` in {} the certificates that are \
         trusted: that proxy can read and change states and session tokens",
        proxy.name(),
        config.origin(proxy),
        config.origin(keys::CUSTOM_CA_BUNDLE)
    ))
}

/// Whether a connection to this URL cannot be read by others.
fn is_private(url: &Url) -> bool {
    url.scheme() == "https" || is_loopback(url)
}

/// Returns the reasons not to use the selected profile, or those that it builds on.
pub(super) fn guard(config: &ResolvedConfig, files: &Files) -> Guard {
    let mut guard = Guard::default();
    let sts = endpoint(config, keys::ENDPOINTS_STS).ok().flatten();
    let on_the_way = read_on_the_way(config, files);
    let mut names = vec![config.get(keys::PROFILE).unwrap_or("default").to_owned()];
    while let Some(name) = names.last().cloned() {
        let Some(profile) = files.source_of(&name) else { break };
        let held =
            |property: &str| profile.get(property).filter(|found| files.is_held(&found.path));
        if let Some(found) =
            held("credential_process").filter(|_| !config.allows_directory_programs())
        {
            guard.refusal.get_or_insert_with(|| program(&name, found));
        }
        if let Some(found) = held("web_identity_token_file") {
            guard.tokens.push((PathBuf::from(&found.value), place(found)));
            let own = files.endpoint(&profile, "sts").and_then(|(url, _)| Url::parse(&url).ok());
            if own.as_ref().or(sts.as_ref()).is_some_and(|url| !is_private(url)) {
                guard.refusal.get_or_insert_with(|| way(&name, found));
            }
        }
        if let (true, Some(key)) = (
            profile.contains_key("sso_session") || profile.contains_key("sso_start_url"),
            on_the_way,
        ) {
            guard.refusal.get_or_insert_with(|| sign_in(&name, &config.origin(key)));
        }
        let session = profile
            .get("sso_session")
            .and_then(|found| files.section(About::SsoSession, &found.value));
        let regions = [profile.get("region"), profile.get("sso_region")];
        let of_session = session.and_then(|session| session.get("sso_region"));
        let odd = regions.into_iter().chain([of_session]).flatten();
        for found in odd.filter(|found| files.is_held(&found.path) && !is_label(&found.value)) {
            guard.refusal.get_or_insert_with(|| region(&name, found));
        }
        match profile.get("source_profile").map(|found| found.value.clone()) {
            Some(source) if !names.contains(&source) => names.push(source),
            _ => break,
        }
    }
    guard
}

fn place(found: &Found) -> String {
    Origin::file(&found.path, found.line).to_string()
}

fn program(profile: &str, found: &Found) -> Refusal {
    Refusal {
        message: format!(
            "the `credential_process` of profile `{profile}` was not run: a file of the directory \
             names the program"
        ),
        origin: place(found),
        advice: Advice::AllowDirectoryPrograms(PROGRAMS_VARIABLE),
    }
}

fn way(profile: &str, found: &Found) -> Refusal {
    Refusal {
        message: format!(
            "the token of profile `{profile}` was not sent: a file of the directory names it, and \
             STS is reached over plain `http`"
        ),
        origin: place(found),
        advice: "use `https` for STS".into(),
    }
}

fn sign_in(profile: &str, origin: &Origin) -> Refusal {
    Refusal {
        message: format!(
            "the login of profile `{profile}` was not used: files of the directory have what is \
             sent read on the way"
        ),
        origin: origin.to_string(),
        advice: "set the proxy and the certificates yourself, in `HTTPS_PROXY` and `AWS_CA_BUNDLE`"
            .into(),
    }
}

/// A region becomes part of a host name, and must not contain characters that end one.
fn is_label(region: &str) -> bool {
    region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn region(profile: &str, found: &Found) -> Refusal {
    Refusal {
        message: format!("profile `{profile}` was not used: its region is no name of a region"),
        origin: place(found),
        advice: "write a name such as `eu-west-1`".into(),
    }
}

/// Returns the services other than Amazon's that files of the directory name.
pub(super) fn foreign(
    config: &ResolvedConfig,
    files: &Files,
    credentials: &CredentialConfig,
    role: Option<&Role>,
) -> Result<Vec<ForeignEndpoint>> {
    let are_amazons = role.is_some() || may_be_amazons(config, files, credentials);
    let mut foreign = Vec::new();
    for key in keys::OF_SERVICES {
        let Some(url) = endpoint(config, key)? else { continue };
        if !is_amazons_host(&url) && is_of_directory(config, files, key) {
            let url = url.as_str().trim_end_matches('/');
            foreign.push(ForeignEndpoint::of(config, key, url, "Amazon's", are_amazons));
        }
    }
    Ok(foreign)
}

/// Whether the credentials may be Amazon's, as far as is known before they are requested.
fn may_be_amazons(config: &ResolvedConfig, files: &Files, credentials: &CredentialConfig) -> bool {
    let is_of_amazon = |id: &str| OF_AMAZON.iter().any(|prefix| id.starts_with(prefix));
    let of_profile = |name: &str| {
        let profile = files.source_of(name);
        // A profile without keys uses SSO, a role or a program of the machine.
        profile
            .as_ref()
            .and_then(|profile| profile.get(KEY_ID))
            .is_none_or(|found| is_of_amazon(&found.value))
            || profile.is_some_and(|profile| profile.contains_key("role_arn"))
    };
    match credentials {
        CredentialConfig::Static { access_key, .. } => is_of_amazon(access_key),
        CredentialConfig::Profile(name) => of_profile(name),
        CredentialConfig::WebIdentity(_) => true,
        CredentialConfig::Chain { web_identity, .. } => {
            web_identity.is_some() || of_profile(config.get(keys::PROFILE).unwrap_or("default"))
        }
    }
}

/// Whether a URL leads to one of the services that are used here. The same domains also have hosts
/// that anyone can rent.
fn is_amazons_host(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    let domains = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"];
    let Some(name) = domains.iter().find_map(|domain| host.strip_suffix(domain)) else {
        return false;
    };
    let is_service = |label: &str| {
        ["s3", "sts", "dynamodb"].iter().any(|service| {
            label.strip_prefix(service).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
    };
    let is_rented = |label: &str| matches!(label, "execute-api" | "elb" | "elasticbeanstalk");
    url.scheme() == "https" && name.split('.').any(is_service) && !name.split('.').any(is_rented)
}
