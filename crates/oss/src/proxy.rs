//! Which requests go through a proxy.

use std::error::Error as StdError;
use std::fmt;

use remote_state_core::Result;
use remote_state_core::config::{Origin, ResolvedConfig};
use remote_state_core::provider::{NoProxy, ProxyFailed, ProxyName};
use url::Url;

/// A proxy, or why what was named as one cannot be used.
type Named = Result<Proxy, ProxyFailed>;

/// The proxy for everything, and what is asked without it.
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

/// Hides user name and password.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name().url)
    }
}

impl Proxies {
    /// Reads `proxy` and `no_proxy`. What the environment names is for every program, and may be
    /// for hosts that nobody asks here: it is refused only when a request would go through it.
    pub(crate) fn from_resolved(config: &ResolvedConfig) -> Result<Self> {
        const KEY: &str = "proxy";
        let proxy = match config.string(KEY).filter(|text| !text.is_empty()) {
            None => None,
            Some(text) => {
                let origin = config.origin(KEY);
                match Proxy::parse(text, &origin) {
                    Ok(proxy) => Some(Ok(proxy)),
                    Err(reason) if !matches!(origin, Origin::Environment(_)) => {
                        return Err(config.invalid(KEY, reason).with_hint(NAME_A_PROXY));
                    }
                    Err(reason) => {
                        Some(Err(ProxyFailed::unusable(origin.to_string(), reason, NAME_A_PROXY)))
                    }
                }
            }
        };
        let exceptions = NoProxy::parse(config.string("no_proxy").unwrap_or_default());
        Ok(Self { proxy, exceptions })
    }

    /// Returns the proxy that a request to this URL goes through.
    pub(crate) fn for_url(&self, url: &str) -> Option<Result<&Proxy, ProxyFailed>> {
        let proxy = self.proxy.as_ref()?;
        // What is no URL fails where it is asked for.
        let url = Url::parse(url).ok()?;
        let is_direct = self.exceptions.covers(url.host_str()?, url.port_or_known_default());
        (!is_direct).then(|| proxy.as_ref().map_err(ProxyFailed::clone))
    }
}

/// What to do about a URL that is none of a proxy.
const NAME_A_PROXY: &str =
    "name a proxy such as `http://proxy.example.com:3128`, or the host in `no_proxy`";

impl Proxy {
    fn parse(text: &str, origin: &Origin) -> Result<Self, &'static str> {
        let with_scheme =
            if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let mut url = Url::parse(&with_scheme).map_err(|_| "it is not a URL")?;
        match url.scheme() {
            "http" | "https" => {}
            // As in Go, it is the proxy that looks names up, by either name of the scheme.
            "socks5" | "socks5h" if url.has_host() => {
                // `Url::set_scheme` would refuse it.
                let rest = &url.as_str()[url.scheme().len()..];
                url = Url::parse(&format!("socks5h{rest}")).map_err(|_| "it is not a URL")?;
                if url.port().is_none() && url.set_port(Some(1080)).is_err() {
                    return Err("no proxy can have that host name");
                }
            }
            _ => return Err("proxies of that scheme are not spoken to here"),
        }
        // Names that a URL may have are more than those that can be asked for.
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
        if !url.host_str().is_some_and(|host| !host.is_empty() && host.bytes().all(is_letter)) {
            return Err("no proxy can have that host name");
        }
        Ok(Self { url, origin: origin.to_string() })
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Returns whether it is reached by TLS itself.
    pub(crate) fn has_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Returns whether it speaks SOCKS.
    pub(crate) fn is_socks(&self) -> bool {
        self.url.scheme().starts_with("socks")
    }

    /// What messages say of it.
    pub(crate) fn name(&self) -> ProxyName {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        ProxyName {
            url: format!("{}://{host}{port}", self.url.scheme()),
            origin: self.origin.clone(),
            has_user: !self.url.username().is_empty() || self.url.password().is_some(),
        }
    }

    /// Says what is wrong with it, if a request failed by it. Once a tunnel is made, what fails is
    /// the server's TLS, and no fault of the proxy.
    pub(crate) fn failed(&self, url: &str, error: &reqwest::Error) -> Option<ProxyFailed> {
        if !error.is_connect() {
            return None;
        }
        let name = self.name();
        // These are the words of the HTTP client. Should they ever change, less is told.
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
            // The proxy is sent the whole request: nobody else is connected with.
            return Some(name.unreachable(reason));
        }
        // The limit is for all steps together, and does not say which of them it ended.
        let silent = || name.failed("or the server behind it does not answer").because(reason);
        error.is_timeout().then(silent)
    }
}

/// Host and port of a URL.
fn authority(url: &str) -> String {
    let url = Url::parse(url).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
    let port = url.as_ref().and_then(Url::port_or_known_default).unwrap_or_default();
    format!("{host}:{port}")
}

/// What an error and its causes say, from the outside in.
fn words(error: &reqwest::Error) -> Vec<String> {
    let error: &(dyn StdError + 'static) = error;
    std::iter::successors(Some(error), |&error| error.source()).map(ToString::to_string).collect()
}
