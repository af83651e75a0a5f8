//! Which certificates of servers to trust.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore,
    SignatureScheme,
};

/// Returns the certificates that the system trusts, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
///
/// Reading them takes a good part of a short command's time, so this function reads them once: call
/// it only for connections with TLS.
pub fn system_certificates() -> &'static [CertificateDer<'static>] {
    static FOUND: OnceLock<Vec<CertificateDer<'static>>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(error = error.to_string(), "a certificate of the system cannot be read");
        }
        found.certs
    })
}

/// Creates the TLS settings for connections to servers whose certificates these vouch for.
pub fn trusting(certificates: &[CertificateDer<'static>]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let (_, unusable) = roots.add_parsable_certificates(certificates.iter().cloned());
    if unusable > 0 {
        tracing::debug!(unusable, "some certificates are not used");
    }
    let roots = Arc::new(roots);
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("the provider has what the protocol needs");
    match WebPkiServerVerifier::builder_with_provider(roots.clone(), provider).build() {
        Ok(usual) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Listed {
                usual,
                certificates: certificates.into(),
            }))
            .with_no_client_auth(),
        // With no trusted certificates there is nothing to add.
        Err(_) => builder.with_root_certificates(roots).with_no_client_auth(),
    }
}

/// Verifies certificates as usual, and in addition accepts a certificate of an authority as a
/// server's own if the trusted certificates contain it byte for byte. `openssl req -x509` makes
/// such certificates, and clients of Go and `curl` accept them.
#[derive(Debug)]
struct Listed {
    usual: Arc<WebPkiServerVerifier>,
    certificates: Arc<[CertificateDer<'static>]>,
}

impl ServerCertVerifier for Listed {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        match self.usual.verify_server_cert(certificate, others, name, ocsp, now) {
            // The verifier reports it after checking the validity period and before checking the
            // name.
            Err(error) if is_about_authority(&error) && self.certificates.contains(certificate) => {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            decided => decided,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.usual.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.usual.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

/// Returns whether the only fault so far is that the certificate is that of an authority.
fn is_about_authority(error: &TlsError) -> bool {
    let TlsError::InvalidCertificate(CertificateError::Other(other)) = error else { return false };
    format!("{:?}", other.0) == "CaUsedAsEndEntity"
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};

    use super::*;

    fn own_authority(
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> CertificateDer<'static> {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        change(&mut params);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn is_taken(shown: &CertificateDer<'static>, trusted: &CertificateDer<'static>) -> bool {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let usual =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let listed = Listed { usual, certificates: [trusted.clone()].into() };
        let host = ServerName::try_from("store.test").unwrap();
        listed.verify_server_cert(shown, &[], &host, &[], UnixTime::now()).is_ok()
    }

    /// The tests of the s3 provider check the same over connections.
    #[test]
    fn certificate_that_is_its_own_authority_is_taken_if_it_is_listed_in_its_time_and_for_its_host()
    {
        let own = own_authority("store.test", |_| ());
        assert!(is_taken(&own, &own));
        assert!(!is_taken(&own, &own_authority("store.test", |_| ())), "not listed");
        let other = own_authority("other.test", |_| ());
        assert!(!is_taken(&other, &other), "for another host");
        let over =
            own_authority("store.test", |params| params.not_after = date_time_ymd(2001, 1, 1));
        assert!(!is_taken(&over, &over), "over");
        let early =
            own_authority("store.test", |params| params.not_before = date_time_ymd(2900, 1, 1));
        assert!(!is_taken(&early, &early), "not valid yet");
    }
}
