//! A server whose certificate is its own authority, as `openssl req -x509` makes them: it is
//! accepted if the trusted certificates contain it byte for byte, and then only within its
//! validity, for its hosts, and from a server that has its key. Of the same kind are bundles that a
//! variable or a profile names, several certificates in one bundle, and the system's own store.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};
use remote_state_conformance::resolved;
use remote_state_core::Backend as _;
use remote_state_core::{Error, ErrorKind, ReadOptions, Workspace};
use remote_state_s3::{PROVIDER, S3Config};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A certificate with its key.
struct Made {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

/// Makes a self-signed certificate for these names, with these changes.
fn made(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Made {
    let names = names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let mut params = CertificateParams::new(names).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    Made { certificate: params.self_signed(&key).unwrap(), key }
}

/// Shows one certificate, with whatever key.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

/// Starts a store over TLS without any state. Returns its URL.
async fn store(shown: &Made, key: &KeyPair) -> String {
    const BODY: &str = "<Error><Code>NoSuchKey</Code></Error>";
    let provider = rustls::crypto::ring::default_provider();
    let key = provider
        .key_provider
        .load_private_key(PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let shown = CertifiedKey::new(vec![shown.certificate.der().clone()], key);
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Always(Arc::new(shown))));
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that does not trust the certificate hangs up.
                let Ok(mut client) = acceptor.accept(client).await else { return };
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n")
                    && client.read_buf(&mut head).await.is_ok_and(|read| read > 0)
                {}
                let answer = format!(
                    "HTTP/1.1 404 Not Found\r\ncontent-type: application/xml\r\nconnection: \
                     close\r\ncontent-length: {}\r\n\r\n{BODY}",
                    BODY.len()
                );
                drop(client.write_all(answer.as_bytes()).await);
                drop(client.shutdown().await);
            });
        }
    });
    url
}

/// How a bundle is named.
#[derive(Clone, Copy, Debug)]
enum By {
    Key,
    Variable,
    Profile,
}

/// Reads from a store, with these certificates trusted.
async fn read(url: &str, trusted: &[&Made], by: By) -> Result<(), Error> {
    let folder: TempDir = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let pem: String = trusted.iter().map(|made| made.certificate.pem()).collect();
    let bundle = file("ca.pem", &pem);
    let profile = file("config", &format!("[default]\nca_bundle = {bundle}\n"));
    let mut keys = vec![
        ("bucket", "b"),
        ("key", "k"),
        ("region", "us-east-1"),
        ("endpoint", url),
        ("access_key", "test"),
        ("secret_key", "testtest"),
        ("use_path_style", "true"),
        ("max_retries", "1"),
    ];
    let mut env = Vec::new();
    match by {
        By::Key => keys.push(("custom_ca_bundle", &bundle)),
        By::Variable => env.push(("AWS_CA_BUNDLE", bundle.as_str())),
        By::Profile => env.push(("AWS_CONFIG_FILE", profile.as_str())),
    }
    let config = S3Config::from_resolved(&resolved(&PROVIDER, &keys, &env))?;
    let read = config.open()?.read(&Workspace::default(), &ReadOptions::default()).await?;
    assert!(read.is_none(), "there is no state");
    Ok(())
}

/// Expects that the server is not trusted, and returns the reason.
async fn refused(url: &str, trusted: &[&Made]) -> String {
    let error = read(url, trusted, By::Key).await.expect_err("the server is not trusted");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    let because = error.context().iter().find(|(label, _)| *label == "because");
    because.expect("there is a reason").1.clone()
}

#[tokio::test]
async fn certificate_that_is_its_own_authority_is_taken_from_the_bundle() {
    let own = made(&["127.0.0.1"], |_| ());
    let other = made(&["other.test"], |_| ());
    let limited = made(&["127.0.0.1", "minio"], |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    });
    let url = store(&own, &own.key).await;
    for by in [By::Key, By::Variable, By::Profile] {
        read(&url, &[&own], by).await.unwrap_or_else(|error| panic!("{by:?}: {error:?}"));
    }
    read(&url, &[&other, &own], By::Key).await.unwrap();
    read(&store(&limited, &limited.key).await, &[&limited], By::Key).await.unwrap();
}

#[tokio::test]
async fn certificate_that_is_its_own_authority_is_good_in_its_time_and_for_its_hosts_alone() {
    let over = made(&["127.0.0.1"], |params| params.not_after = date_time_ymd(2001, 1, 1));
    let because = refused(&store(&over, &over.key).await, &[&over]).await;
    assert!(because.contains("expired"), "{because}");

    let early = made(&["127.0.0.1"], |params| params.not_before = date_time_ymd(2900, 1, 1));
    let because = refused(&store(&early, &early.key).await, &[&early]).await;
    assert!(because.contains("not valid yet"), "{because}");

    for name in ["127.0.0.2", "minio.test"] {
        let elsewhere = made(&[name], |_| ());
        let because = refused(&store(&elsewhere, &elsewhere.key).await, &[&elsewhere]).await;
        assert!(because.contains("not valid for name"), "{because}");
    }
}

#[tokio::test]
async fn certificate_of_an_authority_that_is_not_listed_is_refused_in_words() {
    let own = made(&["127.0.0.1"], |_| ());
    // The same names and the same form, but not the same bytes.
    let twin = made(&["127.0.0.1"], |_| ());
    let because = refused(&store(&own, &own.key).await, &[&twin]).await;
    assert!(because.contains("that of an authority"), "{because}");
}

#[tokio::test]
async fn listed_certificate_is_refused_from_a_server_without_its_key() {
    let own = made(&["127.0.0.1"], |_| ());
    let thief = made(&["127.0.0.1"], |_| ());
    let because = refused(&store(&own, &thief.key).await, &[&own]).await;
    assert!(because.contains("BadSignature"), "{because}");
}
