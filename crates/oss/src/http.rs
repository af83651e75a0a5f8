//! Connections: the HTTP client and the proxy for a URL, and the timeouts.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use remote_state_core::provider::{ProxyFailed, system_certificates, trusting};
use reqwest::Client;
use reqwest::redirect::Policy;
use rustls::pki_types::CertificateDer;
use url::Url;

use crate::error::last_reason;
use crate::proxy::{Proxies, Proxy};

/// The time limit for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The time limit for the first byte of an answer to a small request, and for each byte after it. A
/// slower store is as good as down, and a lock may be waiting too.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// The slowest link on which a client can still write a state, in bytes per second: the time for
/// the answer includes sending.
const SLOWEST_LINK: u64 = 64 * 1024;

/// Returns the time limit for the answer to a request with a body of this size.
pub(crate) fn answer_timeout(body_bytes: u64) -> Duration {
    ANSWER_TIMEOUT + Duration::from_secs(body_bytes / SLOWEST_LINK)
}

/// The connections of a store, in one pool for each kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Http {
    proxies: Proxies,
    clients: Arc<Clients>,
}

#[derive(Debug, Default)]
struct Clients {
    plain: OnceLock<Client>,
    tls: OnceLock<Client>,
    direct: OnceLock<Client>,
}

impl Http {
    pub(crate) fn new(proxies: Proxies) -> Self {
        Self { proxies, clients: Arc::default() }
    }

    /// Returns the HTTP client for a URL. A TLS client reads the system's certificates, which takes
    /// much of a short command's time, so it is created only when needed.
    ///
    /// # Errors
    /// The URL needs a proxy that cannot be used.
    pub(crate) fn client(&self, url: &str) -> Result<&Client, ProxyFailed> {
        let proxy = self.proxies.for_url(url).transpose()?;
        Ok(if url.starts_with("https:") || proxy.is_some_and(Proxy::has_tls) {
            self.clients.tls.get_or_init(|| build(Some(&self.proxies), system_certificates()))
        } else {
            self.clients.plain.get_or_init(|| build(Some(&self.proxies), &[]))
        })
    }

    /// Returns the HTTP client for a service on this machine, which uses no proxy.
    pub(crate) fn direct(&self) -> &Client {
        self.clients.direct.get_or_init(|| build(None, &[]))
    }

    /// Returns what is wrong with the proxy, if a request to this URL failed because of the proxy.
    pub(crate) fn proxy_failed(&self, url: &str, error: &reqwest::Error) -> Option<ProxyFailed> {
        self.proxies.for_url(url)?.ok()?.failed(url, error)
    }

    /// Returns what a proxy answers in place of the service. `is_services` recognizes the service's
    /// own answers.
    pub(crate) fn proxy_answered(
        &self,
        url: &str,
        status: u16,
        is_services: bool,
    ) -> Option<ProxyFailed> {
        // A proxy cannot answer inside TLS.
        let proxy = self.proxies.for_url(url).filter(|_| url.starts_with("http:"))?.ok()?;
        if proxy.is_socks() { None } else { proxy.name().answered(status, is_services) }
    }

    /// Returns on one line why a request failed.
    pub(crate) fn reason(&self, url: &str, error: &reqwest::Error) -> String {
        match self.proxy_failed(url, error) {
            Some(failed) => failed.to_string(),
            None => last_reason(error),
        }
    }
}

fn build(proxies: Option<&Proxies>, trusted: &[CertificateDer<'static>]) -> Client {
    let mut builder = Client::builder()
        .user_agent(concat!("remote-state/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(trusting(trusted))
        // The HTTP client would follow a redirect with the signature for another URL.
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .no_proxy();
    if let Some(proxies) = proxies.cloned() {
        let choose =
            move |url: &Url| proxies.for_url(url.as_str())?.ok().map(|proxy| proxy.url().clone());
        builder = builder.proxy(reqwest::Proxy::custom(choose));
    }
    builder.build().expect("nothing in it can fail")
}
