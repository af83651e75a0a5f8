//! Finds services outside the vendor's domains that a file of the directory names.

use remote_state_core::Result;
use remote_state_core::config::{ForeignEndpoint, Key, ResolvedConfig};
use secrecy::ExposeSecret as _;
use url::Url;

use crate::config::{keys, url};
use crate::credentials::Wanted;

/// The keys of the services that receive credentials, a session token or an identity provider's
/// token.
const SERVICES: [Key<Option<String>>; 4] =
    [keys::ENDPOINT, keys::TABLESTORE_ENDPOINT, keys::STS_ENDPOINT, keys::LOCATION_ENDPOINT];

/// The prefixes of the vendor's key ids: of users, and of sessions.
const OF_VENDOR: [&str; 2] = ["LTAI", "STS."];

pub(super) fn foreign(config: &ResolvedConfig, wanted: &Wanted) -> Result<Vec<ForeignEndpoint>> {
    let may_be_vendors = may_be_vendors(wanted);
    let mut foreign = Vec::new();
    for key in SERVICES {
        let Some(url) = url(config, key, "https://oss-cn-beijing.aliyuncs.com")? else { continue };
        if !is_vendors_host(&url) && config.is_of_directory(key) {
            let url = url.as_str().trim_end_matches('/');
            foreign.push(ForeignEndpoint::of(config, key, url, "Alibaba Cloud's", may_be_vendors));
        }
    }
    Ok(foreign)
}

/// Returns whether the vendor may have issued the credentials, as far as is known before they are
/// loaded.
fn may_be_vendors(wanted: &Wanted) -> bool {
    let of_profile = wanted.profile.as_ref().filter(|profile| profile.holds_keys());
    let key = match of_profile {
        Some(profile) if wanted.access_key.is_empty() => profile.access_key_id.as_str(),
        _ => wanted.access_key.as_str(),
    };
    let takes_role = wanted.role.is_some()
        || of_profile.is_some_and(|profile| profile.role(&wanted.sts).is_some());
    let has_keys = !key.is_empty() || !wanted.secret_key.expose_secret().is_empty();
    takes_role || !has_keys || OF_VENDOR.iter().any(|prefix| key.starts_with(prefix))
}

/// Returns whether a URL names one of the vendor's services used here. Anybody can rent other hosts
/// under the same domain.
fn is_vendors_host(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    let Some(name) = host.strip_suffix(".aliyuncs.com") else { return false };
    let is_service = |label: &str| {
        label == "ots"
            || ["oss-", "sts", "location"].iter().any(|service| label.starts_with(service))
    };
    url.scheme() == "https"
        && name.split('.').any(is_service)
        && !name.split('.').any(|label| label == "fc")
}
