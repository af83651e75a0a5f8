//! How services are reached.

use remote_state_core::config::ResolvedConfig;
use remote_state_core::{Error, Result};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use url::{Host, Url};

use crate::config::endpoints::endpoint;
use crate::config::keys::{self, KEEP_ONE};
use crate::transport::{Proxies, Trust};

/// How services are reached.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connection {
    pub(crate) is_adaptive: bool,
    pub(crate) has_fips: bool,
    pub(crate) has_dual_stack: bool,
    pub(crate) trust: Trust,
    pub(crate) proxies: Proxies,
    pub(crate) sts_endpoint: Option<Url>,
    pub(crate) sts_region: Option<String>,
}

impl Connection {
    /// Whether no one can change what goes to a store on its way, so that no signature over the
    /// bytes is needed.
    pub(crate) fn is_safe_to(&self, endpoint: Option<&Url>) -> bool {
        match endpoint {
            Some(url) if url.scheme() != "https" => {
                is_loopback(url) && !self.proxies.are_used_for(url)
            }
            _ => !matches!(self.trust, Trust::Anybody),
        }
    }
}

/// Whether a host is this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        None => false,
    }
}

pub(super) fn max_attempts(config: &ResolvedConfig) -> Result<u32> {
    match config.get(keys::MAX_RETRIES).parse::<f64>() {
        Ok(0.0) => attempts_of_environment(config),
        // Up to this limit every whole number is exact.
        Ok(number) if number.fract() == 0.0 && (1.0..=f64::from(u32::MAX)).contains(&number) =>
        {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the range was checked"
            )]
            Ok(number as u32)
        }
        _ => Err(config
            .invalid(
                keys::MAX_RETRIES,
                "expected how often to try in all: a whole number that is not negative",
            )
            .with_hint(
                "Terraform takes `1.5` for 5, and tries for ever with `-1`: write the number \
                 that is meant",
            )),
    }
}

/// Returns what `max_retries = 0` leaves to the environment: the variable of all AWS tools, or
/// their default.
fn attempts_of_environment(config: &ResolvedConfig) -> Result<u32> {
    const VARIABLE: &str = "AWS_MAX_ATTEMPTS";
    let Some(text) = config.environment().get(VARIABLE) else { return Ok(3) };
    text.parse().ok().filter(|attempts| *attempts > 0).ok_or_else(|| {
        Error::config(format!(
            "`{VARIABLE}` is {text:?}, but `max_retries = 0` leaves the number to it"
        ))
        .with_context("set in", format_args!("${VARIABLE}"))
        .with_hint("set it to a whole number above 0, or set `max_retries`")
    })
}

/// Reads how services are reached; adds warnings to the notes.
pub(super) fn connection(config: &ResolvedConfig, notes: &mut Vec<String>) -> Result<Connection> {
    let sts_endpoint = endpoint(config, keys::ENDPOINTS_STS)?;
    for key in [keys::USE_FIPS_ENDPOINT, keys::USE_DUALSTACK_ENDPOINT] {
        // If Amazon is to choose the host, no endpoint may be set.
        let own = keys::OF_SERVICES.into_iter().find(|own| config.is_set(own));
        if let Some(own) = own.filter(|_| config.get(key)) {
            return Err(config.both(key, own).with_hint(KEEP_ONE));
        }
    }
    Ok(Connection {
        is_adaptive: match config.get(keys::RETRY_MODE) {
            "standard" => false,
            "adaptive" => true,
            _ => {
                let reason = "expected `standard` or `adaptive`";
                return Err(config.invalid(keys::RETRY_MODE, reason));
            }
        },
        has_fips: config.get(keys::USE_FIPS_ENDPOINT),
        has_dual_stack: config.get(keys::USE_DUALSTACK_ENDPOINT),
        trust: trust(config, notes)?,
        proxies: Proxies::from_resolved(config, notes)?,
        sts_endpoint,
        sts_region: config.get(keys::STS_REGION).map(str::to_owned),
    })
}

fn trust(config: &ResolvedConfig, notes: &mut Vec<String>) -> Result<Trust> {
    let bundle = ca_bundle(config)?;
    if config.get(keys::INSECURE) {
        notes.push(format!(
            "`insecure` ({}) accepts any certificate: a machine in between can read and change \
             states and credentials; `custom_ca_bundle` trusts one authority more",
            config.origin(keys::INSECURE)
        ));
        return Ok(Trust::Anybody);
    }
    Ok(bundle.map_or(Trust::System, |certificates| Trust::Bundle(certificates.into())))
}

/// Reads the certificates, and checks that there are any.
fn ca_bundle(config: &ResolvedConfig) -> Result<Option<Vec<CertificateDer<'static>>>> {
    let Some(file) = config.get(keys::CUSTOM_CA_BUNDLE) else { return Ok(None) };
    let pem = std::fs::read(config.path(keys::CUSTOM_CA_BUNDLE, file)?).map_err(|error| {
        config.invalid(keys::CUSTOM_CA_BUNDLE, &format!("it cannot be read: {error}"))
    })?;
    let mut roots = rustls::RootCertStore::empty();
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let added = certificate.map_err(|error| error.to_string()).and_then(|certificate| {
            certificates.push(certificate.clone());
            roots.add(certificate).map_err(|error| error.to_string())
        });
        added.map_err(|reason| {
            config.invalid(keys::CUSTOM_CA_BUNDLE, &format!("it holds a bad certificate: {reason}"))
        })?;
    }
    if certificates.is_empty() {
        return Err(config.invalid(keys::CUSTOM_CA_BUNDLE, "it holds no certificate in PEM"));
    }
    Ok(Some(certificates))
}
