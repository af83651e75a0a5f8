//! Making connections: which client a URL takes, through which proxy, and how long to wait.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, NoProxy, Proxy};
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait for the first byte of an answer to a small request, and for each byte after it. A store that takes longer is as good as gone,
/// and a lock may wait with us.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// The slowest link on which a state can still be written, in bytes per second: sending counts towards the wait for the answer.
const SLOWEST_LINK: u64 = 64 * 1024;

/// How long to wait for the answer to a request with a body of this size.
pub(crate) fn answer_timeout(body_bytes: u64) -> Duration {
    ANSWER_TIMEOUT + Duration::from_secs(body_bytes / SLOWEST_LINK)
}

/// What all connections go through.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProxyConfig {
    pub(crate) url: Option<SecretString>,
    /// Hosts, domains and networks, separated by commas.
    pub(crate) except: Option<String>,
}

/// The connections of a store, kept in one pool for each kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Http {
    proxy: ProxyConfig,
    clients: Arc<Clients>,
}

#[derive(Debug, Default)]
struct Clients {
    plain: OnceLock<Client>,
    tls: OnceLock<Client>,
    direct: OnceLock<Client>,
}

impl Http {
    pub(crate) fn new(proxy: ProxyConfig) -> Self {
        Self { proxy, clients: Arc::default() }
    }

    /// The client for a URL. TLS means reading the system's certificates, a good part of a short command's time: only for those who need it.
    pub(crate) fn client(&self, url: &str) -> &Client {
        let is_tls = |url: &str| url.starts_with("https:");
        if is_tls(url) || self.proxy.url.as_ref().is_some_and(|proxy| is_tls(proxy.expose_secret())) {
            self.clients.tls.get_or_init(|| build(&self.proxy, trusted_roots()))
        } else {
            self.clients.plain.get_or_init(|| build(&self.proxy, RootCertStore::empty()))
        }
    }

    /// The client for a service that is this machine's own, whatever proxy there is.
    pub(crate) fn direct(&self) -> &Client {
        self.clients.direct.get_or_init(|| build(&ProxyConfig::default(), RootCertStore::empty()))
    }
}

/// Says why a text is no proxy.
pub(crate) fn check_proxy(text: &str) -> Result<(), &'static str> {
    const EXPECTED: &str = "expected a URL such as `http://proxy:3128`";
    let url = Url::parse(&with_scheme(text)).map_err(|_| EXPECTED)?;
    if matches!(url.scheme(), "http" | "https") && url.has_host() { Ok(()) } else { Err(EXPECTED) }
}

fn with_scheme(proxy: &str) -> String {
    if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") }
}

fn build(proxy: &ProxyConfig, roots: RootCertStore) -> Client {
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring knows the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut builder = Client::builder()
        .user_agent(concat!("remote-state/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(tls)
        // A redirect would be followed with a signature that is for another place.
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .no_proxy();
    if let Some(url) = &proxy.url {
        // As everywhere, this machine is never reached through a proxy.
        let except = format!("localhost,127.0.0.0/8,::1,{}", proxy.except.as_deref().unwrap_or_default());
        let proxy = Proxy::all(with_scheme(url.expose_secret())).expect("it was checked");
        builder = builder.proxy(proxy.no_proxy(NoProxy::from_string(&except)));
    }
    builder.build().expect("nothing in it can fail")
}

fn trusted_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(error = error.to_string(), "a certificate of the system cannot be read");
    }
    let (_, unusable) = roots.add_parsable_certificates(found.certs);
    if unusable > 0 {
        tracing::debug!(unusable, "some certificates of the system are not used");
    }
    roots
}
