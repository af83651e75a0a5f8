//! Archives: a `tar` of which each byte follows from its files, and the `.tar.gz` of a release.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Result;
use crate::dist::stage::{Stage, mode};
use crate::dist::{Made, Release};
use crate::workspace::on_path;

/// An archive in the format `ustar`, which every `tar` reads.
#[derive(Debug, Default)]
pub(super) struct Tar {
    bytes: Vec<u8>,
    epoch: u64,
}

impl Tar {
    pub(super) fn new(epoch: u64) -> Self {
        Self { bytes: Vec::new(), epoch }
    }

    /// Adds a folder. It adds none of those above it.
    pub(super) fn folder(&mut self, path: &str) -> Result<()> {
        self.entry(&format!("{path}/"), b'5', 0o755, &[])
    }

    /// Adds a folder for the temporary files of everyone.
    pub(super) fn shared_folder(&mut self, path: &str) -> Result<()> {
        self.entry(&format!("{path}/"), b'5', 0o1777, &[])
    }

    pub(super) fn file(&mut self, path: &str, mode: u32, content: &[u8]) -> Result<()> {
        self.entry(path, b'0', mode, content)
    }

    /// See <https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html>, "ustar
    /// Interchange Format".
    fn entry(&mut self, path: &str, kind: u8, mode: u32, content: &[u8]) -> Result<()> {
        let mut header = [0_u8; 512];
        let (prefix, name) = match path.len() {
            0..=100 => ("", path),
            _ => split(path).ok_or_else(|| format!("the path `{path}` is too long for a tar"))?,
        };
        let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, name.as_bytes());
        put(100, format!("{mode:07o}\0").as_bytes());
        // The owner is root.
        put(108, b"0000000\0");
        put(116, b"0000000\0");
        put(124, format!("{:011o}\0", content.len()).as_bytes());
        put(136, format!("{:011o}\0", self.epoch).as_bytes());
        put(148, b"        ");
        put(156, &[kind]);
        put(257, b"ustar\x0000");
        put(265, b"root");
        put(297, b"root");
        put(345, prefix.as_bytes());
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.bytes.extend_from_slice(&header);
        self.bytes.extend_from_slice(content);
        self.pad();
        Ok(())
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
    }

    /// Returns the bytes, with the end that every archive has.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(&[0; 1024]);
        self.bytes
    }
}

/// Splits a long path at a slash, so that both parts fit.
fn split(path: &str) -> Option<(&str, &str)> {
    let fits = |at: &usize| *at <= 155 && path.len() - at - 1 <= 100 && at + 1 < path.len();
    let at = path.match_indices('/').map(|(at, _)| at).find(fits)?;
    Some((&path[..at], &path[at + 1..]))
}

/// Compresses bytes by `gzip -n`, which writes no name and no time.
pub(super) fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut child = Command::new("gzip")
        .args(["-9", "-n"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run `gzip`: {error}"))?;
    let mut stdin = child.stdin.take().ok_or("gzip has no standard input")?;
    let bytes = bytes.to_vec();
    // Both ends have to move: a full pipe stops the other side.
    let writer = std::thread::spawn(move || stdin.write_all(&bytes));
    let output = child.wait_with_output()?;
    writer.join().map_err(|_| "the writer to gzip ended in a panic")??;
    if !output.status.success() {
        return Err(format!("`gzip` failed: {}", output.status).into());
    }
    Ok(output.stdout)
}

/// Makes `remote-state-VERSION-TARGET.tar.gz`: the command, its manual, its completions, licences.
pub(super) fn make(release: &Release<'_>, stage: &Stage) -> Result<Made> {
    if on_path("gzip").is_none() {
        return Ok(Made::Not("there is no `gzip`".to_owned()));
    }
    let name = format!("remote-state-{}-{}", release.version, release.target);
    let mut tar = Tar::new(release.epoch);
    tar.folder(&name)?;
    for (file, place) in stage.files.iter().filter_map(|file| Some((file, in_archive(file)?))) {
        let content = std::fs::read(stage.path(file))?;
        tar.file(&format!("{name}/{place}"), mode(file), &content)?;
    }
    let path = release.output.join(format!("{name}.tar.gz"));
    std::fs::write(&path, gzip(&tar.finish())?)?;
    Ok(Made::Files(vec![path]))
}

/// Returns where a file is in the archive, which is unpacked anywhere; `None` if it is not there.
fn in_archive(file: &Path) -> Option<String> {
    let name = file.file_name()?.to_str()?;
    if file.starts_with("usr/bin") || file.starts_with("usr/share/doc") {
        return Some(name.to_owned());
    }
    if file.starts_with("etc") {
        return None;
    }
    if file.starts_with("usr/share/man") {
        return Some(format!("man/{name}"));
    }
    if file.starts_with("usr/lib") {
        return Some(format!("systemd/{name}"));
    }
    Some(match name {
        // The name that bash looks for says nothing outside of its folder.
        "remote-state" => "completions/remote-state.bash".to_owned(),
        name => format!("completions/{name}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_read_by_tar_and_has_the_same_bytes_each_time() {
        let make = || {
            let mut tar = Tar::new(1_700_000_000);
            let long = format!("{}/{}", "folder".repeat(20), "f".repeat(90));
            tar.folder("a").expect("it is short");
            tar.file("a/program", 0o755, b"#!/bin/sh\n").expect("it is short");
            tar.file(&long, 0o644, &[b'x'; 600]).expect("it can be split");
            tar.finish()
        };
        let bytes = make();
        assert_eq!(bytes, make());
        assert_eq!(bytes.len() % 512, 0);
        let Some(tar) = on_path("tar") else { return };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let archive = folder.path().join("x.tar");
        std::fs::write(&archive, &bytes).expect("it is ours");
        let output = Command::new(tar)
            .arg("-tvf")
            .arg(&archive)
            .env("TZ", "UTC")
            .output()
            .expect("tar runs");
        let said = String::from_utf8_lossy(&output.stdout);
        let lines: Vec<_> = said.lines().collect();
        assert!(output.status.success() && lines.len() == 3, "{output:?}");
        assert!(lines[0].starts_with("drwxr-xr-x") && lines[0].ends_with("a/"), "{said}");
        assert!(lines[1].starts_with("-rwxr-xr-x root/root"), "{said}");
        assert!(lines[2].contains(" 600 ") && lines[2].ends_with(&"f".repeat(90)), "{said}");
    }

    #[test]
    fn a_path_that_no_header_holds_is_refused() {
        let error = Tar::new(0).file(&"x".repeat(101), 0o644, b"").expect_err("it is too long");
        assert!(error.to_string().contains("too long"), "{error}");
    }
}
