//! The image for containers, in the layout of the Open Container Initiative, without a daemon:
//! <https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md>.

use std::path::Path;

use serde_json::{Value, json};

use crate::Result;
use crate::dist::archive::{Tar, gzip};
use crate::dist::stage::Stage;
use crate::dist::{Made, Release, checksums};

/// The user and the group of the image: no one.
const USER: &str = "65532:65532";

/// Where a system keeps the certificates that it trusts; the image needs them, since it has no
/// other file.
const CERTIFICATES: &str = "etc/ssl/certs/ca-certificates.crt";

pub(super) fn make(release: &Release<'_>, stage: &Stage) -> Result<Made> {
    if !release.target.ends_with("-linux-musl") {
        return Ok(Made::Not(format!(
            "an image without a system needs a static program; `--target \
             {}-unknown-linux-musl` makes one",
            release.target.split('-').next().unwrap_or("x86_64")
        )));
    }
    let Ok(certificates) = std::fs::read(Path::new("/").join(CERTIFICATES)) else {
        return Ok(Made::Not(format!("there is no `/{CERTIFICATES}` to put into it")));
    };
    let program = std::fs::read(stage.path(Path::new("usr/bin/remote-state")))?;
    let licences =
        std::fs::read(stage.path(Path::new("usr/share/doc/remote-state/THIRD-PARTY.md")))?;
    let files = [
        (CERTIFICATES, 0o644, certificates),
        ("usr/bin/remote-state", 0o755, program),
        ("usr/share/doc/remote-state/THIRD-PARTY.md", 0o644, licences),
    ];
    let name = format!("remote-state-{}-{}.oci.tar", release.version, release.target);
    let path = release.output.join(name);
    std::fs::write(&path, image(release, &files)?)?;
    Ok(Made::Files(vec![path]))
}

/// Returns an archive of an image with one layer.
fn image(release: &Release<'_>, files: &[(&str, u32, Vec<u8>)]) -> Result<Vec<u8>> {
    let layer = layer(release.epoch, files)?;
    let compressed = gzip(&layer)?;
    let created = timestamp(release.epoch);
    let labels = json!({
        "org.opencontainers.image.title": "remote-state",
        "org.opencontainers.image.description":
            "State of Terraform and OpenTofu in object stores",
        "org.opencontainers.image.version": release.version,
        "org.opencontainers.image.licenses": "MIT OR Apache-2.0",
        "org.opencontainers.image.created": created,
    });
    let config = serde_json::to_vec(&json!({
        "created": created,
        "architecture": architecture(&release.target),
        "os": "linux",
        "config": {
            "User": USER,
            "Entrypoint": ["/usr/bin/remote-state"],
            "WorkingDir": "/work",
            "Labels": labels,
        },
        "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
        "history": [{"created": created, "created_by": "cargo xtask dist"}],
    }))?;
    let manifest = serde_json::to_vec(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob("application/vnd.oci.image.config.v1+json", &config),
        "layers": [blob("application/vnd.oci.image.layer.v1.tar+gzip", &compressed)],
        "annotations": labels,
    }))?;
    let mut of_manifest = blob("application/vnd.oci.image.manifest.v1+json", &manifest);
    of_manifest["annotations"] =
        json!({"org.opencontainers.image.ref.name": format!("remote-state:{}", release.version)});
    let index = serde_json::to_vec(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [of_manifest],
    }))?;
    let mut tar = Tar::new(release.epoch);
    tar.file("oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    tar.file("index.json", 0o644, &index)?;
    tar.folder("blobs")?;
    tar.folder("blobs/sha256")?;
    let mut blobs =
        [config, manifest, compressed].map(|bytes| (checksums::of_bytes(&bytes), bytes));
    blobs.sort();
    for (name, bytes) in blobs {
        tar.file(&format!("blobs/sha256/{name}"), 0o644, &bytes)?;
    }
    Ok(tar.finish())
}

/// Returns the files with the folders above them.
fn layer(epoch: u64, files: &[(&str, u32, Vec<u8>)]) -> Result<Vec<u8>> {
    let mut tar = Tar::new(epoch);
    let mut folders = vec!["work".to_owned()];
    for (path, _, _) in files {
        folders.extend(path.match_indices('/').map(|(at, _)| path[..at].to_owned()));
    }
    folders.sort();
    folders.dedup();
    for folder in folders {
        tar.folder(&folder)?;
    }
    // The server keeps long states there while they arrive.
    tar.shared_folder("tmp")?;
    for (path, mode, content) in files {
        tar.file(path, *mode, content)?;
    }
    Ok(tar.finish())
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", checksums::of_bytes(bytes))
}

fn blob(kind: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": kind, "digest": digest(bytes), "size": bytes.len()})
}

fn architecture(target: &str) -> &'static str {
    if target.starts_with("aarch64") { "arm64" } else { "amd64" }
}

/// Returns a time as RFC 3339 has it.
pub(crate) fn timestamp(epoch: u64) -> String {
    let (days, seconds) = (epoch / 86_400, epoch % 86_400);
    // The civil calendar, by counting years and months: a release is not far from 1970.
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let (mut year, mut rest) = (1970, days);
    while rest >= 365 + u64::from(is_leap(year)) {
        rest -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in lengths {
        if rest < length {
            break;
        }
        rest -= length;
        month += 1;
    }
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", rest + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (epoch, time) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (1_795_809_600, "2026-11-27T20:00:00Z"),
        ] {
            assert_eq!(timestamp(epoch), time);
        }
    }
}
