//! Which requests go through a proxy, and through which: the rules of Go's `net/http`, which native clients follow.
//!
//! <https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config>

use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderValue, Uri};
use ipnet::IpNet;
use percent_encoding::percent_decode_str;
use remote_state_core::Result;
use remote_state_core::config::ResolvedConfig;
use url::{Host, Url};

use crate::role::is_configured;

/// The proxies, and what is asked without one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies {
    http: Option<Proxy>,
    https: Option<Proxy>,
    exceptions: Vec<Exception>,
}

/// The URL of a proxy, which may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Proxy(Url);

/// Hides user name and password.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.0.host_str().unwrap_or_default())
    }
}

/// One item of `no_proxy`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Exception {
    hosts: Hosts,
    /// Only this port, if one is named.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    All,
    Network(IpNet),
    Address(IpAddr),
    /// A domain, with the dot before it, and whether the name itself is meant too.
    Domain {
        suffix: String,
        has_apex: bool,
    },
}

impl Proxies {
    /// Reads `http_proxy`, `https_proxy` and `no_proxy`; what is worth knowing is added to the notes.
    pub(crate) fn from_resolved(config: &ResolvedConfig, notes: &mut Vec<String>) -> Result<Self> {
        let (http_key, https_key) = ("http_proxy", "https_proxy");
        let http = proxy(config, http_key)?;
        let mut https = proxy(config, https_key)?;
        // As in Terraform. OpenTofu connects directly then.
        let is_for_both = config.get(http_key).is_some_and(is_configured) && config.get(https_key).is_none();
        if http.is_some() && is_for_both {
            https.clone_from(&http);
            notes.push(format!(
                "`{http_key}` ({}) is used for `https` too, as in Terraform but not in OpenTofu: set `{https_key}`, to \"\" for no proxy",
                config.origin(http_key)
            ));
        }
        let exceptions = config.string("no_proxy").unwrap_or_default();
        Ok(Self { http, https, exceptions: exceptions.split(',').filter_map(exception).collect() })
    }

    /// Returns the proxy for requests without TLS.
    pub(super) fn http(&self) -> Option<&Proxy> {
        self.http.as_ref()
    }

    /// Returns the proxy for requests with TLS.
    pub(super) fn https(&self) -> Option<&Proxy> {
        self.https.as_ref()
    }

    /// Returns whether a request there is one that a proxy is for.
    pub(super) fn applies_to(&self, url: &Url) -> bool {
        let Some(host) = url.host() else { return false };
        if is_near(&host) {
            return false;
        }
        let port = url.port_or_known_default();
        !self.exceptions.iter().any(|exception| exception.covers(&host, port))
    }
}

/// This machine itself, and the neighbours that hand out credentials to it: what they say is for nobody in between.
fn is_near(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback() || address.is_link_local(),
        // `fd00:ec2::/32` is where instances and containers find their credentials over IPv6.
        Host::Ipv6(address) => {
            address.is_loopback()
                || address.is_unicast_link_local()
                || address.segments()[..2] == [0xfd00, 0x0ec2]
        }
    }
}

impl Exception {
    fn covers(&self, host: &Host<&str>, port: Option<u16>) -> bool {
        let address = match host {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(IpAddr::from(*address)),
            Host::Ipv6(address) => Some(IpAddr::from(*address)),
        };
        let is_meant = match (&self.hosts, host) {
            (Hosts::All, _) => true,
            (Hosts::Network(network), _) => address.is_some_and(|address| network.contains(&address)),
            (Hosts::Address(meant), _) => address == Some(*meant),
            (Hosts::Domain { suffix, has_apex }, Host::Domain(name)) => {
                name.ends_with(suffix.as_str()) || (*has_apex && *name == &suffix[1..])
            }
            (Hosts::Domain { .. }, _) => false,
        };
        is_meant && (self.port.is_none() || self.port == port)
    }
}

/// Reads one item: `*`, `10.0.0.0/8`, `10.1.2.3`, `example.com` with all below it, `.example.com` for what is below it alone; with a port or without.
fn exception(item: &str) -> Option<Exception> {
    let item = item.trim().to_ascii_lowercase();
    if item == "*" {
        return Some(Exception { hosts: Hosts::All, port: None });
    }
    if let Ok(network) = item.parse() {
        return Some(Exception { hosts: Hosts::Network(network), port: None });
    }
    if let Ok(address) = item.trim_start_matches('[').trim_end_matches(']').parse() {
        return Some(Exception { hosts: Hosts::Address(address), port: None });
    }
    let (host, port) = match item.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse().ok()?)),
        None => (item.as_str(), None),
    };
    if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse() {
        return Some(Exception { hosts: Hosts::Address(address), port });
    }
    let host = host.strip_prefix("*.").map_or_else(|| host.to_owned(), |rest| format!(".{rest}"));
    let hosts = match host.as_str() {
        "" | "." => return None,
        below if below.starts_with('.') => Hosts::Domain { suffix: host, has_apex: false },
        name => Hosts::Domain { suffix: format!(".{name}"), has_apex: true },
    };
    Some(Exception { hosts, port })
}

/// Reads the URL of a proxy. The empty string is none, whatever the environment says.
fn proxy(config: &ResolvedConfig, key: &str) -> Result<Option<Proxy>> {
    let Some(text) = config.string(key).filter(|text| !text.is_empty()) else { return Ok(None) };
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    match Url::parse(&with_scheme) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
            let proxy = Proxy(url);
            // Names that a URL may have are more than those that can be asked for.
            let is_usable = proxy.url().parse::<Uri>().is_ok() && proxy.bare().is_some();
            is_usable.then_some(Some(proxy)).ok_or_else(|| {
                config
                    .invalid(key, "no proxy can have that host name")
                    .with_hint("a host name is of letters, digits, dots and hyphens")
            })
        }
        Ok(url) if url.scheme().starts_with("socks") => Err(config
            .invalid(key, "SOCKS is not spoken here")
            .with_hint("name a proxy that speaks HTTP, such as `http://proxy.example.com:3128`")),
        _ => Err(config.invalid(key, "expected a URL such as `http://proxy.example.com:3128`")),
    }
}

impl Proxy {
    pub(super) fn url(&self) -> &str {
        self.0.as_str()
    }

    pub(super) fn uri(&self) -> Uri {
        self.bare().expect("it was checked when the configuration was read")
    }

    /// The URL without user and password, which go into a header; none if there is no such URI.
    fn bare(&self) -> Option<Uri> {
        let mut url = self.0.clone();
        url.set_username("").ok()?;
        url.set_password(None).ok()?;
        url.as_str().parse().ok()
    }

    /// The header by which the proxy knows us, if the URL names a user.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        let user = percent_decode_str(self.0.username()).decode_utf8_lossy();
        let password = percent_decode_str(self.0.password().unwrap_or_default()).decode_utf8_lossy();
        let is_named = !user.is_empty() || self.0.password().is_some();
        let encoded = is_named.then(|| BASE64.encode(format!("{user}:{password}")))?;
        let mut value = HeaderValue::try_from(format!("Basic {encoded}")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}
