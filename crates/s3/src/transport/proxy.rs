//! Which requests go through a proxy, and through which one.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderValue, Uri};
use percent_encoding::percent_decode_str;
use remote_state_core::Result;
use remote_state_core::config::{Key, ResolvedConfig};
use remote_state_core::provider::{NoProxy, ProxyFailed, ProxyName};
use url::Url;

use crate::config::keys;

/// A proxy, or why the configured one cannot be used.
pub(super) type Named = Result<Proxy, ProxyFailed>;

/// The proxies, and the hosts that are reached without one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies {
    http: Option<Named>,
    https: Option<Named>,
    exceptions: NoProxy,
}

/// A proxy. Its URL may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    url: Url,
    origin: String,
}

/// Hides user name and password.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name().url)
    }
}

impl Proxies {
    /// Reads `http_proxy`, `https_proxy` and `no_proxy`; adds warnings to the notes.
    pub(crate) fn from_resolved(config: &ResolvedConfig, notes: &mut Vec<String>) -> Result<Self> {
        let (http_key, https_key) = (keys::HTTP_PROXY, keys::HTTPS_PROXY);
        let http = proxy(config, http_key)?;
        let mut https = proxy(config, https_key)?;
        // As in Terraform. OpenTofu connects directly in this case.
        let is_for_both = config.is_configured(http_key) && !config.is_set(https_key);
        if http.is_some() && is_for_both {
            https.clone_from(&http);
            notes.push(format!(
                "`{}` ({}) is used for `https` too, as in Terraform but not in OpenTofu: set \
                 `{}`, to \"\" for no proxy",
                http_key.name(),
                config.origin(http_key),
                https_key.name()
            ));
        }
        let exceptions = NoProxy::parse(config.get(keys::NO_PROXY).unwrap_or_default());
        Ok(Self { http, https, exceptions })
    }

    /// Returns the proxy for requests without TLS.
    pub(super) fn http(&self) -> Option<&Named> {
        self.http.as_ref()
    }

    /// Returns the proxy for requests with TLS.
    pub(super) fn https(&self) -> Option<&Named> {
        self.https.as_ref()
    }

    /// Returns whether a request to this URL, without TLS, goes through a proxy.
    pub(crate) fn are_used_for(&self, url: &Url) -> bool {
        self.http.is_some() && self.applies_to(url)
    }

    /// Returns whether a request to this URL goes through a proxy, if there is one.
    pub(super) fn applies_to(&self, url: &Url) -> bool {
        url.host_str()
            .is_some_and(|host| !self.exceptions.covers(host, url.port_or_known_default()))
    }
}

/// Reads the URL of a proxy. The empty string means none, whatever the environment says.
///
/// A value from the environment is meant for every program, and may be for hosts that are not used
/// here: a faulty one is an error only when a request would go through it.
fn proxy(config: &ResolvedConfig, key: Key<Option<String>>) -> Result<Option<Named>> {
    let Some(text) = config.get(key).filter(|text| !text.is_empty()) else { return Ok(None) };
    let origin = config.origin(key).to_string();
    match Proxy::parse(text, &origin) {
        Ok(proxy) => Ok(Some(Ok(proxy))),
        Err((reason, hint)) if config.is_configured(key) => {
            Err(config.invalid(key, reason).with_hint(hint))
        }
        Err((reason, hint)) => Ok(Some(Err(ProxyFailed::unusable(origin, reason, hint)))),
    }
}

/// How to fix a URL that does not name a proxy.
const NAME_A_PROXY: &str =
    "name a proxy such as `http://proxy.example.com:3128`, or the host in `no_proxy`";

impl Proxy {
    /// Parses a URL; fails, with the reason and advice, if it does not name a proxy.
    fn parse(text: &str, origin: &str) -> Result<Self, (&'static str, &'static str)> {
        let with_scheme =
            if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        match Url::parse(&with_scheme) {
            Ok(url)
                if matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h")
                    && url.has_host() =>
            {
                let proxy = Self { url, origin: origin.to_owned() };
                // A URL may have host names that a request cannot have.
                if proxy.bare().is_some() {
                    return Ok(proxy);
                }
                Err((
                    "no proxy can have that host name",
                    "a host name is of letters, digits, dots and hyphens",
                ))
            }
            Ok(_) => Err(("proxies of that scheme are not spoken to here", NAME_A_PROXY)),
            Err(_) => Err(("it is not a URL", NAME_A_PROXY)),
        }
    }

    /// Returns the proxy's name for messages.
    pub(super) fn name(&self) -> ProxyName {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        ProxyName {
            url: format!("{}://{host}{port}", self.url.scheme()),
            origin: self.origin.clone(),
            has_user: self.user().is_some(),
        }
    }

    /// Returns whether connections to the proxy itself use TLS.
    pub(super) fn has_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Returns whether the proxy speaks SOCKS. As in Go, the proxy looks up names, with either name
    /// of the scheme.
    pub(super) fn is_socks(&self) -> bool {
        self.url.scheme().starts_with("socks")
    }

    pub(super) fn uri(&self) -> Uri {
        self.bare().expect("it was checked when the configuration was read")
    }

    /// Returns the URL without user name and password, which are sent separately; `None` if it is
    /// not a valid URI.
    fn bare(&self) -> Option<Uri> {
        if self.is_socks() {
            let port = self.url.port().unwrap_or(1080);
            return format!("http://{}:{port}", self.url.host_str()?).parse().ok();
        }
        let mut url = self.url.clone();
        url.set_username("").ok()?;
        url.set_password(None).ok()?;
        url.as_str().parse().ok()
    }

    /// Returns user name and password, if the URL names a user.
    pub(super) fn user(&self) -> Option<(String, String)> {
        let user = percent_decode_str(self.url.username()).decode_utf8_lossy();
        let password =
            percent_decode_str(self.url.password().unwrap_or_default()).decode_utf8_lossy();
        let is_named = !user.is_empty() || self.url.password().is_some();
        is_named.then(|| (user.into_owned(), password.into_owned()))
    }

    /// Returns the header with the proxy's user name and password, if the URL names a user.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        let (user, password) = self.user()?;
        let encoded = BASE64.encode(format!("{user}:{password}"));
        let mut value = HeaderValue::try_from(format!("Basic {encoded}")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}
