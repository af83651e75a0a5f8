//! The package for Debian and its kin, by `dpkg-deb`.

use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::dist::stage::{CONFIGURATION, Stage, mode};
use crate::dist::{Made, Release, run_tool, set_mode, timestamp};
use crate::workspace::on_path;

/// The revision of the package.
const REVISION: u32 = 1;

/// The publisher of the package puts a name here.
const MAINTAINER: &str = "the remote-state contributors <remote-state@example.invalid>";

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
    let doc = root.join("usr/share/doc/remote-state");
    put(&doc.join("changelog.Debian"), changelog(release).as_bytes(), 0o644)?;
    for name in ["changelog", "changelog.Debian"] {
        run_tool(Command::new("gzip").args(["-9", "-n"]).arg(doc.join(name)))?;
    }
    put(&doc.join("copyright"), COPYRIGHT.as_bytes(), 0o644)?;

    let control = format!(
        "Package: remote-state\nVersion: {}-{REVISION}\nArchitecture: {architecture}\nMaintainer: \
         {MAINTAINER}\nInstalled-Size: {}\n\
         {}Recommends: ca-certificates\nSection: admin\nPriority: optional\n{DESCRIPTION}",
        release.version,
        size.div_ceil(1024),
        depends(&std::fs::read(stage.path(Path::new("usr/bin/remote-state")))?)
    );
    put(&root.join("DEBIAN/control"), control.as_bytes(), 0o644)?;
    put(&root.join("DEBIAN/conffiles"), format!("/{CONFIGURATION}\n").as_bytes(), 0o644)?;
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

const COPYRIGHT: &str = "\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: remote-state

Files: *
Copyright: 2026 the remote-state contributors
License: MIT or Apache-2.0

License: MIT
 The text is in LICENSE-MIT beside this file.

License: Apache-2.0
 On Debian systems the text is in /usr/share/common-licenses/Apache-2.0.
 .
 THIRD-PARTY.md beside this file has the licences of everything that is
 linked into the program.
";

/// Returns the changelog of the package; what changed in the program is in one of its own.
fn changelog(release: &Release<'_>) -> String {
    format!(
        "remote-state ({}-{REVISION}) unstable; urgency=medium\n\n  * New release.\n\n -- \
         {MAINTAINER}  {}\n",
        release.version,
        mail_date(release.epoch)
    )
}

/// Returns a day as Debian's changelogs write it.
fn mail_date(epoch: u64) -> String {
    let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let months =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let time = timestamp(epoch);
    let month: usize = time[5..7].parse().unwrap_or(1);
    // The first day of 1970 was a Thursday.
    let day = days[usize::try_from(epoch / 86_400 % 7).unwrap_or(0)];
    format!("{day}, {} {} {} {} +0000", &time[8..10], months[month - 1], &time[..4], &time[11..19])
}

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

    #[test]
    fn a_date_has_its_day_of_the_week() {
        assert_eq!(mail_date(1_795_809_600), "Fri, 27 Nov 2026 20:00:00 +0000");
        assert_eq!(mail_date(0), "Thu, 01 Jan 1970 00:00:00 +0000");
    }
}
