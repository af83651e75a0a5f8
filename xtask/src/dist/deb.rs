//! The package for Debian and its kin, by `dpkg-deb`.

use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::dist::stage::{Stage, mode};
use crate::dist::{Made, Release, run_tool, set_mode};
use crate::workspace::on_path;

/// The revision of the package.
const REVISION: u32 = 1;

const DESCRIPTION: &str = "\
Description: state of Terraform and OpenTofu in object stores
 remote-state reads, writes, locks and serves the state that Terraform and
 OpenTofu keep in Amazon S3 and what speaks its protocol, in Alibaba Cloud OSS
 and in DigitalOcean Spaces, with the same objects and the same locks as their
 own clients.
";

/// Reads the new unit and makes the group; the service itself is enabled by an administrator.
const POSTINST: &str = "\
#!/bin/sh
set -e
if [ \"$1\" = configure ]; then
    if command -v systemd-sysusers >/dev/null; then
        systemd-sysusers ${DPKG_ROOT:+--root=\"$DPKG_ROOT\"} remote-state.conf
    fi
    if [ -z \"$DPKG_ROOT\" ] && [ -d /run/systemd/system ]; then
        systemctl daemon-reload || true
    fi
fi
";

pub(super) fn make(release: &Release<'_>, stage: &Stage) -> Result<Made> {
    if on_path("dpkg-deb").is_none() {
        return Ok(Made::Not("there is no `dpkg-deb`".to_owned()));
    }
    let Some(architecture) = architecture(&release.target) else {
        return Ok(Made::Not(format!("it is made for Linux with glibc, not `{}`", release.target)));
    };
    let root = release.work.path().join("package-deb");
    let mut size = 0;
    for file in &stage.files {
        size += put(&root.join(in_debian(file)), &std::fs::read(stage.path(file))?, mode(file))?;
    }
    for page in stage.files.iter().filter(|file| file.starts_with("usr/share/man")) {
        run_tool(Command::new("gzip").args(["-9", "-n"]).arg(root.join(page)))?;
    }
    let changes = root.join("usr/share/doc/remote-state/changelog");
    run_tool(Command::new("gzip").args(["-9", "-n"]).arg(changes))?;
    put(&root.join("etc/remote-state/README"), CONFIGURATION.as_bytes(), 0o644)?;
    let copyright = root.join("usr/share/doc/remote-state/copyright");
    put(&copyright, COPYRIGHT.as_bytes(), 0o644)?;

    let control = format!(
        "Package: remote-state\nVersion: {}-{REVISION}\nArchitecture: {architecture}\nMaintainer: \
         the remote-state authors <remote-state@example.invalid>\nInstalled-Size: {}\n\
         {}Recommends: ca-certificates\nSection: admin\nPriority: optional\n{DESCRIPTION}",
        release.version,
        size.div_ceil(1024),
        depends(&std::fs::read(stage.path(Path::new("usr/bin/remote-state")))?)
    );
    put(&root.join("DEBIAN/control"), control.as_bytes(), 0o644)?;
    put(&root.join("DEBIAN/conffiles"), b"/etc/remote-state/README\n", 0o644)?;
    put(&root.join("DEBIAN/postinst"), POSTINST.as_bytes(), 0o755)?;
    folders_are_readable(&root)?;

    let name = format!("remote-state_{}-{REVISION}_{architecture}.deb", release.version);
    let path = release.output.join(name);
    let mut dpkg = Command::new("dpkg-deb");
    // One thread, since the parts that several compress differ from machine to machine.
    dpkg.args(["--root-owner-group", "--threads-max=1", "-Zxz", "--build"]).arg(&root).arg(&path);
    run_tool(dpkg.env("SOURCE_DATE_EPOCH", release.epoch.to_string()))?;
    Ok(Made::Files(vec![path]))
}

const CONFIGURATION: &str = "\
Each folder here is an instance of the unit remote-state@.service, with three files:

  remote-state.hcl   which bucket; see /usr/share/doc/remote-state/examples/remote-state.hcl
  environment        credentials of the store, and REMOTE_STATE_LISTEN; mode 0600
  token              what clients must present; mode 0600
";

const COPYRIGHT: &str = "\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: remote-state

Files: *
Copyright: the remote-state authors
License: MIT or Apache-2.0

License: MIT
 The text is in LICENSE-MIT beside this file.

License: Apache-2.0
 On Debian systems the text is in /usr/share/common-licenses/Apache-2.0.
 .
 THIRD-PARTY.md beside this file has the licences of everything that is
 linked into the program.
";

/// Returns the place of a file as Debian wants it.
fn in_debian(file: &Path) -> &Path {
    match file.to_str() {
        Some("usr/share/doc/remote-state/CHANGELOG.md") => {
            Path::new("usr/share/doc/remote-state/changelog")
        }
        _ => file,
    }
}

/// Returns the name of an architecture. Packages of distributions are linked against their
/// libraries, so that names of hosts are found as the system is set up to.
fn architecture(target: &str) -> Option<&'static str> {
    let known = [
        ("x86_64-unknown-linux-gnu", "amd64"),
        ("aarch64-unknown-linux-gnu", "arm64"),
        ("i686-unknown-linux-gnu", "i386"),
    ];
    known.into_iter().find(|(triple, _)| *triple == target).map(|(_, name)| name)
}

/// Returns the field that says what the program is linked against; empty for a script.
fn depends(program: &[u8]) -> String {
    match glibc(program) {
        Some(minor) => format!("Depends: libc6 (>= 2.{minor}), libgcc-s1\n"),
        None => String::new(),
    }
}

/// Returns the second number of the newest glibc of which a program uses something.
pub(super) fn glibc(program: &[u8]) -> Option<u32> {
    let mark = b"GLIBC_2.";
    let places = program.windows(mark.len()).enumerate().filter(|(_, bytes)| bytes == mark);
    let minor = |(at, _): (usize, &[u8])| {
        let digits = program[at + mark.len()..].iter().take_while(|byte| byte.is_ascii_digit());
        std::str::from_utf8(&digits.copied().collect::<Vec<_>>()).ok()?.parse().ok()
    };
    places.filter_map(minor).max()
}

fn put(path: &Path, content: &[u8], mode: u32) -> Result<usize> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, content)?;
    set_mode(path, mode)?;
    Ok(content.len())
}

/// Gives all folders the mode that they have in a system, whatever the mask of this process is.
fn folders_are_readable(folder: &Path) -> Result<()> {
    set_mode(folder, 0o755)?;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            folders_are_readable(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_glibc_is_found_and_a_script_needs_none() {
        assert_eq!(glibc(b"\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.9\0"), Some(34));
        assert_eq!(depends(b"#!/bin/sh\n"), "");
    }
}
