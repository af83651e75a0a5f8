//! Whose word the certificate of a server is taken on.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore,
    SignatureScheme,
};

/// Whose word a server's certificate is taken on.
#[derive(Clone, Debug, Default)]
pub(crate) enum Trust {
    /// That of the authorities that the system trusts.
    #[default]
    System,
    /// That of these alone: certificates that are known to be good.
    Bundle(Arc<[CertificateDer<'static>]>),
    /// Nobody's: any certificate does.
    Anybody,
}

impl Trust {
    /// Makes the settings of TLS. To read the system's certificates is a good part of a short
    /// command's time.
    pub(super) fn settings(&self) -> ClientConfig {
        match self {
            Self::System => trusting(system()),
            Self::Bundle(certificates) => trusting(certificates),
            Self::Anybody => {
                let provider = Arc::new(ring::default_provider());
                ClientConfig::builder_with_provider(provider.clone())
                    .with_safe_default_protocol_versions()
                    .expect("the provider has what the protocol needs")
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
                    .with_no_client_auth()
            }
        }
    }
}

/// The certificates that the system trusts, read once.
fn system() -> &'static [CertificateDer<'static>] {
    static FOUND: OnceLock<Vec<CertificateDer<'static>>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(error = error.to_string(), "a certificate of the system cannot be read");
        }
        found.certs
    })
}

fn trusting(certificates: &[CertificateDer<'static>]) -> ClientConfig {
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
        // Where nobody is trusted there is nothing to add.
        Err(_) => builder.with_root_certificates(roots).with_no_client_auth(),
    }
}

/// Looks at certificates as usual, and besides takes one that is an authority's own, if it is
/// listed byte for byte among those that are trusted: `openssl req -x509` makes such certificates,
/// and clients of Go and `curl` take them.
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
            // It comes after the look at the time for which the certificate is good, and before the
            // one at the name.
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

/// Whether nothing but this is wrong so far: the certificate is one of an authority.
fn is_about_authority(error: &TlsError) -> bool {
    let TlsError::InvalidCertificate(CertificateError::Other(other)) = error else { return false };
    format!("{:?}", other.0) == "CaUsedAsEndEntity"
}

/// Asks nobody whose a certificate is. That the server has the key to it is checked all the same:
/// it costs nothing.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
