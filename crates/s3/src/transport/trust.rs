//! Which certificates of servers are trusted.

use std::sync::Arc;

use remote_state_core::provider::{system_certificates, trusting};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error as TlsError, SignatureScheme};

/// The authorities that may sign a server's certificate.
#[derive(Clone, Debug, Default)]
pub(crate) enum Trust {
    /// The authorities that the system trusts.
    #[default]
    System,
    /// These alone: certificates that are known to be good.
    Bundle(Arc<[CertificateDer<'static>]>),
    /// None: every certificate is accepted.
    Anybody,
}

impl Trust {
    /// Makes the settings of TLS. Reading the system's certificates takes a large part of a short
    /// command's time.
    pub(super) fn settings(&self) -> ClientConfig {
        match self {
            Self::System => trusting(system_certificates()),
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

/// Accepts every certificate. It still checks that the server has the certificate's key, since that
/// costs nothing.
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
