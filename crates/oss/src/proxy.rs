//! Chooses the proxy of a request.

use std::error::Error as StdError;
use std::fmt;

use remote_state_core::Result;
use remote_state_core::config::{Origin, ResolvedConfig};
use remote_state_core::provider::{NoProxy, ProxyFailed, ProxyName};
use url::Url;

use crate::config::keys;

/// A proxy, or why the configured value cannot be used.
type Named = Result<Proxy, ProxyFailed>;

/// The configured proxies, and the hosts that are reached directly.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies {
    proxy: Option<Named>,
    exceptions: NoProxy,
}

/// A proxy. Its URL may hold a password.
#[derive(Clone)]
pub(crate) struct Proxy {
    url: Url,
    origin: String,
}

/// Omits user name and password.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name().url)
    }
}

impl Proxies {
    /// Reads `proxy` and `no_proxy`. The environment configures every program, perhaps for hosts
    /// that this store never contacts: a bad value there fails only when a request needs it.
    pub(crate) fn from_resolved(config: &ResolvedConfig) -> Result<Self> {
        let key = keys::PROXY;
        let proxy = match config.get(key).filter(|text| !text.is_empty()) {
            None => None,
            Some(text) => {
                let origin = config.origin(key);
                match Proxy::parse(text, &origin) {
                    Ok(proxy) => Some(Ok(proxy)),
                    Err(reason) if !matches!(origin, Origin::Environment(_)) => {
                        return Err(config.invalid(key, reason).with_hint(NAME_A_PROXY));
                    }
                    Err(reason) => {
                        Some(Err(ProxyFailed::unusable(origin.to_string(), reason, NAME_A_PROXY)))
                    }
                }
            }
        };
        let exceptions = NoProxy::parse(config.get(keys::NO_PROXY).unwrap_or_default());
        Ok(Self { proxy, exceptions })
    }

    /// Returns the proxy that a request to this URL goes through.
    pub(crate) fn for_url(&self, url: &str) -> Option<Result<&Proxy, ProxyFailed>> {
        let proxy = self.proxy.as_ref()?;
        // An invalid URL fails when it is requested.
        let url = Url::parse(url).ok()?;
        let is_direct = self.exceptions.covers(url.host_str()?, url.port_or_known_default());
        (!is_direct).then(|| proxy.as_ref().map_err(ProxyFailed::clone))
    }
}

/// The remedy for a URL that is not a proxy's.
const NAME_A_PROXY: &str =
    "name a proxy such as `http://proxy.example.com:3128`, or the host in `no_proxy`";

impl Proxy {
    fn parse(text: &str, origin: &Origin) -> Result<Self, &'static str> {
        let with_scheme =
            if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let mut url = Url::parse(&with_scheme).map_err(|_| "it is not a URL")?;
        match url.scheme() {
            "http" | "https" => {}
            // As in Go, the proxy resolves names, with either scheme.
            "socks5" | "socks5h" if url.has_host() => {
                // `Url::set_scheme` would refuse the change.
                let rest = &url.as_str()[url.scheme().len()..];
                url = Url::parse(&format!("socks5h{rest}")).map_err(|_| "it is not a URL")?;
                if url.port().is_none() && url.set_port(Some(1080)).is_err() {
                    return Err("no proxy can have that host name");
                }
            }
            _ => return Err("proxies of that scheme are not spoken to here"),
        }
        // A URL may contain more characters than a host name that can be resolved.
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
        if !url.host_str().is_some_and(|host| !host.is_empty() && host.bytes().all(is_letter)) {
            return Err("no proxy can have that host name");
        }
        Ok(Self { url, origin: origin.to_string() })
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Returns whether the connection to the proxy itself uses TLS.
    pub(crate) fn has_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Returns whether it speaks SOCKS.
    pub(crate) fn is_socks(&self) -> bool {
        self.url.scheme().starts_with("socks")
    }

    /// Returns its name for messages.
    pub(crate) fn name(&self) -> ProxyName {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        ProxyName {
            url: format!("{}://{host}{port}", self.url.scheme()),
            origin: self.origin.clone(),
            has_user: !self.url.username().is_empty() || self.url.password().is_some(),
        }
    }

    /// Returns what is wrong with the proxy, if a request failed because of it. Once there is a
    /// tunnel, a failure comes from the server's TLS and not from the proxy.
    pub(crate) fn failed(&self, url: &str, error: &reqwest::Error) -> Option<ProxyFailed> {
        if !error.is_connect() {
            return None;
        }
        let name = self.name();
        // These are the HTTP client's words. If they ever change, the error says less.
        let words = words(error);
        let reason = words.last().cloned().unwrap_or_default();
        if let Some(words) = words.iter().find(|words| words.starts_with("SOCKS error")) {
            return Some(name.socks_failed(words));
        }
        if let Some(fault) = words.iter().find_map(|words| words.strip_prefix("tunnel error: ")) {
            return Some(match fault {
                "failed to create underlying connection" => name.unreachable(reason),
                "proxy authorization required" => name.wants_user(),
                "unsuccessful" => name.refuses(&authority(url), None),
                "unexpected end of file" | "io error establishing tunnel" => {
                    name.failed("breaks the connection off").because(reason)
                }
                _ => name.failed("does not answer as a proxy does").because(fault),
            });
        }
        if url.starts_with("http:") && !self.is_socks() {
            // The proxy receives the whole request: there is no connection to the server itself.
            return Some(name.unreachable(reason));
        }
        // The time limit covers all steps together, so the step that it ended is unknown.
        let silent = || name.failed("or the server behind it does not answer").because(reason);
        error.is_timeout().then(silent)
    }
}

/// Returns host and port of a URL.
fn authority(url: &str) -> String {
    let url = Url::parse(url).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
    let port = url.as_ref().and_then(Url::port_or_known_default).unwrap_or_default();
    format!("{host}:{port}")
}

/// Returns the messages of an error and its causes, outermost first.
fn words(error: &reqwest::Error) -> Vec<String> {
    let error: &(dyn StdError + 'static) = error;
    std::iter::successors(Some(error), |&error| error.source()).map(ToString::to_string).collect()
}
