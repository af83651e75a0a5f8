//! A MinIO server for tests: found or installed, started on a free port with a fresh folder.

mod certificate;
mod find;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;

use crate::Result;
use crate::servers::daemon::{Daemon, free_address};
use crate::servers::folder::{RunFolder, random_word};
use crate::servers::{BUCKET, Facts, Kind, Server, Started, attempts, http};

const READY_WITHIN: Duration = Duration::from_secs(60);

/// The name of the only key in the key service: an id in Amazon's form, because Terraform accepts
/// no other. <https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id>
const KMS_KEY: &str = "5d1c0b9e-7a3f-4c62-9b84-0e2f6a7d8c31";

/// Starts MinIO with one bucket.
///
/// # Errors
/// Says why it could not start, as a sentence to follow `minio: `.
pub(crate) fn start(target_dir: &Path, server: &Server) -> Result<Started> {
    let binary = find::find(target_dir)?;
    attempts(target_dir, Kind::Minio, |folder| {
        // On a single drive a bucket is a folder.
        std::fs::create_dir_all(folder.path().join("data").join(BUCKET))?;
        let address = free_address()?;
        let scheme = if server.tls { "https" } else { "http" };
        let (access_key, secret_key) = (random_word(), random_word());
        let mut facts = Facts::s3(&format!("{scheme}://{address}"), &access_key, &secret_key);
        facts.set("bucket", BUCKET);

        let mut command = command(&binary, folder, address);
        command.env("MINIO_ROOT_USER", &access_key).env("MINIO_ROOT_PASSWORD", &secret_key);
        if server.kms {
            let key = [random_word(), random_word()].concat();
            let key = base64::engine::general_purpose::STANDARD.encode(key);
            command.env("MINIO_KMS_SECRET_KEY", format!("{KMS_KEY}:{key}"));
            facts.set("kms_key", KMS_KEY);
        }
        if server.tls {
            let certificates = folder.path().join("certs");
            let authority = certificate::write(&certificates, address.ip())?;
            command.arg("--certs-dir").arg(&certificates);
            facts.set("ca_file", authority.display().to_string());
        }
        let mut daemon = Daemon::start("minio", command, folder)?;
        daemon.wait_until(READY_WITHIN, || {
            if server.tls { listens(address) } else { healthy(address) }
        })?;
        Ok((facts, vec![daemon]))
    })
}

fn command(binary: &Path, folder: &RunFolder, address: SocketAddr) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MINIO_") {
            command.env_remove(name);
        }
    }
    command
        .arg("server")
        .arg(folder.path().join("data"))
        .args(["--address", &address.to_string()])
        .env("MINIO_BROWSER", "off")
        .env("MINIO_UPDATE", "off");
    command
}

/// <https://docs.min.io/community/minio-object-store/operations/monitoring/healthcheck-probe.html>
fn healthy(address: SocketAddr) -> bool {
    http::ask(address, "GET", "/minio/health/live", &[], "").is_ok_and(|reply| reply.status == 200)
}

/// As soon as it serves, MinIO answers in plain text that it requires TLS:
/// <https://pkg.go.dev/net/http#Server.ServeTLS>.
fn listens(address: SocketAddr) -> bool {
    http::ask(address, "GET", "/minio/health/live", &[], "").is_ok_and(|reply| reply.status == 400)
}
